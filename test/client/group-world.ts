// The world of the client's tests with the broker's real coordinators.
import { Coordinators } from './coordinators.ts'
import { FakeClock } from './fake-clock.ts'
import { World } from './world.ts'

export class GroupWorld extends World {
  readonly coordinators: Coordinators

  constructor () {
    const clock = new FakeClock()
    const coordinators = new Coordinators(clock)
    super(id => coordinators.services(id), clock)
    this.coordinators = coordinators
    coordinators.begin(this.cluster)
  }
}
