// A partition of __groups under the test's control: appended batches commit when the test says so.
import type {
  AppendDone, FetchResult, ListedOffset, PartitionRef, Partitions
} from '../../../broker/partition/contract.ts'
import { WireError } from '../../../wire/errors.ts'
import { parseBatchHeader, stampBaseOffset } from '../../../wire/record-batch.ts'

interface Pending { readonly batch: Uint8Array, readonly base: number, readonly end: number, readonly done: AppendDone }

export class FakePartitions implements Partitions {
  /** Committed batches, whole. */
  batches: Uint8Array[] = []
  pending: Pending[] = []
  logStart = 0
  logEnd = 0
  highWatermark = 0
  endKnown = true
  /** Commit each append at once. */
  automatic = true
  /** Every append is answered at once with this. */
  refusal: WireError | undefined
  refused = 0
  #listener: ((partition: number, leading: boolean) => void) | undefined
  #waiting: (() => void)[] = []

  append (_ref: PartitionRef, batch: Uint8Array, done: AppendDone): void {
    if (this.refusal !== undefined) {
      this.refused++
      done(this.refusal, -1, -1)
      return
    }
    const base = this.logEnd
    stampBaseOffset(batch, base)
    this.logEnd += parseBatchHeader(batch).recordsCount
    this.pending.push({ batch, base, end: this.logEnd, done })
    if (this.automatic) this.commitAll()
  }

  commitAll (): void {
    this.commit(this.pending.length)
  }

  /** The first so many of what waits. */
  commit (count: number): void {
    const pending = this.pending.splice(0, count)
    for (const { batch, base, end, done } of pending) {
      this.batches.push(batch)
      this.highWatermark = end
      done(undefined, base, 1)
    }
    this.changed()
  }

  failAll (error: WireError): void {
    const pending = this.pending
    this.pending = []
    for (const { done } of pending) done(error, -1, -1)
  }

  changed (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }

  fetch (_ref: PartitionRef, offset: number): Promise<FetchResult> {
    const found = this.batches.find(batch => parseBatchHeader(batch).lastOffset >= offset)
    return Promise.resolve({
      records: found ?? new Uint8Array(0), highWatermark: this.highWatermark, logStart: this.logStart, leaderEpoch: 1
    })
  }

  whenChanged (_ref: PartitionRef, callback: () => void): () => void {
    this.#waiting.push(callback)
    return () => { this.#waiting = this.#waiting.filter(waiting => waiting !== callback) }
  }

  earliest (): ListedOffset { return { offset: this.logStart, timestamp: -1, leaderEpoch: 1 } }

  latest (ref?: PartitionRef): ListedOffset {
    if (ref !== undefined && ref.topic !== '__groups') throw new WireError('NOT_LEADER')
    if (!this.endKnown) throw new WireError('OFFSET_NOT_AVAILABLE')
    return { offset: this.highWatermark, timestamp: -1, leaderEpoch: 1 }
  }

  atTime (): Promise<ListedOffset> { return Promise.resolve(this.latest()) }

  onLeadership (_topic: string, listener: (partition: number, leading: boolean) => void): void {
    this.#listener = listener
  }

  lead (partition: number, leading: boolean): void { this.#listener?.(partition, leading) }

  deleteRecordsBefore (_ref: PartitionRef, offset: number): void {
    this.logStart = offset
    this.batches = this.batches.filter(batch => parseBatchHeader(batch).lastOffset >= offset)
  }

  reports (): never[] { return [] }
  ends (): never[] { return [] }
  apply (): void {}
  starved (): never[] { return [] }
  unreachable (): never[] { return [] }
  learnerProgress (): [] { return [] }
}
