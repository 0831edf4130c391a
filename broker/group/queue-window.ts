// One partition as a queue group sees it: which records are finished, which are with whom, which are free.
//
//   unseen ──found──▶ free ──taken──▶ held ──acknowledged, dead-lettered, rejected, gone──▶ finished
//                      ▲                │
//                      └────────────────┘ released, returned, lapsed, member gone
//
// (Kafka's share groups, KIP-932, say available, acquired, acknowledged and archived.) Everything before `end` that
// has no entry is finished: a record that nobody finishes holds up nothing but the start.
import { assert } from '../assert.ts'
import type { QueueOutcome } from '../../wire/messages.ts'

/** What became of a record, as the log has it. */
export type Outcome = 'acknowledged' | 'released' | 'returned' | 'rejected' | 'doomed' | 'deadLettered' | 'gone'

export const outcomes: Readonly<Partial<Record<QueueOutcome, Outcome>>> = {
  QUEUE_OUTCOME_ACKNOWLEDGED: 'acknowledged',
  QUEUE_OUTCOME_RELEASED: 'released',
  QUEUE_OUTCOME_RETURNED: 'returned',
  QUEUE_OUTCOME_REJECTED: 'rejected',
  QUEUE_OUTCOME_DEAD_LETTERED: 'deadLettered',
  QUEUE_OUTCOME_STUCK: 'returned',
  QUEUE_OUTCOME_GONE: 'gone'
}

/** A record without a key: it waits for nothing. */
export const noKey = 0
/** Found without a look at the keys: in order with everything. */
export const unknownKey = -1

/** A record that is not finished. */
export interface Entry {
  readonly key: number
  /** Times that it was given to a member to be handled, those that were returned not counted. */
  deliveries: number
  /** The member that has it, empty for none. */
  holder: string
  /** The offset of the record of the log that gave it; -1 when nobody has it. */
  lease: number
  /** It is held to be written to the dead-letter topic, not to be handled. */
  isBurial: boolean
  /** A member said that it is never to be delivered again. */
  doomed: boolean
  /** Why it was released or rejected last. */
  reason: string
}

export interface Totals {
  delivered: number
  /** Of those: not for the first time. */
  redelivered: number
  acknowledged: number
  rejected: number
  deadLettered: number
  gone: number
  /** By members that had not handled them: not counted as deliveries of the record, though it was delivered. */
  returned: number
}

/** What there is from `from` on, by a member that looked. */
export interface Found {
  readonly from: number
  readonly end: number
  /** In ascending order. */
  readonly records: readonly number[]
  /** As many as records; empty: nobody looked at keys. */
  readonly keys: readonly number[]
}

export interface Take {
  readonly member: string
  readonly records: readonly number[]
  readonly isBurial: boolean
}

export interface Settle {
  readonly member: string
  readonly lease: number
  readonly records: readonly number[]
  readonly outcome: Outcome
  readonly reason: string
}

export class QueueWindow {
  readonly topic: string
  #end: number
  /** Ascending by offset: records are added at the end. */
  readonly #entries = new Map<number, Entry>()
  /** They only grow: metrics are made of them. */
  readonly totals: Totals = {
    delivered: 0, redelivered: 0, acknowledged: 0, rejected: 0, deadLettered: 0, gone: 0, returned: 0
  }
  /** By member: how many records it holds. */
  readonly #held = new Map<string, number>()

  readonly #heldInAll: Map<string, number>

  /** @param heldInAll counts the records of each member, all windows of the group together */
  constructor (topic: string, end: number, heldInAll = new Map<string, number>()) {
    this.topic = topic
    this.#end = end
    this.#heldInAll = heldInAll
  }

