// The queues of one group while this broker coordinates it. Members look what there is in the partitions (a scan: the
// keys lie in the bytes, and bytes go from leaders to members alone), the desk gives records to those that have room,
// and everything that must outlive it is a step in the log: a grant is sent when its take is committed, a settlement
// is answered when it is. Whoever leads next knows who has what.
import { WireError } from '../../wire/errors.ts'
import type {
  QueueRequest, QueueRequest_Found, QueueRequest_Settle, QueueSettings
} from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import type { Group } from './group.ts'
import type { TopicOf } from './planning.ts'
import { chooseFound } from './queue-choice.ts'
import { QueueLane } from './queue-lane.ts'
import type { StepDone } from './queue-lane.ts'
import { MembersOfQueue } from './queue-members.ts'
import type { MemberOfQueue, QueueStream } from './queue-members.ts'
import type { QueueStep } from './queue-records.ts'
import { planTakes } from './queue-takes.ts'
import { outcomes } from './queue-window.ts'
import type { QueueWindow } from './queue-window.ts'
import { fromRanges } from '../../wire/ranges.ts'
import { nameOf } from './records.ts'
import type { PartitionName } from './records.ts'

export interface QueueHost {
  readonly clock: Clock
  readonly topicOf: TopicOf
  readonly topicName: (topicId: string) => string
  group (name: string): Group | undefined
  append (steps: readonly QueueStep[], done: readonly StepDone[]): void
}

const retryMs = 200

function check (condition: boolean, message: string): void {
  if (!condition) throw new WireError('INVALID_REQUEST', message)
}

export class QueueDesk {
  readonly name: string
  readonly #host: QueueHost
  readonly #lanes = new Map<PartitionName, QueueLane>()
  readonly #members: MembersOfQueue
  #scans = 0
  #closed = false

  constructor (host: QueueHost, name: string) {
    this.#host = host
    this.name = name
    this.#members = new MembersOfQueue(host.topicName)
    this.#refresh()
    const endsAt = host.clock.now() + this.#leaseMs
    // Whoever gave these leases is not there to end them.
    for (const lane of this.#lanes.values()) {
      for (const { lease, holder } of this.#window(lane)?.entries.values() ?? []) {
        if (holder !== '') lane.lease(lease, holder, endsAt)
      }
    }
  }

  get #group (): Group | undefined { return this.#host.group(this.name) }

  /** The newest member's word. */
  get settings (): QueueSettings | undefined {
    let settings: QueueSettings | undefined
    for (const { queue } of this.#group?.members.values() ?? []) settings = queue ?? settings
    return settings
  }

  get #leaseMs (): number { return this.settings?.leaseMs ?? limits.queueLeaseMsMin }
  get #byKey (): boolean { return this.settings?.order === 'QUEUE_ORDER_KEY' }

  #window ({ name }: QueueLane): QueueWindow | undefined {
    return this.#group?.windows.get(name)
  }

  /** Why records of a partition do not get into the dead-letter topic, empty when they do. */
  stuck (name: PartitionName): string {
    return this.#lanes.get(name)?.stuck ?? ''
  }

  // What members say

