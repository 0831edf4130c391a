// One group while this broker coordinates it: who is there, who shall hold what, the next step.
//
// Steps are made one at a time, from what is committed; what comes in meanwhile is gathered for the next one.
// The state says what was done; wishes are dropped when they are seen there.
import * as limits from '../limits.ts'
import { WireError } from '../../wire/errors.ts'
import type { Clock, Timer } from '../../wire/ports.ts'
import type { Log } from '../io/ports.ts'
import type { Target } from './assignors.ts'
import type { GroupChange, MemberWish, PartitionName } from './records.ts'
import type { MemberStream } from './presence.ts'
import { Presence } from './presence.ts'
import { nextChange, planTarget } from './planning.ts'
import type { TopicOf } from './planning.ts'
import type { Group, Verdict } from './group.ts'
import { vacantGroup } from './group.ts'

export interface DeskHost {
  readonly clock: Clock
  readonly log: Log
  readonly topicOf: TopicOf
  /** Empty for one that is gone. */
  readonly topicName: (topicId: string) => string
  /** What is committed of the group. */
  group (name: string): Group | undefined
  append (change: GroupChange, done: (error: WireError | undefined, verdict: Verdict) => void): void
}

const retryMs = 200

export class GroupDesk {
  readonly name: string
  readonly #host: DeskHost
  readonly #presences = new Map<string, Presence>()
  readonly #joining = new Map<string, MemberWish>()
  readonly #replacing = new Map<string, string>()
  readonly #leaving = new Set<string>()
  readonly #released = new Map<string, Map<PartitionName, number>>()
  readonly #saidLeave = new Map<string, MemberStream>()
  #target: Target = new Map()
  /** When members and their targets are planned next. */
  #planAt: number
  #plannedAt = -Infinity
  /** When the first change came that is not planned yet. */
  #changedAt = -Infinity
  #topicsPlanned = ''
  #inFlight = false
  #timer: Timer | undefined
  #closed = false

  constructor (host: DeskHost, name: string) {
    this.#host = host
    this.name = name
    const now = host.clock.now()
    // Who shall hold what is not in the log: it is found again from who holds what.
    this.#planAt = this.#group.members.size > 0 ? now : Infinity
    for (const member of this.#group.members.values()) {
      // They had another coordinator: they get a session's time to find this one.
      const patienceMs = Math.max(member.sessionTimeoutMs, member.instanceId === '' ? 0 : member.instanceGraceMs)
      this.#presences.set(member.id, new Presence(undefined, now, patienceMs))
    }
  }

