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
