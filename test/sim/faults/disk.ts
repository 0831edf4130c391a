// Disks that are slow, full, failing, rotten, lost, taken back to an older copy, or in the wrong pod.
import type { SimBroker } from '../broker.ts'
import type { diskFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'
import { mayHarmDisk } from './world.ts'

function slow (world: FaultWorld, broker: SimBroker): boolean {
  broker.syncMs = world.rng.pick([10, 50, 300])
  broker.syncStallChance = world.rng.pick([0, 0.01, 0.1])
  world.until(world.rng.exponential(5_000), () => {
    broker.syncMs = 1
    broker.syncStallChance = 0
  })
  return true
}

function full (world: FaultWorld, broker: SimBroker): boolean {
  // Retention is for runs that write much.
  broker.fillDisk(world.topics.all.some(({ retentionBytes }) => retentionBytes > 0))
  world.until(world.rng.exponential(5_000), () => { broker.emptyDisk() })
  return true
}

/** Writes or fsyncs fail: the broker must say so and end; later a person gives it an empty volume. */
function failWrites (world: FaultWorld, broker: SimBroker): boolean {
  if (!isWell(broker) || !mayHarmDisk(world, broker)) return false
  broker.failWrites()
  world.until(3_000 + world.rng.exponential(3_000), () => { replaceVolume(world, broker) })
  return true
}

export function replaceVolume (world: FaultWorld, broker: SimBroker): void {
  world.coverage.reached('a volume was lost')
  broker.end('kill')
  broker.wipe()
  broker.held = false
  broker.start()
}

/** Reads fail for a while, wherever they hit: what cannot be read counts as damaged. */
function failReads (world: FaultWorld, broker: SimBroker): boolean {
  if (!isWell(broker) || !mayHarmDisk(world, broker)) return false
  broker.failReads()
  world.until(world.rng.exponential(2_000), () => {
    broker.healDisk()
    if (broker.isMarkedFailed) replaceVolume(world, broker)
  })
  return true
}

function flipBits (world: FaultWorld, broker: SimBroker): boolean {
  if (broker.failing || broker.guest !== undefined || !mayHarmDisk(world, broker)) return false
  const flipped = broker.flipBits(world.rng.pick([1, 3, 10]))
  world.coverage.reached('a bit flipped on a disk', flipped)
  return flipped > 0
}

function lose (world: FaultWorld, broker: SimBroker): boolean {
  if (broker.guest !== undefined || !mayHarmDisk(world, broker)) return false
  world.coverage.reached('a volume was lost')
  broker.end('power')
  broker.wipe()
  broker.held = true
  world.until(1_000 + world.rng.exponential(3_000), () => {
    broker.held = false
    broker.start()
  })
  return true
}

/**
 * A snapshot is taken, the broker goes on, restarts, goes on; then the snapshot is put in the place of its
 * volume. Without the restart between nobody could tell (docs/guarantees.md).
 */
function rollBack (world: FaultWorld, broker: SimBroker): boolean {
  if (!isReady(broker) || !isWell(broker) || !mayHarmDisk(world, broker)) return false
  const { rng } = world
  const copy = broker.copyVolume()
  const { volumeId } = broker.node!.parts!.volume.meta
  broker.end('kill')
  world.until(200 + rng.exponential(500), () => { broker.start() })
  world.until(2_500 + rng.exponential(2_000), () => {
    if (!isReady(broker) || broker.node?.parts?.volume.meta.volumeId !== volumeId || !isWell(broker)) return
    broker.end('power')
    broker.rollBack(copy, volumeId)
    broker.held = true
    world.coverage.reached('a volume was rolled back')
    world.until(rng.exponential(1_000), () => {
      broker.held = false
      broker.start()
    })
  })
  return true
}

export function isReady (broker: SimBroker): boolean {
  return broker.running && !broker.paused && !broker.stopping && broker.node?.notReady() === ''
}

/** Its own volume is in it, and nothing was done to that. */
export function isWell (broker: SimBroker): boolean {
  return broker.running && !broker.diskMayFail && broker.guest === undefined
}

/** Two brokers find each other's volume, and must not take it for their own. */
function swap (world: FaultWorld, broker: SimBroker): boolean {
  const { rng, cluster } = world
  const other = rng.pick(cluster.brokers.filter((each) => each !== broker))
  const both = [broker, other]
  // Who leaves takes its volume along, and would take the other's.
  if (!both.every((each) => isWell(each) && each !== world.draining)) return false
  const exchange = (): void => {
    for (const each of both) each.end('kill')
    broker.swapVolumes(other)
    for (const each of both) each.start()
  }
  exchange()
  world.coverage.reached('volumes were swapped')
  world.until(500 + rng.exponential(2_000), exchange)
  return true
}

export const onDisks: Record<typeof diskFaults[number], Fault> = {
  'slow disk': slow,
  'full disk': full,
  'disk error': failWrites,
  'read error': failReads,
  'bit flip': flipBits,
  'lost volume': lose,
  'rolled-back volume': rollBack,
  'swapped volumes': swap
}
