import { expect, test } from 'vitest'
import { leadersOf, TestCluster } from './cluster.ts'

test('three brokers start from nothing in well under a second', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  expect(await cluster.settled()).toBeLessThan(500)
  const { root } = { root: cluster.tables().get('events-0') }
  expect(root?.controllerEpoch).toBe(1)
  expect([...root?.brokers.keys() ?? []].sort()).toEqual([0, 1, 2])
  await cluster.until(() => cluster.live().every(({ agent }) => agent.view.topicByName('__groups') !== undefined), 500)
  expect(cluster.live()[0]?.agent.view.topicByName('__groups'))
    .toMatchObject({ partitions: 8, replicas: 3, minInSync: 2, internal: true })
})

test('one broker is a cluster', async () => {
  const cluster = TestCluster.start({ brokers: 1 })
  expect(await cluster.settled()).toBeLessThan(500)
  const topicId = await cluster.applyTopic({ name: 'orders', replicas: 0 })
  await cluster.until(() => cluster.agreesOn(topicId))
  expect(leadersOf(cluster.rows(topicId))).toEqual([0, 0, 0, 0, 0, 0])
  expect(cluster.broker(0).replicas.leads(topicId, 0)).toBe(true)
})

test('a topic is placed, pushed and led; a dead broker is replaced in one write', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  expect(leadersOf(cluster.rows(topicId)).sort()).toEqual([0, 0, 1, 1, 2, 2])
  const controller = cluster.controllers()[0]?.self.brokerId
  const victim = [0, 1, 2].find(id => id !== controller) ?? 0
  const writes = cluster.office() === undefined ? 0 : cluster.controllers()[0]!.agent.counters.tableWrites
  cluster.kill(victim)
  const took = await cluster.until(() =>
    cluster.rows(topicId).every(row => row.leader !== victim && row.inSync.length === 2) &&
    cluster.agreesOn(topicId))
  expect(took).toBeLessThan(300)
  expect(cluster.controllers()[0]!.agent.counters.tableWrites - writes).toBeLessThanOrEqual(2)
  for (const row of cluster.rows(topicId)) {
    expect(row.leader).not.toBe(victim)
    if (row.replicas[0] === victim) expect(row.leaderEpoch).toBe(2)
    else expect(row.leaderEpoch).toBe(1)
  }
})

test('the controller dies: another takes over and the partitions with it', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const victim = cluster.controllers()[0]!.self.brokerId
  cluster.kill(victim)
  const took = await cluster.until(() => cluster.rows(topicId).every(row => row.leader !== victim && row.leader >= 0) &&
    cluster.agreesOn(topicId))
  expect(took).toBeLessThan(900)
  expect(cluster.tables().get('events-0')?.controllerEpoch).toBe(2)
})

test('a broker that heard of the new controller from a peer registers with it once', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = TestCluster.start({ brokers: 4, seed })
    await cluster.settled()
    const victim = cluster.controllers()[0]!.self.brokerId
    const lines = cluster.logs.lines.length
    cluster.kill(victim)
    await cluster.until(() => cluster.isSettled())
    const registered = cluster.logs.lines.slice(lines).filter(line => line.message === 'broker registered')
    expect(registered.map(line => (line.fields as { brokerId: number }).brokerId).sort(), `seed ${seed}`)
      .toEqual(cluster.live().map(({ self }) => self.brokerId))
  }
})

test('a broker stops: that it does and who leads instead are one write', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const [controller] = cluster.controllers()
  const leaving = cluster.live().find(broker => broker !== controller)!
  const writes = controller!.agent.counters.tableWrites
  await cluster.run(leaving.agent.stop())
  expect(cluster.rows(topicId).filter(row => row.leader === leaving.self.brokerId)).toEqual([])
  expect(cluster.tables().get('events-0')?.brokers.get(leaving.self.brokerId)?.stopping).toBe(true)
  expect(controller!.agent.counters.tableWrites - writes).toBe(1)
})
