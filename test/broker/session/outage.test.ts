import { expect, test } from 'vitest'
import type { KubeWrite } from '../../sim/kube-store.ts'
import { leadersOf, TestCluster } from './cluster.ts'

const outages = ['down', 'silent'] as const

async function withTopic (options: { seed?: number, brokers: number }) {
  const cluster = TestCluster.start(options)
  await cluster.settled()
  cluster.replicate()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const controllerId = () => cluster.controllers()[0]!.self.brokerId
  const isWell = () => cluster.agreesOn(topicId) && cluster.rows(topicId).every(row => row.leader >= 0 &&
    !cluster.broker(row.leader).process.dead && cluster.broker(row.leader).replicas.leads(topicId, row.partition))
  return { cluster, topicId, controllerId, isWell, rows: () => cluster.rows(topicId) }
}

test.each(outages)('API %s for 5 minutes: sessions and leaders stay, nothing changes hands', async (state) => {
  const { cluster, topicId, controllerId, isWell, rows } = await withTopic({ brokers: 3 })
  const before = JSON.stringify(rows())
  const controller = controllerId()
  cluster.kube.conditions.state = state
  for (let minute = 0; minute < 5; minute++) {
    await cluster.pass(60_000)
    expect(cluster.isSettled()).toBe(true)
    expect(isWell()).toBe(true)
  }
  cluster.kube.conditions.state = 'up'
  await cluster.pass(10_000)
  expect(controllerId()).toBe(controller)
  expect(JSON.stringify(rows())).toBe(before)
  expect(cluster.broker(0).agent.view.row(topicId, 0)?.leaderEpoch).toBe(1)
})

test.each(outages)('a broker dies while the API is %s: its partitions resume within 2 s after it is back',
  async (state) => {
  const { cluster, controllerId, isWell, rows } = await withTopic({ brokers: 3 })
  const victim = [0, 1, 2].find(id => id !== controllerId())!
  cluster.kube.conditions.state = state
  await cluster.pass(1_000)
  cluster.kill(victim)
  await cluster.pass(40_000)
  expect(rows().some(row => row.leader === victim)).toBe(true)
  cluster.kube.conditions.state = 'up'
  // A silent API costs the rest of a request's time-out as well.
  expect(await cluster.until(isWell)).toBeLessThan(state === 'down' ? 2_000 : 7_000)
})

test('the controller dies while the API is down: leaders lead on, and a controller comes with the API', async () => {
  const { cluster, topicId, controllerId, isWell } = await withTopic({ brokers: 3 })
  cluster.kube.conditions.state = 'down'
  const old = controllerId()
  cluster.kill(old)
  await cluster.pass(20_000)
  for (const { self, replicas } of cluster.live()) {
    for (const row of cluster.rows(topicId)) {
      if (row.leader === self.brokerId) expect(replicas.leads(topicId, row.partition)).toBe(true)
    }
  }
  cluster.kube.conditions.state = 'up'
  expect(await cluster.until(isWell)).toBeLessThan(3_000)
})

test('a cluster starts while the API refuses, throttles and forgets', async () => {
  const cluster = new TestCluster({ brokers: 3, seed: 9 })
  cluster.kube.conditions.faultChance = 0.4
  for (const id of [0, 1, 2]) cluster.boot(id)
  await cluster.settled(120_000)
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId), 120_000)
  expect(cluster.live()[0]!.agent.counters.apiRequests).toBeGreaterThan(0)
})

/** Runs a story and kills whoever made the k-th write, right after it. Answers how many writes there were. */
async function killedAfterWrite (k: number): Promise<number> {
  const { cluster, topicId, controllerId, isWell } = await withTopic({ brokers: 3, seed: 4 })
  let writes = 0
  const check = cluster.kube.store.onWrite
  cluster.kube.store.onWrite = (write: KubeWrite) => {
    check?.(write)
    writes += 1
    if (writes !== k) return
    const writer = cluster.live().find(broker => broker.process.name === write.by)
    writer?.process.kill()
  }
  const victim = [0, 1, 2].find(id => id !== controllerId())!
  cluster.kill(victim)
  await cluster.pass(600)
  cluster.boot(victim)
  await cluster.pass(600)
  cluster.kill(controllerId())
  await cluster.pass(2_000)
  const told = writes
  for (const [id, { process }] of cluster.brokers) if (process.dead) cluster.boot(id)
  await cluster.settled()
  await cluster.until(() => isWell() && cluster.rows(topicId).every(row => row.inSync.length === 3))
  return told
}

test('the controller is killed after each of its writes, one by one', async () => {
  const writes = await killedAfterWrite(-1)
  expect(writes).toBeGreaterThan(6)
  for (let k = 1; k <= writes; k++) await killedAfterWrite(k)
})

test('two controllers at once: the stamp fences the old one, however late its write comes', async () => {
  const { cluster, topicId, controllerId, isWell, rows } = await withTopic({ brokers: 3 })
  const old = controllerId()
  const victim = [0, 1, 2].find(id => id !== old)!
  // The old controller has decided on the victim's death when it is paused; its write waits in the network.
  const link = cluster.network.link(`b${old}`, 'kube')
  link.setCut(true)
  cluster.kill(victim)
  await cluster.pass(200)
  cluster.isolate(old, true)
  await cluster.until(() => cluster.controllers().some(broker => broker.self.brokerId !== old), 30_000)
  const [now] = cluster.controllers().filter(broker => broker.self.brokerId !== old)
  await cluster.until(() => cluster.tables().get('events-0')?.controllerEpoch === now!.agent.office!.controllerEpoch)
  await cluster.pass(5_000)
  const stored = JSON.stringify(rows())
  link.setCut(false)
  await cluster.pass(300)
  expect(JSON.stringify(rows())).toBe(stored)
  cluster.isolate(old, false)
  cluster.boot(victim)
  await cluster.settled()
  await cluster.until(isWell)
  expect(leadersOf(cluster.rows(topicId)).every(leader => leader >= 0)).toBe(true)
})

test('the Lease is deleted: the controller puts it up again and stays', async () => {
  const { cluster, controllerId } = await withTopic({ brokers: 3 })
  const lease = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
  const controller = controllerId()
  cluster.kube.store.erase(lease, 'events-controller', 'kubectl')
  await cluster.pass(6_000)
  expect(cluster.kube.store.get(lease, 'events-controller')?.['spec'])
    .toMatchObject({ holderIdentity: String(controller) })
  expect(controllerId()).toBe(controller)
  expect(cluster.tables().get('events-0')?.controllerEpoch).toBe(1)
})

test('somebody else takes the Lease: the controller notices and goes', async () => {
  const { cluster, controllerId } = await withTopic({ brokers: 3 })
  const kind = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
  const lease = cluster.kube.store.get(kind, 'events-controller')!
  const other = [0, 1, 2].find(id => id !== controllerId())!
  cluster.kube.store.replace(kind, {
    ...lease,
    metadata: {
      ...lease.metadata,
      annotations: { 'millrace.dev/controller-epoch': '7', 'millrace.dev/controller-address': `b${other}:9091` }
    },
    spec: { holderIdentity: String(other) }
  }, 'kubectl')
  await cluster.until(() => (cluster.tables().get('events-0')?.controllerEpoch ?? 0) > 7)
  await cluster.settled()
})
