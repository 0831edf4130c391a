// All replicas of a broker, and what the controller's pushes make of them: made, given roles, removed.
import * as limits from '../limits.ts'
import type { Log } from '../io/ports.ts'
import type { ReplicaLog, Volume } from '../log/contract.ts'
import type {
  ReplicaReport, SessionResponse_Push, SessionResponse_RemoveReplica, TopicInfo
} from '../../wire/messages.ts'
import type { Clock, Rng } from '../../wire/ports.ts'
import { hasIdentity, isNewerRow, nobody, partitionKeyText } from '../row.ts'
import type { PartitionRow } from '../row.ts'
import type { ControllerLink } from '../session/contract.ts'
import { isReplica } from './in-sync.ts'
import { Replica } from './replica.ts'
import type { ReplicaEffects } from './replica.ts'

/** Generations of replicas that are made again are random, so that no two are alike. */
const replicaGenMax = 2 ** 48

export interface RosterOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly volume: Volume
  readonly link: ControllerLink
}

export class Roster {
  readonly #options: RosterOptions
  #closed = false
  readonly #effects: ReplicaEffects
  /** By topicId, then partition. */
  readonly #topics = new Map<string, Map<number, Replica>>()
  /** Replicas that no row names, and since when. */
  readonly #unnamed = new Map<Replica, number>()
  /** Replicas whose data is being moved away, by partition key, with the newest row that came meanwhile. */
  readonly #leaving = new Map<string, PartitionRow | undefined>()
  /** Replicas whose data is being removed, by partition key. */
  readonly #removing = new Set<string>()
  /** When replicas were made anew, by partition key. */
  readonly #renewedMs = new Map<string, number>()
  /** Rows whose topic is not known yet. */
  readonly #nameless = new Map<string, PartitionRow>()

  constructor (options: RosterOptions, effects: ReplicaEffects) {
    this.#options = options
    this.#effects = effects
    for (const log of options.volume.replicas()) this.#add(log, false)
  }

  get (topicId: string, partition: number): Replica | undefined {
    return this.#topics.get(topicId)?.get(partition)
  }

  * all (): Generator<Replica> {
    for (const partitions of this.#topics.values()) yield * partitions.values()
  }

  #add (log: ReplicaLog, fresh: boolean): Replica {
    const { volume, link } = this.#options
    const identity = { brokerId: link.self.brokerId, volumeId: volume.meta.volumeId, replicaGen: log.replicaGen }
    const replica = new Replica(log, identity, fresh, this.#effects)
    let partitions = this.#topics.get(log.topicId)
    if (partitions === undefined) {
      partitions = new Map()
      this.#topics.set(log.topicId, partitions)
    }
    partitions.set(log.partition, replica)
    return replica
  }

  #drop (replica: Replica): void {
    replica.close()
    this.#unnamed.delete(replica)
    const { topicId, partition } = replica.log
    const partitions = this.#topics.get(topicId)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.#topics.delete(topicId)
  }

