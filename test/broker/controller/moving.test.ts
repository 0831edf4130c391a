// Moves, drains, elections and evening out, by real controllers; brokers without data.
import { expect, test } from 'vitest'
import { groupsTopic } from '../../../broker/controller/topics.ts'
import type { MovePartitionsRequest, PartitionRow, PartitionTarget } from '../../../wire/messages.ts'
import { WireError } from '../../../wire/errors.ts'
import { TestCluster } from '../session/cluster.ts'

async function start (brokers: number, topics: { name: string, partitions?: number, replicas?: number }[]) {
  const cluster = TestCluster.start({ brokers })
  cluster.replicate()
  await cluster.settled()
  const ids: string[] = []
  for (const topic of topics) ids.push(await cluster.applyTopic({ partitions: 3, ...topic }))
  await cluster.until(() => topicIdOf(cluster, groupsTopic) !== '')
  return { cluster, ids, id: ids[0]! }
}

function topicIdOf (cluster: TestCluster, name: string): string {
  for (const table of cluster.tables().values()) {
    for (const topic of table.topics.values()) if (topic.name === name) return topic.topicId
  }
  return ''
}

function targets (replicas: number[], partitions = [0], topic = 'orders'): PartitionTarget[] {
  return partitions.map(partition => ({ topic, partition, replicas }))
}

async function move (cluster: TestCluster, request: Partial<MovePartitionsRequest>) {
  return await cluster.run(cluster.office().moving.movePartitions({ targets: [], dryRun: false, ...request }))
}

async function codeOf (cluster: TestCluster, promise: Promise<unknown>): Promise<string> {
  return await cluster.run(promise.then(() => '', (error: unknown) => {
    if (error instanceof WireError) return error.code
    throw error
  }))
}

function isDone (row: PartitionRow | undefined): boolean {
  return row?.adding.length === 0 && row.removing.length === 0
}

function rowOf (cluster: TestCluster, topicId: string, partition = 0): PartitionRow {
  const row = cluster.rows(topicId)[partition]
  if (row === undefined) throw new Error(`no row ${partition}`)
  return row
}

function members (row: PartitionRow): number[] {
  return row.inSync.map(member => member.brokerId).sort()
}

test('a move: caught up, completed in one write, the old data removed after it', async () => {
  const { cluster, id } = await start(4, [{ name: 'orders' }])
  const before = rowOf(cluster, id)
  const others = [0, 1, 2, 3].filter(one => !before.replicas.includes(one))
  const target = [...others, ...before.replicas.slice(1)]
  const { moves } = await move(cluster, { targets: targets(target) })
  expect(moves).toMatchObject([{ topic: 'orders', partition: 0, replicas: target, adding: others, bytesLeft: -1 }])
  const left = before.replicas[0]!
  const wasRemoved = () => cluster.broker(left).replicas.removed.includes(`${id}-0`)
  expect(wasRemoved()).toBe(false)
  await cluster.until(() => isDone(cluster.rows(id)[0]))
  const after = rowOf(cluster, id)
  expect(after).toMatchObject({ replicas: target, adding: [], removing: [], leaderEpoch: before.leaderEpoch + 1 })
  expect(members(after)).toEqual([...target].sort())
  expect(target).toContain(after.leader)
  await cluster.until(wasRemoved)
  const described = await cluster.run(cluster.office().describeCluster({ topics: [] }))
  expect(described.moves).toEqual([])
})

