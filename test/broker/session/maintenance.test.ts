// Brokers in maintenance, and addresses that change while a broker runs.
import { expect, test } from 'vitest'
import { leadersOf, TestCluster } from './cluster.ts'

async function started (brokers = 3): Promise<TestCluster> {
  const cluster = TestCluster.start({ brokers })
  await cluster.settled()
  await cluster.until(() => cluster.live().every(({ agent }) => agent.view.topicByName('__groups') !== undefined))
  cluster.replicate()
  return cluster
}

test('a broker in maintenance leads nothing that others can lead, until it is taken out of it', async () => {
  const cluster = await started()
  const topicId = await cluster.applyTopic({ name: 'orders', partitions: 6 })
  await cluster.until(() => leadersOf(cluster.rows(topicId)).includes(1))
  const { brokers } = await cluster.run(cluster.office().moving.maintainBrokers({ brokerIds: [1, 7] }))
  expect(brokers).toEqual([{ brokerId: 1, leading: expect.any(Number) as number }])
  await cluster.until(() => !leadersOf(cluster.rows(topicId)).includes(1), 60_000)
  // It goes, comes back, is in sync again, and is still left in peace.
  cluster.kill(1)
  await cluster.until(() => cluster.rows(topicId).every(({ inSync }) => inSync.length === 2))
  await cluster.pass(50)
  const away = await cluster.run(cluster.office().describeCluster({ topics: [] }))
  expect(away.underReplicated).toBeGreaterThan(0)
  expect(away.underReplicatedUnexpectedly).toBe(0)
  expect(away.indispensable).toEqual([0, 2])
  cluster.boot(1)
  await cluster.until(() => cluster.rows(topicId).every(({ inSync }) => inSync.length === 3))
  await cluster.pass(60_000)
  expect(leadersOf(cluster.rows(topicId))).not.toContain(1)
  expect((await cluster.run(cluster.office().describeCluster({ topics: [] }))).indispensable).toEqual([])
  expect(cluster.tables().get('events-0')!.brokers.get(1)!.maintenance).toBe(true)
  const { brokers: rest } = await cluster.run(cluster.office().moving.maintainBrokers({ brokerIds: [] }))
  expect(rest).toEqual([])
  await cluster.until(() => leadersOf(cluster.rows(topicId)).includes(1), 120_000)
})

test('what is missing for another reason than maintenance is told apart', async () => {
  const cluster = await started(4)
  const topicId = await cluster.applyTopic({ name: 'orders', partitions: 8 })
  await cluster.run(cluster.office().moving.maintainBrokers({ brokerIds: [3] }))
  const { self: { brokerId: victim } } = cluster.live()
    .find(({ self, agent }) => self.brokerId !== 3 && agent.office === undefined)!
  cluster.kill(victim)
  await cluster.until(() => cluster.rows(topicId).every(({ inSync, replicas }) =>
    inSync.length === (replicas.includes(victim) ? 2 : 3)))
  await cluster.pass(50)
  const { underReplicatedUnexpectedly } = await cluster.run(cluster.office().describeCluster({ topics: [] }))
  expect(underReplicatedUnexpectedly).toBeGreaterThan(0)
})

test('the controller tells whose volume is low on space, and for how long, also a new one', async () => {
  const cluster = await started()
  const lowDisks = async (): Promise<unknown> =>
    (await cluster.run(cluster.office().describeCluster({ topics: [] }))).lowDisks
  expect(await lowDisks()).toEqual([])
  Object.assign(cluster.volume(2), { lowMs: 70_000, full: true })
  Object.assign(cluster.volume(1), { lowMs: 5 })
  await cluster.pass(500)
  const told = [{ brokerId: 1, full: false, lowMs: 5 }, { brokerId: 2, full: true, lowMs: 70_000 }]
  expect(await lowDisks()).toEqual(told)
  const { self: { brokerId } } = cluster.live().find(({ agent }) => agent.office !== undefined)!
  cluster.kill(brokerId)
  await cluster.until(() => cluster.live().some(({ agent }) => agent.office !== undefined))
  await cluster.pass(1_000)
  expect(await lowDisks()).toEqual(told.filter(each => each.brokerId !== brokerId))
  Object.assign(cluster.volume(2), { lowMs: 0, full: false })
  Object.assign(cluster.volume(1), { lowMs: 0 })
  await cluster.pass(500)
  expect(await lowDisks()).toEqual([])
})

test('another rack reaches everybody without a new session; one that is not told any more stays', async () => {
  const cluster = await started()
  const { agent } = cluster.broker(2)
  const before = agent.counters.registrations
  const racks = (): string[] => cluster.live().map(({ agent: each }) => each.view.broker(2)?.rack ?? '?')
  agent.advertise({ listeners: [], rack: 'hall-b' })
  await cluster.until(() => racks().every(rack => rack === 'hall-b'))
  expect(cluster.tables().get('events-0')!.brokers.get(2)!.rack).toBe('hall-b')
  // As from a broker of an earlier version, which knows addresses alone.
  agent.advertise({ listeners: [{ name: 'internet', address: 'b2.example:9094' }], rack: '' })
  await cluster.until(() => cluster.live().every(({ agent: each }) => each.view.broker(2)?.listeners.length === 1))
  expect(racks()).toEqual(['hall-b', 'hall-b', 'hall-b'])
  expect(agent.counters.registrations).toBe(before)
})

test('another address of a listener reaches everybody without a new session', async () => {
  const cluster = await started()
  const { agent } = cluster.broker(2)
  const before = agent.counters.registrations
  agent.advertise({ listeners: [{ name: 'internet', address: 'b2.example:9094' }], rack: '' })
  await cluster.until(() => cluster.live().every(({ agent: each }) =>
    each.view.broker(2)?.listeners[0]?.address === 'b2.example:9094'))
  expect(agent.counters.registrations).toBe(before)
  expect(cluster.tables().get('events-0')!.brokers.get(2)!.listeners)
    .toEqual([{ name: 'internet', address: 'b2.example:9094' }])
  // And is a part of the next registration.
  cluster.kill(cluster.controllers()[0]!.self.brokerId === 2 ? 0 : cluster.controllers()[0]!.self.brokerId)
  await cluster.until(() => cluster.isSettled(), 60_000)
  expect(agent.view.broker(2)?.listeners).toEqual([{ name: 'internet', address: 'b2.example:9094' }])
})
