// One partition of a queue group while it is coordinated here: what is about to be said in the log, one batch of
// steps at a time, and what need not be durable: who looks for more, when leases end, what is held back.
import type { WireError } from '../../wire/errors.ts'
import { queueBurialRetryMs } from '../limits.ts'
import type { Verdict } from './group.ts'
import type { StepKind } from './queue-records.ts'
import type { QueueWindow } from './queue-window.ts'
import type { PartitionName } from './records.ts'
import { placeOf } from './records.ts'

export type StepDone = (error: WireError | undefined, verdict: Verdict) => void

export interface WaitingStep {
  readonly step: StepKind
  /** Of what counts only once: it is dropped when it is not known what became of it. */
  readonly isOnce: boolean
  readonly done?: StepDone
}

/** A member that was asked to look what there is. */
export interface Scan {
  readonly id: number
  readonly member: string
  /** -1: where the partition begins. */
  readonly from: number
  /** Nothing of the partition was found before it, or is about to be said in the log. */
  readonly isFirst: boolean
  readonly recordsMax: number
}

export class QueueLane {
  readonly name: PartitionName
  readonly topicId: string
  readonly partition: number
  waiting: WaitingStep[] = []
  isInFlight = false
  scan: Scan | undefined
  /** What was found and is not in the log yet. */
  foundPending = 0
  recordsPending = 0
  /** Where the next scan begins while something is pending. */
  next = -1
  /** Why the dead-letter topic does not take records; empty when it does. */
  stuck = ''
  readonly #leases = new Map<number, { readonly member: string, endsAt: number }>()
  readonly #dueAt = new Map<number, number>()

  constructor (name: PartitionName) {
    const { topicId, partition } = placeOf(name)
    this.name = name
    this.topicId = topicId
    this.partition = partition
  }

  // Leases

  lease (lease: number, member: string, endsAt: number): void {
    this.#leases.set(lease, { member, endsAt })
  }

  /** True when it is one of this partition and of this member. */
  renew (lease: number, member: string, endsAt: number): boolean {
    const known = this.#leases.get(lease)
    if (known?.member !== member) return false
    known.endsAt = endsAt
    return true
  }

  /** Leases that are over; those that hold nothing any more are forgotten. */
  lapsed (window: QueueWindow | undefined, now: number, lateMs: number): number[] {
    if (this.#leases.size === 0) return []
    const live = new Set<number>()
    for (const { lease } of window?.entries.values() ?? []) live.add(lease)
    const over: number[] = []
    for (const [lease, known] of this.#leases) {
      known.endsAt += lateMs
      if (!live.has(lease)) this.#leases.delete(lease)
      else if (known.endsAt <= now) {
        over.push(lease)
        // Asked once more should it not get through.
        known.endsAt = now + queueBurialRetryMs
      }
    }
    return over
  }

  // Records that are held back

  holdBack (offsets: readonly number[], until: number): void {
    for (const offset of offsets) this.#dueAt.set(offset, until)
  }

  isDue (offset: number, now: number): boolean {
    const at = this.#dueAt.get(offset)
    return at === undefined || at <= now
  }

  forgetDue (window: QueueWindow | undefined, now: number): void {
    for (const [offset, at] of this.#dueAt) {
      if (at <= now || window?.entries.has(offset) !== true) this.#dueAt.delete(offset)
    }
  }
}
