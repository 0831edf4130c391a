// Where the replicas of new partitions go: leaders even over brokers, replicas even over brokers, racks
// apart. The same input gives the same placement.
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
  if (first !== undefined) count(load.leaders, first)
  for (const brokerId of replicas) count(load.replicas, brokerId)
}

/**
 * Broker ids for the next partition, the preferred leader first; counts them into `load`. Living brokers
 * come before fenced ones. `brokers` must be at least `replicas`.
 *
 * @param turn the partition's number: begins the round of equals somewhere else each time
 */
export function place (brokers: readonly BrokerInfo[], replicas: number, load: Load, turn: number): number[] {
  const round = [...brokers].sort((a, b) => a.brokerId - b.brokerId)
  const rank = new Map(round.map((broker, index) => [broker.brokerId, (index - turn % round.length + round.length) % round.length]))
  const leaders = (broker: BrokerInfo): number => load.leaders.get(broker.brokerId) ?? 0
  const held = (broker: BrokerInfo): number => load.replicas.get(broker.brokerId) ?? 0
  const byRank = (a: BrokerInfo, b: BrokerInfo): number => (rank.get(a.brokerId) ?? 0) - (rank.get(b.brokerId) ?? 0)
  const dead = (broker: BrokerInfo): number => broker.fenced || broker.stopping ? 1 : 0
  const chosen: BrokerInfo[] = []
  const racks = new Set<string>()
  while (chosen.length < Math.min(replicas, round.length)) {
    const rest = round.filter(broker => !chosen.includes(broker))
    const rackUsed = (broker: BrokerInfo): number => broker.rack !== '' && racks.has(broker.rack) ? 1 : 0
    rest.sort(chosen.length === 0
      ? (a, b) => dead(a) - dead(b) || leaders(a) - leaders(b) || held(a) - held(b) || byRank(a, b)
      : (a, b) => dead(a) - dead(b) || rackUsed(a) - rackUsed(b) || held(a) - held(b) || byRank(a, b))
    const [next] = rest
    if (next === undefined) break
    chosen.push(next)
    racks.add(next.rack)
  }
  const ids = chosen.map(broker => broker.brokerId)
  addLoad(load, ids)
  return ids
}

function count (counts: Map<number, number>, brokerId: number): void {
  counts.set(brokerId, (counts.get(brokerId) ?? 0) + 1)
}
