import { expect, test } from 'vitest'
import { metadataServices } from '../../../broker/rpc/metadata.ts'
import type { ApplyTopicResponse, GetMetadataResponse, Sent } from '../../../wire/messages.ts'
import { SimNet } from '../../sim/net.ts'
import { TestCluster } from './cluster.ts'

async function started (brokers = 3): Promise<TestCluster> {
  const cluster = TestCluster.start({ brokers })
  await cluster.settled()
  await cluster.until(() => cluster.live().every(({ agent }) => agent.view.topicByName('__groups') !== undefined))
  cluster.replicate()
  return cluster
}

function operatorOf (cluster: TestCluster): SimNet {
  const process = cluster.scheduler.process('operator')
  return new SimNet(cluster.network, process, 'operator')
}

const orders = { name: 'orders', partitions: 3, replicas: 3, ownerUid: 'u1' }

test('admin: the controller answers, everybody else names it', async () => {
  const cluster = await started()
  const net = operatorOf(cluster)
  const controller = cluster.controllers()[0]!.self
  const other = cluster.live().find(({ self }) => self.brokerId !== controller.brokerId)!.self
  const wrong = await cluster.run(net.call(other.peerAddress, 'ApplyTopic', orders, 5_000))
  expect(wrong.error).toMatchObject({ code: 'NOT_CONTROLLER', controllerAddress: controller.peerAddress })
  const right = await cluster.run(net.call(controller.peerAddress, 'ApplyTopic', orders, 5_000))
  expect(right).toMatchObject({
    topic: {
      orphaned: false, ownerUid: 'u1', underReplicated: 0, offline: 0, replicasInSync: 3,
      topic: { name: 'orders', partitions: 3 }
    }
  })
  const conflict =
    await cluster.run(net.call(controller.peerAddress, 'ApplyTopic', { ...orders, ownerUid: 'u2' }, 5_000))
  expect(conflict.error?.code).toBe('TOPIC_CONFLICT')
  const many =
    await cluster.run(net.call(controller.peerAddress, 'ApplyTopic', { ...orders, name: 'wide', replicas: 5 }, 5_000))
  expect(many.error).toMatchObject({
    code: 'NOT_ENOUGH_BROKERS', message: 'topic \'wide\' wants 5 replicas, the cluster has 3 brokers'
  })
  const bad = await cluster.run(net.call(controller.peerAddress, 'ApplyTopic', { ...orders, name: 'a b' }, 5_000))
  expect(bad.error?.code).toBe('INVALID_TOPIC')
  const described = await cluster.run(net.call(controller.peerAddress, 'DescribeCluster', {}, 5_000))
  expect(described).toMatchObject({
    controller: controller.brokerId, controllerEpoch: 1, partitions: 11, underReplicated: 0, underMinInSync: 0,
    offline: 0,
    brokers: [{ brokerId: 0 }, { brokerId: 1 }, { brokerId: 2 }],
    topics: [{ topic: { name: '__groups' } }, { topic: { name: 'orders' } }]
  })
  cluster.kill(other.brokerId)
  await cluster.until(() => cluster.rows(right.topic!.topic!.topicId).every(row => row.inSync.length === 2))
  await cluster.pass(50)
  const less = await cluster.run(net.call(controller.peerAddress, 'DescribeCluster', { topics: ['orders'] }, 5_000))
  expect(less).toMatchObject({
    partitions: 11, underReplicated: 11, offline: 0,
    topics: [{ topic: { name: 'orders' }, underReplicated: 3, replicasInSync: 2 }]
  })
})

test('metadata: from the view of any broker; nothing before the first push', async () => {
  const cluster = await started()
  const topicId = await cluster.applyTopic(orders)
  await cluster.until(() => cluster.agreesOn(topicId))
  const { agent } = cluster.broker(1)
  const ask = async (topics: string[], includeInternal = false): Promise<Sent<GetMetadataResponse>> =>
    await metadataServices(agent).unary!.GetMetadata!({ topics, includeInternal }, { peer: 'x:1' })
  const all = await ask([])
  expect(all).toMatchObject({ cluster: 'events', clusterUid: 'cluster-uid', controllerEpoch: 1 })
  expect(all.error).toBeUndefined()
  expect(all.topics?.map(topic => topic.topic?.name)).toEqual(['orders'])
  expect(all.topics?.[0]?.partitions).toHaveLength(3)
  expect((await ask([], true)).topics?.map(topic => topic.topic?.name)).toEqual(['__groups', 'orders'])
  expect((await ask(['orders', 'none'])).topics?.map(topic => topic.error?.code)).toEqual([undefined, 'UNKNOWN_TOPIC'])
  const lonely = new TestCluster({ brokers: 1 })
  const before = await metadataServices(lonely.boot(0).agent)
    .unary!.GetMetadata!({ topics: [], includeInternal: false }, { peer: 'x:1' })
  expect(before.error?.code).toBe('CONTROLLER_UNAVAILABLE')
})

test('many topics at once are a few writes', async () => {
  const cluster = await started()
  const { counters } = cluster.controllers()[0]!.agent
  const before = counters.tableWrites
  const office = cluster.office()
  const names = Array.from({ length: 400 }, (_, index) => `topic-${index}`)
  const answers: Promise<Sent<ApplyTopicResponse>>[] = names.map(name => office.applyTopic({
    name, partitions: 1, replicas: 3, minInSync: 2, retentionMs: -1, retentionBytes: -1, segmentBytes: 1 << 20,
    ownerUid: name
  }))
  const topics = await cluster.run(Promise.all(answers))
  expect(new Set(topics.map(topic => topic.topic?.topic?.topicId)).size).toBe(400)
  expect(counters.tableWrites - before).toBeLessThan(10)
  expect(cluster.tables().size).toBeGreaterThan(1)
  await cluster.until(() => cluster.live().every(({ agent }) => agent.view.topics().length === 401))
  const again = await cluster.run(Promise.all(names.map(name => office.applyTopic({
    name, partitions: 1, replicas: 3, minInSync: 2, retentionMs: -1, retentionBytes: -1, segmentBytes: 1 << 20,
    ownerUid: name
  }))))
  expect(again.map(topic => topic.topic?.topic?.topicId)).toEqual(topics.map(topic => topic.topic?.topic?.topicId))
})

