// The simulated ports keep to what the real ones promise.
import { diskConformance } from '../broker/io/disk.conformance.ts'
import { kubeConformance } from '../broker/io/kube.conformance.ts'
import { clockConformance, rngConformance } from '../wire/clock.conformance.ts'
import { SimDisk } from './disk.ts'
import { KubeServer, SimKube } from './kube.ts'
import { SimNetwork } from './network.ts'
import { SimRng } from './rng.ts'
import { Scheduler } from './scheduler.ts'

let scheduler = new Scheduler(new SimRng(1))

async function settle<T> (promise: Promise<T>): Promise<T> {
  let settled = false
  promise.then(() => { settled = true }, () => { settled = true })
  await scheduler.run(scheduler.now + 60_000, () => settled)
  if (scheduler.failure !== undefined) throw scheduler.failure
  return await promise
}

clockConformance('SimClock', () => {
  scheduler = new Scheduler(new SimRng(1))
  return scheduler.process('p').clock
}, settle)

let rngs = 0
rngConformance('SimRng', () => new SimRng(rngs++))

diskConformance('SimDisk', () => {
  scheduler = new Scheduler(new SimRng(1))
  const { clock } = scheduler.process('p')
  const disk = new SimDisk({ rng: new SimRng(1), clock, latencyMs: () => 1 })
  return Promise.resolve({ disk, run: settle, close: () => Promise.resolve() })
})

kubeConformance('SimKube', () => {
  scheduler = new Scheduler(new SimRng(1))
  const server = new KubeServer(new SimNetwork(scheduler))
  const [kube, other] = ['a', 'b'].map((host) => new SimKube(server, scheduler.process(host), host))
  return Promise.resolve({ kube: kube!, other: other!, run: settle, close: () => Promise.resolve() })
})
