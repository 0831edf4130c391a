// One partition of __groups while this broker leads it: the log with its state, and a desk for each group
// with members.
import { WireError } from '../../wire/errors.ts'
import type { Timer } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import type { PartitionRef } from '../partition/contract.ts'
import type { DeskHost } from './desk.ts'
import { GroupDesk } from './desk.ts'
import type { GroupLogPorts } from './group-log.ts'
import { GroupLog } from './group-log.ts'
import type { MemberStream } from './presence.ts'
import { QueueDesk } from './queue-desk.ts'
import type { QueueHost } from './queue-desk.ts'
import type { GroupOffset, GroupRecord, MemberWish, PartitionName } from './records.ts'
import { nameOf } from './records.ts'
import type { Group, Verdict } from './group.ts'

/** Silence, sizes of topics. */
const tickMs = 200
/** Groups that nobody uses, offsets of topics that are gone. */
const sweepMs = 60_000

export interface GroupPartitionPorts extends GroupLogPorts, Pick<DeskHost, 'topicOf' | 'topicName'> {
  /** How long an unused group is remembered, as it is set now; 0: for ever. */
  readonly expiryMs: () => number
  /** True when the cluster is known and has no such topic. */
  readonly isGone: (topicId: string) => boolean
}

export type CommitDone = (error: WireError | undefined, verdict: Verdict) => void

export class GroupPartition {
  readonly #ports: GroupPartitionPorts
  readonly #log: GroupLog
  readonly #desks = new Map<string, GroupDesk>()
  /** When a topic was first found gone, by the monotonic clock. */
  readonly #goneSince = new Map<string, number>()
  readonly #deskHost: DeskHost
  readonly #queues = new Map<string, QueueDesk>()
  readonly #queueHost: QueueHost
  #tickTimer: Timer | undefined
  #tickedAt = 0
  #sweptAt = 0

  constructor (ports: GroupPartitionPorts, ref: PartitionRef) {
    this.#ports = ports
    this.#log = new GroupLog(ports, ref, {
      ready: () => { this.#open() },
      applied: (record, offset) => { this.#applied(record, offset) }
    })
    this.#deskHost = {
      clock: ports.clock,
      log: ports.log,
      topicOf: ports.topicOf,
      topicName: ports.topicName,
      group: name => this.#log.state.get(name),
      append: (change, done) => { this.#log.append([{ kind: 'change', change }], [done]) }
    }
    this.#queueHost = {
      ...this.#deskHost,
      append: (steps, done) => { this.#log.append(steps.map(step => ({ kind: 'queue', step })), done) }
    }
  }

