// Rows from what brokers reported. Pure.
import type { PartitionRow, ReplicaReport } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { hasIdentity, identityText, isNewerRow, nobody, partitionKeyText } from '../row.ts'
import { targetOf } from './moves.ts'
import { TableDraft } from './table.ts'
import type { Table } from './table.ts'

/**
 * Rows may have been stored after the last ones that any broker heard of, and been lost with the table.
 * Restored leader epochs begin above those: each controller that restores begins another thousand. (A
 * batch holds its leader epoch in 31 bits: enough for two million of them.)
 */
const epochsPerController = 1_000

type Reports = ReadonlyMap<string, readonly ReplicaReport[]>

/**
 * Every row of the table becomes the highest of what it was and what was reported, without a leader, in
 * a leader epoch above every one that there ever was: the election that follows asks the members. How long records
 * are kept may have been raised since the table was written: all are, until the Topic is applied again.
 */
export function restoreRows (draft: TableDraft, reports: Reports, controllerEpoch: number): void {
  for (const topic of draft.topics.values()) {
    if (topic.deleting) continue
    for (const row of draft.rows(topic.topicId)) {
      const known = reports.get(partitionKeyText(row.topicId, row.partition)) ?? []
      const next = highest(known, row, controllerEpoch)
      if (next !== undefined) draft.setRow(next)
    }
    // Partitions that the topic got later.
    let partition = draft.rows(topic.topicId).length
    for (;;) {
      const row = highest(reports.get(partitionKeyText(topic.topicId, partition)) ?? [], undefined, controllerEpoch)
      if (row === undefined) break
      draft.setRow(row)
      partition += 1
    }
    const kept = topic.internal ? {} : { retentionMs: -1, retentionBytes: -1 }
    draft.setTopic({ ...topic, ...kept, partitions: Math.max(partition, topic.partitions) })
  }
}

/** What restoreRows would change, and the partitions, as topic-number, that would stay as the table has them. */
export function plannedRows (table: Table, reports: Reports, controllerEpoch: number):
{ rows: PartitionRow[], undecided: string[] } {
  const draft = new TableDraft(table)
  restoreRows(draft, reports, controllerEpoch)
  const rows: PartitionRow[] = []
  const undecided: string[] = []
  for (const topic of draft.topics.values()) {
    if (topic.deleting) continue
    for (const row of draft.rows(topic.topicId)) {
      rows.push(row)
      const known = reports.get(partitionKeyText(row.topicId, row.partition)) ?? []
      if (!known.some(report => report.row !== undefined)) undecided.push(`${topic.name}-${row.partition}`)
    }
  }
  return { rows, undecided }
}

/** The same for a topic that no table names. */
export function plannedTopic (topicId: string, reports: Reports, controllerEpoch: number):
{ rows: PartitionRow[], undecided: string[] } {
  const ofTopic = reportsOf(topicId, reports)
  const name = ofTopic.find(report => report.topic !== '')?.topic ?? topicId
  const partitions = [...new Set(ofTopic.map(report => report.partition))].sort((a, b) => a - b)
  const rows = partitions.flatMap(partition =>
    highest(ofTopic.filter(report => report.partition === partition), undefined, controllerEpoch) ?? [])
  return { rows, undecided: undecidable(ofTopic).map(partition => `${name}-${partition}`) }
}

/** Of replicas that have had a row. */
export function reportsOf (topicId: string, reports: Reports): ReplicaReport[] {
  return [...reports.values()].flat().filter(report => report.topicId === topicId && report.row !== undefined)
}

/** Partitions below the highest reported one that no report knows a row of. */
export function undecidable (reports: readonly ReplicaReport[]): number[] {
  const known = new Set(reports.map(report => report.partition))
  return Array.from({ length: Math.max(-1, ...known) + 1 }, (_, partition) => partition)
    .filter(partition => !known.has(partition))
}

/** A topic that no table names: orphaned until its Topic object adopts it, and kept without limit until then. */
export function restoreTopic (draft: TableDraft, topicId: string, name: string, reports: readonly ReplicaReport[],
  controllerEpoch: number): void {
  const rows: PartitionRow[] = []
  const partitions = Math.max(...reports.map(report => report.partition)) + 1
  for (let partition = 0; partition < partitions; partition += 1) {
    const row = highest(reports.filter(report => report.partition === partition), undefined, controllerEpoch)
    if (row !== undefined) rows.push(row)
  }
  const internal = name.startsWith('__')
  draft.setTopic({
    topicId,
    name,
    internal,
    partitions,
    replicas: Math.max(...rows.map(row => targetOf(row).length)),
    minInSync: Math.max(...rows.map(row => row.minInSync)),
    retentionMs: -1,
    retentionBytes: -1,
    segmentBytes: internal ? limits.groupsSegmentBytes : limits.segmentBytesDefault,
    deleting: false,
    orphaned: !internal,
    ownerUid: ''
  })
  for (const row of rows) draft.setRow(row)
}

function highest (reports: readonly ReplicaReport[], stored: PartitionRow | undefined,
  controllerEpoch: number): PartitionRow | undefined {
  let best = stored
  let epoch = stored?.leaderEpoch ?? 0
  let version = stored?.version ?? 0
  for (const { row, leaderEpochSeen } of reports) {
    epoch = Math.max(epoch, leaderEpochSeen, row?.leaderEpoch ?? 0)
    version = Math.max(version, row?.version ?? 0)
    if (row !== undefined && isNewerRow(row, best)) best = row
  }
  if (best === undefined) return undefined
  const leaderEpoch = Math.max(epoch + 1, controllerEpoch * epochsPerController)
  return { ...withBarred(best, reports), leader: nobody, leaderEpoch, version: version + 1 }
}

/** Whom a person declared lost in any row that somebody knows stays so. */
function withBarred (best: PartitionRow, reports: readonly ReplicaReport[]): PartitionRow {
  const barred = new Map([best, ...reports.flatMap(report => report.row ?? [])]
    .flatMap(row => row.barred.map(identity => [identityText(identity), identity])))
  if (barred.size <= best.barred.length) return best
  const all = [...barred.values()].filter(identity => !hasIdentity(best.inSync, identity))
  return { ...best, barred: all.slice(-limits.barredMax) }
}
