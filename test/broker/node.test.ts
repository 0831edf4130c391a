// What a running broker takes over from its ConfigMap, on simulated ports.
import { expect, test, vi } from 'vitest'
import type { BrokerNode } from '../../broker/node.ts'
import { learnerBytesPerSecondDefault } from '../../broker/limits.ts'
import { SimCluster } from '../sim/cluster.ts'
import { SimNet } from '../sim/net.ts'

const hourMs = 3_600_000
const settings = { learnerBytesPerSecond: learnerBytesPerSecondDefault, listeners: [], rack: '' }

async function started (): Promise<{ cluster: SimCluster, node: BrokerNode }> {
  const cluster = new SimCluster({ seed: 1, brokers: 1 })
  const [broker] = cluster.brokers
  broker!.start()
  const knows = (): boolean => broker!.node?.parts?.agent.view.topicByName('__groups') !== undefined
  expect(await cluster.scheduler.run(cluster.scheduler.now + 60_000, knows)).toBe(true)
  return { cluster, node: broker!.node! }
}

test('how long groups are remembered is taken over by a broker that runs', async () => {
  const { cluster: { scheduler }, node } = await started()
  const { groups } = node.parts!
  const offset = {
    topic: '__groups', topicId: '', partition: 0, leaderEpoch: 1, metadata: '', committedAt: 0, offset: 7
  }
  let isCommitted = false
  const commit = async (): Promise<void> => {
    while (!isCommitted) {
      isCommitted = await groups.commit('audit', [offset]).then(() => true, () => false)
      if (!isCommitted) await new Promise<void>(resolve => { scheduler.schedule(100, undefined, 'again', resolve) })
    }
  }
  void commit()
  await scheduler.run(scheduler.now + 60_000, () => isCommitted)
  node.apply({ ...settings, groupExpiryMs: 2 * hourMs })
  await scheduler.run(scheduler.now + hourMs)
  expect(groups.list().map(({ group }) => group)).toEqual(['audit'])
  node.apply({ ...settings, groupExpiryMs: 60_000 })
  await scheduler.run(scheduler.now + 5 * 60_000, () => groups.list().length === 0)
  expect(groups.list()).toEqual([])
}, 60_000)

test('so is another rack of its node; a rack that nobody tells any more stays', async () => {
  const { cluster: { scheduler }, node } = await started()
  const { agent } = node.parts!
  const rack = (): string | undefined => agent.view.broker(0)?.rack
  expect(rack()).toBe('zone-0')
  const groupExpiryMs = hourMs
  node.apply({ ...settings, groupExpiryMs, rack: 'hall-b' })
  expect(await scheduler.run(scheduler.now + 10_000, () => rack() === 'hall-b')).toBe(true)
  const before = agent.counters.registrations
  node.apply({ ...settings, groupExpiryMs })
  await scheduler.run(scheduler.now + 10_000)
  expect([rack(), agent.self.rack, agent.counters.registrations]).toEqual(['hall-b', 'hall-b', before])
})

test('it means its own cluster by the uid: another one of its name may have the address of a peer', async () => {
  const identify = vi.spyOn(SimNet.prototype, 'identify')
  const { cluster } = await started()
  expect(identify.mock.calls).toEqual([[cluster.uid]])
  identify.mockRestore()
})
