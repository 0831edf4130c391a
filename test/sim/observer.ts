// Asserts the invariants of replication after every event, on the process that had it: whatever changes,
// changes in an event of its own process. Hooks into the logs' methods, reads everything else, and changes
// nothing but that it reads a recovered log once from its disk.
import type { BrokerNode } from '../../broker/node.ts'
import type { ReplicaLog, Volume } from '../../broker/log/contract.ts'
import type { Replica } from '../../broker/partition/replica.ts'
import { liveMembers } from '../../broker/partition/in-sync.ts'
import { identityText } from '../../broker/row.ts'
import type { SimBroker } from './broker.ts'
import type { Observer, SimCluster } from './cluster.ts'
import type { Coverage } from './coverage.ts'
import { SimFailure } from './failure.ts'
import type { GivenUp } from './given-up.ts'
import { PartitionRecord, ReplicaRecord } from './records.ts'
import { RowObserver } from './row-observer.ts'
import type { SimEvent } from './scheduler.ts'
import { storedBatches } from './shadow-log.ts'
import type { Topics } from './topics.ts'

type Parts = NonNullable<BrokerNode['parts']>

/** Every so many steps of a process all its replicas are looked at, whatever seems to have changed. */
const fullCheckSteps = 64

interface ObservedNode {
  readonly parts: Parts
  steps: number
  space: 'enough' | 'low' | 'none'
  readonly records: Map<ReplicaLog, ReplicaRecord>
}

export class InvariantObserver implements Observer {
  readonly #cluster: SimCluster
  readonly #coverage: Coverage
  readonly #nodes = new Map<BrokerNode, ObservedNode>()
  /** Every replica that ever was, by its identity and partition. */
  readonly #records = new Map<string, ReplicaRecord>()
  readonly #partitions = new Map<string, PartitionRecord>()
  /** By 'topicId-partition', of replicas that are gone. */
  readonly #logStarts = new Map<string, number>()
  readonly rows: RowObserver
  /** What people gave up, in order. */
  readonly givenUp: GivenUp[] = []

  constructor (cluster: SimCluster, topics: Topics, coverage: Coverage) {
    this.#cluster = cluster
    this.#coverage = coverage
    this.rows = new RowObserver(cluster, this, topics, coverage)
  }

