// A batch of records of one partition, as the consumer hands it out.
import { RecordCursor } from '../wire/batch-reader.ts'
import type { BatchHeader } from '../wire/record-batch.ts'
import type { ConsumerRecord } from './consumer-options.ts'

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

  constructor (topic: string, topicId: string, partition: number, firstOffset: number, highWatermark: number,
    received: Received) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.firstOffset = firstOffset
    this.lastOffset = received.header.lastOffset
    this.leaderEpoch = received.header.leaderEpoch
    this.highWatermark = highWatermark
    this.received = received
  }

  /** Walks over the records without an object for each, earlier ones than firstOffset included. */
  cursor (): RecordCursor {
    return new RecordCursor(this.received.bytes, this.received.header)
  }

  /** @throws WireError CORRUPT_BATCH, UNSUPPORTED_BATCH (compressed). */
  * [Symbol.iterator] (): Generator<ConsumerRecord> {
    const cursor = this.cursor()
    while (cursor.next()) {
      if (cursor.offset >= this.firstOffset) yield this.record(cursor)
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
