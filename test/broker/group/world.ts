// Coordinators over one log, a clock, and members that do as docs/protocol.md says: for tests of groups.
import { GroupPartition } from '../../../broker/group/group-partition.ts'
import type { GroupDesk } from '../../../broker/group/desk.ts'
import type { MemberStream } from '../../../broker/group/presence.ts'
import type { MemberWish, PartitionName } from '../../../broker/group/records.ts'
import { nameOf } from '../../../broker/group/records.ts'
import type { GroupSessionResponse_Assignment } from '../../../wire/messages.ts'
import { WireError } from '../../../wire/errors.ts'
import { FakeClock } from '../../client/fake-clock.ts'
import { FakePartitions } from './fake-partitions.ts'

export const group = 'audit'
const log = { debug () {}, info () {}, warn () {}, error () {} }

export class GroupWorld {
  readonly clock = new FakeClock()
  readonly partitions = new FakePartitions()
  readonly topics = new Map<string, number>()
  readonly members: ModelMember[] = []
  coordinator: GroupPartition
  #made = 0

  constructor () {
    this.coordinator = this.#coordinator()
  }

  #coordinator (): GroupPartition {
    return new GroupPartition({
      clock: this.clock,
      log,
      partitions: this.partitions,
      expiryMs: () => 7 * 24 * 3600 * 1000,
      topicOf: name => {
        const partitions = this.topics.get(name)
        return partitions === undefined ? undefined : { topicId: name, partitions, racksOf: () => [] }
      },
      topicName: topicId => topicId,
      isGone: topicId => !this.topics.has(topicId)
    }, { topic: '__groups', topicId: '', partition: 0 })
  }

  async start (): Promise<void> {
    this.coordinator.lead()
    await this.clock.until(() => this.coordinator.ready)
  }

  /** Another broker leads the log from now on; members notice when they try again. */
  async failOver (): Promise<void> {
    this.coordinator.resign(new WireError('NOT_COORDINATOR'))
    this.partitions.failAll(new WireError('NOT_LEADER'))
    this.coordinator = this.#coordinator()
    await this.start()
  }

  member (topics: readonly string[], more: Partial<MemberWish> = {}): ModelMember {
    const member = new ModelMember(this, {
      id: (++this.#made).toString(16).padStart(16, '0'), instanceId: '', rack: '', client: '', topics,
      assignor: 'GROUP_ASSIGNOR_UNSPECIFIED', sessionTimeoutMs: 10_000, instanceGraceMs: 30_000,
      releaseTimeoutMs: 60_000, queue: undefined, ...more
    })
    this.members.push(member)
    return member
  }

  /** Who holds what, by the log. */
  get owners (): Map<PartitionName, string> {
    return new Map(this.coordinator.group(group)?.owners)
  }

  /** Everybody reads what the log says, and there is nothing left to move. */
  get isSettled (): boolean {
    const live = this.members.filter(member => member.desk !== undefined)
    const held = live.flatMap(member => [...member.held].map(([name, epoch]) => `${name}@${epoch} ${member.wish.id}`))
    const known = [...this.coordinator.group(group)?.members.values() ?? []]
    const logged = known.flatMap(member => [...member.held].map(([name, epoch]) => `${name}@${epoch} ${member.id}`))
    const { target } = this.coordinator.desk(group) ?? { target: new Map<string, string>() }
    const { owners } = this
    const done = [...target].every(([name, id]) => owners.get(name) === id) && target.size === owners.size
    return done && known.length === live.length && String(held.sort()) === String(logged.sort()) &&
      live.every(member => member.releasing.size === 0)
  }
}

export class ModelMember {
  readonly wish: MemberWish
  readonly #world: GroupWorld
  attempt = 0
  desk: GroupDesk | undefined
  epoch = 0
  /** What it reads, with the epochs. */
  readonly held = new Map<PartitionName, number>()
  readonly releasing = new Map<PartitionName, number>()
  /** How long it takes to finish what it has in hand. */
  releaseMs = 0
  /** Partitions that were given to it, one by one. */
  received = 0
  /** Assignments that it was sent. */
  assignments = 0
  failure: WireError | undefined
  silent = false
  /** When it first asked to join. */
  #askedAt: number | undefined