test('a dry run changes nothing; what cannot be is refused as a whole, with its reason', async () => {
  const { cluster, id } = await start(4, [{ name: 'orders' }])
  const rows = JSON.stringify(cluster.rows(id))
  const { moves } = await move(cluster, { targets: targets([3, 2, 1], [0, 1]), dryRun: true })
  expect(moves).toHaveLength(2)
  const refused = async (wrong: PartitionTarget) => await codeOf(cluster, cluster.office().moving.movePartitions({
    targets: [...targets([3, 2, 1], [1]), wrong], dryRun: false
  }))
  expect(await refused({ topic: 'orders', partition: 0, replicas: [1, 2] })).toBe('INVALID_ASSIGNMENT')
  expect(await refused({ topic: 'orders', partition: 0, replicas: [1, 2, 2] })).toBe('INVALID_ASSIGNMENT')
  expect(await refused({ topic: 'orders', partition: 0, replicas: [1, 2, 9] })).toBe('UNKNOWN_BROKER')
  expect(await refused({ topic: 'orders', partition: 7, replicas: [1, 2, 3] })).toBe('UNKNOWN_PARTITION')
  expect(await refused({ topic: 'none', partition: 0, replicas: [1, 2, 3] })).toBe('UNKNOWN_TOPIC')
  expect(await refused({ topic: 'orders', partition: 1, replicas: [1, 2, 3] })).toBe('INVALID_REQUEST')
  const away = [0, 1, 2, 3].find(one => !cluster.rows(id)[0]!.replicas.includes(one))!
  cluster.kill(away)
  await cluster.until(() => cluster.office().moving.describe([]) !== undefined && cluster.controllers().length === 1)
  await cluster.until(() => [...cluster.tables().values()].some(table => table.brokers.get(away)?.fenced === true))
  const target = [away, ...cluster.rows(id)[0]!.replicas.slice(0, 2)]
  expect(await refused({ topic: 'orders', partition: 0, replicas: target })).toBe('INELIGIBLE_BROKER')
  expect(cluster.rows(id).every(isDone)).toBe(true)
  expect(JSON.stringify(cluster.rows(id).map(row => row.replicas))).toBe(
    JSON.stringify((JSON.parse(rows) as PartitionRow[]).map(row => row.replicas)))
})

test('a move is given up: the replicas from before, and nothing is left of the new one', async () => {
  const { cluster, id } = await start(4, [{ name: 'orders' }])
  const before = rowOf(cluster, id)
  const added = [0, 1, 2, 3].find(one => !before.replicas.includes(one))!
  // Nobody catches up: the move stays under way.
  for (const { replicas } of cluster.brokers.values()) replicas.learners = undefined
  await move(cluster, { targets: targets([added, ...before.replicas.slice(1)]) })
  await cluster.until(() => cluster.broker(added).replicas.get(id, 0) !== undefined)
  await move(cluster, { targets: targets([]) })
  expect(rowOf(cluster, id)).toEqual({ ...before, version: before.version + 2 })
  await cluster.until(() => cluster.broker(added).replicas.removed.includes(`${id}-0`))
  await move(cluster, { targets: targets([]) })
  expect(rowOf(cluster, id).version).toBe(before.version + 2)
})

test('it goes on under the next controller', async () => {
  const { cluster, id } = await start(5, [{ name: 'orders', partitions: 6 }])
  for (const { replicas } of cluster.brokers.values()) replicas.learners = undefined
  const first = cluster.controllers()[0]!.self.brokerId
  const rows = cluster.rows(id)
  const wanted = rows.map(row => {
    const others = [0, 1, 2, 3, 4].filter(one => !row.replicas.includes(one) && one !== first)
    return { topic: 'orders', partition: row.partition, replicas: [others[0]!, ...row.replicas.slice(0, 2)] }
  })
  await move(cluster, { targets: wanted })
  cluster.kill(first)
  await cluster.until(() => cluster.controllers().length === 1, 30_000)
  cluster.replicate()
  await cluster.until(() => cluster.rows(id).every((row, index) =>
    isDone(row) || wanted[index]!.replicas.includes(first)), 60_000)
  cluster.boot(first)
  cluster.replicate()
  await cluster.until(() => cluster.rows(id).every(isDone), 60_000)
  expect(cluster.rows(id).map(row => row.replicas)).toEqual(wanted.map(one => one.replicas))
})

