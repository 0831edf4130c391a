// A batch of records of one partition, as the consumer hands it out.
import { RecordCursor } from '../wire/batch-reader.ts'
import type { Decompress } from '../wire/batch-reader.ts'
import type { Header } from '../wire/batch-builder.ts'
import type { BatchHeader } from '../wire/record-batch.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { DeserializationError, toMillraceError } from './errors.ts'
import type { Deserializer } from './serde.ts'

/** A batch in the bytes that it came with. */
export interface Received {
  readonly bytes: Uint8Array
  readonly header: BatchHeader
}

/** What makes records of bytes. */
export interface Opening {
  readonly decompress?: Decompress | undefined
  readonly key?: Deserializer<unknown> | undefined
  readonly value?: Deserializer<unknown> | undefined
}

const NO_HEADERS: readonly Header[] = []

/** Records of one partition that came together: an iterable, or a cursor for callers with very many. */
export class ConsumedBatch<K = Uint8Array, V = Uint8Array> implements Iterable<ConsumerRecord<K, V>> {
  readonly topic: string
  /** Of the topic that was read: another one is made under the same name after a deletion. */
  readonly topicId: string
  readonly partition: number
  /** The first offset wanted; the batch may hold earlier records, which are passed over. */
  readonly firstOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  /** The end of what is committed in the partition, when the batch came. */
  readonly highWatermark: number
  /** For the consumer, which may take it back. */
  readonly received: Received
  readonly #opening: Opening

  constructor (topic: string, topicId: string, partition: number, firstOffset: number, highWatermark: number,
    received: Received, opening: Opening = {}) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = received.header.lastOffset
    this.leaderEpoch = received.header.leaderEpoch
    this.highWatermark = highWatermark
    this.received = received
    this.#opening = opening
  }

  /**
   * Walks over the records without an object for each, earlier ones than firstOffset included.
   * @throws MillraceError UNSUPPORTED_COMPRESSION, RECORD_TOO_LARGE (it opens to too much), CORRUPT_BATCH.
   */
  cursor (): RecordCursor {
    try {
      return new RecordCursor(this.received.bytes, this.received.header, this.#opening.decompress)
    } catch (error) {
      throw toMillraceError(error, this)
    }
  }

  /** @throws DeserializationError, MillraceError CORRUPT_BATCH and what `cursor` throws. */
  * [Symbol.iterator] (): Generator<ConsumerRecord<K, V>> {
    const cursor = this.cursor()
    while (this.#next(cursor)) {
      if (cursor.offset >= this.firstOffset) yield this.record(cursor)
    }
  }

  #next (cursor: RecordCursor): boolean {
    try {
      return cursor.next()
    } catch (error) {
      throw toMillraceError(error, this)
    }
  }

  /**
   * The record that the cursor is at.
   * @throws DeserializationError.
   */
  record (cursor: RecordCursor): ConsumerRecord<K, V> {
    const raw: ConsumerRecord = {
      topic: this.topic,
      partition: this.partition,
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headersCount === 0 ? NO_HEADERS : cursor.headers(),
      leaderEpoch: this.leaderEpoch
    }
    return deserialized(raw, this.#opening)
  }
}

/** @throws DeserializationError. */
export function deserialized<K, V> (raw: ConsumerRecord, { key, value }: Opening): ConsumerRecord<K, V> {
  // Without deserializers K and V are bytes.
  if (key === undefined && value === undefined) return raw as ConsumerRecord<K, V>
  return { ...raw, key: made(raw, 'key', key) as K | null, value: made(raw, 'value', value) as V | null }
}

function made (record: ConsumerRecord, part: 'key' | 'value', by: Deserializer<unknown> | undefined): unknown {
  const { topic, headers, [part]: bytes } = record
  if (bytes === null || by === undefined) return bytes
  try {
    return by.deserialize(bytes, { topic, part, headers })
  } catch (error) {
    throw new DeserializationError(record, part, error)
  }
}
