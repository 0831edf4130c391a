import { expect, test } from 'vitest'
import { tableKind } from '../../../broker/controller/table-codec.ts'
import { TestCluster } from './cluster.ts'

async function withHistory () {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  cluster.replicate()
  const early = cluster.kube.store.backup()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const fresh = cluster.kube.store.backup()
  // Rows move on: a broker goes and comes back.
  cluster.kill(2)
  await cluster.until(() => cluster.rows(topicId).every(row => row.leader !== 2 && row.inSync.length === 2))
  const without = cluster.kube.store.backup()
  cluster.boot(2)
  await cluster.settled()
  await cluster.until(() => cluster.rows(topicId).every(row => row.inSync.length === 3) && cluster.agreesOn(topicId))
  cluster.checked = false
  const isWell = (): boolean => cluster.agreesOn(topicId) && cluster.rows(topicId).every(row => row.leader >= 0 &&
    cluster.broker(row.leader).replicas.leads(topicId, row.partition))
  const reboot = (ids: number[]): void => { for (const id of ids) cluster.boot(id) }
  const stopAll = (): void => { for (const { process } of cluster.live()) process.kill() }
  return { cluster, topicId, early, fresh, without, isWell, reboot, stopAll, rows: () => cluster.rows(topicId) }
}

test('tables rolled back: nothing is elected before every broker has told what it knows', async () => {
  const { cluster, fresh, isWell, reboot, stopAll, rows } = await withHistory()
  const before = rows().map(row => row.leaderEpoch)
  stopAll()
  cluster.kube.store.restore(fresh)
  reboot([0, 1])
  await cluster.pass(15_000)
  expect(rows().every(row => row.leaderEpoch === 1)).toBe(true)
  expect(cluster.logs.lines.some(line => line.message.startsWith('restoring: waits for brokers 2'))).toBe(true)
  reboot([2])
  await cluster.until(isWell)
  rows().forEach((row, index) => { expect(row.leaderEpoch).toBeGreaterThan(before[index]!) })
  const root = cluster.tables().get('events-0')
  expect(root?.metadata.annotations?.['millrace.dev/restoring']).toBeUndefined()
})

test('tables rolled back, or lost: everything is kept until the Topic is applied again', async () => {
  const { cluster, topicId, fresh, early, isWell, reboot, stopAll } = await withHistory()
  const retention = (): unknown => {
    const topics = cluster.live().map(({ agent }) => agent.view.topicByName('orders'))
    return [...new Set(topics.map(topic => topic?.retentionMs))]
  }
  const wished = retention()
  expect(wished).toEqual([168 * 3_600_000])
  for (const backup of [fresh, early]) {
    stopAll()
    cluster.kube.store.restore(backup)
    reboot([0, 1, 2])
    await cluster.until(() => cluster.rows(topicId).length > 0 && isWell())
    expect(retention()).toEqual([-1])
    expect(await cluster.applyTopic({ name: 'orders' })).toBe(topicId)
    await cluster.until(() => JSON.stringify(retention()) === JSON.stringify(wished))
  }
})

test('tables rolled back, one broker gone for good: a person waives it', async () => {
  const { cluster, without, isWell, reboot, stopAll } = await withHistory()
  stopAll()
  cluster.kube.store.restore(without)
  reboot([0, 1])
  await cluster.pass(10_000)
  expect(isWell()).toBe(false)
  const root = cluster.kube.store.get(tableKind, 'events-0')!
  const annotations = { ...root.metadata.annotations, 'millrace.dev/restore-without': '2' }
  cluster.kube.store.replace(tableKind, { ...root, metadata: { ...root.metadata, annotations } }, 'kubectl')
  await cluster.until(isWell)
})

test('all tables deleted while everything is down: rebuilt from what brokers report, with its topics', async () => {
  const { cluster, topicId, isWell, reboot, stopAll, rows } = await withHistory()
  const before = rows()
  stopAll()
  cluster.kube.store.erase(tableKind, 'events-0', 'kubectl')
  reboot([0, 1, 2])
  await cluster.until(isWell)
  rows().forEach((row, index) => {
    expect(row.leaderEpoch).toBeGreaterThan(before[index]!.leaderEpoch)
    expect(row.replicas).toEqual(before[index]!.replicas)
  })
  // Its Topic adopts it again, with the same id.
  expect(await cluster.applyTopic({ name: 'orders' })).toBe(topicId)
  await cluster.until(() => cluster.live().every(({ agent }) => agent.view.topicByName('__groups')?.internal === true))
})

test('the table is deleted under a living controller: it doubts, asks, restores', async () => {
  const { cluster, topicId, isWell, rows } = await withHistory()
  const before = rows()
  cluster.kube.store.erase(tableKind, 'events-0', 'kubectl')
  // The next change finds out.
  const changed = cluster.office().applyTopic({
    name: 'other', partitions: 1, replicas: 3, minInSync: 0, retentionMs: 0, retentionBytes: 0, segmentBytes: 0,
    ownerUid: 'x'
  })
  await expect(cluster.run(changed)).rejects.toMatchObject({ code: 'NOT_CONTROLLER' })
  await cluster.until(() => rows().length > 0 && isWell())
  rows().forEach((row, index) => { expect(row.leaderEpoch).toBeGreaterThan(before[index]!.leaderEpoch) })
  expect(await cluster.applyTopic({ name: 'orders' })).toBe(topicId)
})