  get ready (): boolean { return this.#log.ready }
  get groupsCount (): number { return this.#log.state.groups.size }

  lead (): void {
    this.resign(new WireError('NOT_COORDINATOR'))
    this.#log.lead()
  }

  /** Forgets everything; members are sent away with `error`. */
  resign (error: WireError): void {
    this.#tickTimer?.cancel()
    this.#log.resign()
    const desks = [...this.#desks.values()]
    this.#desks.clear()
    for (const desk of desks) desk.close(error)
    for (const queue of this.#queues.values()) queue.close()
    this.#queues.clear()
  }

  #open (): void {
    for (const group of this.#log.state.groups.values()) {
      if (group.members.size === 0) continue
      this.#desk(group.name)
      this.#keepQueue(group.name)
    }
    this.#tickedAt = this.#ports.clock.now()
    this.#sweptAt = this.#tickedAt
    this.#tickLater()
  }

  #applied (record: GroupRecord, offset: number): void {
    if (record.kind === 'queue') this.#queues.get(record.step.group)?.applied(record.step, offset)
    if (record.kind !== 'change') return
    this.#keepQueue(record.change.group)
    this.#desks.get(record.change.group)?.applied()
  }

  /** There is one while the group has members, and they share records. */
  #keepQueue (name: string): void {
    const members = this.#log.state.get(name)?.members.values() ?? []
    const isQueue = [...members].some(({ queue }) => queue !== undefined)
    const queue = this.#queues.get(name)
    if (queue !== undefined && isQueue) queue.changed()
    else if (isQueue) this.#queues.set(name, new QueueDesk(this.#queueHost, name))
    else {
      queue?.close()
      this.#queues.delete(name)
    }
  }

  queue (name: string): QueueDesk | undefined {
    return this.#queues.get(name)
  }

  #desk (name: string): GroupDesk {
    let desk = this.#desks.get(name)
    if (desk === undefined) {
      desk = new GroupDesk(this.#deskHost, name)
      this.#desks.set(name, desk)
    }
    return desk
  }

  #check (): void {
    if (!this.#log.ready) throw new WireError('COORDINATOR_LOADING')
  }

  /** @throws WireError BROKER_BUSY when a group more is one too many. */
  #admit (name: string): void {
    this.#check()
    const { groups } = this.#log.state
    const known = groups.has(name) || this.#desks.has(name)
    if (!known && Math.max(groups.size, this.#desks.size) >= limits.groupsPerPartitionMax) {
      throw new WireError('BROKER_BUSY', `the coordinator holds ${limits.groupsPerPartitionMax} groups, its limit`)
    }
  }

  // What clients ask

  /** @throws WireError COORDINATOR_LOADING, BROKER_BUSY, GROUP_TOO_LARGE, FENCED_MEMBER. */
  join (name: string, stream: MemberStream, wish: MemberWish, held: ReadonlyMap<PartitionName, number>): GroupDesk {
    this.#admit(name)
    const desk = this.#desk(name)
    desk.join(stream, wish, held)
    return desk
  }

  /** `done` is called for each offset: when it is committed on the quorum, or with the reason why that is not known. */
  commit (offsets: readonly GroupOffset[], done: CommitDone): void {
    try {
      for (const offset of offsets) this.#admit(offset.group)
      const group = this.#log.state.get(offsets[0]?.group ?? '')
      const news = offsets.filter(offset => group?.offsets.has(nameOf(offset.topicId, offset.partition)) !== true)
      if (news.length + (group?.offsets.size ?? 0) > limits.partitionsPerGroupMax) {
        throw new WireError('GROUP_TOO_LARGE', `a group commits for at most ${limits.partitionsPerGroupMax} partitions`)
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      for (const _ of offsets) done(error, 'ok')
      return
    }
    this.#log.append(offsets.map(offset => ({ kind: 'offset', offset })), offsets.map(() => done))
  }

  /** @throws WireError COORDINATOR_LOADING until the log has been read. */
  group (name: string): Group | undefined {
    this.#check()
    return this.#log.state.get(name)
  }

  desk (name: string): GroupDesk | undefined {
    return this.#desks.get(name)
  }

  /** None before the log has been read. */
  groups (): readonly Group[] {
    return this.#log.ready ? [...this.#log.state.groups.values()] : []
  }

  /** Rejects with UNKNOWN_GROUP, GROUP_NOT_EMPTY, COORDINATOR_LOADING ... */
  async delete (name: string): Promise<void> {
    for (;;) {
      this.#check()
      const group = this.#log.state.get(name)
      if (group === undefined) throw new WireError('UNKNOWN_GROUP', `no group ${name}`)
      if (group.members.size > 0) throw new WireError('GROUP_NOT_EMPTY')
      // Not when something came in between: then it is another decision.
      if (await this.#delete(group) === 'ok') return
    }
  }

  #delete (group: Group): Promise<Verdict> {
    const { name, epoch, changedAt: after } = group
    const change = { group: name, after, epoch, members: [], gone: [], emptyAt: usedAt(group), deleted: true }
    return new Promise((resolve, reject) => {
      this.#log.append([{ kind: 'change', change }], [(error, verdict) => {
        if (error === undefined) resolve(verdict)
        else reject(error)
      }])
    })
  }

  // Time

  #tickLater (): void {
    this.#tickTimer = this.#ports.clock.setTimer(tickMs, () => {
      this.#tickLater()
      this.#tick()
    })
  }

  #tick (): void {
    const now = this.#ports.clock.now()
    // A process that stood still has not listened: that is not its members' silence.
    const lateMs = Math.max(0, now - this.#tickedAt - 2 * tickMs)
    this.#tickedAt = now
    for (const queue of this.#queues.values()) queue.tick(lateMs)
    for (const [name, desk] of this.#desks) {
      desk.tick(lateMs)
      if (desk.isIdle) {
        desk.close(new WireError('NOT_COORDINATOR'))
        this.#desks.delete(name)
      }
    }
    if (now - this.#sweptAt < sweepMs) return
    this.#sweptAt = now
    this.#sweep(now)
  }

  /** Offsets of a group with members never expire; nor do those that somebody commits for. */
  #sweep (now: number): void {
    const { log, clock } = this.#ports
    const expiryMs = this.#ports.expiryMs()
    const failed = (error: unknown): void => { log.debug({ error: String(error) }, 'a group is forgotten later') }
    for (const group of this.#log.state.groups.values()) {
      this.#forgetGone(group, now)
      if (expiryMs === 0 || group.members.size > 0 || this.#desks.has(group.name)) continue
      if (clock.wallTime() - usedAt(group) > expiryMs) this.#delete(group).catch(failed)
    }
  }

  #forgetGone (group: Group, now: number): void {
    const gone: GroupRecord[] = []
    for (const { topicId, partition } of group.offsets.values()) {
      if (!this.#ports.isGone(topicId)) {
        this.#goneSince.delete(topicId)
        continue
      }
      const since = this.#goneSince.get(topicId) ?? now
      this.#goneSince.set(topicId, since)
      if (now - since >= limits.goneTopicMs) gone.push({ kind: 'forget', group: group.name, topicId, partition })
    }
    // Tried again at the next sweep where it fails.
    this.#log.append(gone, gone.map(() => () => {}))
  }
}

/** When a group without members was of use last, ms since 1970. */
function usedAt (group: Group): number {
  let at = group.emptyAt
  for (const { committedAt } of group.offsets.values()) at = Math.max(at, committedAt)
  return at
}