  constructor (world: GroupWorld, wish: MemberWish) {
    this.#world = world
    this.wish = wish
  }

  join (): void {
    this.failure = undefined
    const attempt = ++this.attempt
    const returns = this.epoch > 0
    this.#askedAt ??= this.#world.clock.now()
    const askingMs = this.#world.clock.now() - this.#askedAt
    const stream = {
      attempt, returns, askingMs, assign: this.assign.bind(this), left: () => {}, fail: this.fail.bind(this)
    }
    this.stream = stream
    try {
      this.desk = this.#world.coordinator.join(group, stream, this.wish, new Map([...this.held, ...this.releasing]))
    } catch (error) {
      this.fail(error as WireError)
    }
    this.#beat(stream)
  }

  stream: MemberStream | undefined

  #beat (stream: MemberStream): void {
    this.#world.clock.setTimer(2_000, () => {
      if (this.stream !== stream) return
      if (!this.silent) this.desk?.heard(this.wish.id, stream)
      this.#beat(stream)
    })
  }

  assign ({ memberEpoch, partitions }: GroupSessionResponse_Assignment): boolean {
    if (this.isBlocked) return false
    this.epoch = memberEpoch
    this.assignments++
    const mine = new Map(partitions.flatMap(({ topicId, partitions, epochs }) =>
      partitions.map((partition, index): [string, number] => [nameOf(topicId, partition), epochs[index]!])))
    const released = [...this.held].filter(([name, epoch]) => mine.get(name) !== epoch)
    for (const [name] of released) this.held.delete(name)
    this.#release(released.filter(([name]) => !mine.has(name)))
    for (const [name, epoch] of mine) {
      if (this.held.has(name)) continue
      this.received++
      this.releasing.delete(name)
      this.held.set(name, epoch)
    }
    return true
  }

  /** It takes no messages for now. */
  isBlocked = false

  drain (): void {
    this.isBlocked = false
    this.desk?.drained()
  }

  #release (partitions: readonly (readonly [PartitionName, number])[]): void {
    if (partitions.length === 0) return
    for (const [name, epoch] of partitions) this.releasing.set(name, epoch)
    this.#world.clock.setTimer(this.releaseMs, () => {
      const mine = partitions.filter(([name, epoch]) => this.releasing.get(name) === epoch)
      for (const [name] of mine) this.releasing.delete(name)
      if (this.stream !== undefined) this.desk?.released(this.wish.id, this.stream, new Map(mine))
    })
  }

  left (): void {}

  fail (error: WireError): void {
    this.failure = error
    this.desk = undefined
    this.stream = undefined
    if (error.code === 'NOT_COORDINATOR') return
    this.held.clear()
    this.releasing.clear()
  }

  /** The process dies; its stream breaks. */
  crash (): void {
    const { desk, stream } = this
    this.desk = undefined
    this.stream = undefined
    this.held.clear()
    this.releasing.clear()
    if (stream !== undefined) desk?.lost(this.wish.id, stream)
  }

  leave (final = true): void {
    const { desk, stream } = this
    this.desk = undefined
    this.stream = undefined
    this.held.clear()
    if (stream !== undefined) desk?.leave(this.wish.id, stream, final)
  }

  /** The error code of a commit, 'ok' for none. */
  commit (name: PartitionName, offset: number, epoch = this.epoch, sequence = 0): Promise<string> {
    const [topic = '', partition] = name.split('/')
    return new Promise(resolve => {
      this.#world.coordinator.commit([{
        group, topic, topicId: topic, partition: Number(partition), offset, leaderEpoch: -1, metadata: '',
        committedAt: this.#world.clock.wallTime(), member: this.wish.id, epoch, sequence
      }], (error, verdict) => { resolve(error?.code ?? verdict) })
    })
  }
}
