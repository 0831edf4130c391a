// Moves: a partition gets other replicas. Everything about a move is in the row, so any controller can go
// on with it: replicas are the target in order of preference, then those that leave; `adding` are those of
// the target that were not there before, `removing` those that leave (KIP-455). Pure.
import type { PartitionRow, ReplicaIdentity } from '../../wire/messages.ts'
import { nobody } from '../row.ts'
import type { Facts } from './facts.ts'
import { nextRow } from './in-sync.ts'

export function isMoving (row: PartitionRow): boolean {
  return row.adding.length + row.removing.length > 0
}

/** The replicas that a row is to have in the end, the preferred leader first. */
export function targetOf (row: PartitionRow): readonly number[] {
  return row.removing.length === 0 ? row.replicas : row.replicas.filter(id => !row.removing.includes(id))
}

/** The replicas that the row had before its move: those that leave take the places of those that were added. */
export function beforeMove (row: PartitionRow): readonly number[] {
  const leaving = [...row.removing]
  const kept = targetOf(row).flatMap(id => {
    if (!row.adding.includes(id)) return [id]
    const instead = leaving.shift()
    return instead === undefined ? [] : [instead]
  })
  return [...kept, ...leaving]
}

/**
 * The row with a new target; it takes the place of that of a move under way. Who was added and is no longer
 * wanted goes at once, unless the set would fall below the floor without it: then it leaves when the move is
 * completed. The same row when it has that target already.
 */
export function retarget (row: PartitionRow, target: readonly number[], facts: Facts): PartitionRow {
  if (sameList(target, targetOf(row))) return row
  const before = row.replicas.filter(id => !row.adding.includes(id))
  const unwanted = row.adding.filter(id => !target.includes(id))
  const inSync = row.inSync.filter(member => !unwanted.includes(member.brokerId))
  const drop = inSync.length === row.inSync.length ||
    (!unwanted.includes(row.leader) && liveCount(row, inSync, facts) >= row.minInSync)
  const needed = drop ? [] : unwanted.filter(id => row.inSync.some(member => member.brokerId === id))
  const removing = [...before.filter(id => !target.includes(id)), ...needed]
  return nextRow(row, {
    replicas: [...target, ...removing],
    adding: target.filter(id => !before.includes(id)),
    removing,
    inSync: drop ? inSync : row.inSync
  })
}

/**
 * The set that completes the move: the members in the target. Undefined while somebody added is not in sync,
 * or the set would fall below its floor. The leader may have to change first: it must be in the target.
 */
export function completion (row: PartitionRow, facts: Facts): readonly ReplicaIdentity[] | undefined {
  if (!isMoving(row)) return undefined
  const target = targetOf(row)
  const inSync = row.inSync.filter(member => target.includes(member.brokerId))
  const isIn = (id: number): boolean => inSync.some(member => member.brokerId === id && isLive(row, member, facts))
  if (!row.adding.every(isIn)) return undefined
  const shrinks = inSync.length < row.inSync.length
  return shrinks && liveCount(row, inSync, facts) < row.minInSync ? undefined : inSync
}

/** What completes the move, apart from version and leader epoch; undefined while `row.leader` may not lead then. */
export function completed (row: PartitionRow, facts: Facts): Partial<PartitionRow> | undefined {
  const inSync = completion(row, facts)
  if (inSync?.some(member => member.brokerId === row.leader && isLive(row, member, facts)) !== true) return undefined
  return { replicas: [...targetOf(row)], adding: [], removing: [], inSync: [...inSync] }
}

/** Why a move does not go on, empty while it does. Copying is going on. */
export function moveWaitsFor (row: PartitionRow, facts: Facts): string {
  if (row.leader === nobody) return 'the partition has no leader'
  const away = row.adding.filter(id => facts.registered(id) === undefined)
  if (away.length > 0) return `${brokersText(away)} away`
  const inSync = completion(row, facts)
  if (inSync === undefined) {
    if (!row.adding.every(id => row.inSync.some(member => member.brokerId === id))) return ''
    return `fewer than ${row.minInSync} replicas of the target are live and in sync`
  }
  const able = inSync.filter(member => isLive(row, member, facts) && facts.isFit(row, member.brokerId))
  return able.length > 0 ? '' : 'no replica of the target can lead'
}

function brokersText (ids: readonly number[]): string {
  return ids.length === 1 ? `broker ${ids.join()} is` : `brokers ${ids.join(', ')} are`
}

function isLive (row: PartitionRow, member: ReplicaIdentity, facts: Facts): boolean {
  return facts.member(row.topicId, row.partition, member) === 'live'
}

function liveCount (row: PartitionRow, members: readonly ReplicaIdentity[], facts: Facts): number {
  return members.filter(member => isLive(row, member, facts)).length
}

function sameList (a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index])
}