test('a topic that an old backup does not know comes back with its brokers', async () => {
  const { cluster, topicId, early, isWell, reboot, stopAll } = await withHistory()
  stopAll()
  cluster.kube.store.restore(early)
  reboot([0, 1, 2])
  await cluster.until(() => cluster.rows(topicId).length > 0 && isWell())
  expect(await cluster.applyTopic({ name: 'orders' })).toBe(topicId)
})

test('one of several tables is lost: its topics come back, the others never left', async () => {
  const partitions = 1_100
  const cluster = TestCluster.start({ brokers: 3 })
  cluster.checked = false
  await cluster.settled()
  const kept = await cluster.applyTopic({ name: 'kept', partitions })
  const gone = await cluster.applyTopic({ name: 'gone', partitions })
  await cluster.untilSlow(() => cluster.agreesOn(kept) && cluster.agreesOn(gone))
  const tableOf = (topicId: string) => [...cluster.tables().values()].find(table => table.topics.has(topicId))!.name
  const lost = tableOf(gone)
  expect(lost).toBe('events-1')
  expect(tableOf(kept)).toBe('events-0')
  for (const { process } of cluster.live()) process.kill()
  cluster.kube.store.erase(tableKind, lost, 'kubectl')
  for (const id of [0, 1, 2]) cluster.boot(id)
  await cluster.untilSlow(() => cluster.rows(gone).length === partitions &&
    cluster.rows(gone).every(row => row.leader >= 0))
  await cluster.untilSlow(() => cluster.agreesOn(kept) && cluster.agreesOn(gone))
  expect(cluster.rows(gone).every(row => row.leaderEpoch === 2_001)).toBe(true)
})

test('only the epoch tells that the tables are old: nothing is decided before all have registered', async () => {
  const { cluster, isWell, reboot, stopAll, rows } = await withHistory()
  stopAll()
  const root = cluster.kube.store.get(tableKind, 'events-0')!
  cluster.kube.store.replace(tableKind, { ...root, spec: { ...root['spec'] as object, controllerEpoch: 0 } }, 'kubectl')
  const before = JSON.stringify(rows())
  reboot([0, 1])
  await cluster.pass(15_000)
  expect(JSON.stringify(rows())).toBe(before)
  reboot([2])
  await cluster.until(isWell)
})

test('rows edited by hand under a living controller: the newest that brokers know come back', async () => {
  const { cluster, isWell, rows } = await withHistory()
  const before = rows()
  const root = cluster.kube.store.get(tableKind, 'events-0')!
  const spec = root['spec'] as { rows: string[] }
  const worse = spec.rows.map(text => text.replace(/^(\d+ \d+ [\d,]+) \d+ \d+ (\d+)[\d,]* \d+ \d+$/, '$1 - 1 $2 1 1'))
  expect(worse).not.toEqual(spec.rows)
  cluster.kube.store.replace(tableKind, { ...root, spec: { ...spec, writeId: 'by-hand', rows: worse } }, 'kubectl')
  const asked = cluster.office().deleteTopic({ name: 'orders', topicId: '', deleteData: false })
  await expect(cluster.run(asked)).rejects.toMatchObject({ code: 'NOT_CONTROLLER' })
  await cluster.until(isWell)
  rows().forEach((row, index) => { expect(row.leaderEpoch).toBeGreaterThan(before[index]!.leaderEpoch) })
})

test('a broker that nobody knows has seen a higher controller epoch: the next office is above it', async () => {
  const { cluster } = await withHistory()
  const stranger = cluster.boot(7, { volume: {
    volumeId: 'eeeeeeeeeeeeeeee', bootCount: 0, controllerEpoch: 40, fsyncAgeMs: 0, replicas: new Map()
  } })
  await cluster.until(() => stranger.agent.isRegistered)
  expect(cluster.tables().get('events-0')?.controllerEpoch).toBeGreaterThan(40)
})