  get partitions (): IterableIterator<PartitionRecord> { return this.#partitions.values() }

  partition (topicId: string, partition: number): PartitionRecord {
    const key = `${topicId}-${partition}`
    let record = this.#partitions.get(key)
    if (record === undefined) this.#partitions.set(key, record = new PartitionRecord(key))
    return record
  }

  /** A row was written that goes on without the in-sync set, since a person said so. */
  recovered (topicId: string, partition: number, survivor: ReplicaRecord, leaderEpoch: number): void {
    const key = `${topicId}-${partition}`
    const all = [...this.#records].filter(([name]) => name.endsWith(` ${key}`)).map(([, record]) => record)
    const { from, batches } = this.partition(topicId, partition).giveUp(survivor, all)
    this.givenUp.push({ topicId, partition, atMs: this.#cluster.scheduler.now, from, batches, leaderEpoch })
    this.#coverage.reached('a person had a partition recovered')
    if (batches.length > 0) this.#coverage.reached('a person gave up committed records')
  }

  /** The highest log start that any replica of 'topicId-partition' ever had. */
  logStart (key: string): number {
    let start = this.#logStarts.get(key) ?? 0
    for (const { records } of this.#nodes.values()) {
      for (const log of records.keys()) {
        if (`${log.topicId}-${log.partition}` === key) start = Math.max(start, log.logStart)
      }
    }
    if (start > 0) this.#coverage.reached('retention removed records')
    return start
  }

  /** Of a replica that nobody will look at any more: clients may have been told of it. */
  #noteStart (log: ReplicaLog): void {
    const key = `${log.topicId}-${log.partition}`
    this.#logStarts.set(key, Math.max(this.#logStarts.get(key) ?? 0, log.logStart))
  }

  record (identity: string, topicId: string, partition: number): ReplicaRecord | undefined {
    return this.#records.get(`${identity} ${topicId}-${partition}`)
  }

  afterStep (event: SimEvent, broker: SimBroker | undefined): void {
    const node = broker?.node
    const parts = node?.parts
    if (broker === undefined || node === undefined || parts === undefined) return
    let observed = this.#nodes.get(node)
    if (observed === undefined) this.#nodes.set(node, observed = this.#attach(broker, parts))
    this.rows.controllerSeen(broker, parts, event.at)
    const isFull = ++observed.steps % fullCheckSteps === 0
    if (isFull) this.#countSpace(observed)
    for (const [log, record] of observed.records) {
      if (!isFull && record.isAsChecked(log)) continue
      const replica = parts.host.replica(log.topicId, log.partition)
      if (replica?.log !== log) continue
      record.replica = replica
      this.#check(broker, replica, record)
    }
  }

  beforeDeath (broker: SimBroker): void {
    const node = broker.node
    const observed = node === undefined ? undefined : this.#nodes.get(node)
    if (node === undefined || observed === undefined) return
    this.count(broker)
    this.rows.controllerDied(broker.process?.name ?? '')
    for (const [log, record] of observed.records) {
      this.#noteStart(log)
      record.died()
    }
    this.#nodes.delete(node)
  }

  /** Is what a leader holds still being read? Then what it commits is known when that is done. */
  isReading (topicId: string, partition: number): boolean {
    return [...this.#nodes.values()].some(({ records }) => [...records].some(([log, { leads, known }]) =>
      log.topicId === topicId && log.partition === partition && leads >= 0 && !known))
  }

  /** Does a leader that lives wait for a change of the set? */
  pendingChange (topicId: string, partition: number): boolean {
    return this.#cluster.brokers.some(({ node }) =>
      node?.parts?.host.replica(topicId, partition)?.leader?.inSync.changing === true)
  }

  #countSpace (observed: ObservedNode): void {
    const { volume } = observed.parts
    const space = volume.full ? 'none' : volume.low ? 'low' : 'enough'
    if (space === observed.space) return
    observed.space = space
    if (space === 'low') this.#coverage.reached('space on a disk was low')
    if (space === 'none') this.#coverage.reached('a disk was full')
  }

