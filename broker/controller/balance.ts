// Evening out: brokers that hold less than their share, new ones above all, get replicas from those that hold
// more. Pure. Each move raises a broker that is short by one and takes from one above the share, so that there
// are as few moves as can be, nothing goes back and forth, and in the end there is nothing to do.
import type { BrokerInfo, PartitionRow } from '../../wire/messages.ts'
import type { Assignment } from './drain.ts'
import { rowsByTopic } from './drain.ts'
import { targetOf } from './moves.ts'
import { addLoad, dropLoad, loadOf, withLeader } from './placement.ts'
import type { Load } from './placement.ts'

interface Candidate {
  readonly row: PartitionRow
  readonly target: readonly number[]
  readonly from: number
  /** Higher is better, compared one after the other. */
  readonly merits: readonly number[]
}

/**
 * The next moves, `movesMax` at most and one per partition. None when every broker has about its share, the whole
 * part of all replicas divided by all brokers; nor when racks stand against it.
 *
 * @param brokers all that are to have a share; rows name no others
 */
export function planBalance (rows: readonly PartitionRow[], brokers: readonly BrokerInfo[],
  movesMax: number): Assignment[] {
  const all = loadOf(rows)
  let replicas = 0
  for (const row of rows) replicas += targetOf(row).length
  const fair = { replicas: Math.floor(replicas / brokers.length), leaders: Math.floor(rows.length / brokers.length) }
  const holds = (id: number): number => all.replicas.get(id) ?? 0
  if (!brokers.some(broker => isFarBelow(holds(broker.brokerId), fair.replicas))) return []
  const owns = new Map([...rowsByTopic(rows)].map(([topicId, ofTopic]) => [topicId, loadOf(ofTopic)]))
  const racks = new Map(brokers.map(broker => [broker.brokerId, broker.rack]))
  const stuck = new Set<number>()
  const planned = new Map<PartitionRow, Assignment>()
  while (planned.size < movesMax) {
    const [short] = brokers.map(broker => broker.brokerId)
      .filter(id => holds(id) < fair.replicas && !stuck.has(id))
      .sort((a, b) => holds(a) - holds(b) || a - b)
    if (short === undefined) break
    const best = bestMove(rows.filter(row => !planned.has(row)), short, fair, { all, owns, racks })
    if (best === undefined) {
      stuck.add(short)
      continue
    }
    const { row } = best
    const target = targetOf(row)
    dropLoad(all, target)
    const plan = withLeader(best.target, row.leader, all)
    addLoad(all, plan)
    const own = owns.get(row.topicId)
    if (own !== undefined) {
      dropLoad(own, target)
      addLoad(own, plan)
    }
    planned.set(row, { row, target: plan })
  }
  return [...planned.values()]
}

/** One more or less is how placement leaves it, and not worth copying anything. */
function isFarBelow (replicas: number, fair: number): boolean {
  return replicas < fair - 1 || (replicas === 0 && fair > 0)
}

interface Loads {
  readonly all: Load
  readonly owns: ReadonlyMap<string, Load>
  readonly racks: ReadonlyMap<number, string>
}

/** The topic that lies most unevenly between the two, then the leader that is led by the busiest. */
function bestMove (rows: readonly PartitionRow[], to: number, fair: { replicas: number, leaders: number },
  { all, owns, racks }: Loads): Candidate | undefined {
  const holds = (load: Load | undefined, id: number): number => load?.replicas.get(id) ?? 0
  const leads = (id: number): number => all.leaders.get(id) ?? 0
  const wantsLeader = leads(to) < fair.leaders
  let best: Candidate | undefined
  for (const row of rows) {
    const target = targetOf(row)
    if (target.includes(to)) continue
    const own = owns.get(row.topicId)
    for (const [index, from] of target.entries()) {
      const uneven = holds(own, from) - holds(own, to)
      if (holds(all, from) <= fair.replicas || uneven < 1 || !racks.has(from)) continue
      const next = target.with(index, to)
      const apart = racksOf(next, racks) - racksOf(target, racks)
      if (apart < 0) continue
      const first = leads(target[0] ?? from) - leads(to)
      // The only replica of a partition leads wherever it is.
      const alone = next.length > 1 ? 0 : wantsLeader ? 1 : -1
      const merits = [Math.min(uneven, 2), alone, uneven, apart, wantsLeader ? first : 0, holds(all, from)]
      if (best === undefined || isBetter(merits, best.merits)) best = { row, target: next, from, merits }
    }
  }
  return best
}

/** How many racks a partition lies in; a broker without one counts as its own. */
function racksOf (target: readonly number[], racks: ReadonlyMap<number, string>): number {
  return new Set(target.map(id => {
    const rack = racks.get(id) ?? ''
    return rack === '' ? `broker ${id}` : `rack ${rack}`
  })).size
}

function isBetter (a: readonly number[], b: readonly number[]): boolean {
  for (const [index, merit] of a.entries()) {
    const other = b[index] ?? 0
    if (merit !== other) return merit > other
  }
  return false
}
