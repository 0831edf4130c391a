// Where replicas go: leaders even over brokers, replicas even over brokers, within the
// topic first, since topics differ in what they carry, then over all; racks apart. The same input gives
// the same placement.
import type { BrokerInfo, PartitionRow } from '../../wire/messages.ts'
import { targetOf } from './moves.ts'

export interface Load {
  /** Partitions that name the broker first, by broker id. */
  readonly leaders: Map<number, number>
  /** Replicas, by broker id. */
  readonly replicas: Map<number, number>
}

export function newLoad (): Load {
  return { leaders: new Map(), replicas: new Map() }
}

/** Counts partitions in, as they are to be in the end. */
export function loadOf (rows: Iterable<PartitionRow>): Load {
  const load = newLoad()
  for (const row of rows) addLoad(load, targetOf(row))
  return load
}

/** Counts a partition in. */
export function addLoad (load: Load, replicas: readonly number[]): void {
  const [first] = replicas
  if (first !== undefined) increment(load.leaders, first)
  for (const brokerId of replicas) increment(load.replicas, brokerId)
}

/**
 * Broker ids for the next partition of a topic, the preferred leader first; counts them into both loads.
 * Living brokers come before fenced ones. As many as there are brokers at most.
 *
 * @param own load by partitions of the same topic
 * @param all load by every partition
 * @param turn the partition's number: begins the round of equals somewhere else each time
 */
export function place (brokers: readonly BrokerInfo[], replicas: number, own: Load, all: Load, turn: number): number[] {
  const round = [...brokers].sort((a, b) => a.brokerId - b.brokerId)
  const rank = new Map(
    round.map((broker, index) => [broker.brokerId, (index - turn % round.length + round.length) % round.length])
  )
  const leads = (load: Load, a: BrokerInfo, b: BrokerInfo): number => count(load.leaders, a) - count(load.leaders, b)
  const holds = (load: Load, a: BrokerInfo, b: BrokerInfo): number => count(load.replicas, a) - count(load.replicas, b)
  const byRank = (a: BrokerInfo, b: BrokerInfo): number => (rank.get(a.brokerId) ?? 0) - (rank.get(b.brokerId) ?? 0)
  const dead = (broker: BrokerInfo): number => broker.fenced || broker.stopping ? 1 : 0
  const chosen: BrokerInfo[] = []
  const racks = new Set<string>()
  while (chosen.length < Math.min(replicas, round.length)) {
    const rest = round.filter(broker => !chosen.includes(broker))
    const rackUsed = (broker: BrokerInfo): number => broker.rack !== '' && racks.has(broker.rack) ? 1 : 0
    rest.sort(chosen.length === 0
      ? (a, b) => dead(a) - dead(b) || leads(own, a, b) || leads(all, a, b) || holds(all, a, b) || byRank(a, b)
      : (a, b) => dead(a) - dead(b) || rackUsed(a) - rackUsed(b) || holds(own, a, b) || holds(all, a, b) ||
        byRank(a, b))
    const [next] = rest
    if (next === undefined) break
    chosen.push(next)
    racks.add(next.rack)
  }
  const ids = chosen.map(broker => broker.brokerId)
  addLoad(own, ids)
  addLoad(all, ids)
  return ids
}

/**
 * Brokers that could get one more replica of a partition, the best first: another rack, then least of the
 * topic, then least of all.
 *
 * @param others that the partition stays on
 */
export function ranked (candidates: readonly BrokerInfo[], others: readonly BrokerInfo[], own: Load,
  all: Load): BrokerInfo[] {
  const racks = new Set(others.map(broker => broker.rack).filter(rack => rack !== ''))
  const rackUsed = (broker: BrokerInfo): number => racks.has(broker.rack) ? 1 : 0
  return [...candidates].sort((a, b) => rackUsed(a) - rackUsed(b) ||
    count(own.replicas, a) - count(own.replicas, b) || count(all.replicas, a) - count(all.replicas, b) ||
    a.brokerId - b.brokerId)
}

/**
 * The target with the broker first that is first least often: leaders stay even while replicas move. Of equals
 * the one that leads now, then the order of the target.
 *
 * @param all load without the partition
 */
export function withLeader (target: readonly number[], leader: number, all: Load): number[] {
  const leads = (id: number): number => all.leaders.get(id) ?? 0
  const [first] = [...target].sort((a, b) => leads(a) - leads(b) || Number(b === leader) - Number(a === leader))
  return first === undefined ? [] : [first, ...target.filter(id => id !== first)]
}

/** Takes a partition out of a load. */
export function dropLoad (load: Load, replicas: readonly number[]): void {
  const [first] = replicas
  if (first !== undefined) increment(load.leaders, first, -1)
  for (const brokerId of replicas) increment(load.replicas, brokerId, -1)
}

function count (counts: ReadonlyMap<number, number>, broker: BrokerInfo): number {
  return counts.get(broker.brokerId) ?? 0
}

function increment (counts: Map<number, number>, brokerId: number, by = 1): void {
  counts.set(brokerId, (counts.get(brokerId) ?? 0) + by)
}