test('the same new topic asked for twice at once is made once', async () => {
  const cluster = await started()
  const office = cluster.office()
  const request = { ...orders, minInSync: 0, retentionMs: 0, retentionBytes: 0, segmentBytes: 0 }
  const [a, b] = await cluster.run(Promise.all([office.applyTopic(request), office.applyTopic(request)]))
  expect(a.topic?.topic?.topicId).toBe(b.topic?.topic?.topicId)
})

test('a name that was refused can be had later', async () => {
  const cluster = await started()
  const office = cluster.office()
  const request = { ...orders, minInSync: 0, retentionMs: 0, retentionBytes: 0, segmentBytes: 0 }
  await expect(cluster.run(office.applyTopic({ ...request, replicas: 4 })))
    .rejects.toMatchObject({ code: 'NOT_ENOUGH_BROKERS' })
  await expect(cluster.run(office.deleteTopic({ name: 'orders', topicId: '', deleteData: true })))
    .rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  expect((await cluster.run(office.applyTopic(request))).topic?.topic?.name).toBe('orders')
})

test('deleting with data: leaders go, brokers remove, one that is away when it is back; then the name is free',
  async () => {
  const cluster = await started()
  const topicId = await cluster.applyTopic(orders)
  await cluster.until(() => cluster.agreesOn(topicId))
  const away = [0, 1, 2].find(id => id !== cluster.controllers()[0]!.self.brokerId)!
  cluster.kill(away)
  await cluster.until(() => cluster.rows(topicId).every(row => row.inSync.length === 2))
  await cluster.run(cluster.office().deleteTopic({ name: 'orders', topicId, deleteData: true }))
  await cluster.until(() => cluster.live().every(({ agent, replicas }) =>
    agent.view.topicById(topicId) === undefined && replicas.removed.length === 3))
  // The one that is away still has data: the topic is remembered until it has removed it.
  await cluster.pass(5_000)
  expect(cluster.tables().get('events-0')?.topics.get(topicId)?.deleting).toBe(true)
  const again = await cluster.applyTopic({ ...orders, ownerUid: 'u9' })
  expect(again).not.toBe(topicId)
  cluster.boot(away)
  await cluster.settled()
  await cluster.until(() => cluster.tables().get('events-0')?.topics.has(topicId) === false)
  expect(cluster.broker(away).replicas.removed).toHaveLength(3)
  expect(cluster.broker(away).agent.view.topicByName('orders')?.topicId).toBe(again)
  await cluster.until(() => cluster.agreesOn(again))
})

test('deleting without data: orphaned, served on, adopted with the same id', async () => {
  const cluster = await started()
  const topicId = await cluster.applyTopic(orders)
  const office = cluster.office()
  await cluster.run(office.deleteTopic({ name: 'orders', topicId, deleteData: false }))
  const described = await cluster.run(office.describeCluster({ topics: ['orders'] }))
  expect(described.topics).toMatchObject([{ orphaned: true, ownerUid: '', offline: 0 }])
  expect(await cluster.applyTopic({ ...orders, ownerUid: 'u2' })).toBe(topicId)
})

test('a cluster grows from one broker to three: internal topics widen, new topics use all', async () => {
  const cluster = await started(1)
  const groups = cluster.broker(0).agent.view.topicByName('__groups')!
  expect(groups).toMatchObject({ replicas: 1, minInSync: 1 })
  cluster.boot(1)
  cluster.boot(2)
  await cluster.settled()
  await cluster.until(() => cluster.rows(groups.topicId).every(row => row.inSync.length === 3 && row.minInSync === 2))
  const topicId = await cluster.applyTopic({ ...orders, partitions: 6 })
  expect(cluster.rows(topicId).map(row => row.leader).sort()).toEqual([0, 0, 1, 1, 2, 2])
})

test('the internal topic waits for the brokers that are expected, but not for ever', async () => {
  const cluster = new TestCluster({ brokers: 3 })
  cluster.boot(0)
  cluster.boot(1)
  await cluster.settled()
  await cluster.pass(3_000)
  expect(cluster.broker(0).agent.view.topicByName('__groups')).toBeUndefined()
  await cluster.until(() => cluster.broker(0).agent.view.topicByName('__groups')?.replicas === 2, 5_000)
})

test('partitions and floors of a topic change while it serves', async () => {
  const cluster = await started()
  const topicId = await cluster.applyTopic({ ...orders, minInSync: 2 })
  await cluster.applyTopic({ ...orders, minInSync: 3, partitions: 5 })
  await cluster.until(() => cluster.rows(topicId).length === 5 &&
    cluster.rows(topicId).every(row => row.minInSync === 3))
  const other = [0, 1, 2].find(id => id !== cluster.controllers()[0]!.self.brokerId)!
  cluster.kill(other)
  await cluster.until(() => cluster.rows(topicId).every(row => row.leader !== other))
  // At the floor the set is whole, until the floor is lowered.
  expect(cluster.rows(topicId).every(row => row.inSync.length === 3)).toBe(true)
  await cluster.applyTopic({ ...orders, minInSync: 1, partitions: 5 })
  await cluster.until(() => cluster.rows(topicId).every(row => row.minInSync === 1 && row.inSync.length === 2))
})
