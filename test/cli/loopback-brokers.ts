// The brokers of the client's tests, on real sockets of 127.0.0.1.
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import type { Listener } from '../../wire/ports.ts'
import { NodeClock } from '../../wire/adapters/node-clock.ts'
import { Coordinators } from '../client/coordinators.ts'
import { FakeCluster } from '../client/fake-cluster.ts'

export interface LoopbackBrokers {
  readonly cluster: FakeCluster
  /** Of the groups' topic, which there is from the beginning. */
  readonly coordinators: Coordinators
  readonly bootstrap: string
  close (): Promise<void>
}

export async function loopbackBrokers (): Promise<LoopbackBrokers> {
  const net = new GrpcNet()
  const listening: Promise<Listener>[] = []
  const coordinators = new Coordinators(new NodeClock(), net)
  const cluster = new FakeCluster({
    listen: (_address, services) => { listening.push(net.listen('127.0.0.1:0', services)) },
    stop: () => {}
  }, 3, id => coordinators.services(id))
  const listeners = await Promise.all(listening)
  for (const [id, listener] of listeners.entries()) cluster.addresses[id] = listener.address
  coordinators.begin(cluster)
  return {
    cluster,
    coordinators,
    bootstrap: cluster.addresses.join(','),
    close: async () => {
      for (const each of coordinators.all) each.close()
      await Promise.all(listeners.map(listener => listener.close(0)))
      await net.close()
    }
  }
}
