// Asserts what must hold for every row that is written to the Kubernetes API, and for who writes.
import type { BrokerNode } from '../../broker/node.ts'
import { isReplica } from '../../broker/partition/in-sync.ts'
import { isMoving, targetOf } from '../../broker/controller/moves.ts'
import { decodeTable, tableKind } from '../../broker/controller/table-codec.ts'
import { rootName } from '../../broker/controller/table.ts'
import type { Table } from '../../broker/controller/table.ts'
import { hasIdentity, identityText, isNewerRow, nobody, sameIdentity } from '../../broker/row.ts'
import type { PartitionRow } from '../../broker/row.ts'
import type { SimBroker } from './broker.ts'
import type { SimCluster } from './cluster.ts'
import type { Coverage } from './coverage.ts'
import { SimFailure } from './failure.ts'
import type { KubeWrite } from './kube-store.ts'
import type { InvariantObserver } from './observer.ts'
import type { Topics } from './topics.ts'

export class RowObserver {
  readonly #cluster: SimCluster
  readonly #observer: InvariantObserver
  readonly #coverage: Coverage
  readonly #controllers = new Set<string>()
  readonly #latest = new Map<string, PartitionRow>()
  readonly #topics: Topics
  readonly #deleting = new Set<string>()
  #office = ''
  constructor (cluster: SimCluster, observer: InvariantObserver, topics: Topics, coverage: Coverage) {
    this.#topics = topics
    this.#cluster = cluster
    this.#observer = observer
    this.#coverage = coverage
    cluster.kube.store.onWrite = (write) => {
      try {
        this.#written(write)
      } catch (error) {
        cluster.scheduler.fail(error instanceof SimFailure
          ? error
          : SimFailure.from('uncaught error', 'row observer', error))
      }
    }
  }

  /** By 'topicId-partition', the newest ever written. */
  get latest (): ReadonlyMap<string, PartitionRow> { return this.#latest }

  #gone (topicId: string, table: Table): void {
    for (const { partition } of table.rows.get(topicId) ?? []) this.#latest.delete(`${topicId}-${partition}`)
    this.#coverage.reached('a deleted topic was removed everywhere')
  }

