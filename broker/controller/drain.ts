// Emptying brokers: their replicas move to the best others, a few at a time. Level-triggered and pure: looks
// at the rows as they are, so that it goes on after any interruption and ends when nothing is left to do.
import type { BrokerInfo, PartitionRow } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { nobody } from '../row.ts'
import type { Facts } from './facts.ts'
import { moveWaitsFor, targetOf } from './moves.ts'
import { addLoad, dropLoad, loadOf, ranked, withLeader } from './placement.ts'
import type { Load } from './placement.ts'

/** A row that is to get another target; to be dropped when the row has changed since. */
export interface Assignment {
  readonly row: PartitionRow
  readonly target: readonly number[]
}

/** The cluster as planners look at it. */
export interface Scene {
  /** Of topics that stay, in tables that may be decided. */
  readonly rows: readonly PartitionRow[]
  /** Every broker of the root table, in order of id. */
  readonly brokers: readonly BrokerInfo[]
  readonly facts: Facts
  /** Registered, not stopping: may get replicas. */
  isServing (brokerId: number): boolean
  nameOf (topicId: string): string
}

export function rowsByTopic (rows: readonly PartitionRow[]): Map<string, PartitionRow[]> {
  const byTopic = new Map<string, PartitionRow[]>()
  for (const row of rows) {
    const ofTopic = byTopic.get(row.topicId)
    if (ofTopic === undefined) byTopic.set(row.topicId, [row])
    else ofTopic.push(row)
  }
  return byTopic
}

/** What is to be moved next off the brokers that are being drained. */
export function planDrains (scene: Scene): Assignment[] {
  const draining = new Set(scene.brokers.filter(broker => broker.draining).map(broker => broker.brokerId))
  if (draining.size === 0) return []
  const all = loadOf(scene.rows)
  const receiving = new Map<number, number>()
  for (const row of scene.rows) for (const id of row.adding) receiving.set(id, (receiving.get(id) ?? 0) + 1)
  const open = (id: number): boolean => (receiving.get(id) ?? 0) < limits.movesPerBrokerMax
  const plans: Assignment[] = []
  for (const rows of rowsByTopic(scene.rows).values()) {
    if (!rows.some(row => targetOf(row).some(id => draining.has(id)))) continue
    const own = loadOf(rows)
    for (const row of rows) {
      const target = targetOf(row)
      if (row.leader === nobody || !target.some(id => draining.has(id))) continue
      for (const load of [own, all]) dropLoad(load, target)
      const next = emptied(target, draining, takers(scene).filter(broker => open(broker.brokerId)), own, all)
      const plan = next[0] === target[0] ? next : withLeader(next, row.leader, all)
      for (const load of [own, all]) addLoad(load, plan)
      if (next.every((id, index) => id === target[index])) continue
      plans.push({ row, target: plan })
      for (const id of plan) if (!row.replicas.includes(id)) receiving.set(id, (receiving.get(id) ?? 0) + 1)
    }
  }
  return plans
}

/** Who may take replicas of brokers that are drained. */
function takers (scene: Scene): BrokerInfo[] {
  return scene.brokers.filter(broker => !broker.draining && scene.isServing(broker.brokerId))
}

/** The target with as many draining brokers replaced as there are others for. */
function emptied (target: readonly number[], draining: ReadonlySet<number>, takers: readonly BrokerInfo[],
  own: Load, all: Load): number[] {
  const next = [...target]
  for (const [index, id] of target.entries()) {
    if (!draining.has(id)) continue
    const free = takers.filter(broker => !next.includes(broker.brokerId))
    const staying = takers.filter(broker => next.includes(broker.brokerId))
    const [best] = ranked(free, staying, own, all)
    if (best !== undefined) next[index] = best.brokerId
  }
  return next
}

/** Rows that name a broker, as member of the set too. */
export function rowsOf (brokerId: number, rows: readonly PartitionRow[]): PartitionRow[] {
  return rows.filter(row => row.replicas.includes(brokerId) || row.inSync.some(member => member.brokerId === brokerId))
}

/** Why a drain does not go on; empty while anything of it does. */
export function drainWaitsFor (brokerId: number, scene: Scene): string {
  let first = ''
  for (const row of rowsOf(brokerId, scene.rows)) {
    const reason = targetOf(row).includes(brokerId) ? cannotMove(row, scene) : moveWaitsFor(row, scene.facts)
    if (reason === '') return ''
    if (first === '') first = reason
  }
  return first
}

function cannotMove (row: PartitionRow, scene: Scene): string {
  const name = scene.nameOf(row.topicId)
  const wanted = targetOf(row).length
  const staying = scene.brokers.filter(broker => !broker.draining)
  if (staying.length < wanted) {
    const brokers = `${staying.length} ${staying.length === 1 ? 'broker stays' : 'brokers stay'}`
    return `topic '${name}' has ${wanted} replicas, ${brokers}`
  }
  if (row.leader === nobody) return `topic '${name}', partition ${row.partition} has no leader`
  if (takers(scene).some(broker => !targetOf(row).includes(broker.brokerId))) return ''
  const away = staying.filter(broker => !scene.isServing(broker.brokerId)).map(broker => broker.brokerId)
  return `brokers that could take replicas are away: ${away.join(', ')}`
}