test('RestoreTables: who is waited for, what would be written; whoever is waived is waited for no more', async () => {
  const { cluster, topicId, without, isWell, reboot, stopAll, rows } = await withHistory()
  const restore = (dryRun: boolean, ids: number[] = []) =>
    cluster.run(cluster.office().repairs.restoreTables({ dryRun, without: ids }))
  await cluster.until(() => cluster.isSettled())
  expect(await restore(true)).toEqual({ tables: [{ table: 'events-0' }] })
  await expect(restore(false, [2])).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  const newest = rows()
  stopAll()
  cluster.kube.store.restore(without)
  reboot([0, 1])
  await cluster.until(() => cluster.logs.lines.some(line => line.message.startsWith('restoring: waits for brokers 2;')))
  const stored = rows().map(row => row.leaderEpoch)
  const { tables } = await restore(true)
  expect(tables?.map(table => [table.table, table.waitingFor])).toEqual([['events-0', [2]]])
  expect(tables?.[0]?.reason).not.toBe('')
  const planned = tables?.[0]?.rows?.filter(row => row.topicId === topicId) ?? []
  planned.forEach((row, index) => {
    expect(row).toMatchObject({ leader: -1, inSync: newest[index]!.inSync })
    expect(row.leaderEpoch).toBeGreaterThan(newest[index]!.leaderEpoch)
  })
  expect(planned).toHaveLength(newest.length)
  expect((await restore(true, [2])).tables?.[0]?.waitingFor).toEqual([])
  await expect(restore(false, [1])).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  await cluster.pass(3_000)
  expect(rows().map(row => row.leaderEpoch)).toEqual(stored)
  await restore(false, [2])
  await cluster.until(isWell)
  expect((await restore(true)).tables?.every(table => table.reason === undefined)).toBe(true)
  // The waiver was for this once.
  expect(cluster.tables().get('events-0')?.metadata.annotations?.['millrace.dev/restore-without']).toBeUndefined()
})

test('RestoreTables: a topic that no table names, and a partition that nobody reports', async () => {
  const { cluster, topicId, early, reboot, stopAll } = await withHistory()
  stopAll()
  for (const { volume } of cluster.brokers.values()) volume.replicas.delete(`${topicId}-1`)
  cluster.kube.store.restore(early)
  reboot([0, 1, 2])
  await cluster.until(() => cluster.logs.lines.some(line => line.message.startsWith('a topic cannot be restored')))
  const { tables } = await cluster.run(cluster.office().repairs.restoreTables({ dryRun: true, without: [] }))
  const topic = tables?.find(table => table.reason?.includes(topicId))
  expect(topic).toMatchObject({ undecided: ['orders-1'] })
  expect(topic?.rows?.map(row => row.partition)).toEqual([0, 2, 3, 4, 5])
})

test('all tables are lost after a broker was removed: nobody waits for it, whatever the settings say', async () => {
  const cluster = TestCluster.start({ brokers: 4 })
  await cluster.settled()
  cluster.replicate()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId))
  const removed = [3, 2].find(id => cluster.controllers()[0]!.self.brokerId !== id)!
  const { moving } = cluster.office()
  let empty = false
  await cluster.untilSlow(() => {
    void moving.drainBrokers({ brokerIds: [removed] })
      .then(({ drains }) => { empty = drains?.[0]?.replicasLeft === 0 && drains[0].dataLeft === 0 })
    return empty
  }, 60_000)
  cluster.kill(removed)
  await cluster.until(() => cluster.live().every(one => one.agent.view.broker(removed)?.fenced === true))
  await cluster.run(moving.removeBroker({ brokerId: removed }))
  await cluster.until(() => cluster.live().every(one => one.agent.view.broker(removed) === undefined))
  cluster.checked = false
  cluster.kube.store.erase(tableKind, 'events-0', 'kubectl')
  cluster.controllers()[0]!.process.kill()
  await cluster.pass(5_000)
  const last = [0, 1, 2, 3].find(id => id !== removed && cluster.broker(id).process.dead)!
  // Whoever may have been the last controller has to come back, and nobody else.
  expect(cluster.rows(topicId)).toEqual([])
  cluster.boot(last)
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId).every(row => row.leader >= 0))
})

test('whoever doubted the tables doubts them no more when another controller has had the office since', async () => {
  const { cluster, isWell, rows } = await withHistory()
  const doubts = () => cluster.logs.lines.filter(line => line.message.startsWith('the tables are doubted')).length
  const cutFromKube = (id: number, cut: boolean): void => {
    for (const [from, to] of [[`b${id}`, 'kube'], ['kube', `b${id}`]]) cluster.network.link(from!, to!).setCut(cut)
  }
  const first = cluster.controllers()[0]!
  cluster.kube.store.erase(tableKind, 'events-0', 'kubectl')
  const asked = cluster.office().deleteTopic({ name: 'orders', topicId: '', deleteData: false })
  await expect(cluster.run(asked)).rejects.toMatchObject({ code: 'NOT_CONTROLLER' })
  cutFromKube(first.self.brokerId, true)
  await cluster.until(() => rows().length > 0 && isWell() && first.agent.isRegistered, 60_000)
  cutFromKube(first.self.brokerId, false)
  const doubted = doubts()
  const second = cluster.controllers()[0]!
  expect(second.self.brokerId).not.toBe(first.self.brokerId)
  const third = cluster.live().find(broker => broker !== first && broker !== second)!
  cutFromKube(third.self.brokerId, true)
  second.process.kill()
  await cluster.until(() => cluster.controllers()[0] === first)
  await cluster.until(() => rows().every(row => row.leader >= 0 && row.leader !== second.self.brokerId))
  expect(doubts()).toBe(doubted)
})
