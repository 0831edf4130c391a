// All replicas of a broker, put together: clients' calls go in through Partitions, the controller's news
// through LocalReplicas, followers' streams through `replicate`.
import * as limits from '../limits.ts'
import type { Log } from '../io/ports.ts'
import type { Volume } from '../log/contract.ts'
import type {
  BrokerInfo, PartitionKey, ReplicaEnds, ReplicaReport, ReplicateRequest, ReplicateResponse,
  SessionRequest_LearnerProgress, SessionResponse_Push
} from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import type { Clock, Net, Rng, Stream, StreamHandlers, Timer } from '../../wire/ports.ts'
import type { PartitionRow } from '../row.ts'
import type { ControllerLink, InSyncRequest } from '../session/contract.ts'
import { ColdReads } from './cold-reads.ts'
import type { AppendDone, FetchResult, ListedOffset, PartitionRef, Partitions } from './contract.ts'
import { Feeder } from './feeder.ts'
import type { Follower, FollowerNext } from './follower.ts'
import { learnersOf } from './learners.ts'
import { LearnerThrottle } from './learner-throttle.ts'
import { loadProducers } from './load-producers.ts'
import { noLeader, resolve } from './resolve.ts'
import type { Replica } from './replica.ts'
import { Reader } from './reader.ts'
import { Replicator } from './replicator.ts'
import { Roster } from './roster.ts'
import { countError, makeStats } from './stats.ts'
import { gauge } from './gauges.ts'

export interface PartitionHostOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly net: Net
  readonly log: Log
  readonly volume: Volume
  readonly link: ControllerLink
  /** For replicas that are not in sync, all together; 0: no limit. */
  readonly learnerBytesPerSecond?: number
  /** One with so little to get is not held back; limits.learnerNearBytes unless set. */
  readonly learnerNearBytes?: number
}

/** Marks (high watermark, log start) that no batch carries reach followers with this delay. */
const markMs = 100
/** Lag, streams and gauges are looked at this often. */
const tickMs = 500
/** Retention, checkpoints, expiry. */
const maintainMs = 1_000
/** Producer state of so many replicas is loaded at once. */
const loadingMax = 8

type LeadershipListener = (partition: number, leading: boolean) => void

export class PartitionHost implements Partitions {
  readonly clock: Clock
  readonly coldReads = new ColdReads()
  readonly learnerThrottle: LearnerThrottle
  readonly stats = makeStats()
  readonly brokerEpoch: number
  readonly notLeader: (row: PartitionRow | undefined) => WireError
  readonly #options: PartitionHostOptions
  readonly #roster: Roster
  readonly #replicator: Replicator
  readonly #reader: Reader
  readonly #feeders = new Set<Feeder>()
  readonly #listeners = new Map<string, LeadershipListener[]>()
  /** Partitions that coordinators were told are led here, by topic. */
  readonly #told = new Map<Replica, boolean>()
  /** Led replicas whose followers have not heard of the newest marks. */
  #marksDue = new Set<Replica>()
  #timers: Timer[] = []
  /** How many learners to skip in the next report: there may be more than one message holds. */
  #learnersFrom = 0
  #maintaining = false
  #stopped = false

