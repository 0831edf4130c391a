// What is to go: brokers are ordered to remove replicas, again and again until they report it. Replicas that
// a move has taken from them, once the row without them is stored; and those of deleted topics: when all have
// been removed the topic leaves its table. A broker that is away is waited for.
import type { PartitionKey, PartitionRow, ReplicaReport } from '../../wire/messages.ts'
import type { Clock } from '../../wire/ports.ts'
import { firstReplicaGen, isNewerRow, nobody, partitionKeyText } from '../row.ts'
import type { BrokerSession } from './broker-session.ts'
import type { Roster } from './roster.ts'
import { findRow } from './table.ts'
import type { Table, TopicEntry } from './table.ts'
import type { Shelf, Tables } from './tables.ts'

/** Deleted topics remembered for brokers that report a replica of one late. */
const rememberedMax = 10_000
const orderAgainMs = 5_000

export class Removals {
  readonly #clock: Clock
  readonly #roster: Roster
  readonly #tables: Tables
  readonly #isFrozen: (table: string) => boolean
  #hasNews = true
  readonly #leaving = new Set<string>()
  readonly #deleted = new Set<string>()
  /** When replicas were ordered away in a session, by partition key. */
  readonly #ordered = new WeakMap<BrokerSession, Map<string, number>>()

  /** @param options.isFrozen true while it is not known whether a table is the newest */
  constructor (options: {
    clock: Clock, roster: Roster, tables: Tables, isFrozen (table: string): boolean
  }) {
    this.#clock = options.clock
    this.#roster = options.roster
    this.#tables = options.tables
    this.#isFrozen = table => options.isFrozen(table)
  }

  /** True for a topic that this controller has deleted for good. */
  isDeleted (topicId: string): boolean { return this.#deleted.has(topicId) }

  /** Called after each write, and when replicas were removed. */
  look (): void {
    for (const shelf of this.#tables.shelves()) {
      const { table } = shelf.writer
      for (const topic of table.topics.values()) {
        // Only what is stored counts: no leader any more, and the topic marked.
        if (topic.deleting && !this.#leaving.has(topic.topicId)) this.#pursue(shelf, table, topic)
      }
    }
  }

  #pursue (shelf: Shelf, table: Table, topic: TopicEntry): void {
    const rows = table.rows.get(topic.topicId) ?? []
    if (rows.some(row => row.leader !== nobody)) return
    if (this.#order(rows) > 0) return
    this.#leaving.add(topic.topicId)
    shelf.desk.add({
      run: draft => { if (draft.topics.has(topic.topicId)) draft.removeTopic(topic.topicId) },
      done: (_, error) => {
        this.#leaving.delete(topic.topicId)
        if (error !== undefined) return
        this.#remember(topic.topicId)
        for (const { rid } of this.#roster.sessions()) for (const row of rows) rid.delete(keyOf(row))
      }
    })
    shelf.writer.kick()
  }

  /**
   * Orders what is left; answers how many replicas are, or may be, left. That a broker has not reported one says
   * nothing: it may be about to make it, from a row that is on its way to it. Orders come after that row.
   */
  #order (rows: readonly PartitionRow[]): number {
    let left = 0
    const now = this.#clock.now()
    const orders = new Map<number, { topicId: string, partition: number, replicaGen: number }[]>()
    for (const row of rows) {
      const { topicId, partition, inSync } = row
      const key = keyOf(row)
      for (const brokerId of this.#holders(row)) {
        const session = this.#roster.session(brokerId)
        const report = session?.replicas.get(key)
        if (session?.state === 'registered' && report === undefined && session.rid.get(key) === true) continue
        left += 1
        if (session === undefined || !this.#isDue(session, row, now)) continue
        session.rid.set(key, false)
        const member = inSync.find(identity => identity.brokerId === brokerId)
        const replicaGen = report?.replicaGen ?? member?.replicaGen ?? firstReplicaGen
        const ofBroker = orders.get(brokerId) ?? []
        orders.set(brokerId, ofBroker)
        ofBroker.push({ topicId, partition, replicaGen })
      }
    }
    for (const [brokerId, removals] of orders) this.#roster.session(brokerId)?.remove(removals)
    return left
  }

  /** Those that the row names, and those that a move has taken it from and that still have it. */
  #holders (row: PartitionRow): number[] {
    const { replicas, adding, removing, inSync } = row
    const key = keyOf(row)
    const late = this.#roster.sessions().filter(session => session.replicas.has(key))
    const all = [...replicas, ...adding, ...removing, ...[...inSync, ...late].map(({ brokerId }) => brokerId)]
    return [...new Set(all)].sort((a, b) => a - b)
  }

  /** An order is repeated only when its report has had time to come. */
  #isDue (session: BrokerSession, replica: PartitionKey, now: number): boolean {
    const ordered = this.#ordered.get(session) ?? new Map<string, number>()
    this.#ordered.set(session, ordered)
    const key = keyOf(replica)
    if (session.state !== 'registered' || now - (ordered.get(key) ?? -Infinity) < orderAgainMs) return false
    ordered.set(key, now)
    return true
  }

  /** Replicas that were made while their topic was being deleted. Called now and then. */
  lookForLate (): void {
    if (this.#deleted.size === 0) return
    const now = this.#clock.now()
    for (const session of this.#roster.sessions()) {
      const late = [...session.replicas.values()]
        .filter(report => this.#deleted.has(report.topicId) && this.#isDue(session, report, now))
      session.remove(late.map(({ topicId, partition, replicaGen }) => ({ topicId, partition, replicaGen })))
    }
  }

  /** Rows were written, or brokers told what they hold. */
  changed (): void { this.#hasNews = true }

  /** Orders away what moves have left behind. Called now and then. */
  lookForLeft (): void {
    if (!this.#hasNews) return
    this.#hasNews = false
    const now = this.#clock.now()
    for (const session of this.#roster.sessions()) {
      const left = this.#left(session)
      if (left.length > 0) this.#hasNews = true
      const due = left.filter(report => this.#isDue(session, report, now))
      session.remove(due.map(({ topicId, partition, replicaGen }) => ({ topicId, partition, replicaGen })))
    }
  }

  /** Replicas on a broker that it is to remove, as far as it is here to tell. */
  dataLeft (brokerId: number): number {
    const session = this.#roster.session(brokerId)
    return session === undefined ? 0 : this.#left(session).length
  }

  /**
   * Replicas of a broker that the stored row names no more. Never by a row that is older than the one that
   * the broker knows, nor while a write is under way, nor by tables that are doubted.
   */
  #left (session: BrokerSession): ReplicaReport[] {
    const { brokerId } = session
    const left: ReplicaReport[] = []
    for (const report of session.replicas.values()) {
      const { topicId, partition } = report
      const shelf = this.#tables.shelfOfTopic(topicId)
      if (shelf === undefined) continue
      const { table } = shelf.writer
      const row = findRow(table, topicId, partition)
      if (row === undefined || table.topics.get(topicId)?.deleting === true) continue
      if (row.replicas.includes(brokerId) || row.inSync.some(member => member.brokerId === brokerId)) continue
      if (shelf.writer.unresolved || this.#isFrozen(table.name)) this.#hasNews = true
      else if (report.row === undefined || !isNewerRow(report.row, row)) left.push(report)
    }
    return left
  }

  #remember (topicId: string): void {
    this.#deleted.add(topicId)
    if (this.#deleted.size <= rememberedMax) return
    for (const oldest of this.#deleted) {
      this.#deleted.delete(oldest)
      return
    }
  }
}

function keyOf ({ topicId, partition }: PartitionKey): string {
  return partitionKeyText(topicId, partition)
}