  /** Are the newest rows what the API holds, in tables that the root names? */
  isStored (): boolean {
    const tables = this.#cluster.kube.store.list(tableKind, {}).map(decodeTable)
    const named = new Set(tables.find((table) => table.name === rootName(this.#cluster.name))?.tables)
    const stored = tables.filter(({ name }) => named.has(name) || name === rootName(this.#cluster.name))
    for (const [key, row] of this.#latest) {
      const found = stored.flatMap((table) => table.rows.get(row.topicId)?.[row.partition] ?? [])[0]
      if (found?.leaderEpoch !== row.leaderEpoch || found.version !== row.version) {
        this.notStored = key
        return false
      }
    }
    return true
  }

  notStored = ''
  /** By 'topicId-partition': brokers that a person has named as lost, for it to go on without them. */
  readonly ordered = new Map<string, readonly number[]>()
  /** By 'topicId-partition': whom a person has told to lead it, -1 for the first of its replicas. */
  readonly elected = new Map<string, Set<number>>()
  wantLeader (key: string, leader: number): void {
    this.elected.set(key, (this.elected.get(key) ?? new Set()).add(leader))
  }

  /** By 'topicId-partition': the first of its replicas, which led it and had to give it away. */
  readonly #displaced = new Map<string, number>()
  /** A table was lost or taken back in this run. */
  tablesHarmed = false

  controllerSeen (broker: SimBroker, parts: NonNullable<BrokerNode['parts']>, _atMs: number): void {
    const name = broker.process?.name ?? ''
    if (parts.agent.counters.isController === 1) {
      if (!this.#controllers.has(name)) {
        this.#controllers.add(name)
        if (this.#office !== '' && this.#office !== name) {
          this.#coverage.reached('the office of controller changed hands')
        }
        this.#office = name
        if (this.#controllers.size > 1) this.#coverage.reached('two controllers at once')
      }
    } else this.#controllers.delete(name)
  }

  controllerDied (name: string): void { this.#controllers.delete(name) }

  #written ({ plural, before, after, by }: KubeWrite): void {
    if (plural !== 'partitiontables') return
    if (after === undefined) {
      this.#coverage.reached('a table was lost')
      return
    }
    const [old, table] = [before === undefined ? undefined : decodeTable(before), decodeTable(after)]
    if (old !== undefined && table.controllerEpoch < old.controllerEpoch) {
      throw new SimFailure('controller epoch', `${by} wrote ${table.name} with controller epoch ` +
        `${table.controllerEpoch} over ${old.controllerEpoch}`)
    }
    for (const topic of table.topics.values()) {
      if (topic.deleting) this.#deleting.add(topic.topicId)
      else this.#topics.seen(topic.name, topic.topicId)
    }
    for (const topicId of old?.topics.keys() ?? []) {
      if (!table.topics.has(topicId) && this.#deleting.has(topicId)) this.#gone(topicId, old!)
    }
    for (const [topicId, rows] of table.rows) {
      const oldRows = old?.rows.get(topicId) ?? []
      rows.forEach((row, i) => { this.#row(row, oldRows[i], table, by) })
    }
  }

  #row (row: PartitionRow, old: PartitionRow | undefined, table: Table, by: string): void {
    const key = `${row.topicId}-${row.partition}`
    if (old?.leaderEpoch === row.leaderEpoch && old.version === row.version) {
      if (JSON.stringify(old) !== JSON.stringify(row)) {
        throw new SimFailure('row order', `${by} changed the row of ${key} without raising its version`)
      }
      return
    }
    const where = `${by} wrote ${key} epoch ${row.leaderEpoch} version ${row.version} to ${table.name}`
    if (old !== undefined && (row.leaderEpoch < old.leaderEpoch || row.version <= old.version)) {
      throw new SimFailure('row order', `${where} over epoch ${old.leaderEpoch} version ${old.version}`)
    }
    if (row.inSync.length < row.minInSync) {
      throw new SimFailure('floor', `${where}: ${row.inSync.length} in sync, the floor is ${row.minInSync}`)
    }
    if (row.leader !== nobody && !row.inSync.some((member) => member.brokerId === row.leader)) {
      throw new SimFailure('election', `${where}: the leader ${row.leader} is not in sync`)
    }
    const newest = this.#latest.get(key)
    if (!isNewerRow(row, newest)) {
      // Decided from an old table before a broker told of newer rows: brokers ignore it, and the restoring
      // that follows goes above everything that they know.
      if (this.tablesHarmed) return
      throw new SimFailure('row order',
        `${where}, which epoch ${newest!.leaderEpoch} version ${newest!.version} has been above`)
    }
    if (old !== undefined) this.#count(row, old)
    this.#latest.set(key, row)
    if (old !== undefined && row.barred.some((member) => !hasIdentity(old.barred, member))) {
      this.#recovered(row, old, where)
    }
    this.#holdsAll(row, where, row.leaderEpoch !== old?.leaderEpoch)
  }

  /** The one way out of the rules. */
  #recovered (row: PartitionRow, old: PartitionRow, where: string): void {
    const key = `${row.topicId}-${row.partition}`
    const [survivor, ...others] = row.inSync
    const lost = this.ordered.get(key)
    this.ordered.delete(key)
    if (lost === undefined || !old.inSync.every(({ brokerId }) => lost.includes(brokerId))) {
      throw new SimFailure('recover', `${where}, and nobody has asked for it`)
    }
    if (survivor?.brokerId !== row.leader || others.length > 0 || hasIdentity(old.inSync, survivor) ||
      !old.inSync.every((member) => hasIdentity(row.barred, member))) {
      throw new SimFailure('recover', `${where}: in sync ${row.inSync.map(identityText).join()}`)
    }
    const record = this.#observer.record(identityText(survivor), row.topicId, row.partition)
    if (record === undefined) throw new SimFailure('recover', `${where}: no broker has ${identityText(survivor)}`)
    this.#observer.recovered(row.topicId, row.partition, record, row.leaderEpoch)
  }

  /**
   * Does the newest row of a topic that is not being deleted, lost tables or not, give the broker a replica? One
   * that was added again may not know of it yet, and what it has from before may go until it is in sync.
   */
  names (topicId: string, partition: number, brokerId: number): boolean {
    const row = this.#latest.get(`${topicId}-${partition}`)
    if (row === undefined || this.#deleting.has(topicId) || !isReplica(row, brokerId)) return false
    return !row.adding.includes(brokerId) || row.inSync.some((member) => member.brokerId === brokerId)
  }

  /** The same of the set as stored, while its leader may not know of it yet. */
  committed (topicId: string, partition: number, by: string): void {
    const row = this.#latest.get(`${topicId}-${partition}`)
    if (row !== undefined && !this.tablesHarmed) this.#holdsAll(row, `${by} commits`, true)
  }

  /**
   * Every member of a set holds every committed record: any of them may be elected.
   * @param elects this row makes its leader one; in others the leader may have died with its disk, unnoticed yet
   */
  #holdsAll (row: PartitionRow, where: string, elects: boolean): void {
    const { end } = this.#observer.partition(row.topicId, row.partition)
    for (const member of row.inSync) {
      const record = this.#observer.record(identityText(member), row.topicId, row.partition)
      const durable = record?.durableEnd ?? 0
      // A member whose disk was harmed is dead; it stays in a set that is at its floor.
      const leads = elects && member.brokerId === row.leader &&
        !row.inSync.some((other) => other.brokerId === row.leader && !sameIdentity(other, member))
      const mayLack = record?.suspect === true && !leads
      if (durable < end && !mayLack) {
        throw new SimFailure('in-sync set', `${where}: ${identityText(member)} is in sync with ${durable} ` +
          `offsets on its disk, committed are ${end}`)
      }
    }
  }

  #countMove (row: PartitionRow, old: PartitionRow): void {
    if (row.leaderEpoch > old.leaderEpoch && isMoving(row)) {
      this.#coverage.reached('a leader was elected while its partition moved')
    }
    const [before, after] = [targetOf(old).join(), targetOf(row).join()]
    if (isMoving(row)) this.#coverage.reached('a move got another target', before === after ? 0 : 1)
    else this.#coverage.reached(before === after ? 'a partition moved' : 'a move was given up')
    if (isMoving(row) || before !== after) return
    if (old.adding.length !== old.removing.length) this.#coverage.reached('a partition got another number of replicas')
    if (this.#isHarmed()) this.#coverage.reached('a partition moved in spite of a fault')
  }

  /** Somebody is away, or nobody can write. */
  #isHarmed (): boolean {
    const { brokers, kube } = this.#cluster
    return kube.conditions.state !== 'up' || brokers.some((broker) => !broker.running || broker.paused)
  }

  /** By itself: the leader that it takes the partition from could have gone on. */
  #countReturn (key: string, row: PartitionRow, old: PartitionRow): void {
    const [first = nobody] = row.replicas
    if (row.leader !== first) {
      if (old.leader === first) this.#displaced.set(key, first)
      return
    }
    const leader = this.#cluster.brokers[old.leader]
    const couldLead = leader?.running === true && !leader.paused && !leader.stopping
    if (this.#displaced.get(key) === first && old.leader !== first && couldLead && !this.elected.has(key)) {
      this.#coverage.reached('a preferred leader got its partition back')
    }
    this.#displaced.delete(key)
  }

  #count (row: PartitionRow, old: PartitionRow): void {
    const grew = row.inSync.some((member) => !hasIdentity(old.inSync, member))
    const shrank = old.inSync.some((member) => !hasIdentity(row.inSync, member))
    if (grew) this.#coverage.reached('the in-sync set grew')
    if (shrank) this.#coverage.reached('the in-sync set shrank')
    if (row.leaderEpoch > old.leaderEpoch && this.#observer.pendingChange(row.topicId, row.partition)) {
      this.#coverage.reached('a leader was elected while a change of the set was pending')
    }
    if (isMoving(old)) this.#countMove(row, old)
    else this.#countReturn(`${row.topicId}-${row.partition}`, row, old)
    if (row.leader === nobody) this.#coverage.reached('a partition had no leader')
    if (row.leaderEpoch > old.leaderEpoch && row.leader === old.leader && row.leader !== nobody) {
      this.#coverage.reached('a leader was elected by the restart of its own broker')
    }
  }
}