  /** @throws WireError INVALID_REQUEST. */
  request (id: string, stream: QueueStream, { credit, found, settle, renew }: QueueRequest): void {
    const wish = this.#group?.members.get(id)
    if (wish?.queue === undefined) throw new WireError('FENCED_MEMBER')
    let member = this.#members.of(id, stream)
    if (member === undefined) {
      member = this.#members.welcome(wish, stream)
      // What its earlier stream was asked for is not answered on this one.
      for (const lane of this.#lanes.values()) if (lane.scan?.member === id) lane.scan = undefined
      this.#remind(member)
    }
    if (credit !== undefined) {
      check(credit.records > 0, 'credit is above 0')
      member.credit = Math.min(member.credit + credit.records, limits.queueInFlightMax)
      for (const lane of this.#lanes.values()) this.#pump(lane)
    } else if (found !== undefined) this.#found(member, found)
    else if (settle !== undefined) this.#settle(member, settle)
    else if (renew !== undefined) this.#renew(member, renew.leases)
  }

  /** It may not have heard of what it was given last. */
  #remind (member: MemberOfQueue): void {
    for (const lane of this.#lanes.values()) {
      const window = this.#window(lane)
      if (window === undefined || window.heldBy(member.id) === 0) continue
      const leases = new Map<number, number[]>()
      for (const [offset, { holder, lease }] of window.entries) {
        if (holder === member.id) leases.set(lease, [...leases.get(lease) ?? [], offset])
      }
      for (const [lease, records] of leases) this.#members.grant(member, lane, window, lease, records, this.settings)
    }
  }

  #lane (topicId: string, partition: number): QueueLane {
    const lane = this.#lanes.get(nameOf(topicId, partition))
    if (lane === undefined) throw new WireError('UNKNOWN_PARTITION')
    return lane
  }

