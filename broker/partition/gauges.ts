// The state of all replicas in a few numbers, taken now and then.
import { nobody } from '../row.ts'
import type { Replica } from './replica.ts'
import type { PartitionStats } from './stats.ts'

export function gauge (stats: PartitionStats, replicas: Iterable<Replica>): void {
  let count = 0
  let leaders = 0
  let underReplicated = 0
  let underMinInSync = 0
  let offline = 0
  let damaged = 0
  for (const replica of replicas) {
    const { leader, row } = replica
    count++
    if (replica.damaged !== '' || replica.log.damaged !== '') damaged++
    if (replica.assigned && row?.leader === nobody) offline++
    if (leader === undefined) continue
    leaders++
    // Those that a move adds are not missed while they catch up.
    if (leader.row.inSync.length < leader.row.replicas.length - leader.row.adding.length) underReplicated++
    if (leader.belowFloor) underMinInSync++
  }
  stats.replicas = count
  stats.leaders = leaders
  stats.underReplicated = underReplicated
  stats.underMinInSync = underMinInSync
  stats.offline = offline
  stats.damaged = damaged
}
