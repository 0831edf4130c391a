// A consumer's membership of a group: the stream to the coordinator, what it gave, what is given back.
//
//   seeking ──stream──> joined ──broken, silent, moved──> seeking     what is held is kept
//   joined ──FENCED_MEMBER──> seeking                                 what is held is lost
//   any ──leave──> left
//
// What is held goes with each join: the coordinator, an old one or a new one, lets the member keep what is
// still its own (KIP-848, without a rebalance when the coordinator moves).
import { WireError } from '../wire/errors.ts'
import type {
  GroupAssignor, GroupSessionRequest, GroupSessionResponse, GroupSessionResponse_Assignment, QueueRequest,
  QueueResponse, QueueSettings, Sent
} from '../wire/messages.ts'
import type { Stream, Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import { toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { keyOf, pack, unpack } from './held.ts'
import type { Held } from './held.ts'
import { leaveTimeoutMs, silentCoordinatorMs } from './limits.ts'
import type { ClientPorts, Leader, Metadata } from './metadata.ts'
import type { Committer } from './offsets.ts'
import { GROUPS_TOPIC } from './offsets.ts'

export interface MembershipHost {
  /** To be read from now on. */
  assigned (partitions: readonly Held[]): void
  /** To be finished, committed and then given to `release`; until then it is the member's. */
  revoked (partitions: readonly Held[]): void
  /** Not the member's any more: what is not committed of it is read by another. */
  lost (partitions: readonly Held[], why: MillraceError): void
  /** Whether the coordinator has been silent for so long that others may read what is held. */
  suspended (is: boolean): void
  failed (error: MillraceError): void
  /** Of a queue group. */
  readonly queue?: {
    heard (response: QueueResponse): void
    /** A member anew: what it had is others'. */
    fenced (why: MillraceError): void
  }
}

export interface MembershipOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly assignor: GroupAssignor
  readonly instanceId: string
  readonly rack: string
  readonly client: string
  readonly sessionTimeoutMs: number
  readonly instanceGraceMs: number
  readonly releaseTimeoutMs: number
  /** Set: the members share records, not partitions. */
  readonly queue?: QueueSettings
}

interface Session {
  readonly stream: Stream<GroupSessionRequest>
  readonly leader: Leader
  readonly openedAt: number
  /** -1: never. */
  heardAt: number
  /** The coordinator has said on it what this member reads. */
  isAssigned: boolean
}

export class Membership {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #options: MembershipOptions
  readonly #host: MembershipHost
  /** The leader of the group's partition of __groups. */
  readonly #coordinator: { readonly partition: () => number }
  /** New with each process; kept for good: epochs tell its times apart. */
  readonly #memberId: string
  #memberEpoch = 0
  /** When it first asked to join; -1: not yet. */
  #askedAt = -1
  /** By topicId and partition; those that are being released too. */
  readonly #held = new Map<string, Held>()
  readonly #releasing = new Set<string>()
  #session: Session | undefined
  #attempt = 0
  #retryTimer: Timer | undefined
  #beatTimer: Timer | undefined
  readonly #backoff: Backoff
  /** When the last message was sent that the coordinator has answered: until a timeout after it, it waits. */
  #provenAt = -Infinity
  #beatSentAt = 0
  #suspended = false
  #assignedOnce = false
  #coming = 0
  #left: (() => void) | undefined
  #refusal: MillraceError | undefined
  #state: 'idle' | 'member' | 'leaving' | 'left' = 'idle'

  /** @param partition of __groups, as soon as it is known; -1 before. GROUPS_TOPIC is tracked by the caller. */
  constructor (ports: ClientPorts, metadata: Metadata, options: MembershipOptions, partition: () => number,
    host: MembershipHost) {
    this.#ports = ports
    this.#metadata = metadata
    this.#options = options
    this.#host = host
    this.#coordinator = { partition }
    this.#memberId = ports.rng.hex(8)
    this.#backoff = new Backoff(ports.rng)
  }

  get memberId (): string { return this.#memberId }
  /** True once the coordinator has said what this member reads, be it nothing. */
  get isAssigned (): boolean { return this.#assignedOnce }
  /** Why the group does not take this member, ever. */
  get refusal (): MillraceError | undefined { return this.#refusal }

  /** Counts the streams to the coordinator: what was said on an earlier one may not have been heard. */
  get attempt (): number { return this.#attempt }

  /** Of a queue group: says it on the stream there is, if there is one. */
  say (queue: Sent<QueueRequest>): void {
    this.#session?.stream.send({ queue })
  }

  /** Partitions that are meant for this member and are still another's. */
  get coming (): number { return this.#coming }

  /** In whose name commits are made now. */
  committer (): Committer {
    return { memberId: this.#memberId, memberEpoch: this.#memberEpoch }
  }

  /** Joins, for the first time or again after `retire`. */
  join (): void {
    if (this.#state !== 'idle') return
    this.#state = 'member'
    this.#beat()
    this.#connect()
  }

  /** Metadata has changed: the coordinator may be another one now. */
  pump (): void {
    if (this.#state !== 'member') return
    const leader = this.#leader()
    if (this.#session === undefined) {
      if (leader !== undefined && this.#retryTimer !== undefined && this.#backoff.failures < 3) this.#connect()
      return
    }
    if (leader !== undefined && leader.address !== this.#session.leader.address) this.#reconnect()
  }

  #leader (): Leader | undefined {
    return this.#metadata.leader(GROUPS_TOPIC, this.#coordinator.partition())
  }

  // The stream

  #connect (): void {
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
    const leader = this.#leader()
    if (leader === undefined) {
      this.#retryLater(new WireError('LEADER_NOT_AVAILABLE', 'it has no coordinator now'))
      return
    }
    const attempt = ++this.#attempt
    const current = (): boolean => attempt === this.#attempt
    const now = this.#ports.clock.now()
    const stream = this.#ports.net.open(leader.address, 'GroupSession', {
      message: response => { if (current()) this.#heard(response) },
      // Later, since a stream may fail while it is being opened.
      close: error => {
        this.#ports.clock.defer(() => { if (current()) this.#broken(error ?? new WireError('UNAVAILABLE')) })
      }
    })
    this.#session = { stream, leader, openedAt: now, heardAt: -1, isAssigned: false }
    if (this.#askedAt < 0) this.#askedAt = now
    this.#beatSentAt = now
    const { topics, ...options } = this.#options
    stream.send({
      join: {
        ...options, topics, memberId: this.#memberId, memberEpoch: this.#memberEpoch, attempt,
        askingMs: Math.round(now - this.#askedAt), held: pack([...this.#held.values()])
      }
    })
  }

  /** The same again, on another stream. */
  #reconnect (): void {
    this.#drop()
    this.#connect()
  }

  #drop (): void {
    this.#attempt++
    this.#session?.stream.destroy()
    this.#session = undefined
  }

  #broken (error: WireError): void {
    this.#drop()
    if (this.#state === 'leaving') this.#gone()
    else if (this.#state === 'member') this.#retryLater(error)
  }

  #retryLater (error: WireError): void {
    const { clock, onWaiting } = this.#ports
    const hinted = this.#metadata.hint(GROUPS_TOPIC, this.#coordinator.partition(), error.detail)
    if (!hinted) this.#metadata.requestRefresh()
    onWaiting(`the coordinator of group ${this.#options.group} (${error.message})`)
    const pause = Math.max(this.#backoff.next(), error.detail.retryAfterMs ?? 0)
    this.#retryTimer?.cancel()
    this.#retryTimer = clock.setTimer(hinted ? 0 : pause, () => {
      this.#retryTimer = undefined
      if (this.#state === 'member') this.#connect()
    })
  }

  /** Says that it lives, and looks whether the coordinator does. */
  #beat (): void {
    const { sessionTimeoutMs } = this.#options
    const everyMs = sessionTimeoutMs / 5
    this.#beatTimer = this.#ports.clock.setTimer(everyMs, () => {
      if (this.#state !== 'member') return
      this.#beat()
      const now = this.#ports.clock.now()
      if (this.#assignedOnce && now - this.#provenAt > sessionTimeoutMs) this.#suspend(true)
      const session = this.#session
      if (session === undefined) return
      const silentMs = now - Math.max(session.openedAt, session.heardAt)
      if (silentMs > everyMs + silentCoordinatorMs) {
        this.#metadata.requestRefresh()
        this.#drop()
        this.#retryLater(new WireError('TIMED_OUT', `${session.leader.address} does not answer`))
        return
      }
      this.#beatSentAt = now
      session.stream.send({ heartbeat: {} })
    })
  }

  #suspend (is: boolean): void {
    if (this.#suspended === is) return
    this.#suspended = is
    this.#host.suspended(is)
  }

  #heard (response: GroupSessionResponse): void {
    const session = this.#session!
    session.heardAt = this.#ports.clock.now()
    if (response.error !== undefined) {
      this.#refused(WireError.fromDetail(response.error))
      return
    }
    this.#backoff.reset()
    if (response.left !== undefined) this.#gone()
    if (response.queue !== undefined && this.#state === 'member') this.#host.queue?.heard(response.queue)
    if (response.assignment !== undefined && this.#state === 'member') this.#assigned(response.assignment)
    this.#prove(session, response)
  }

  /** Before its first assignment on a stream a member does not know whether it is still one, whoever answers there. */
  #prove (session: Session, { assignment, alive }: GroupSessionResponse): void {
    if (assignment !== undefined && !session.isAssigned) {
      session.isAssigned = true
      this.#provenAt = session.openedAt
    } else if (alive !== undefined && session.isAssigned) this.#provenAt = this.#beatSentAt
    // A process that stood still finds out here that it was waited for.
    if (session.heardAt - this.#provenAt <= this.#options.sessionTimeoutMs) this.#suspend(false)
  }

  #refused (error: WireError): void {
    this.#drop()
    if (this.#state === 'leaving') {
      this.#gone()
      return
    }
    if (error.code === 'FENCED_MEMBER') {
      this.#loseAll(toMillraceError(error))
      this.#retryLater(error)
    } else if (error.retriable) this.#retryLater(error)
    else {
      this.#state = 'left'
      this.#refusal = toMillraceError(error)
      this.#beatTimer?.cancel()
      this.#loseAll(toMillraceError(error))
      this.#host.failed(this.#refusal)
    }
  }

  #loseAll (why: MillraceError): void {
    const lost = [...this.#held.values()]
    this.#held.clear()
    this.#releasing.clear()
    if (lost.length > 0) this.#host.lost(lost, why)
    this.#host.queue?.fenced(why)
  }

  // Partitions

  #assigned ({ memberEpoch, partitions, coming }: GroupSessionResponse_Assignment): void {
    this.#memberEpoch = memberEpoch
    this.#coming = coming
    this.#assignedOnce = true
    const mine = new Map(unpack(partitions).map(each => [keyOf(each), each]))
    const void_: Held[] = []
    const revoked: Held[] = []
    for (const [key, held] of this.#held) {
      const now = mine.get(key)
      if (now !== undefined && now.epoch !== held.epoch) {
        // It was somebody else's in between.
        void_.push(held)
        this.#held.delete(key)
        this.#releasing.delete(key)
      } else if (now === undefined && !this.#releasing.has(key)) {
        this.#releasing.add(key)
        revoked.push(held)
      }
    }
    if (void_.length > 0) this.#host.lost(void_, toMillraceError(new WireError('FENCED_MEMBER')))
    const added = [...mine.values()].filter(each => !this.#held.has(keyOf(each)))
    for (const each of added) this.#held.set(keyOf(each), each)
    if (revoked.length > 0) this.#host.revoked(revoked)
    this.#host.assigned(added)
  }

  /** Whether a partition is still the member's in the epoch in which it got it. */
  holds (held: Held): boolean {
    return this.#held.get(keyOf(held)) === held
  }

  /** What was revoked is read no more, and committed. */
  release (partitions: readonly Held[]): void {
    const mine = partitions.filter(each => this.holds(each))
    for (const each of mine) {
      this.#held.delete(keyOf(each))
      this.#releasing.delete(keyOf(each))
    }
    // Without a stream the next join says it.
    if (mine.length > 0) this.#session?.stream.send({ release: { partitions: pack(mine) } })
  }

  // The end

  /** Gives everything up without a commit, until the next `join`. */
  retire (why: MillraceError): void {
    if (this.#state !== 'member') return
    this.#session?.stream.send({ leave: { final: true } })
    this.#session?.stream.end()
    this.#attempt++
    this.#session = undefined
    this.#state = 'idle'
    this.#stopTimers()
    this.#loseAll(why)
  }

  /**
   * Leaves. Resolves when the coordinator has seen it, or cannot be asked: it notices by itself then.
   * @param final a static member too does not come back
   */
  leave (final: boolean): Promise<void> {
    this.#stopTimers()
    const session = this.#session
    if (this.#state !== 'member' || session === undefined) {
      this.#state = 'left'
      return Promise.resolve()
    }
    this.#state = 'leaving'
    session.stream.send({ leave: { final } })
    return new Promise(resolve => {
      const timer = this.#ports.clock.setTimer(leaveTimeoutMs, () => { this.#gone() })
      this.#left = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #gone (): void {
    this.#state = 'left'
    this.#attempt++
    this.#session?.stream.end()
    this.#session = undefined
    this.#left?.()
    this.#left = undefined
  }

  #stopTimers (): void {
    this.#beatTimer?.cancel()
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
  }
}
