// A batch of the producer on its way from the first record to its acknowledgement.
import { BatchBuilder } from '../wire/batch-builder.ts'
import type { Packing } from '../wire/batch-builder.ts'
import { stampProducer } from '../wire/record-batch.ts'
import type { MillraceError } from './errors.ts'

/** Where a record was written. */
export interface RecordMetadata {
  readonly topic: string
  /** Of the topic that has the record: another one is made under the same name after a deletion. */
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  /** ms since 1970, as sent. */
  readonly timestamp: number
}

/** A caller that waits for one record of a batch. */
export interface SendSlot {
  /** Its place in the batch. */
  readonly index: number
  readonly timestamp: number
  readonly resolve: (metadata: RecordMetadata) => void
  readonly reject: (error: MillraceError) => void
}

/** Runs when the last of the batches that it was given to is settled. */
export class Countdown {
  #left = 0
  readonly #done: () => void

  constructor (done: () => void) {
    this.#done = done
  }

  add (): void {
    this.#left++
  }

  remove (): void {
    this.#left--
    if (this.#left === 0) this.#done()
  }
}

export class ProduceBatch {
  /** Monotonic ms: its deadlines count from here. */
  readonly createdAt: number
  readonly builder: BatchBuilder
  /** No record comes to it any more. */
  sealed = false
  /** Set once it has a sequence. */
  bytes: Uint8Array | undefined
  /** -1 until it is sent for the first time. */
  sequence = -1
  /** Counts the batches of its lane as they were first sent. */
  number = 0
  inFlight = false
  /** An attempt ended without word whether it was written. */
  uncertain = false
  /** A batch before it will not be sent again, and was certainly not written ('rejected') or perhaps. */
  behind: 'none' | 'rejected' | 'unknown' = 'none'
  attempts = 0
  /** Of the topic that it was sent to last. */
  topicId = ''
  sentAt = 0
  readonly slots: SendSlot[] = []
  readonly countdowns: Countdown[] = []

  /** @param room bytes that its records are written into. */
  constructor (createdAt: number, room: Uint8Array) {
    this.createdAt = createdAt
    this.builder = new BatchBuilder(room)
  }

  get count (): number { return this.builder.count }
  get sizeBytes (): number { return this.builder.sizeBytes }
  /** It has a sequence, under which it was sent at least once. */
  get wasSent (): boolean { return this.sequence >= 0 }

  /** Gives it its place among the batches of its producer; a repeat sends the same bytes. */
  stamp (producerId: number, epoch: number, sequence: number, packing?: Packing): Uint8Array {
    this.sealed = true
    if (this.bytes === undefined) {
      this.bytes = this.builder.finish(producerId, epoch, sequence, packing)
    } else {
      // A broken stream may still hold the bytes as they were sent.
      this.bytes = this.bytes.slice()
      stampProducer(this.bytes, producerId, epoch, sequence)
    }
    this.sequence = sequence
    return this.bytes
  }

  /** It was certainly not written: it gets another sequence when it is sent next. */
  unstamp (): void {
    this.sequence = -1
    this.uncertain = false
    this.behind = 'none'
  }
}
