// A batch of records of one partition, as the consumer hands it out.
import { RecordCursor } from '../wire/batch-reader.ts'
import type { Decompress } from '../wire/batch-reader.ts'
import type { BatchHeader } from '../wire/record-batch.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { toMillraceError } from './errors.ts'

/** A batch in the bytes that it came with. */
export interface Received {
  readonly bytes: Uint8Array
  readonly header: BatchHeader
}

export class ConsumedBatch implements Iterable<ConsumerRecord> {
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
  readonly #decompress: Decompress | undefined

  constructor (topic: string, topicId: string, partition: number, firstOffset: number, highWatermark: number,
    received: Received, decompress?: Decompress) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = received.header.lastOffset
    this.leaderEpoch = received.header.leaderEpoch
    this.highWatermark = highWatermark
    this.received = received
    this.#decompress = decompress
  }

  /**
   * Walks over the records without an object for each, earlier ones than firstOffset included.
   * @throws MillraceError UNSUPPORTED_COMPRESSION, RECORD_TOO_LARGE (it opens to too much), CORRUPT_BATCH.
   */
  cursor (): RecordCursor {
    try {
      return new RecordCursor(this.received.bytes, this.received.header, this.#decompress)
    } catch (error) {
      throw toMillraceError(error, this)
    }
  }

  /** @throws MillraceError CORRUPT_BATCH and what `cursor` throws. */
  * [Symbol.iterator] (): Generator<ConsumerRecord> {
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

  /** The record that the cursor is at. */
  record (cursor: RecordCursor): ConsumerRecord {
    return {
      topic: this.topic,
      partition: this.partition,
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headersCount === 0 ? [] : cursor.headers(),
      leaderEpoch: this.leaderEpoch
    }
  }
}