  get #group (): Group { return this.#host.group(this.name) ?? vacantGroup(this.name) }
  /** Nobody is here or waited for, and the log knows of all who went. */
  get isIdle (): boolean {
    return this.#presences.size + this.#joining.size + this.#leaving.size === 0 && !this.#inFlight
  }
  get target (): Target { return this.#target }

  isConnected (id: string): boolean {
    return this.#presences.get(id)?.stream !== undefined
  }

  // What members say

  /** @throws WireError GROUP_TOO_LARGE, FENCED_INSTANCE, FENCED_MEMBER (an older stream of the member). */
  join (stream: MemberStream, wish: MemberWish, held: ReadonlyMap<PartitionName, number>): void {
    const group = this.#group
    this.#checkMode(group, wish)
    const before = this.#presences.get(wish.id)
    const isKnown = group.members.has(wish.id) || this.#joining.has(wish.id)
    if (!isKnown && this.#cameEarlier(stream, this.#namesakes(group, wish))) throw new WireError('FENCED_INSTANCE')
    if (before?.stream !== undefined && before.stream.attempt >= stream.attempt) {
      throw new WireError('FENCED_MEMBER', 'a later stream of this member is here')
    }
    this.#checkSize(group, wish)
    before?.stream?.fail(new WireError('CANCELLED', 'the member has another stream'))
    const member = group.members.get(wish.id)
    this.#presences.set(wish.id, new Presence(stream, this.#host.clock.now(), wish.sessionTimeoutMs, held))
    this.#leaving.delete(wish.id)
    if (member === undefined) this.#welcome(group, wish)
    else {
      if (!isSame(member, wish)) {
        this.#joining.set(wish.id, wish)
        this.#planSoon()
      }
      // What it does not hold (any more, or yet) is free: it was released, or never arrived.
      this.#release(wish.id, [...member.held].filter(([name, epoch]) => held.get(name) !== epoch))
    }
    this.#step()
  }

  /** A group cannot share partitions and records at once; nor can one member wait for keys and another not. */
  #checkMode (group: Group, wish: MemberWish): void {
    for (const other of [...group.members.values(), ...this.#joining.values()]) {
      const stays = other.id !== wish.id && !this.#leaving.has(other.id)
      if (stays && other.queue?.order !== wish.queue?.order) throw new WireError('INCONSISTENT_GROUP')
    }
  }

  #checkSize (group: Group, { id, topics }: MemberWish): void {
    const names = new Set(topics)
    for (const member of [...group.members.values(), ...this.#joining.values()]) {
      for (const name of member.topics) names.add(name)
    }
    let partitions = 0
    for (const name of names) partitions += this.#host.topicOf(name)?.partitions ?? 0
    const isNew = !group.members.has(id) && !this.#joining.has(id)
    if (isNew && group.members.size + this.#joining.size >= limits.membersPerGroupMax) {
      throw new WireError('GROUP_TOO_LARGE', `a group has at most ${limits.membersPerGroupMax} members`)
    }
    if (partitions > limits.partitionsPerGroupMax) {
      throw new WireError('GROUP_TOO_LARGE', `a group reads at most ${limits.partitionsPerGroupMax} partitions`)
    }
  }

  #welcome (group: Group, wish: MemberWish): void {
    this.#joining.set(wish.id, wish)
    const namesakes = this.#namesakes(group, wish)
    for (const { id } of namesakes) {
      this.#presences.get(id)?.stream?.fail(new WireError('FENCED_INSTANCE'))
      this.#presences.delete(id)
      this.#joining.delete(id)
      const inherited = this.#replacing.get(id)
      this.#replacing.delete(id)
      if (group.members.has(id)) this.#replacing.set(wish.id, id)
      else if (inherited !== undefined) this.#replacing.set(wish.id, inherited)
    }
    if (namesakes.length > 0) this.#planAt = this.#host.clock.now()
    else this.#planSoon()
  }

  /** KIP-345: the later process is the instance now; one that it replaced does not take it back. */
  #cameEarlier (stream: MemberStream, namesakes: readonly MemberWish[]): boolean {
    const askedAt = this.#host.clock.now() - stream.askingMs
    return namesakes.some(({ id }) => stream.returns || (this.#presences.get(id)?.askedAt ?? -Infinity) > askedAt)
  }

  #namesakes (group: Group, wish: MemberWish): MemberWish[] {
    return [...group.members.values(), ...this.#joining.values()]
      .filter(({ id, instanceId }) => instanceId !== '' && instanceId === wish.instanceId && id !== wish.id)
  }

  /** The stream is that of a member that the log knows. */
  isMember (id: string, stream: MemberStream): boolean {
    return this.#presences.get(id)?.stream === stream && this.#group.members.has(id)
  }

  heard (id: string, stream: MemberStream): void {
    const presence = this.#presences.get(id)
    if (presence?.stream === stream) presence.heardAt = this.#host.clock.now()
  }

  released (id: string, stream: MemberStream, held: ReadonlyMap<PartitionName, number>): void {
    if (this.#presences.get(id)?.stream !== stream) return
    this.heard(id, stream)
    this.#release(id, [...held])
    this.#step()
  }

  #release (id: string, held: readonly (readonly [PartitionName, number])[]): void {
    if (held.length === 0) return
    const released = this.#released.get(id) ?? new Map<PartitionName, number>()
    for (const [name, epoch] of held) released.set(name, epoch)
    this.#released.set(id, released)
  }

  /** A static member is kept for its grace time unless it goes for good. */
  leave (id: string, stream: MemberStream, final: boolean): void {
    const presence = this.#presences.get(id)
    if (presence?.stream !== stream) return
    const wish = this.#joining.get(id) ?? this.#group.members.get(id)
    if (wish !== undefined && wish.instanceId !== '' && !final) {
      presence.stream = undefined
      presence.heardAt = this.#host.clock.now()
      presence.patienceMs = wish.instanceGraceMs
      stream.left()
      return
    }
    this.#saidLeave.set(id, stream)
    this.#expel(id, undefined)
    this.#planAt = this.#host.clock.now()
    this.#step()
  }

  /** The stream broke. */
  lost (id: string, stream: MemberStream): void {
    const presence = this.#presences.get(id)
    this.#saidLeave.delete(id)
    if (presence?.stream !== stream) return
    const wish = this.#joining.get(id) ?? this.#group.members.get(id)
    presence.stream = undefined
    presence.heardAt = this.#host.clock.now()
    presence.patienceMs = wish === undefined || wish.instanceId === ''
      ? Math.min(limits.memberGraceMs, wish?.sessionTimeoutMs ?? 0) : wish.instanceGraceMs
  }

  #expel (id: string, why: WireError | undefined): void {
    const stream = this.#presences.get(id)?.stream
    this.#presences.delete(id)
    this.#joining.delete(id)
    this.#released.delete(id)
    if (this.#group.members.has(id) || this.#inFlight) this.#leaving.add(id)
    if (why === undefined) return
    this.#host.log.info({ group: this.name, member: id, why: why.message }, 'a member is taken for gone')
    stream?.fail(why)
  }

  // Time

  /** @param lateMs how much later than it should this comes: members could not be heard meanwhile */
  tick (lateMs: number): void {
    const now = this.#host.clock.now()
    const { members } = this.#group
    for (const [id, presence] of this.#presences) {
      presence.heardAt += lateMs
      const silentMs = now - presence.heardAt
      const why = silentMs > presence.patienceMs ? `nothing was heard of it for ${Math.round(silentMs)} ms`
        : presence.holdsOn(now, members.get(id)?.releaseTimeoutMs ?? Infinity)
          ? 'it did not release what it was told to' : undefined
      if (why === undefined) continue
      this.#expel(id, new WireError('FENCED_MEMBER', why))
      this.#planSoon()
    }
    if (this.#planAt === Infinity && this.#topics() !== this.#topicsPlanned) this.#planSoon()
  }

  /** What there is to read, in short. */
  #topics (): string {
    const names = new Set<string>()
    for (const { topics } of [...this.#group.members.values(), ...this.#joining.values()]) {
      for (const name of topics) names.add(name)
    }
    return [...names].sort().map(name => {
      const topic = this.#host.topicOf(name)
      return `${name} ${topic?.topicId ?? ''} ${topic?.partitions ?? 0}`
    }).join()
  }

  /** Changes of members that follow each other quickly are planned together: a storm of joins is a few plans. */
  #planSoon (): void {
    const now = this.#host.clock.now()
    if (this.#planAt === Infinity) this.#changedAt = now
    else if (this.#planAt <= now) {
      // It is due since this desk began, and perhaps nobody comes any more whose word would be a reason for a step.
      if (this.#timer === undefined && !this.#inFlight) this.#wait(0)
      return
    }
    const calmAt = Math.min(now + limits.groupPlanDelayMs, this.#changedAt + limits.groupPlanEveryMs)
    this.#planAt = Math.max(calmAt, this.#plannedAt + limits.groupPlanEveryMs)
    this.#wait(this.#planAt - now)
  }

  #wait (ms: number): void {
    this.#timer?.cancel()
    this.#timer = this.#host.clock.setTimer(ms, () => {
      this.#timer = undefined
      this.#step()
    })
  }

  // Steps

  /** The state has changed: by a step of this desk, or by one of which it was not known what became of it. */
  applied (): void {
    if (!this.#inFlight) this.#step()
  }

  #step (): void {
    if (this.#inFlight || this.#closed) return
    const group = this.#group
    const now = this.#host.clock.now()
    const wishes = {
      joining: this.#joining, replacing: this.#replacing, leaving: this.#leaving, released: this.#released
    }
    const plans = now >= this.#planAt
    if (plans) {
      this.#target = planTarget(group, wishes, this.#host.topicOf, this.#target)
      this.#topicsPlanned = this.#topics()
      this.#plannedAt = now
      this.#planAt = Infinity
    } else if (this.#planAt < Infinity && this.#timer === undefined) this.#wait(this.#planAt - now)
    const change = nextChange(group, wishes, this.#target, plans, this.#host.clock.wallTime())
    if (change === undefined) {
      this.#settle()
      this.#tell()
      return
    }
    this.#inFlight = true
    this.#host.append(change, error => {
      this.#inFlight = false
      if (this.#closed) return
      this.#settle()
      // What did not get through is still wanted.
      if (this.#planAt === Infinity && this.#joining.size + this.#leaving.size > 0) this.#planAt = now
      if (error === undefined) this.#step()
      else this.#wait(retryMs)
    })
  }

  /** Drops the wishes that the state has fulfilled. */
  #settle (): void {
    const { members } = this.#group
    for (const [id, wish] of this.#joining) {
      const member = members.get(id)
      if (member === undefined || !isSame(member, wish)) continue
      this.#joining.delete(id)
      this.#replacing.delete(id)
    }
    for (const id of this.#leaving) if (!members.has(id)) this.#leaving.delete(id)
    for (const [id, stream] of this.#saidLeave) {
      if (members.has(id)) continue
      this.#saidLeave.delete(id)
      stream.left()
    }
    for (const [id, released] of this.#released) {
      const member = members.get(id)
      for (const [name, epoch] of released) if (member?.held.get(name) !== epoch) released.delete(name)
      if (released.size === 0) this.#released.delete(id)
    }
    // A member that the state does not know, and that does not wish to be one, has nobody to wait for.
    for (const [id, presence] of this.#presences) {
      if (members.has(id) || this.#joining.has(id)) continue
      this.#presences.delete(id)
      presence.stream?.fail(new WireError('FENCED_MEMBER'))
    }
    for (const member of members.values()) {
      if (this.#presences.has(member.id) || this.#leaving.has(member.id)) continue
      if ([...this.#replacing.values()].includes(member.id)) continue
      // A change of which it was not known what became of it has landed after all.
      this.#leaving.add(member.id)
    }
  }

  /** Every member hears what it may read, when that has changed. */
  #tell (): void {
    const now = this.#host.clock.now()
    const meant = new Map<string, number>()
    for (const id of this.#target.values()) meant.set(id, (meant.get(id) ?? 0) + 1)
    let isFree = false
    for (const member of this.#group.members.values()) {
      const mine = [...member.held].filter(([name]) => this.#target.get(name) === member.id)
      const coming = (meant.get(member.id) ?? 0) - mine.length
      const unknown = this.#presences.get(member.id)?.tell(member, mine, coming, now, this.#host.topicName) ?? []
      this.#release(member.id, unknown)
      isFree ||= unknown.length > 0
    }
    if (isFree) this.#step()
  }

  /** A slow member takes messages again. */
  drained (): void {
    if (!this.#inFlight && !this.#closed) this.#tell()
  }

  /** The coordinator is another broker now, or the broker stops. */
  close (error: WireError): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const { stream } of this.#presences.values()) stream?.fail(error)
    this.#presences.clear()
    for (const stream of this.#saidLeave.values()) stream.fail(error)
  }
}

/** Where it connects from does not matter. */
function isSame (a: MemberWish, b: MemberWish): boolean {
  return sameQueue(a.queue, b.queue) &&
    a.instanceId === b.instanceId && a.rack === b.rack && a.assignor === b.assignor &&
    a.sessionTimeoutMs === b.sessionTimeoutMs && a.instanceGraceMs === b.instanceGraceMs &&
    a.releaseTimeoutMs === b.releaseTimeoutMs && a.topics.join('\n') === b.topics.join('\n')
}

function sameQueue (a: MemberWish['queue'], b: MemberWish['queue']): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
