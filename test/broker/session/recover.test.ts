// A partition whose in-sync set is lost goes on without it, when a person says so and never else.
import { expect, test } from 'vitest'
import type { RecoverPartitionRequest, RecoverPartitionResponse, Sent } from '../../../wire/messages.ts'
import { hasIdentity, identityText } from '../../../broker/row.ts'
import { expectInSync, TestCluster } from './cluster.ts'

/** Broker 2 has left the set {0, 1}, which is lost then; 2 is back. Two of 2's records were never seen by 1. */
async function lostSet () {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  cluster.replicate()
  const topicId = await cluster.applyTopic({ name: 'orders', partitions: 1 })
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId)[0]!.inSync.length === 3)
  const row = () => cluster.rows(topicId)[0]!
  const end = (brokerId: number, lastEpoch: number, durableEnd: number, highWatermark: number) =>
    Object.assign(cluster.broker(brokerId).replicas.get(topicId, 0)!, { lastEpoch, durableEnd, highWatermark })
  for (const id of [0, 1, 2]) end(id, 1, 8, 7)
  cluster.kill(2)
  await cluster.until(() => row().inSync.length === 2 && row().leader >= 0)
  for (const id of [0, 1]) end(id, 2, 20, 20)
  cluster.kill(0)
  cluster.kill(1)
  const broker2 = cluster.boot(2)
  await cluster.until(() => broker2.agent.isRegistered && row().leader === -1)
  const recover = (changes: Partial<RecoverPartitionRequest> = {}): Promise<Sent<RecoverPartitionResponse>> =>
    cluster.run(cluster.office().repairs.recoverPartition({
      topic: 'orders', partition: 0, lost: [0, 1], survivor: -1, acceptDataLoss: true, dryRun: false, ...changes
    }))
  return { cluster, topicId, row, recover }
}

test('refused: members not named, strangers named, loss not accepted, nothing there to go on with', async () => {
  const { cluster, row, recover } = await lostSet()
  const before = row()
  const refusal = async (changes: Partial<RecoverPartitionRequest>): Promise<string> => {
    await expect(recover(changes)).rejects.toMatchObject({ code: 'RECOVERY_REFUSED' })
    return await recover(changes).then(() => '', (error: unknown) => (error as Error).message)
  }
  expect(await refusal({ lost: [1] })).toBe('the in-sync set is of brokers 0, 1: 0 must be named as lost too')
  expect(await refusal({ lost: [0, 1, 2] })).toContain('not in the in-sync set, which is of brokers 0, 1: 2')
  expect(await refusal({ acceptDataLoss: false })).toContain('must be accepted')
  expect(await refusal({ survivor: 1 })).toContain('there are those of 2')
  await expect(recover({ topic: 'other' })).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  await expect(recover({ partition: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_PARTITION' })
  expect(row()).toEqual(before)
  expect(cluster.logs.lines.some(line => line.level === 'error')).toBe(false)
})

test('a dry run tells what would be and changes nothing', async () => {
  const { cluster, row, recover } = await lostSet()
  const before = row()
  const answer = await recover({ dryRun: true, acceptDataLoss: false })
  expect(answer).toMatchObject({ before, endOffset: 8, highWatermarkSeen: 7 })
  expect(answer.after).toMatchObject({ leader: 2, leaderEpoch: before.leaderEpoch + 1, minInSync: 1 })
  await cluster.pass(2_000)
  expect(row()).toEqual(before)
})

test('the survivor leads alone; who was declared lost comes back as somebody else', async () => {
  const { cluster, topicId, row, recover } = await lostSet()
  const before = row()
  const answer = await recover()
  expectInSync(row(), [2])
  expect(answer.after).toEqual(row())
  expect(row()).toMatchObject({
    leader: 2, leaderEpoch: before.leaderEpoch + 1, minInSync: 1, barred: before.inSync, replicas: before.replicas
  })
  await cluster.until(() => cluster.broker(2).replicas.leads(topicId, 0))
  expect(cluster.logs.lines.find(line => line.level === 'error')?.fields)
    .toMatchObject({ topic: 'orders', partition: 0, endOffset: 8, lost: before.inSync.map(identityText) })
  expect(cluster.broker(2).agent.counters.partitionsRecovered).toBe(1)
  const described = await cluster.run(cluster.office().describeCluster({ topics: ['orders'] }))
  expect(described.topics?.[0]?.recovered).toEqual([0])
  // The set grows again, and its floor with it.
  cluster.boot(0)
  cluster.boot(1)
  await cluster.until(() => row().inSync.length === 3)
  expect(row()).toMatchObject({ minInSync: 2, barred: before.inSync })
  expect(row().inSync.some(member => hasIdentity(before.inSync, member))).toBe(false)
  // What the lost ones said they had committed does not keep the survivor from leading again.
  cluster.kill(2)
  await cluster.until(() => row().leader >= 0 && row().leader !== 2)
})

test('while a member lives and is sound, or may come back at once, it is refused', async () => {
  const { cluster, topicId, row, recover } = await lostSet()
  const broker0 = cluster.boot(0)
  // It takes nobody in while it leads.
  broker0.replicas.learners = undefined
  await cluster.until(() => broker0.agent.isRegistered)
  await expect(recover()).rejects.toMatchObject({
    code: 'RECOVERY_REFUSED', message: 'broker 0, a member of the in-sync set, has a session and a sound replica'
  })
  await cluster.until(() => row().leader === 0)
  // Its volume lost what was committed: it will never lead by the rules.
  const replica = broker0.replicas.get(topicId, 0)!
  replica.damaged = 'rotten'
  broker0.agent.reportReplicas(broker0.replicas.reports())
  await cluster.until(() => row().leader === -1 && cluster.agreesOn(topicId))
  expect((await recover()).after?.leader).toBe(2)
})

test('tables that are being restored: nothing is recovered before', async () => {
  const { cluster, topicId, row } = await lostSet()
  const fresh = cluster.kube.store.backup()
  const old = row()
  cluster.boot(0)
  cluster.boot(1)
  await cluster.until(() => row().inSync.length === 3 && cluster.agreesOn(topicId))
  for (const { process } of cluster.live()) process.kill()
  cluster.checked = false
  cluster.kube.store.restore(fresh)
  expect(row()).toEqual(old)
  cluster.boot(2)
  await cluster.until(() => cluster.logs.lines.some(line => line.message.startsWith('a broker knows a newer row')))
  await expect(cluster.run(cluster.office().repairs.recoverPartition({
    topic: 'orders', partition: 0, lost: [0, 1], survivor: -1, acceptDataLoss: true, dryRun: false
  }))).rejects.toMatchObject({ code: 'CONTROLLER_UNAVAILABLE' })
})
