// A partition loses its whole in-sync set: the others left it, and then the one that was left loses its disk. Of a
// topic that is there for that; what a person does then is in ../person.ts.
import type { PartitionRow } from '../../../broker/row.ts'
import type { SimBroker } from '../broker.ts'
import { isReady, isWell } from './disk.ts'
import type { lossFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'
import { mayHarmDisk } from './world.ts'

const lookMs = 100
/** The others are seen to be gone by then, or never. */
const looksMax = 80

function mayBeLost (world: FaultWorld, broker: SimBroker): boolean {
  return isReady(broker) && isWell(broker) && broker !== world.draining
}

function rowsOf ({ topics, rows }: FaultWorld): PartitionRow[] {
  return topics.all.filter(({ expendable }) => expendable === true).flatMap(({ name, partitionsThere }) =>
    Array.from({ length: partitionsThere }, (_, partition) => rows.latest.get(`${topics.idOf(name)}-${partition}`))
      .filter((row) => row !== undefined))
}

function lose (world: FaultWorld): boolean {
  const { cluster, rng, unlucky } = world
  const rows = rowsOf(world).filter(({ leader }) => leader >= 0 && (unlucky === undefined || leader === unlucky.id))
  if (rows.length === 0) return false
  const { topicId, partition, leader, inSync } = rng.pick(rows)
  const last = cluster.brokers[leader]
  if (last === undefined || !mayBeLost(world, last) || !mayHarmDisk(world, last)) return false
  for (const { brokerId } of inSync) {
    const other = cluster.brokers[brokerId]
    if (other === undefined || other === last || !other.running) continue
    other.end(rng.pick(['kill', 'power']))
    other.held = true
    world.until(6_000 + rng.exponential(4_000), () => {
      other.held = false
      other.start()
    })
  }
  const aloneMs = rng.exponential(rng.pick([10, 500, 2_000]))
  const look = (looks: number): void => {
    const row = world.rows.latest.get(`${topicId}-${partition}`)
    const isAlone = row?.inSync.every(({ brokerId }) => brokerId === last.id) === true
    if (!isAlone && looks < looksMax) world.until(lookMs, () => { look(looks + 1) })
    // What it takes now, it alone has.
    else if (isAlone) world.until(aloneMs, () => { wipe(world, last, rng.exponential(3_000)) })
  }
  look(0)
  return true
}

function wipe (world: FaultWorld, broker: SimBroker, awayMs: number): void {
  if (!mayBeLost(world, broker)) return
  world.coverage.reached('a volume was lost')
  broker.end('power')
  broker.wipe()
  broker.held = true
  world.until(1_000 + awayMs, () => {
    broker.held = false
    broker.start()
  })
}

export const onLosses: Record<typeof lossFaults[number], Fault> = { 'lost set': lose }
