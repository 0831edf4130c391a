// DescribeCluster: what the tables say, counted.
import type {
  BrokerInfo, DescribeClusterResponse, PartitionRow, ReplicaIdentity, Sent, TopicInfo, TopicStatus
} from '../../wire/messages.ts'
import { nobody } from '../row.ts'
import type { Table, TopicEntry } from './table.ts'

interface Counts {
  partitions: number
  underReplicated: number
  underMinInSync: number
  offline: number
}

/** @param names of the topics to tell of, every topic when empty; the counts are of all */
export function describeTables (tables: readonly Table[], names: readonly string[]): Sent<DescribeClusterResponse> {
  const brokers = brokersOf(tables)
  const topics: Sent<TopicStatus>[] = []
  const wanted = new Set(names)
  for (const table of tables) {
    for (const topic of table.topics.values()) {
      const rows = table.rows.get(topic.topicId) ?? []
      if (wanted.size === 0 || wanted.has(topic.name)) topics.push(describeTopic(topic, rows, brokers))
    }
  }
  topics.sort((a, b) => compare(a.topic?.name ?? '', b.topic?.name ?? ''))
  const sorted = [...brokers.values()].sort((a, b) => a.brokerId - b.brokerId)
  return { brokers: sorted, topics, ...countAll(tables, brokers), ...besidesMaintenance(tables, brokers) }
}

/** What is not as it shall be for other reasons than brokers in maintenance, and who must stay because of those. */
function besidesMaintenance (tables: readonly Table[], brokers: ReadonlyMap<number, BrokerInfo>):
Pick<DescribeClusterResponse, 'underReplicatedUnexpectedly' | 'indispensable'> {
  const isResting = (id: number): boolean => brokers.get(id)?.maintenance === true
  const indispensable = new Set<number>()
  let underReplicatedUnexpectedly = 0
  for (const row of livingRows(tables)) {
    const live = liveMembers(row, brokers)
    const missing = row.replicas.filter(id => !row.adding.includes(id) && !live.some(({ brokerId }) => brokerId === id))
    if (missing.some(id => !isResting(id))) underReplicatedUnexpectedly += 1
    if (!missing.some(isResting) || live.length > row.minInSync) continue
    for (const { brokerId } of live) indispensable.add(brokerId)
  }
  return { underReplicatedUnexpectedly, indispensable: [...indispensable].sort((a, b) => a - b) }
}

function livingRows (tables: readonly Table[]): PartitionRow[] {
  return tables.flatMap(table => [...table.topics.values()]
    .flatMap(topic => topic.deleting ? [] : table.rows.get(topic.topicId) ?? []))
}

/** What the tables say of the whole cluster, in numbers. */
export interface Census extends Readonly<Counts> {
  readonly brokers: number
  readonly brokersFenced: number
}

export function takeCensus (tables: readonly Table[]): Census {
  const brokers = brokersOf(tables)
  return {
    ...countAll(tables, brokers),
    brokers: brokers.size,
    brokersFenced: [...brokers.values()].filter(({ fenced }) => fenced).length
  }
}

export function brokersOf (tables: readonly Table[]): Map<number, BrokerInfo> {
  return new Map(tables.flatMap(table => [...table.brokers]))
}

function countAll (tables: readonly Table[], brokers: ReadonlyMap<number, BrokerInfo>): Counts {
  const counts: Counts = { partitions: 0, underReplicated: 0, underMinInSync: 0, offline: 0 }
  for (const row of livingRows(tables)) countRow(counts, row, brokers)
  return counts
}

export function describeTopic (topic: TopicEntry, rows: readonly PartitionRow[],
  brokers: ReadonlyMap<number, BrokerInfo>): Sent<TopicStatus> {
  const { ownerUid, ...info } = topic
  const counts: Counts = { partitions: 0, underReplicated: 0, underMinInSync: 0, offline: 0 }
  for (const row of rows) countRow(counts, row, brokers)
  const { underReplicated, underMinInSync, offline } = counts
  const replicasInSync = rows.reduce((least, row) => Math.min(least, liveMembers(row, brokers).length),
    rows.length === 0 ? 0 : Infinity)
  return {
    topic: info satisfies TopicInfo,
    orphaned: topic.orphaned,
    ownerUid,
    underReplicated,
    underMinInSync,
    offline,
    replicasInSync,
    recovered: rows.filter(row => row.barred.length > 0).map(row => row.partition),
    moving: rows.filter(row => row.adding.length + row.removing.length > 0).length
  }
}

function countRow (counts: Counts, row: PartitionRow, brokers: ReadonlyMap<number, BrokerInfo>): void {
  const live = liveMembers(row, brokers).length
  counts.partitions += 1
  // Those that a move adds are not missed while they catch up.
  if (live < row.replicas.length - row.adding.length) counts.underReplicated += 1
  if (live < row.minInSync) counts.underMinInSync += 1
  if (row.leader === nobody) counts.offline += 1
}

/** Members of the set whose broker is unfenced with the same volume: at the floor dead ones stay in the set. */
export function liveMembers (row: PartitionRow, brokers: ReadonlyMap<number, BrokerInfo>): ReplicaIdentity[] {
  return row.inSync.filter(member => {
    const broker = brokers.get(member.brokerId)
    return broker !== undefined && !broker.fenced && broker.volumeId === member.volumeId
  })
}

function compare (a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