  /** States that a process' own counters tell. */
  count (broker: SimBroker): void {
    const parts = broker.node?.parts
    if (parts === undefined) return
    const { stats } = parts.host
    this.#coverage.reached('a batch was repeated', stats.duplicates)
    this.#coverage.reached('an append was refused or unanswered', 
      [...stats.appendErrors.values()].reduce((sum, each) => sum + each, 0))
    this.#coverage.reached('a segment was read', parts.volume.counters.coldReads)
    this.#coverage.reached('a follower served readers', stats.followerFetches)
    this.#coverage.reached('an API write conflicted', parts.agent.counters.tableConflicts)
    this.#coverage.reached('a change of a set was refused', parts.agent.counters.inSyncRefused)
    this.#coverage.reached('an election found nobody', parts.agent.counters.electionsFailed)
  }

  #attach (broker: SimBroker, parts: Parts): ObservedNode {
    const { volume } = parts
    const observed: ObservedNode = { parts, steps: 0, space: 'enough', records: new Map() }
    const found = new Set<ReplicaRecord>()
    for (const log of volume.replicas()) found.add(this.#adopt(broker, volume, log, observed, true))
    for (const record of this.#records.values()) {
      if (record.volumeId !== volume.meta.volumeId || record.gone || found.has(record) || record.durableEnd === 0) {
        continue
      }
      if (!broker.diskMayFail) throw new SimFailure('durability', `${record.name}: a replica is gone after a restart`)
    }
    if (found.size > 0) this.#coverage.reached('a replica recovered records')
    this.#watchThrottle(parts)
    const { create, remove, moveToStray, moveToDamaged } = volume
    volume.create = (replica) => {
      const log = create.call(volume, replica)
      this.#adopt(broker, volume, log, observed, false)
      return log
    }
    const leave = (log: ReplicaLog): void => {
      this.#noteStart(log)
      const record = observed.records.get(log)
      if (record !== undefined) record.gone = true
      observed.records.delete(log)
    }
    volume.remove = (log) => {
      const record = observed.records.get(log)
      if (record !== undefined && this.rows.names(log.topicId, log.partition, broker.id)) {
        throw new SimFailure('removed data', `${record.name}: its data goes, and a row names it`)
      }
      leave(log)
      return remove.call(volume, log)
    }
    volume.moveToStray = (log) => {
      leave(log)
      return moveToStray.call(volume, log)
    }
    volume.moveToDamaged = (log) => {
      this.#coverage.reached('a replica was renewed after damage')
      leave(log)
      return moveToDamaged.call(volume, log)
    }
    return observed
  }

  #watchThrottle ({ host: { learnerThrottle } }: Parts): void {
    const { enter } = learnerThrottle
    learnerThrottle.enter = (learner) => {
      const isAdmitted = enter.call(learnerThrottle, learner)
      if (!isAdmitted) this.#coverage.reached('a learner was held back')
      return isAdmitted
    }
  }

  #adopt (
    broker: SimBroker, volume: Volume, log: ReplicaLog, observed: ObservedNode, recovered: boolean
  ): ReplicaRecord {
    const { volumeId } = volume.meta
    const identity = identityText({ brokerId: broker.id, volumeId, replicaGen: log.replicaGen })
    const key = `${identity} ${log.topicId}-${log.partition}`
    let record = this.#records.get(key)
    if (record === undefined) {
      record = new ReplicaRecord(`broker ${broker.id}, ${log.topic}-${log.partition}`, volumeId)
      this.#records.set(key, record)
    } else if (recovered && !broker.diskMayFail && log.damaged === '') record.checkRecovery(log)
    // What the first process on the harmed disk lacked, the next one lacks too, whatever it finds of its own.
    record.suspect = recovered && broker.diskMayFail && (record.suspect || log.logEnd < record.durableEnd)
    if (recovered && log.renewed !== '') this.#coverage.reached('a replica was renewed after damage')
    observed.records.set(log, record)
    record.attach(log, volume)
    if (recovered) void this.#load(record, log)
    this.#hook(observed, record, log)
    return record
  }

  #hook ({ parts }: ObservedNode, record: ReplicaRecord, log: ReplicaLog): void {
    const { append, truncate, reset, setRow } = log
    log.setRow = (row) => {
      setRow.call(log, row)
      parts.volume.whenDurable(() => { record.rowDurable = row })
    }
    log.append = (bytes) => {
      const row = parts.host.replica(log.topicId, log.partition)?.leader?.row
      if (row !== undefined && liveMembers(row, (id) => parts.host.broker(id)) < row.minInSync) {
        throw new SimFailure('floor', `${record.name} appends with fewer than ${row.minInSync} members that live`)
      }
      record.appended(storedBatches(bytes))
      append.call(log, bytes)
    }
    log.truncate = (offset) => {
      if (offset < record.highWatermark) {
        throw new SimFailure('truncation',
          `${record.name} truncates to ${offset}, below its high watermark ${record.highWatermark}`)
      }
      if (offset < log.logEnd) this.#coverage.reached('a follower truncated')
      record.truncated(offset)
      truncate.call(log, offset)
    }
    log.reset = (offset) => {
      this.#coverage.reached('a follower began anew')
      record.reset(offset)
      reset.call(log, offset)
      record.resetJournaled()
    }
  }

  /** What the disk really gave back. */
  async #load (record: ReplicaRecord, log: ReplicaLog): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const { logStart, logEnd } = log
      const changes = record.cuts
      const contents = []
      record.loading()
      try {
        for (let offset = logStart; offset < logEnd;) {
          const bytes = await log.read(offset, logEnd, 1024 * 1024)
          if (bytes.length === 0) break
          contents.push(...storedBatches(bytes))
          offset = contents.at(-1)!.last + 1
        }
      } catch {
        // Retention or a reset came between: again. A log that cannot be read at all is found at the end.
        continue
      }
      if (record.cuts === changes && log.logStart === logStart) {
        record.loaded(contents, logStart)
        return
      }
    }
  }

  #check (broker: SimBroker, replica: Replica, record: ReplicaRecord): void {
    const { log, leader } = replica
    const { highWatermark } = replica.state
    const leads = leader?.ready === true
    if (highWatermark < record.highWatermark) {
      throw new SimFailure('high watermark', `${record.name}: it fell from ${record.highWatermark} to ${highWatermark}`)
    }
    record.sawEpoch(log.leaderEpochSeen)
    record.durableEnd = record.resets > 0 ? 0 : log.durableEnd
    if (highWatermark === record.highWatermark && (leads ? leader.epoch : -1) === record.leads && !record.dirty) return
    const partition = record.partition ??= this.partition(log.topicId, log.partition)
    if (leads && leader.epoch !== record.leads) this.#began(broker, leader.epoch, record, partition)
    record.leads = leads ? leader.epoch : -1
    record.highWatermark = highWatermark
    if (!record.known) return
    if (leads && record.outdatedFrom === Infinity && highWatermark > partition.end) {
      this.#committed(replica, record, partition)
    }
    // Its leader has committed more than is known yet: again when that is known.
    if (highWatermark > partition.end && this.isReading(log.topicId, log.partition)) {
      record.dirty = true
      return
    }
    partition.verify(record)
    record.dirty = false
  }

  #began (broker: SimBroker, epoch: number, record: ReplicaRecord, partition: PartitionRecord): void {
    const who = broker.process?.name ?? ''
    const other = partition.leaders.get(epoch)
    if (other !== undefined && other !== who) {
      throw new SimFailure('one leader per epoch', `${partition.key}: ${other} and ${who} lead in epoch ${epoch}`)
    }
    if (other === undefined) {
      partition.leaders.set(epoch, who)
      this.#coverage.reached('a leader was elected')
      for (const { node } of this.#cluster.brokers) {
        const older = [...this.#nodes.get(node!)?.records ?? []].find(([log, each]) =>
          each !== record && each.leads >= 0 && `${log.topicId}-${log.partition}` === partition.key)
        if (older !== undefined) this.#coverage.reached('two leaders at once')
      }
    }
    // One that was held up, and begins after a later leader, lacks what that one has committed: nobody follows it.
    record.mustHoldAll = [...partition.leaders.keys()].every((later) => later <= epoch)
    if (record.mustHoldAll) record.outdatedFrom = Infinity
    record.dirty = true
  }

  /** The leader's high watermark moved past everything known to be committed. */
  #committed (replica: Replica, record: ReplicaRecord, partition: PartitionRecord): void {
    const { leader, log, state } = replica
    const counted = leader!.inSync.countedSet()
    if (leader!.row.inSync.length < leader!.row.minInSync) {
      throw new SimFailure('floor', `${record.name} commits with a set of ${leader!.row.inSync.length}`)
    }
    // A crash may bring back the row that is durable: until the next one is, its members count too.
    const durable = record.rowDurable?.leaderEpoch === leader!.epoch ? record.rowDurable.inSync : []
    for (const member of [...leader!.row.inSync, ...durable]) {
      if (!counted.some((each) => identityText(each) === identityText(member))) {
        throw new SimFailure('counted set', `${record.name} does not count ${identityText(member)} of its row`)
      }
    }
    if (counted.length > leader!.row.inSync.length) {
      this.#coverage.reached('a change of the set named a member that the row lacks')
    }
    for (const member of counted) {
      const other = this.record(identityText(member), log.topicId, log.partition)
      const end = other?.durableEnd ?? -1
      if (end < state.highWatermark && other?.suspect !== true) {
        throw new SimFailure('durability', `${record.name} commits up to ${state.highWatermark}, ` +
          `but ${identityText(member)} has ${end} on its disk`)
      }
    }
    partition.commit(record, state.highWatermark)
    this.rows.committed(log.topicId, log.partition, record.name)
  }
}
