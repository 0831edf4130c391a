// A group with several members: the real client library, each member in a process of its own. They come, go,
// die and stand still, beside everything that the nemesis does to brokers and coordinators.
//
// What is asserted, at each step of a member: nothing of a partition is skipped (what is handed out is at most
// the next after what the group has finished); who may commit had begun at the last commit of those before it
// or after it (so what is repeated is what was not committed); and commits never go back, as they would if two
// members could commit for one partition, or one member for a time in which it had it that is over.
import type { ConsumedBatch } from '../../client/consumed-batch.ts'
import type { Consumer } from '../../client/consumer.ts'
import type { TopicPartition } from '../../client/consumer-options.ts'
import { MillraceError } from '../../client/errors.ts'
import type { Key } from '../check/history.ts'
import { SimFailure } from './failure.ts'
import type { ClientWorld } from './producer-client.ts'
import { makeClient, workMs } from './producer-client.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const group = 'team'

/** What the group has done, as its members know. */
class Progress {
  readonly #world: ClientWorld
  readonly #logStart: (key: Key) => number
  /** By partition: everything before it was finished by some member. */
  readonly frontier = new Map<Key, number>()
  /** Acknowledged commits, the highest of each time that a member had the partition. */
  readonly #committed = new Map<Key, Map<Reading, number>>()
  repeats = 0

  constructor (world: ClientWorld, logStart: (key: Key) => number) {
    this.#world = world
    this.#logStart = logStart
  }

  /** The highest acknowledged commit, of all or of all but one. */
  committed (key: Key, except?: Reading): number {
    let highest = 0
    for (const [reading, offset] of this.#committed.get(key) ?? []) {
      if (reading !== except) highest = Math.max(highest, offset)
    }
    return highest
  }

  handedOut (member: string, key: Key, first: number): void {
    const frontier = this.frontier.get(key) ?? 0
    // Retention may have taken what was next.
    if (first > frontier && first > this.#logStart(key)) {
      this.#fail('group skip', `${key}: ${member} was given offset ${first}; the group has finished ${frontier}`)
    }
    if (first < frontier) this.repeats += frontier - first
  }

  finished (key: Key, next: number): void {
    this.frontier.set(key, Math.max(this.frontier.get(key) ?? 0, next))
  }

  /** @param before the highest commit of others that had been acknowledged when this one began */
  acknowledged (member: string, key: Key, reading: Reading, offset: number, before: number): void {
    if (offset < before) {
      this.#fail('two owners', `${key}: ${member} committed ${offset} after ${before} had been committed`)
    }
    if (reading.first < before) {
      this.#fail('group commit lost', `${key}: ${member} began at ${reading.first}; ${before} had been committed`)
    }
    const mine = this.#committed.get(key) ?? new Map<Reading, number>()
    mine.set(reading, Math.max(mine.get(reading) ?? 0, offset))
    this.#committed.set(key, mine)
  }

  /** It counted, and others may have committed more since the member lost the partition. */
  outlived (member: string, key: Key, offset: number): void {
    this.#fail('two owners', `${key}: ${member} committed ${offset} for a time that was over before it went out`)
  }

  #fail (kind: string, message: string): void {
    this.#world.cluster.scheduler.fail(new SimFailure(kind, message))
  }
}

/** A commit that is under way, or waits for those before it: they go out one at a time. */
interface Commit {
  readonly readings: readonly Reading[]
  /** Lost while it waited: it must not count for them. */
  readonly late: Set<Reading>
}

/** At most so many wait for each other. */
const commitsMax = 4
/** What a member has sent is delivered within this, or never. */
const inFlightMsMax = 5_000

/** One time that a member has a partition. */
interface Reading {
  /** The first offset that was handed out; -1: none yet. */
  first: number
  /** The next offset after what was finished. */
  finished: number
  committed: number
}

class GroupMember {
  readonly process: SimProcess
  readonly #world: ClientWorld
  readonly #progress: Progress
  readonly #rng: SimRng
  readonly #consumer: Consumer
  readonly #readings = new Map<Key, Reading>()
  /** The first one is under way. */
  readonly #commits: Commit[] = []
  #calm = false
  #left = false
  /** Another may sit in its place: its static name may be taken from it. */
  #goes = false
  #closedAt = Infinity
  /** Who sat in its place: what it said last may come late, and take the static name back. */
  readonly #before: GroupMember | undefined
  /** It has given up. */
  readonly #gone: () => void

