// A volume that is an older copy of itself registers under its old identity never again.
import { expect, test } from 'vitest'
import { hasIdentity } from '../../../broker/row.ts'
import { TestCluster } from './cluster.ts'

test('an older copy of a volume is refused, takes another identity, and joins as a learner of everything', async () => {
  const cluster = TestCluster.start({ brokers: 3 })
  await cluster.settled()
  cluster.replicate()
  const topicId = await cluster.applyTopic({ name: 'orders' })
  await cluster.until(() => cluster.agreesOn(topicId) && cluster.rows(topicId).every(row => row.inSync.length === 3))
  const { volume } = cluster.broker(1)
  const copy = structuredClone(volume)
  cluster.kill(1)
  cluster.boot(1)
  await cluster.settled()
  await cluster.until(() => cluster.rows(topicId).every(row => row.inSync.length === 3))
  const identities = cluster.rows(topicId).flatMap(row => row.inSync.filter(member => member.brokerId === 1))
  cluster.kill(1)
  await cluster.until(() => cluster.rows(topicId).every(row => row.inSync.length === 2 && row.leader !== 1))

  const rolledBack = cluster.boot(1, { volume: copy })
  await cluster.until(() => rolledBack.process.dead)
  expect(cluster.logs.lines.some(line => (line.fields as { code?: string }).code === 'VOLUME_ROLLED_BACK')).toBe(true)
  expect(rolledBack.agent.counters.registrations).toBe(0)
  expect(copy.volumeId).not.toBe(volume.volumeId)

  cluster.boot(1, { volume: copy })
  await cluster.until(() => cluster.rows(topicId).every(row => row.inSync.length === 3))
  for (const row of cluster.rows(topicId)) {
    expect(row.inSync.some(member => hasIdentity(identities, member))).toBe(false)
    expect(row.inSync.find(member => member.brokerId === 1)?.volumeId).toBe(copy.volumeId)
  }
})