  #found (member: MemberOfQueue, answer: QueueRequest_Found): void {
    const { scan: id, topicId, partition, from, end, records: ranges, keys } = answer
    const lane = this.#lanes.get(nameOf(topicId, partition))
    const { scan } = lane ?? {}
    // Another member goes on by now.
    if (lane === undefined || scan === undefined || scan.id !== id || scan.member !== member.id) return
    this.#endScan(lane)
    const byKey = this.#byKey
    const records = fromRanges(ranges, scan.recordsMax)
    check(records !== undefined && records.length > 0, 'a scan is answered by records, at most as many as asked for')
    check(scan.from < 0 ? Number.isSafeInteger(from) && from >= 0 : from === scan.from, 'another scan')
    check(records![0]! >= from && Number.isSafeInteger(end) && end > records!.at(-1)!, 'records within the scan')
    check(!byKey || keys.length === records!.length, 'a key for each record')
    const window = this.#window(lane)
    const found = { from, end, records: records!, keys: byKey ? keys : [] }
    // Not what it looks like now: what was about to be said when the scan began may have got lost meanwhile.
    const step = { step: 'found' as const, after: scan.isFirst ? -1 : from, found }
    lane.foundPending++
    lane.recordsPending += found.records.length
    lane.next = end
    const done = (): void => {
      lane.foundPending--
      lane.recordsPending -= found.records.length
    }
    lane.waiting.push({ step, isOnce: true, done })
    // Keys that are found before these and not in the window yet are not known here.
    const chosen = byKey && lane.foundPending > 1 ? [] : chooseFound(window, found, byKey, member.room)
    this.#take(lane, member, chosen, false)
    this.#pump(lane)
  }

  #take (lane: QueueLane, member: MemberOfQueue, records: readonly number[], isBurial: boolean): void {
    if (records.length === 0) return
    if (!isBurial) member.reserved += records.length
    lane.waiting.push({
      step: { step: 'take', take: { member: member.id, records, isBurial } },
      isOnce: true,
      done: () => { if (!isBurial) member.reserved -= records.length }
    })
  }

  #settle (member: MemberOfQueue, request: QueueRequest_Settle): void {
    const { sequence, topicId, partition, lease, records: ranges, ...rest } = request
    const lane = this.#lane(topicId, partition)
    const records = fromRanges(ranges, limits.queueInFlightMax)
    check(records !== undefined && records.length > 0, 'what is settled are records')
    const delayMs = Math.min(Math.max(0, rest.delayMs), limits.queueDelayMsMax)
    const reason = rest.reason.slice(0, limits.queueReasonLengthMax)
    const isRejected = rest.outcome === 'QUEUE_OUTCOME_REJECTED'
    const outcome = isRejected && this.settings?.deadLetterTopic !== '' ? 'doomed' : outcomes[rest.outcome]
    if (outcome === undefined) throw new WireError('INVALID_REQUEST', 'an outcome of an unknown kind')
    const { clock } = this.#host
    if (rest.outcome === 'QUEUE_OUTCOME_STUCK') {
      lane.stuck = reason
      lane.holdBack(records!, clock.now() + limits.queueBurialRetryMs)
    } else if (outcome === 'deadLettered') lane.stuck = ''
    else if (delayMs > 0) lane.holdBack(records!, clock.now() + delayMs)
    lane.waiting.push({
      step: { step: 'settle', settle: { member: member.id, lease, records: records!, outcome, reason } },
      isOnce: false,
      done: (_, verdict) => {
        this.#members.send(member, { settled: { sequence, error: verdict === 'ok' ? '' : 'LEASE_LOST' } })
      }
    })
    this.#pump(lane)
  }

  #renew (member: MemberOfQueue, leases: readonly number[]): void {
    const endsAt = this.#host.clock.now() + this.#leaseMs
    for (const lease of leases) {
      for (const lane of this.#lanes.values()) if (lane.renew(lease, member.id, endsAt)) break
    }
  }

  /** The stream is over: nothing more comes of it. What the member has stays its own as long as it is a member. */
  lost (id: string, stream: QueueStream): void {
    const member = this.#members.of(id, stream)
    if (member === undefined) return
    this.#members.remove(member)
    this.changed()
  }

  // What the log says

  applied (step: QueueStep, offset: number): void {
    const lane = this.#lanes.get(nameOf(step.topicId, step.partition))
    if (lane === undefined) return
    const window = this.#window(lane)
    if (step.step === 'take' && window !== undefined) {
      const { member: id, records, isBurial } = step.take
      const taken = records.filter(record => window.entries.get(record)?.lease === offset)
      if (taken.length === 0) return
      lane.lease(offset, id, this.#host.clock.now() + this.#leaseMs)
      const member = this.#members.get(id)
      if (member === undefined) return
      if (!isBurial) member.credit = Math.max(0, member.credit - taken.length)
      this.#members.grant(member, lane, window, offset, taken, this.settings)
    }
  }

  /** Members came or went. */
  changed (): void {
    this.#refresh()
    for (const lane of this.#lanes.values()) this.#pump(lane)
  }

  #refresh (): void {
    const group = this.#group
    const names = new Set<PartitionName>(group?.windows.keys())
    for (const { queue, topics } of group?.members.values() ?? []) {
      if (queue === undefined) continue
      for (const topic of topics) {
        const { topicId, partitions } = this.#host.topicOf(topic) ?? { topicId: '', partitions: 0 }
        for (let partition = 0; partition < partitions; partition++) names.add(nameOf(topicId, partition))
      }
    }
    for (const name of names) if (!this.#lanes.has(name)) this.#lanes.set(name, new QueueLane(name))
    for (const name of this.#lanes.keys()) if (!names.has(name)) this.#lanes.delete(name)
    this.#members.keep(id => group?.members.get(id)?.queue !== undefined)
    for (const lane of this.#lanes.values()) {
      if (lane.scan !== undefined && !this.#members.has(lane.scan.member)) lane.scan = undefined
    }
  }

  // Time

  /** @param lateMs how much later than it should this comes: nothing could be heard meanwhile */
  tick (lateMs: number): void {
    this.#refresh()
    const now = this.#host.clock.now()
    for (const lane of this.#lanes.values()) {
      const window = this.#window(lane)
      for (const lease of lane.lapsed(window, now, lateMs)) {
        const holder = [...window?.entries.values() ?? []].find(entry => entry.lease === lease)?.holder
        const member = holder === undefined ? undefined : this.#members.get(holder)
        const { topicId, partition } = lane
        const done: StepDone = error => {
          // While it is not known whether the lease is over, it is not.
          if (error !== undefined || member === undefined) return
          this.#members.send(member, { lapsed: { lease, topicId, partition } })
        }
        lane.waiting.push({ step: { step: 'lapse', lease }, isOnce: true, done })
      }
      lane.forgetDue(window, now)
      this.#pump(lane)
    }
  }

  // Steps

  #pump (lane: QueueLane): void {
    const { settings } = this
    if (this.#closed || settings === undefined) return
    const window = this.#window(lane)
    if (!lane.isInFlight) {
      if (window !== undefined) {
        const now = this.#host.clock.now()
        const members = this.#members.readersOf(lane, this.#group)
        for (const { member, records, isBurial } of planTakes(lane, window, settings, members, now)) {
          this.#take(lane, member, records, isBurial)
        }
      }
      this.#append(lane)
    }
    this.#scanOn(lane)
  }

  #append (lane: QueueLane): void {
    const steps = lane.waiting
    if (steps.length === 0) return
    lane.waiting = []
    lane.isInFlight = true
    const { topicId, partition } = lane
    const rest = {
      group: this.name, topic: this.#host.topicName(topicId), topicId, partition, at: this.#host.clock.wallTime()
    }
    let open = steps.length
    const again: typeof steps = []
    let failed = false
    const ended = (): void => {
      if (--open > 0 || this.#closed) return
      const retry = (): void => {
        lane.isInFlight = false
        // A record that was settled stays settled: said again, it is the same.
        lane.waiting.unshift(...again)
        this.#pump(lane)
      }
      // A leader that takes no steps now refuses them at once: it would be asked without end.
      if (failed) this.#host.clock.setTimer(retryMs, retry)
      else retry()
    }
    this.#host.append(steps.map(({ step }) => ({ ...step, ...rest })), steps.map(waiting => (error, verdict) => {
      failed ||= error !== undefined
      if (error === undefined || waiting.isOnce) waiting.done?.(error, verdict)
      else again.push(waiting)
      ended()
    }))
  }

  // Scans

  #endScan (lane: QueueLane): void {
    const { scan } = lane
    lane.scan = undefined
    const member = scan === undefined ? undefined : this.#members.get(scan.member)
    if (member !== undefined) member.scans--
  }

  /** While somebody has room for more, somebody looks for more: who has least to do, and did so longest ago. */
  #scanOn (lane: QueueLane): void {
    const window = this.#window(lane)
    const room = limits.queueUnfinishedMax - (window?.entries.size ?? 0) - lane.recordsPending
    const free = room <= 0 ? [] : this.#members.readersOf(lane, this.#group).filter(member => member.room > 0)
    const { scan, topicId, partition } = lane
    const committed = this.#group?.offsets.get(lane.name)?.offset ?? -1
    const from = lane.foundPending > 0 ? lane.next : window?.end ?? committed
    if (scan !== undefined) {
      // Elsewhere: what was found before it did not get into the log.
      if (scan.from === from && free.some(({ id }) => id === scan.member)) return
      const before = this.#members.get(scan.member)
      this.#endScan(lane)
      if (before !== undefined) this.#members.send(before, { halt: { scan: scan.id, topicId, partition } })
    }
    const [first] = free
    if (first === undefined) return
    const load = ({ id, scans, reserved }: MemberOfQueue): number =>
      (this.#group?.inFlight.get(id) ?? 0) + reserved + scans
    const isBefore = (a: MemberOfQueue, b: MemberOfQueue): boolean =>
      load(a) === load(b) ? a.scannedAt < b.scannedAt : load(a) < load(b)
    const member = free.reduce((least, each) => isBefore(each, least) ? each : least, first)
    const wanted = this.#byKey ? Math.max(limits.queueFoundMax / 4, 4 * member.room) : member.room
    const recordsMax = Math.min(wanted, room, limits.queueFoundMax)
    const isFirst = window === undefined && lane.foundPending === 0
    lane.scan = { id: ++this.#scans, member: member.id, from, isFirst, recordsMax }
    member.scans++
    member.scannedAt = lane.scan.id
    const topic = this.#host.topicName(topicId)
    this.#members.send(member, { scan: { scan: lane.scan.id, topic, topicId, partition, from, recordsMax } })
  }

  close (): void {
    this.#closed = true
  }
}
