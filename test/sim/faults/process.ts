// Processes that end, that are stopped, that sleep, that are slow.
import type { Ending, SimBroker } from '../broker.ts'
import type { processFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'

/** Ends them and starts each again after a while. */
export function endAndStart (world: FaultWorld, brokers: readonly SimBroker[], ending: Ending): boolean {
  const { rng } = world
  const running = brokers.filter((broker) => broker.running)
  for (const broker of running) {
    broker.end(ending)
    broker.held = true
    world.until(200 + rng.exponential(rng.pick([300, 3_000, 10_000])), () => {
      broker.held = false
      broker.start()
    })
  }
  return running.length > 0
}

function pause (world: FaultWorld, broker: SimBroker): boolean {
  if (!broker.running || broker.paused) return false
  const { process } = broker
  broker.pause()
  // The longest outlast every timeout: the broker wakes in a world that has gone on without it.
  world.until(world.rng.exponential(world.rng.pick([200, 2_000, 8_000, 20_000])), () => {
    if (broker.process === process) broker.resume()
  })
  return true
}

/** Something else has the CPU, a loop or a neighbour: it runs for a few milliseconds out of many. */
function busy (world: FaultWorld, broker: SimBroker): boolean {
  const { process } = broker
  if (process === undefined || broker.paused) return false
  const { rng, cluster } = world
  const untilMs = cluster.scheduler.now + rng.exponential(5_000)
  const sleepMs = rng.pick([20, 100, 400])
  const turn = (): void => {
    if (broker.process !== process || broker.paused || cluster.scheduler.now > untilMs) return
    broker.pause()
    world.until(rng.exponential(sleepMs), () => {
      if (broker.process !== process) return
      broker.resume()
      world.until(rng.exponential(20), turn)
    })
  }
  turn()
  return true
}

export const onProcesses: Record<typeof processFaults[number], Fault> = {
  kill: (world, broker) => endAndStart(world, [broker], 'kill'),
  power: (world, broker) => endAndStart(world, [broker], 'power'),
  'kill all': (world) => endAndStart(world, world.cluster.brokers, world.rng.pick(['kill', 'power'])),
  stop: (_, broker) => {
    if (!broker.running || broker.stopping || broker.paused) return false
    broker.stop()
    return true
  },
  pause,
  busy
}
