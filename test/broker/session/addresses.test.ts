// Pods come back under other addresses, and others get the ones that they had.
import { expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import { sessionServices } from '../../../broker/rpc/session.ts'
import { SimNet } from '../../sim/net.ts'
import { TestCluster } from './cluster.ts'

/**
 * A broker of another cluster, which has a controller and is glad to tell where. Its Cluster has the same name and
 * namespace, in another Kubernetes whose pods have addresses of the same network.
 */
async function stranger (cluster: TestCluster, host: string, controllerEpoch: number): Promise<() => number> {
  let asked = 0
  const process = cluster.scheduler.process(`stranger at ${host}`)
  const net = new SimNet(cluster.network, process, host)
  const { streams, unary } = sessionServices({
    session: stream => {
      asked += 1
      stream.send({ registered: { controllerEpoch, controller: 7 } })
      return { message: () => {}, close: () => {} }
    },
    askController: () => {
      asked += 1
      return { brokerId: 7, controllerEpoch, controller: 7, controllerAddress: `${host}:9091`, connected: true }
    },
    announceController: () => {
      asked += 1
      return { controllerEpoch, brokerId: 7, incarnation: '0123456789abcdef' }
    }
  })
  const clusters = ['ns/events', 'uid-of-others']
  await cluster.run(net.listen(`${host}:9091`, { streams: streams!, unary: unary! }, { clusters }))
  return () => asked
}

// Of two brokers the other one takes over only when it may count the dead one as gone, as if its port were closed.
test.each([
  [3, 1], [3, 2], [3, 3], [2, 1], [2, 2], [2, 3]
])('another cluster\'s broker gets the address of the dead controller of %d (seed %d)', async (brokers, seed) => {
  const cluster = TestCluster.start({ brokers, seed })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders', replicas: 2, minInSync: 1 })
  await cluster.until(() => cluster.agreesOn(topicId))
  const victim = cluster.controllers()[0]!.self.brokerId
  cluster.kill(victim)
  const asked = await stranger(cluster, `b${victim}`, 9)
  const took = await cluster.until(() => cluster.agreesOn(topicId) &&
    cluster.rows(topicId).every(({ leader }) => leader !== victim && leader >= 0))
  expect(took).toBeLessThan(900)
  expect(asked()).toBe(0)
  expect(cluster.tables().get('events-0')?.controllerEpoch).toBe(2)
  // It has not been told of the stranger's epoch, nor has anybody else.
  for (const { volume } of cluster.live()) expect(volume.controllerEpoch).toBe(2)
})

test('all pods get other addresses at once, and a stranger has one of the old', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  for (const id of [0, 1, 2]) cluster.kill(id)
  const asked = await stranger(cluster, 'b1', 9)
  for (const id of [0, 1, 2]) cluster.boot(id, { host: `c${id}` })
  await cluster.settled()
  expect(asked()).toBe(0)
  expect([...cluster.tables().get('events-0')!.brokers.values()].map(({ peerAddress }) => peerAddress))
    .toEqual(['c0:9091', 'c1:9091', 'c2:9091'])
})

/** Whatever is sent to where a broker was is lost: its node is without power, or nobody has the address. */
function vanish (cluster: TestCluster, brokerId: number): void {
  cluster.kill(brokerId)
  cluster.network.powerOff(`b${brokerId}`)
}

test.each([1, 2, 3])('all pods get other addresses at once, and the old ones are silent (seed %d)', async seed => {
  const cluster = TestCluster.start({ brokers: 3, seed })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  for (const id of [0, 1, 2]) vanish(cluster, id)
  for (const id of [0, 1, 2]) cluster.boot(id, { host: `c${id}` })
  // Silent peers may live behind a cut: nobody takes the office before silentPeerAgreesMs.
  expect(await cluster.settled()).toBeLessThan(limits.silentPeerAgreesMs + 1_500)
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId).every(({ leader }) => leader >= 0))
})

test.each([
  ['the controller', 0], ['the controller and another', 1], ['both others', 2]
])('%s of three gets another address, and the old one is silent', async (_who, which) => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const controller = cluster.controllers()[0]!.self.brokerId
  const [next, last] = [(controller + 1) % 3, (controller + 2) % 3]
  const ids = [[controller], [controller, next], [next, last]][which]!
  for (const id of ids) vanish(cluster, id)
  for (const id of ids) cluster.boot(id, { host: `c${id}` })
  expect(await cluster.settled()).toBeLessThan(1_000)
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId).every(({ leader }) => leader >= 0))
})

test('all pods get other addresses while the API is away: they find each other when it is back', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  for (const id of [0, 1, 2]) vanish(cluster, id)
  cluster.kube.conditions.state = 'silent'
  for (const id of [0, 1, 2]) cluster.boot(id, { host: `c${id}` })
  await cluster.pass(30_000)
  expect(cluster.controllers()).toEqual([])
  cluster.kube.conditions.state = 'up'
  expect(await cluster.settled()).toBeLessThan(limits.silentPeerAgreesMs + 3_000)
})

test.each([1, 2, 3, 4])('two brokers of a cluster get each other\'s addresses (seed %d)', async seed => {
  const cluster = TestCluster.start({ brokers: 3, seed })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const controller = cluster.controllers()[0]!.self.brokerId
  const other = (controller + 1) % 3
  for (const id of [controller, other]) cluster.kill(id)
  cluster.boot(controller, { host: `b${other}` })
  cluster.boot(other, { host: `b${controller}` })
  await cluster.settled()
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId).every(({ leader }) => leader >= 0))
})
