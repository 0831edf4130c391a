// The world of the client's tests with the broker's real coordinators.
import { Coordinators } from './coordinators.ts'
import { FakeClock } from './fake-clock.ts'
import { FakeNet } from './fake-net.ts'
import { World } from './world.ts'

export class GroupWorld extends World {
  readonly coordinators: Coordinators

  constructor () {
    const clock = new FakeClock()
    const net = new FakeNet(clock)
    const coordinators = new Coordinators(clock, net)
    super(id => coordinators.services(id), clock, net)
    this.coordinators = coordinators
    coordinators.begin(this.cluster)
  }
}