  constructor (options: PartitionHostOptions) {
    const { clock, rng, net, volume, link } = options
    this.#options = options
    this.clock = clock
    this.brokerEpoch = link.self.brokerEpoch
    const { learnerBytesPerSecond = limits.learnerBytesPerSecondDefault, learnerNearBytes } = options
    this.learnerThrottle = new LearnerThrottle(clock, learnerBytesPerSecond, learnerNearBytes)
    this.notLeader = row => noLeader(link.view, link.self.brokerId, row)
    this.#reader = new Reader(this)
    const broker = (brokerId: number) => this.broker(brokerId)
    this.#replicator = new Replicator({
      clock,
      rng,
      net,
      brokerEpoch: this.brokerEpoch,
      broker,
      adopt: row => { this.#adoptFromPeer(row) },
      refused: (follower, next) => { this.#followerRefused(follower, next) },
      get saturated () { return volume.full || volume.queuedBytes > limits.journalQueueBytesMax / 2 },
      whenDurable: callback => { volume.whenDurable(callback) }
    })
    this.#roster = new Roster(options, {
      stats: this.stats,
      broker,
      now: () => clock.now(),
      whenDurable: callback => { volume.whenDurable(callback) },
      changeInSync: request => { this.#changeInSync(request) },
      follow: follower => { if (!this.#stopped) this.#replicator.follow(follower) },
      unfollow: follower => { this.#replicator.unfollow(follower) },
      acknowledge: follower => { this.#replicator.acknowledge(follower) },
      moved: replica => { this.#marksDue.add(replica) },
      roleChanged: replica => { this.#roleChanged(replica) },
      damaged: replica => { this.#damaged(replica) },
      notLeader: this.notLeader
    })
  }

  /** Loads producer state, then begins to keep time. To be awaited before the session begins. */
  async start (): Promise<void> {
    const { clock, log } = this.#options
    const replicas = [...this.#roster.all()]
    this.stats.damagedFound += replicas.filter(({ log: { renewed = '' } }) => renewed !== '').length
    let next = 0
    const load = async () => {
      while (next < replicas.length) {
        const replica = replicas[next++]!
        try {
          await loadProducers(replica.log, replica.producers, () => clock.now())
        } catch (error) {
          // One rotten replica is out of use by now, and must not keep the others from serving.
          if (!(error instanceof WireError) || replica.damaged === '') throw error
        }
      }
    }
    await Promise.all(Array.from({ length: loadingMax }, load))
    log.info({ replicas: replicas.length }, 'replicas loaded')
    if (this.#stopped) return
    this.#every(markMs, () => { this.#sendMarks() })
    this.#every(tickMs, () => { this.#tick() })
    this.#every(maintainMs, () => { this.#maintain() })
  }

  /** Leads and follows nothing any more; what is appended is flushed by the volume's close. */
  stop (): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    this.#stopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#roster.close()
    this.#replicator.close()
    for (const feeder of [...this.#feeders]) feeder.close()
    this.learnerThrottle.close()
    return Promise.resolve()
  }

  #every (periodMs: number, run: () => void): void {
    const slot = this.#timers.length
    const again = () => {
      this.#timers[slot] = this.clock.setTimer(periodMs, () => {
        run()
        if (!this.#stopped) again()
      })
    }
    again()
  }

  // Time

  #sendMarks (): void {
    if (this.#marksDue.size === 0) return
    const due = this.#marksDue
    this.#marksDue = new Set()
    for (const replica of due) for (const feed of replica.leader?.feeds ?? []) feed.wake()
  }

  #tick (): void {
    const nowMs = this.clock.now()
    for (const replica of this.#roster.all()) {
      replica.leader?.tick(nowMs)
      if (replica.takeLogStartNews()) {
        this.#marksDue.add(replica)
        replica.wake()
      }
    }
    this.#replicator.tick()
    gauge(this.stats, this.#roster.all())
  }

  #maintain (): void {
    this.#roster.maintain(this.clock.now())
    if (this.#maintaining) return
    this.#maintaining = true
    this.#options.volume.maintain().catch((error: unknown) => {
      this.#options.log.error({ error: String(error) }, 'maintenance of the volume failed')
    }).finally(() => { this.#maintaining = false })
  }

  // LocalReplicas

  reports (): ReplicaReport[] {
    return [...this.#roster.all()].map(replica => replica.report())
  }

  ends (keys: readonly PartitionKey[]): ReplicaEnds[] {
    return keys.map(({ topicId, partition }) => this.#roster.get(topicId, partition)?.ends() ??
      { topicId, partition, identity: undefined, lastEpoch: -1, durableEnd: 0, highWatermark: 0, present: false })
  }

  apply (push: SessionResponse_Push): void {
    if (this.#stopped) return
    this.#roster.apply(push)
    if (push.brokers.length === 0 && !push.full) return
    const nowMs = this.clock.now()
    for (const replica of this.#roster.all()) replica.leader?.brokersChanged(nowMs)
    this.#replicator.brokersChanged()
  }

  starved (): PartitionKey[] {
    const keys: PartitionKey[] = []
    const nowMs = this.clock.now()
    for (const replica of this.#roster.all()) {
      const { topicId, partition } = replica.log
      if (replica.leader?.starved(nowMs) === true) keys.push({ topicId, partition })
    }
    return keys
  }

  unreachable (): number[] {
    return this.#replicator.unreachable()
  }

  learnerProgress (): SessionRequest_LearnerProgress[] {
    const { learners, next } = learnersOf(this.#roster.all(), this.#learnersFrom)
    this.#learnersFrom = next
    return learners
  }

  // Partitions

  append (ref: PartitionRef, batch: Uint8Array, done: AppendDone): void {
    const replica = this.#leader(ref)
    const refusal = replica instanceof WireError ? replica : this.#overloaded(batch.length)
    if (refusal !== undefined) {
      countError(this.stats, refusal.code)
      done(refusal, -1, -1)
      return
    }
    const { leader } = replica as Replica
    leader!.append(batch, this.clock.wallTime() + limits.timestampAheadMsMax, this.clock.now(), done)
  }

  #overloaded (bytes: number): WireError | undefined {
    const { volume } = this.#options
    if (this.stats.pendingBytes + bytes > limits.appendBytesPendingMax) {
      return new WireError('BROKER_BUSY', 'too many bytes wait for their commit', { retryAfterMs: 100 })
    }
    if (volume.queuedBytes + bytes > limits.journalQueueBytesMax) {
      return new WireError('BROKER_BUSY', 'too many bytes wait for the disk', { retryAfterMs: 100 })
    }
    return volume.full ? new WireError('DISK_FULL', undefined, { retryAfterMs: 1_000 }) : undefined
  }

  fetch (ref: PartitionRef, offset: number, leaderEpoch: number, bytesMax: number,
    fromFollower = false): Promise<FetchResult> {
    const replica = fromFollower ? this.#find(ref) : this.#leader(ref)
    if (replica instanceof WireError) return Promise.reject(replica)
    return this.#reader.fetch(replica, offset, leaderEpoch, bytesMax)
  }

  whenChanged (ref: PartitionRef, callback: () => void): () => void {
    const replica = this.#find(ref)
    return replica instanceof WireError ? () => {} : replica.whenChanged(callback)
  }

  earliest (ref: PartitionRef): ListedOffset {
    return this.#reader.earliest(this.#leading(ref))
  }

  latest (ref: PartitionRef): ListedOffset {
    return this.#reader.latest(this.#leading(ref))
  }

  async atTime (ref: PartitionRef, timestamp: number): Promise<ListedOffset> {
    return await this.#reader.atTime(this.#leading(ref), timestamp)
  }

  onLeadership (topic: string, listener: LeadershipListener): void {
    const listeners = this.#listeners.get(topic)
    if (listeners === undefined) this.#listeners.set(topic, [listener])
    else listeners.push(listener)
    for (const [replica, leading] of this.#told) {
      if (leading && replica.log.topic === topic) listener(replica.log.partition, true)
    }
  }

  deleteRecordsBefore (ref: PartitionRef, offset: number): void {
    const replica = this.#leading(ref)
    const { log, highWatermark } = replica.state
    const start = Math.min(offset, highWatermark)
    if (start <= log.logStart) return
    log.advanceLogStart(start)
    replica.takeLogStartNews()
    this.#marksDue.add(replica)
    replica.wake()
  }

  // Replication

  /** A follower's stream, from rpc/replicate.ts. */
  replicate (stream: Stream<ReplicateResponse>): StreamHandlers<ReplicateRequest> {
    const feeder = new Feeder(this, stream)
    this.#feeders.add(feeder)
    return {
      message: request => { feeder.message(request) },
      drain: () => { feeder.drain() },
      close: () => { feeder.close() }
    }
  }

  feederClosed (feeder: Feeder): void {
    this.#feeders.delete(feeder)
  }

  replica (topicId: string, partition: number): Replica | undefined {
    return this.#roster.get(topicId, partition)
  }

  row (topicId: string, partition: number): PartitionRow | undefined {
    return this.#roster.get(topicId, partition)?.row ?? this.#options.link.view.row(topicId, partition)
  }

  broker (brokerId: number): BrokerInfo | undefined {
    return this.#options.link.view.broker(brokerId)
  }

  /** Every replica here, for invariants and tests: read, never change. */
  replicas (): Iterable<Replica> {
    return this.#roster.all()
  }

  #adoptFromPeer (row: PartitionRow): void {
    this.#options.link.view.adoptRow(row)
    this.#roster.adopt(row)
  }

  #followerRefused (follower: Follower, next: FollowerNext): void {
    const { topicId, topic, partition } = follower.state.log
    const fields = { topic, partition, leader: follower.leader, epoch: follower.epoch, reason: follower.reason }
    if (next === 'damaged') this.#roster.get(topicId, partition)?.damage(follower.reason, !follower.lost)
    else this.#options.log.warn(fields, 'what the leader sent cannot be taken in: subscribing again')
  }

  #changeInSync (request: InSyncRequest): void {
    const { link, log } = this.#options
    const { topicId, partition, version } = request
    log.debug({ topicId, partition, version, inSync: request.inSync.map(member => member.brokerId) },
      'asking for another in-sync set')
    link.changeInSync(request, (error, row) => {
      if (row !== undefined) this.#adoptFromPeer(row)
      if (error === undefined) return
      const leader = this.#roster.get(topicId, partition)?.leader
      if (leader?.row.version === version) leader.refused(this.clock.now())
    })
  }

  #damaged (replica: Replica): void {
    const { topic, partition } = replica.log
    this.stats.damagedFound++
    this.#options.log.error({ topic, partition, reason: replica.damaged }, 'the replica is damaged: it stops')
    this.#options.link.reportReplicas([replica.report()])
    // Not within what found the damage.
    this.clock.defer(() => { this.#roster.renew(replica) })
  }

  #roleChanged (replica: Replica): void {
    const { topic, topicId, partition } = replica.log
    this.#roster.configure(replica, this.#options.link.view.topicById(topicId))
    const leading = replica.leader?.ready === true
    if ((this.#told.get(replica) ?? false) === leading) return
    if (leading) this.#told.set(replica, true)
    else this.#told.delete(replica)
    for (const listener of this.#listeners.get(topic) ?? []) listener(partition, leading)
  }

  // Finding a partition

  #find (ref: PartitionRef): Replica | WireError {
    const { view, self } = this.#options.link
    return resolve(view, self.brokerId, ref, (topicId, partition) => this.#roster.get(topicId, partition))
  }

  /** The replica that leads, or why there is none here. */
  #leader (ref: PartitionRef): Replica | WireError {
    const replica = ref.topicId === '' ? undefined : this.#roster.get(ref.topicId, ref.partition)
    if (replica?.leader !== undefined) return replica
    const found = this.#find(ref)
    return found instanceof WireError || found.leader !== undefined ? found : this.notLeader(found.row)
  }

  #leading (ref: PartitionRef): Replica {
    const replica = this.#leader(ref)
    if (replica instanceof WireError) throw replica
    return replica
  }
}
