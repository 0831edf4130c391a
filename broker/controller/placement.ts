// Where the replicas of new partitions go: leaders even over brokers, replicas even over brokers, within the
// topic first, since topics differ in what they carry, then over all; racks apart. The same input gives
// the same placement.
import type { BrokerInfo } from '../../wire/messages.ts'

export interface Load {
  /** Partitions that name the broker first, by broker id. */
  readonly leaders: Map<number, number>
  /** Replicas, by broker id. */
  readonly replicas: Map<number, number>
}

export function newLoad (): Load {
  return { leaders: new Map(), replicas: new Map() }
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

function count (counts: ReadonlyMap<number, number>, broker: BrokerInfo): number {
  return counts.get(broker.brokerId) ?? 0
}

function increment (counts: Map<number, number>, brokerId: number): void {
  counts.set(brokerId, (counts.get(brokerId) ?? 0) + 1)
}
