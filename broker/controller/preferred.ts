// The return of leaderships to the brokers that rows name first: gently, a few at a time.
import type { PartitionRow } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { nobody, partitionKeyText } from '../row.ts'
import type { Wish } from './elections.ts'
import type { Roster } from './roster.ts'
import type { Table } from './table.ts'

/** Polls that give some partitions back to preferred leaders who are in sync and settled. */
export function preferredWishes (tables: readonly Table[], roster: Roster, now: number): Wish[] {
  const wishes: Wish[] = []
  for (const table of tables) {
    for (const rows of table.rows.values()) {
      for (const row of rows) {
        if (wishes.length >= limits.preferredLeadersPerMove) return wishes
        if (mayReturn(row, roster, now)) wishes.push(wishFor(row, roster))
      }
    }
  }
  return wishes
}

function mayReturn (row: PartitionRow, roster: Roster, now: number): boolean {
  const [preferred] = row.replicas
  if (preferred === undefined || row.leader === preferred || row.leader === nobody) return false
  const session = roster.session(preferred)
  if (session?.state !== 'registered' || now - session.registeredAt < limits.preferredLeaderMs) return false
  const { topicId, partition } = row
  return row.inSync.some(member => member.brokerId === preferred &&
    roster.member(topicId, partition, member) === 'live') &&
    roster.leadership(row) === 'stands' && roster.isFit(row, preferred) &&
    !roster.movedLately(partitionKeyText(topicId, partition))
}

function wishFor (row: PartitionRow, roster: Roster): Wish {
  const ask = row.inSync.filter(member => roster.member(row.topicId, row.partition, member) === 'live')
    .map(member => member.brokerId)
  return { row, ask: [...new Set(ask)], preferred: row.replicas[0] ?? nobody }
}