test('a broker that was away during the move is told when it returns', async () => {
  const { cluster, id } = await start(4, [{ name: 'orders' }])
  const controller = cluster.controllers()[0]!.self.brokerId
  const row = cluster.rows(id).find(one => one.replicas.some(brokerId => brokerId !== controller))!
  const away = row.replicas.find(brokerId => brokerId !== controller)!
  await cluster.until(() => cluster.agreesOn(id))
  cluster.kill(away)
  await cluster.until(() => !members(rowOf(cluster, id, row.partition)).includes(away))
  const others = [0, 1, 2, 3].filter(one => one !== away)
  await move(cluster, { targets: targets(others, [row.partition]) })
  await cluster.until(() => isDone(cluster.rows(id)[row.partition]))
  const broker = cluster.boot(away)
  await cluster.until(() => broker.replicas.removed.includes(`${id}-${row.partition}`))
  expect(broker.replicas.removed).toEqual([`${id}-${row.partition}`])
})

test('progress is what leaders said last', async () => {
  const { cluster, id } = await start(4, [{ name: 'orders' }])
  const row = rowOf(cluster, id)
  const added = [0, 1, 2, 3].find(one => !row.replicas.includes(one))!
  for (const { replicas } of cluster.brokers.values()) replicas.learners = undefined
  await move(cluster, { targets: targets([row.leader, added, row.replicas.find(one => one !== row.leader)!]) })
  cluster.broker(row.leader).replicas.learning = [{
    topicId: id, partition: 0, leaderEpoch: row.leaderEpoch, brokerId: added, bytesLeft: 12_345, recordsLeft: 3
  }]
  await cluster.pass(2_000)
  const { moves } = await cluster.run(cluster.office().describeCluster({ topics: ['orders'] }))
  expect(moves).toMatchObject([{ topic: 'orders', partition: 0, bytesLeft: 12_345, waitingFor: '', adding: [added] }])
})

test('a broker is drained, internal topics too, stopped and forgotten', async () => {
  const { cluster, ids } = await start(4, [{ name: 'orders', partitions: 12 }, { name: 'small', replicas: 1 }])
  const drained = [3, 2].find(one => cluster.controllers()[0]!.self.brokerId !== one)!
  const office = cluster.office().moving
  expect(await codeOf(cluster, office.removeBroker({ brokerId: drained }))).toBe('BROKER_IN_USE')
  const first = await cluster.run(office.drainBrokers({ brokerIds: [drained, 77] }))
  expect(first.drains).toMatchObject([{ brokerId: drained, waitingFor: '' }])
  const groups = topicIdOf(cluster, groupsTopic)
  await cluster.until(() => [...ids, groups].every(topicId =>
    cluster.rows(topicId).every(row => isDone(row) && !row.replicas.includes(drained))), 60_000)
  let drains = first.drains
  await cluster.untilSlow(() => {
    void office.drainBrokers({ brokerIds: [drained] }).then(answer => { drains = answer.drains })
    return drains?.[0]?.dataLeft === 0 && drains[0].replicasLeft === 0
  })
  expect(drains).toEqual([{ brokerId: drained, replicasLeft: 0, dataLeft: 0, waitingFor: '' }])
  for (const topicId of [...ids, groups]) {
    for (const row of cluster.rows(topicId)) expect(members(row)).toEqual([...row.replicas].sort())
  }
  // New topics keep away from it.
  const late = await cluster.applyTopic({ name: 'late', partitions: 8 })
  expect(cluster.rows(late).some(row => row.replicas.includes(drained))).toBe(false)
  cluster.kill(drained)
  await cluster.until(() => cluster.live().every(one => one.agent.view.broker(drained)?.fenced === true))
  await cluster.run(office.removeBroker({ brokerId: drained }))
  await cluster.until(() => cluster.live().every(one => one.agent.view.broker(drained) === undefined))
  expect(await codeOf(cluster, office.removeBroker({ brokerId: drained }))).toBe('UNKNOWN_BROKER')
})

