// What must hold for every write of a PartitionTable, whoever makes it: asserted as it lands.
import { assert } from '../../../broker/assert.ts'
import { decodeTable } from '../../../broker/controller/table-codec.ts'
import type { Table } from '../../../broker/controller/table.ts'
import { hasIdentity, nobody } from '../../../broker/row.ts'
import type { KubeObject } from '../../../broker/io/ports.ts'
import type { PartitionRow } from '../../../wire/messages.ts'

export function checkTableWrite (before: KubeObject | undefined, after: KubeObject | undefined): void {
  if (after === undefined || after.kind !== 'PartitionTable') return
  const now = decodeTable(after)
  for (const rows of now.rows.values()) for (const row of rows) checkRow(row)
  if (before === undefined) return
  const old = decodeTable(before)
  assert(now.controllerEpoch >= old.controllerEpoch,
    `${now.name}: controller epoch ${old.controllerEpoch} -> ${now.controllerEpoch}`)
  assert(now.writeId !== old.writeId, `${now.name}: a write id was used twice`)
  if (now.controllerEpoch > old.controllerEpoch) {
    assert(sameContent(old, now), `${now.name}: decided before it was stamped`)
  }
  for (const [topicId, rows] of now.rows) {
    for (const row of rows) {
      const previous = old.rows.get(topicId)?.[row.partition]
      if (previous !== undefined) checkChange(previous, row)
    }
  }
}

function checkRow (row: PartitionRow): void {
  const what = text(row)
  assert(row.inSync.length > 0, `${what}: an empty set`)
  assert(row.inSync.length >= row.minInSync, `${what}: below its floor`)
  assert(row.leader === nobody || row.inSync.some(member => member.brokerId === row.leader),
    `${what}: the leader is not in the set`)
  assert(!row.inSync.some(member => hasIdentity(row.barred, member)), `${what}: a member that was declared lost`)
}

function checkChange (old: PartitionRow, row: PartitionRow): void {
  if (JSON.stringify(old) === JSON.stringify(row)) return
  const what = `${text(old)} -> ${text(row)}`
  assert(row.version > old.version, `${what}: a change without a version`)
  assert(row.leaderEpoch >= old.leaderEpoch, `${what}: the epoch fell`)
  assert(old.barred.every(identity => hasIdentity(row.barred, identity)), `${what}: not barred any more`)
  if (row.barred.length > old.barred.length) {
    // A person's: the whole set is given up, and another replica leads alone.
    assert(old.inSync.every(member => hasIdentity(row.barred, member)), `${what}: recovered, but not all barred`)
    assert(row.leaderEpoch > old.leaderEpoch && row.inSync.length === 1, `${what}: recovered with several`)
    return
  }
  if (row.leader !== old.leader && row.leader !== nobody) {
    assert(row.leaderEpoch > old.leaderEpoch, `${what}: a new leader in an old epoch`)
    assert(old.inSync.some(member => member.brokerId === row.leader && hasIdentity(row.inSync, member)),
      `${what}: elected from outside the set`)
  }
  // Who elects does not add: added members come by a leader's request alone.
  if (row.leaderEpoch > old.leaderEpoch) {
    assert(row.inSync.every(member => hasIdentity(old.inSync, member)), `${what}: added by an election`)
  }
}

function sameContent (a: Table, b: Table): boolean {
  const content = (table: Table): string =>
    JSON.stringify([[...table.brokers], [...table.topics], [...table.rows], table.tables])
  return content(a) === content(b)
}

function text (row: PartitionRow): string {
  const set = row.inSync
    .map(member => `${member.brokerId}/${member.volumeId.slice(0, 4)}/${member.replicaGen}`).join(' ')
  return `${row.topicId}-${row.partition} leader ${row.leader} epoch ${row.leaderEpoch} version ${row.version} ` +
    `{${set}} min ${row.minInSync}`
}