  /** Everything from here on is unseen. */
  get end (): number { return this.#end }
  get entries (): ReadonlyMap<number, Readonly<Entry>> { return this.#entries }

  /** Everything before it is finished. */
  get start (): number {
    for (const offset of this.#entries.keys()) return offset
    return this.#end
  }

  get inFlight (): number {
    let sum = 0
    for (const count of this.#held.values()) sum += count
    return sum
  }

  heldBy (member: string): number { return this.#held.get(member) ?? 0 }

  /** What was found counts if nobody found it before. */
  found ({ from, end, records, keys }: Found): boolean {
    if (from !== this.#end) return false
    for (const [index, offset] of records.entries()) {
      assert(offset >= this.#end && offset < end, `${this.topic}: ${offset} was found in order`)
      this.#end = offset + 1
      this.#entries.set(offset, {
        key: keys[index] ?? unknownKey, deliveries: 0, holder: '', lease: -1, isBurial: false, doomed: false, reason: ''
      })
    }
    this.#end = end
    return true
  }

  /** Of the records those that are free are the member's from now on. */
  take ({ member, records, isBurial }: Take, lease: number): void {
    for (const offset of records) {
      const entry = this.#entries.get(offset)
      if (entry === undefined || entry.holder !== '') continue
      entry.lease = lease
      entry.isBurial = isBurial
      this.#hold(entry, member)
      if (isBurial) continue
      entry.deliveries++
      this.totals.delivered++
      if (entry.deliveries > 1) this.totals.redelivered++
    }
  }

  /**
   * False when a record is not the member's by this lease, and not finished either: nothing is done to that one. Who
   * says it again gets the same answer.
   */
  settle ({ member, lease, records, outcome, reason }: Settle): boolean {
    let all = true
    for (const offset of records) {
      const entry = this.#entries.get(offset)
      if (entry === undefined) {
        all &&= offset < this.#end
      } else if (entry.holder === member && entry.lease === lease) {
        this.#settle(offset, entry, outcome, reason)
      } else all = false
    }
    return all
  }

  #settle (offset: number, entry: Entry, outcome: Outcome, reason: string): void {
    const { totals } = this
    const { isBurial } = entry
    this.#free(entry)
    switch (outcome) {
      case 'released':
        entry.reason = reason
        return
      case 'returned':
        if (isBurial || entry.deliveries === 0) return
        entry.deliveries--
        totals.returned++
        return
      case 'doomed':
        entry.doomed = true
        entry.reason = reason
        totals.rejected++
        return
      case 'acknowledged': totals.acknowledged++; break
      case 'rejected': totals.rejected++; break
      case 'deadLettered': totals.deadLettered++; break
      case 'gone': totals.gone++; break
    }
    this.#entries.delete(offset)
  }

  /** The lease was not renewed in time. */
  lapse (lease: number, reason: string): void {
    for (const entry of this.#entries.values()) if (entry.lease === lease) this.#giveUp(entry, reason)
  }

  /** The member is gone. */
  expel (member: string, reason: string): void {
    if (!this.#held.has(member)) return
    for (const entry of this.#entries.values()) if (entry.holder === member) this.#giveUp(entry, reason)
  }

  #giveUp (entry: Entry, reason: string): void {
    if (!entry.isBurial) entry.reason = reason
    this.#free(entry)
  }

  #hold (entry: Entry, member: string): void {
    entry.holder = member
    add(this.#held, member, 1)
    add(this.#heldInAll, member, 1)
  }

  #free (entry: Entry): void {
    add(this.#held, entry.holder, -1)
    add(this.#heldInAll, entry.holder, -1)
    entry.holder = ''
    entry.lease = -1
    entry.isBurial = false
  }

  /** It is of no use any more: nobody holds anything of it. */
  clear (): void {
    for (const entry of this.#entries.values()) if (entry.holder !== '') this.#free(entry)
    this.#entries.clear()
  }

  /** Part of a snapshot: entries as they are, in ascending order. */
  restore (entries: Iterable<readonly [number, Entry]>, totals: Totals): void {
    for (const [offset, entry] of entries) {
      this.#entries.set(offset, { ...entry })
      if (entry.holder !== '') this.#hold(this.#entries.get(offset)!, entry.holder)
    }
    Object.assign(this.totals, totals)
  }
}

function add (counts: Map<string, number>, name: string, difference: number): void {
  const sum = (counts.get(name) ?? 0) + difference
  if (sum === 0) counts.delete(name)
  else counts.set(name, sum)
}
