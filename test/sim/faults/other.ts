// Clocks that jump, clients that die.
import type { otherFaults } from './kinds.ts'
import type { Fault } from './world.ts'

export const onOthers: Record<typeof otherFaults[number], Fault> = {
  // The wall clock alone; the monotonic ones drift by a percent in every run (clock.ts).
  'clock jump': ({ rng }, broker) => {
    broker.process?.clock.jump(Math.round(rng.between(-1, 1) * rng.pick([1_000, 60_000, 86_400_000])))
    return broker.running
  },
  'client kill': ({ victims, rng }) => {
    victims.restartOne(rng)
    return true
  }
}