  constructor (world: ClientWorld, progress: Progress, host: string, name: string, instanceId: string,
    before: GroupMember | undefined, gone: () => void) {
    this.#world = world
    this.#progress = progress
    this.#before = before
    this.#gone = gone
    this.process = world.cluster.scheduler.process(name)
    this.#rng = world.cluster.scheduler.rng.fork(`workload/${name}`)
    const rng = this.#rng
    this.#consumer = makeClient(world, this.process, host).consumer({
      group,
      autoCommitIntervalMs: 0,
      instanceId,
      instanceGraceMs: 2_000,
      sessionTimeoutMs: rng.pick([1_000, 3_000]),
      maxPollIntervalMs: rng.pick([1_500, 60_000]),
      prefetchBytes: rng.pick([16_384, 1_048_576]),
      onAssigned: (partitions) => { this.#assigned(partitions) },
      onRevoked: (partitions) => this.#revoked(partitions),
      onLost: (partitions, why) => {
        for (const place of partitions) this.#lost(this.#key(place))
        world.coverage.reached(why.code === 'MAX_POLL_EXCEEDED' ? 'a member was too slow' : 'a member was fenced')
      }
    })
    this.process.schedule(0, 'consume', () => { void this.#run() })
  }

  get isHere (): boolean { return !this.process.dead && !this.#left }

  #key ({ topic, partition }: TopicPartition): Key {
    const { topics } = this.#world
    return topics.key(topic, topics.idOf(topic), partition)
  }

  async #run (): Promise<void> {
    const topics = this.#world.topics.lasting.map(({ name }) => name)
    while (!await this.#joined(topics)) await this.#pause(500)
    try {
      for await (const batch of this.#consumer.batches()) {
        await this.#take(batch)
        if (this.#left) return
      }
    } catch (error) {
      if (!(error instanceof MillraceError) || !this.#isReplaced(error)) throw error
    }
  }

  /** Nothing that it said before it closed can be on its way any more, as to a coordinator that is new. */
  get #isLongClosed (): boolean { return this.process.clock.now() - this.#closedAt > inFlightMsMax }

  /** Another has its name: the one after it, or the one before it that has not gone yet. */
  #isReplaced (error: MillraceError): boolean {
    if (error.code !== 'FENCED_INSTANCE') return false
    if (this.#goes || this.#left) return true
    if (this.#before === undefined || this.#before.process.dead || this.#before.#isLongClosed) return false
    this.#left = true
    this.#gone()
    return true
  }

  async #joined (topics: readonly string[]): Promise<boolean> {
    try {
      await this.#consumer.subscribe(topics)
      return true
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      if (error.retriable || error.code === 'CLOSED') return this.#left
      if (this.#isReplaced(error)) return true
      throw error
    }
  }

  #pause (ms: number): Promise<void> {
    return new Promise((resolve) => { this.process.clock.setTimer(ms, resolve) })
  }

  #assigned (partitions: readonly TopicPartition[]): void {
    for (const place of partitions) this.#readings.set(this.#key(place), { first: -1, finished: -1, committed: -1 })
  }

  #lost (key: Key): void {
    const reading = this.#readings.get(key)
    this.#readings.delete(key)
    if (reading === undefined) return
    for (const waiting of this.#commits.slice(1)) {
      if (!waiting.readings.includes(reading)) continue
      waiting.late.add(reading)
      this.#world.coverage.reached('a partition was lost while a commit waited')
    }
  }

  async #take (batch: ConsumedBatch): Promise<void> {
    const key = this.#key(batch)
    const reading = this.#readings.get(key)
    if (reading?.first === -1) reading.first = batch.firstOffset
    this.#progress.handedOut(this.process.name, key, batch.firstOffset)
    // What it does with them; now and then more than it has the time for.
    if (!this.#calm && this.#rng.chance(0.1)) await this.#pause(workMs(this.#rng))
    this.#progress.finished(key, batch.lastOffset + 1)
    // It may have lost the partition meanwhile, and even got it back: then this was another time.
    if (reading !== undefined && this.#readings.get(key) === reading) reading.finished = batch.lastOffset + 1
    if (!this.#rng.chance(0.3)) return
    const commit = this.#commit([...this.#readings])
    if (this.#commits.length >= commitsMax || this.#rng.chance(0.5)) await commit
  }

  async #revoked (partitions: readonly TopicPartition[]): Promise<void> {
    const keys = partitions.map((place) => this.#key(place))
    const mine = [...this.#readings].filter(([key]) => keys.includes(key))
    await this.#commit(mine)
    for (const [key] of mine) this.#readings.delete(key)
    this.#world.coverage.reached('a member gave a partition away')
  }

  async #commit (readings: readonly (readonly [Key, Reading])[]): Promise<void> {
    const news = readings.filter(([, { finished, committed }]) => finished > committed)
      .map(([key, reading]) =>
        ({ key, reading, offset: reading.finished, before: this.#progress.committed(key, reading) }))
    if (news.length === 0) return
    const offsets = news.map(({ key, offset }) => ({ ...placeOf(key), offset }))
    const commit: Commit = { readings: news.map(({ reading }) => reading), late: new Set() }
    if (this.#commits.push(commit) > 1) this.#world.coverage.reached('a commit waited for another')
    try {
      await this.#consumer.commit(offsets, { timeoutMs: this.#rng.pick([1_000, 5_000]) })
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'INTERNAL'
      if (code === 'FENCED_MEMBER') this.#world.coverage.reached('a commit was fenced')
      else if (!(error instanceof MillraceError && (error.retriable || code === 'CLOSED' || this.#isReplaced(error)))) {
        throw error
      }
      return
    } finally {
      this.#commits.splice(this.#commits.indexOf(commit), 1)
    }
    for (const { key, reading, offset, before } of news) {
      if (commit.late.has(reading)) this.#progress.outlived(this.process.name, key, offset)
      reading.committed = Math.max(reading.committed, offset)
      this.#progress.acknowledged(this.process.name, key, reading, offset, before)
    }
  }

  /** Works at its best from now on. */
  calm (): void { this.#calm = true }

  /** Another takes its seat soon. */
  goes (): void { this.#goes = true }

  async leave (): Promise<void> {
    try {
      await this.#commit([...this.#readings])
      this.#left = true
      await this.#consumer.close()
      this.#closedAt = this.process.clock.now()
    } catch (error) {
      if (!(error instanceof MillraceError && error.retriable)) throw error
    }
  }
}

function placeOf (key: Key): TopicPartition {
  const at = key.lastIndexOf('-')
  return { topic: key.slice(0, at), partition: Number(key.slice(at + 1)) }
}

/** The members of the group, one after the other in each of its seats. */
export class GroupWorkload {
  readonly #world: ClientWorld
  readonly #progress: Progress
  readonly #rng: SimRng
  readonly #members: (GroupMember | undefined)[] = []
  /** In each seat, whoever sat there last. */
  readonly #latest: (GroupMember | undefined)[] = []
  readonly #hosts: readonly string[]
  #made = 0
  #calm = false
  #over = false
  /** Some that were to leave may be here still. */
  readonly #everyone: GroupMember[] = []

  /** @param logStart of a partition, the highest of its replicas */
  constructor (world: ClientWorld, hosts: readonly string[], logStart: (key: Key) => number) {
    this.#world = world
    this.#hosts = hosts
    this.#progress = new Progress(world, logStart)
    this.#rng = world.cluster.scheduler.rng.fork('group')
  }

  begin (): void {
    for (let seat = 0; seat < this.#hosts.length; seat++) this.#fill(seat)
  }

  #later (ms: number, run: () => void): void {
    this.#world.cluster.scheduler.schedule(ms, undefined, 'group', run)
  }

  #fill (seat: number): void {
    if (this.#over) return
    const instanceId = seat % 3 === 2 ? `seat-${seat}` : ''
    const name = `m${++this.#made}`
    const gone = (): void => { this.#later(500, () => { if (this.#members[seat] === member) this.#fill(seat) }) }
    const member: GroupMember = new GroupMember(this.#world, this.#progress, this.#hosts[seat]!, name, instanceId,
      this.#latest[seat], gone)
    if (this.#calm) member.calm()
    this.#members[seat] = this.#latest[seat] = member
    this.#everyone.push(member)
    this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, member) })
  }

  #disturb (seat: number, member: GroupMember): void {
    if (this.#calm || this.#members[seat] !== member) return
    const { coverage } = this.#world
    if (this.#rng.chance(0.3)) {
      coverage.reached('a member stood still')
      member.process.pause()
      this.#later(this.#rng.exponential(this.#rng.pick([300, 4_000])), () => { member.process.resume() })
      this.#later(this.#rng.exponential(6_000), () => { this.#disturb(seat, member) })
      return
    }
    if (this.#rng.chance(0.5)) {
      coverage.reached('a member died')
      member.process.kill()
    } else {
      coverage.reached('a member left')
      member.goes()
      member.process.schedule(0, 'leave', () => { void member.leave() })
    }
    this.#members[seat] = undefined
    this.#later(this.#rng.exponential(1_000), () => { this.#fill(seat) })
  }

  /** Nobody comes or goes any more. */
  heal (): void {
    this.#calm = true
    for (const [seat, member] of this.#members.entries()) {
      if (member === undefined) continue
      member.process.resume()
      member.calm()
      if (!member.isHere) this.#fill(seat)
    }
  }

  /** All at once, and nobody comes after them. */
  die (): void {
    this.#over = true
    for (const { process } of this.#everyone) process.kill()
  }

  /** True when the group has finished everything before these ends. */
  isDone (ends: ReadonlyMap<Key, number>): boolean {
    return this.#hosts.length === 0 || [...ends].every(([key, end]) => (this.#progress.frontier.get(key) ?? 0) >= end)
  }

  /** For who wonders why it is not done. */
  state (ends: ReadonlyMap<Key, number>): string {
    return [...ends].map(([key, end]) =>
      `  group: ${key} finished ${this.#progress.frontier.get(key) ?? 0} of ${end}`).join('\n')
  }
}