  /** @see LocalReplicas.apply */
  apply (push: SessionResponse_Push): void {
    for (const topicId of push.topicsRemoved) {
      for (const replica of this.#topics.get(topicId)?.values() ?? []) replica.retire()
    }
    for (const topic of push.topics) this.#configure(topic)
    for (const row of push.rows) this.adopt(row)
    for (const row of [...this.#nameless.values()]) this.adopt(row)
    for (const order of push.remove) this.#remove(order)
    this.#findUnnamed()
  }

  /** A row from the controller or from a peer. */
  adopt (row: PartitionRow): void {
    const key = partitionKeyText(row.topicId, row.partition)
    if (this.#leaving.has(key)) {
      // What is to be made has the place of what leaves.
      if (isNewerRow(row, this.#leaving.get(key))) this.#leaving.set(key, row)
      return
    }
    const replica = this.get(row.topicId, row.partition) ?? this.#make(row)
    replica?.adopt(row)
    if (replica !== undefined) this.renew(replica)
  }

  /**
   * A damaged replica is a dead member and a new learner, as it would be at the next opening of the volume
   * (log/README.md): its data goes to damaged/, an empty one of another generation takes its place.
   */
  renew (replica: Replica): void {
    const { log, volume, clock } = this.#options
    if (replica.damaged === '' || !this.#mayRenew(replica)) return
    const { topicId, topic, partition, replicaGen } = replica.log
    this.#drop(replica)
    this.#renewedMs.set(partitionKeyText(topicId, partition), clock.now())
    log.error({ topic, partition, replicaGen, reason: replica.damaged },
      'the damaged replica is made anew, as a learner; what it held goes to damaged/')
    this.#moveAway(volume.moveToDamaged(replica.log), replica.log)
  }

  /**
   * Only while another broker leads: whoever leads holds everything that is committed. Where the two differ in
   * what that is, the set must have gone on without this one first: until then it may be the only one who knows.
   */
  #mayRenew (replica: Replica): boolean {
    const { link, clock } = this.#options
    const { log, row, identity, disputed } = replica
    if (row === undefined || !replica.assigned || this.get(log.topicId, log.partition) !== replica) return false
    if (row.leader === nobody || row.leader === identity.brokerId) return false
    if (link.view.broker(row.leader)?.fenced !== false) return false
    if (disputed && hasIdentity(row.inSync, identity)) return false
    const renewedMs = this.#renewedMs.get(partitionKeyText(log.topicId, log.partition)) ?? -Infinity
    return clock.now() - renewedMs >= limits.renewAgainMs
  }

  #make (row: PartitionRow): Replica | undefined {
    const { volume, rng, link, log } = this.#options
    const { topicId, partition } = row
    const key = `${topicId}-${partition}`
    this.#nameless.delete(key)
    if (!isReplica(row, link.self.brokerId)) return undefined
    // An older row that names this broker comes late: the replica was moved away since.
    const known = link.view.row(topicId, partition)
    if (known !== undefined && isNewerRow(known, row)) return undefined
    const topic = link.view.topicById(topicId)
    if (topic === undefined) {
      this.#nameless.set(key, row)
      return undefined
    }
    // A volume that has ever held the replica has lost what that held: it comes back as a learner.
    const replicaGen = volume.knew(topicId, partition) ? 1 + rng.integer(replicaGenMax) : 0
    const replica = this.#add(volume.create({ topic: topic.name, topicId, partition, replicaGen }), true)
    this.configure(replica, topic)
    log.info({ topic: topic.name, partition, replicaGen }, 'replica made')
    link.reportReplicas([replica.report()])
    return replica
  }

  #configure (topic: TopicInfo): void {
    for (const replica of this.#topics.get(topic.topicId)?.values() ?? []) this.configure(replica, topic)
  }

  /** Retention is the leader's business: followers take the log start from it. */
  configure (replica: Replica, topic: TopicInfo | undefined): void {
    if (topic === undefined) return
    const leads = replica.leader !== undefined
    replica.log.configure({
      retentionMs: leads ? topic.retentionMs : -1,
      retentionBytes: leads ? topic.retentionBytes : -1,
      segmentBytes: topic.segmentBytes
    })
  }

  /** Data goes only on an order, for the very replica that it names, and not when a row names it again. */
  #remove (order: SessionResponse_RemoveReplica): void {
    const { log, volume, link } = this.#options
    const replica = this.get(order.topicId, order.partition)
    const { topicId, partition, replicaGen } = order
    const key = partitionKeyText(topicId, partition)
    if (replica === undefined) {
      // Done before, and the report of it was lost; or never made. What is under way is reported when it is done.
      if (!this.#removing.has(key)) link.reportReplicas([removedReport(order)])
      return
    }
    if (replica.log.replicaGen !== replicaGen || this.#isNamed(replica)) {
      log.warn({ topicId, partition, replicaGen }, 'an order to remove a replica that is in use: ignored')
      return
    }
    this.#drop(replica)
    log.info({ topic: replica.log.topic, partition, replicaGen }, 'replica removed')
    this.#removing.add(key)
    this.#report(volume.remove(replica.log).then(() => { this.#removing.delete(key) }), order)
  }

  /** A row of a topic that is gone, which a peer may send late, names nothing any more. */
  #isNamed (replica: Replica): boolean {
    const { view, self } = this.#options.link
    const row = view.row(replica.log.topicId, replica.log.partition)
    return row !== undefined && isReplica(row, self.brokerId) && view.topicById(row.topicId) !== undefined
  }

  #findUnnamed (): void {
    const { link, clock } = this.#options
    if (!link.view.loaded) return
    for (const replica of this.all()) {
      if (this.#isNamed(replica)) this.#unnamed.delete(replica)
      else if (!this.#unnamed.has(replica)) this.#unnamed.set(replica, clock.now())
    }
  }

  /** Moves away what no row has named for strayAfterMs; producers that went silent are forgotten. */
  maintain (nowMs: number): void {
    const { log, volume } = this.#options
    for (const replica of [...this.all()]) {
      replica.producers.expire(nowMs)
      this.renew(replica)
    }
    for (const [key, ms] of this.#renewedMs) if (nowMs - ms >= limits.renewAgainMs) this.#renewedMs.delete(key)
    for (const [replica, sinceMs] of [...this.#unnamed]) {
      if (nowMs - sinceMs < limits.strayAfterMs || this.#isNamed(replica)) continue
      const { topicId, topic, partition, replicaGen } = replica.log
      this.#drop(replica)
      log.warn({ topic, topicId, partition, replicaGen }, 'no row names this replica: its data goes to stray/')
      this.#moveAway(volume.moveToStray(replica.log), replica.log)
    }
  }

  /** Until the data is away nothing new may have its name. */
  #moveAway (move: Promise<void>, key: SessionResponse_RemoveReplica): void {
    const { topicId, partition } = key
    const name = partitionKeyText(topicId, partition)
    this.#leaving.set(name, undefined)
    this.#report(move.then(() => {
      const row = this.#leaving.get(name) ?? this.#options.link.view.row(topicId, partition)
      this.#leaving.delete(name)
      if (row !== undefined && !this.#closed) this.adopt(row)
    }), key)
  }

  #report (removal: Promise<void>, key: SessionResponse_RemoveReplica): void {
    const { log, link } = this.#options
    const { topicId, partition } = key
    removal.then(() => { link.reportReplicas([removedReport(key)]) }, (error: unknown) => {
      log.error({ topicId, partition, error: String(error) }, 'the data of a replica could not be removed')
    })
  }

  close (): void {
    this.#closed = true
    for (const replica of this.all()) replica.close()
  }
}

function removedReport ({ topicId, partition, replicaGen }: SessionResponse_RemoveReplica): ReplicaReport {
  return {
    topicId,
    partition,
    topic: '',
    replicaGen,
    row: undefined,
    logStart: 0,
    durableEnd: 0,
    highWatermark: 0,
    lastEpoch: -1,
    leaderEpochSeen: -1,
    damaged: '',
    removed: true
  }
}
