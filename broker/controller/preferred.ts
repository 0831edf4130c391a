// The return of leaderships to the brokers that rows name first, and their leaving of brokers that are to be
// emptied or may be away: gently, a few at a time.
import type { PartitionRow } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { nobody, partitionKeyText } from '../row.ts'
import type { Wish } from './elections.ts'
import { isMoving } from './moves.ts'
import type { Roster } from './roster.ts'
import type { Table } from './table.ts'

/**
 * Polls that give some partitions to leaders who are to have them, and are in sync and settled.
 *
 * @param resting brokers that are to lead nothing, if others can: they are drained, or in maintenance
 */
export function preferredWishes (tables: readonly Table[], roster: Roster, now: number,
  resting: ReadonlySet<number>): Wish[] {
  const wishes: Wish[] = []
  for (const table of tables) {
    for (const rows of table.rows.values()) {
      for (const row of rows) {
        if (wishes.length >= limits.preferredLeadersPerMove) return wishes
        const preferred = better(row, roster, now, resting)
        if (preferred !== nobody) wishes.push(wishFor(row, preferred, roster))
      }
    }
  }
  return wishes
}

/** Who should lead instead of the one that does; -1 when that one is right, or nobody better can. */
function better (row: PartitionRow, roster: Roster, now: number, resting: ReadonlySet<number>): number {
  // Who leads after a move is decided when it is completed.
  if (row.leader === nobody || isMoving(row)) return nobody
  const staying = row.replicas.filter(id => !resting.has(id))
  const [first] = staying
  if (first === undefined || row.leader === first || roster.isChosen(row)) return nobody
  const wanted = resting.has(row.leader) ? staying : [first]
  return wanted.find(id => mayLead(row, id, roster, now)) ?? nobody
}

function mayLead (row: PartitionRow, brokerId: number, roster: Roster, now: number): boolean {
  const session = roster.session(brokerId)
  if (session?.state !== 'registered' || now - session.registeredAt < limits.preferredLeaderMs) return false
  const { topicId, partition } = row
  return row.inSync.some(member => member.brokerId === brokerId &&
    roster.member(topicId, partition, member) === 'live') &&
    // A preference is not worth a member that could not follow it any more.
    roster.leadership(row) === 'stands' && roster.isFit(row, brokerId) && roster.reachesAll(row, brokerId) &&
    !roster.movedLately(partitionKeyText(topicId, partition))
}

function wishFor (row: PartitionRow, preferred: number, roster: Roster): Wish {
  const ask = row.inSync.filter(member => roster.member(row.topicId, row.partition, member) === 'live')
    .map(member => member.brokerId)
  return { row, ask: [...new Set(ask)], preferred }
}