test('a drain without enough other brokers says which topic stands against it; the internal one gives in', async () => {
  const { cluster, id } = await start(3, [{ name: 'orders' }])
  const drained = [2, 1].find(one => cluster.controllers()[0]!.self.brokerId !== one)!
  const answer = await cluster.run(cluster.office().moving.drainBrokers({ brokerIds: [drained] }))
  expect(answer.drains?.[0]?.replicasLeft).toBeGreaterThan(0)
  const groups = topicIdOf(cluster, groupsTopic)
  await cluster.until(() => cluster.rows(groups).every(row =>
    isDone(row) && !row.replicas.includes(drained) && row.replicas.length === 2 && row.minInSync === 2), 60_000)
  let drains = answer.drains
  await cluster.untilSlow(() => {
    void cluster.office().describeCluster({ topics: [] }).then(described => { drains = described.drains })
    return drains?.[0]?.replicasLeft === 3
  })
  expect(drains?.[0]?.waitingFor).toBe('topic \'orders\' has 3 replicas, 2 brokers stay')
  // What it leads others lead meanwhile.
  await cluster.until(() => cluster.rows(id).every(row => row.leader !== drained))
  await cluster.applyTopic({ name: 'orders', partitions: 3, replicas: 2 })
  await cluster.until(() => cluster.rows(id).every(row => isDone(row) && !row.replicas.includes(drained)), 60_000)
  // It may stay after all: the internal topic gets its replica back.
  await cluster.run(cluster.office().moving.drainBrokers({ brokerIds: [] }))
  await cluster.until(() => cluster.rows(groups).every(row => isDone(row) && members(row).length === 3), 60_000)
})

test('a new broker gets its share by itself, and then nothing is written any more', async () => {
  const { cluster, ids } = await start(3, [
    { name: 'orders', partitions: 12 }, { name: 'small', partitions: 6, replicas: 1 }, { name: 'one', partitions: 1 }
  ])
  const groups = topicIdOf(cluster, groupsTopic)
  const all = [...ids, groups]
  const rows = () => all.flatMap(topicId => cluster.rows(topicId))
  await cluster.pass(60_000)
  const writes = () => cluster.controllers()[0]!.agent.counters.tableWrites
  const before = writes()
  await cluster.pass(30_000)
  expect(writes()).toBe(before)
  cluster.boot(3)
  cluster.replicate()
  const fair = Math.floor(rows().reduce((sum, row) => sum + row.replicas.length, 0) / 4)
  const held = (id: number): number => rows().filter(row => row.replicas.includes(id)).length
  await cluster.untilSlow(() => held(3) >= fair && rows().every(isDone), 200_000)
  await cluster.pass(20_000)
  expect(held(3)).toBe(fair)
  const leads = [0, 1, 2, 3].map(id => rows().filter(row => row.leader === id).length)
  expect(Math.max(...leads) - Math.min(...leads)).toBeLessThanOrEqual(2)
  const settled = writes()
  await cluster.pass(60_000)
  expect(writes()).toBe(settled)
})

test('leaders are elected by name, stay, and return to the preferred one when that is asked for', async () => {
  const { cluster, id } = await start(3, [{ name: 'orders' }])
  await cluster.pass(10_000)
  const elect = async (leader: number) => await cluster.run(cluster.office().moving.electLeaders({
    partitions: targets([], [0, 1, 2]), leader
  }))
  const { elected } = await elect(2)
  expect(elected?.map(one => one.leader)).toEqual([2, 2, 2])
  expect(elected?.every(one => one.error === undefined)).toBe(true)
  await cluster.pass(60_000)
  expect(cluster.rows(id).map(row => row.leader)).toEqual([2, 2, 2])
  await elect(-1)
  expect(cluster.rows(id).map(row => row.leader)).toEqual(cluster.rows(id).map(row => row.replicas[0]))
  const { elected: refused } = await elect(7)
  expect(refused?.map(one => one.error?.code)).toEqual(Array(3).fill('INELIGIBLE_LEADER'))
})
