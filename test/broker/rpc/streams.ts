// One end of a stream, and partitions, as a test plays them.
import type {
  AppendDone, FetchResult, ListedOffset, PartitionRef, Partitions
} from '../../../broker/partition/contract.ts'
import { WireError } from '../../../wire/errors.ts'
import type { Sent } from '../../../wire/messages.ts'
import type { Stream } from '../../../wire/ports.ts'
import { stampBaseOffset } from '../../../wire/record-batch.ts'
import { valueBatch } from '../../partition/world/batch.ts'

export class FakeStream<Out> implements Stream<Out> {
  readonly sent: Sent<Out>[] = []
  /** What `send` answers. */
  takes = true
  paused = false
  ended = false
  destroyed: WireError | undefined

  send (message: Sent<Out>): boolean {
    this.sent.push(message)
    return this.takes
  }

  end (): void { this.ended = true }
  destroy (error?: WireError): void { this.destroyed = error ?? new WireError('UNAVAILABLE') }
  pause (): void { this.paused = true }
  resume (): void { this.paused = false }
}

/** One partition, one record per offset, everything committed that the test says so. */
export class FakePartitions implements Partitions {
  readonly appended: { ref: PartitionRef, batch: Uint8Array, done: AppendDone }[] = []
  highWatermark = 0
  logStart = 0
  failure: WireError | undefined
  reads: { offset: number, bytesMax: number, leaderEpoch: number }[] = []
  /** Reads wait for the test while it is set. */
  hold: (() => void)[] | undefined
  readonly waiters = new Set<() => void>()

  append (ref: PartitionRef, batch: Uint8Array, done: AppendDone): void {
    this.appended.push({ ref, batch, done })
  }

  async fetch (_ref: PartitionRef, offset: number, leaderEpoch: number, bytesMax: number): Promise<FetchResult> {
    this.reads.push({ offset, bytesMax, leaderEpoch })
    const { hold, highWatermark, logStart } = this
    if (hold !== undefined) await new Promise<void>(resolve => { hold.push(resolve) })
    if (this.failure !== undefined) throw this.failure
    const parts: Uint8Array[] = []
    for (let at = offset, size = 0; at < highWatermark; at++) {
      const batch = valueBatch(`v${at}`)
      stampBaseOffset(batch, at)
      size += batch.length
      if (parts.length > 0 && size > bytesMax) break
      parts.push(batch)
    }
    return { records: Uint8Array.from(Buffer.concat(parts)), highWatermark, logStart, leaderEpoch: 3 }
  }

  whenChanged (_ref: PartitionRef, callback: () => void): () => void {
    this.waiters.add(callback)
    return () => { this.waiters.delete(callback) }
  }

  commit (highWatermark: number): void {
    this.highWatermark = highWatermark
    this.change()
  }

  change (): void {
    const waiters = [...this.waiters]
    this.waiters.clear()
    for (const callback of waiters) callback()
  }

  earliest (): ListedOffset { return { offset: this.logStart, timestamp: -1, leaderEpoch: 3 } }
  latest (): ListedOffset {
    if (this.failure !== undefined) throw this.failure
    return { offset: this.highWatermark, timestamp: -1, leaderEpoch: 3 }
  }

  atTime (_ref: PartitionRef, timestamp: number): Promise<ListedOffset> {
    return Promise.resolve({ offset: 1, timestamp, leaderEpoch: 3 })
  }

  onLeadership (): void {}
  deleteRecordsBefore (): void {}
  reports (): [] { return [] }
  ends (): [] { return [] }
  apply (): void {}
  starved (): [] { return [] }
  unreachable (): [] { return [] }
  learnerProgress (): [] { return [] }
}

export async function turn (): Promise<void> {
  await new Promise(resolve => { setImmediate(resolve) })
}
