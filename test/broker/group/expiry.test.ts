// Groups that nobody uses are forgotten after a time that may change while the coordinator runs.
import { expect, test } from 'vitest'
import { GroupCoordinator } from '../../../broker/group/coordinator.ts'
import type { ClusterView } from '../../../broker/session/contract.ts'
import { FakeClock } from '../../client/fake-clock.ts'
import { FakeNet } from '../../client/fake-net.ts'
import { FakePartitions } from './fake-partitions.ts'

const hourMs = 3_600_000
/** Groups that have expired are looked for once a minute. */
const sweepMs = 61_000
const log = { debug () {}, info () {}, warn () {}, error () {} }
const topics = [{ name: '__groups', topicId: 'g', partitions: 1 }, { name: 'orders', topicId: 'o', partitions: 1 }]
const view = {
  topics: () => topics,
  topicByName: (name: string) => topics.find(topic => topic.name === name),
  topicById: (id: string) => topics.find(({ topicId }) => topicId === id),
  row: () => ({ leader: 2, leaderEpoch: 7 }),
  broker: () => undefined
} as unknown as ClusterView

async function started (expiryMs?: number): Promise<{ clock: FakeClock, coordinator: GroupCoordinator }> {
  const clock = new FakeClock()
  const partitions = new FakePartitions()
  const coordinator = new GroupCoordinator({
    clock, net: new FakeNet(clock), log, partitions, view, ...expiryMs !== undefined && { expiryMs }
  })
  partitions.lead(0, true)
  await clock.advance(1_000)
  await commit(coordinator, clock, 'audit')
  return { clock, coordinator }
}

async function commit (coordinator: GroupCoordinator, clock: FakeClock, group: string): Promise<void> {
  const offset = {
    topic: 'orders', topicId: '', partition: 0, leaderEpoch: 3, metadata: '', committedAt: 0, offset: 5
  }
  await clock.finish(coordinator.commit(group, [offset]))
}

/** The wall clock goes on by so much, and groups are looked at. */
async function after (clock: FakeClock, ms: number): Promise<void> {
  clock.jumpWall(ms)
  await clock.advance(sweepMs)
}

test('a group that nobody uses is forgotten after a week', async () => {
  const { clock, coordinator } = await started()
  await after(clock, 7 * 24 * hourMs - 2 * sweepMs)
  expect(coordinator.list()).toHaveLength(1)
  await after(clock, 2 * sweepMs)
  expect(coordinator.list()).toEqual([])
})

test('a shorter time is taken over while groups are there; those that somebody commits for stay', async () => {
  const { clock, coordinator } = await started()
  await after(clock, 2 * hourMs)
  expect(coordinator.list()).toHaveLength(1)
  await commit(coordinator, clock, 'billing')
  coordinator.rememberFor(hourMs)
  await clock.advance(sweepMs)
  expect(coordinator.list().map(({ group }) => group)).toEqual(['billing'])
})

test('0 is for ever', async () => {
  const { clock, coordinator } = await started(hourMs)
  coordinator.rememberFor(0)
  await after(clock, 1_000 * 24 * hourMs)
  expect(coordinator.list()).toHaveLength(1)
})
