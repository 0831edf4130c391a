import { describe, expect, it } from 'vitest'
import { GroupCoordinator } from '../../../broker/group/coordinator.ts'
import { snapshotBytesMin } from '../../../broker/group/group-log.ts'
import type { ClusterView } from '../../../broker/session/contract.ts'
import { WireError, type ErrorCode } from '../../../wire/errors.ts'
import type { CommittedOffset, TopicInfo } from '../../../wire/messages.ts'
import { FakeNet } from '../../client/fake-net.ts'
import { FakePartitions } from './fake-partitions.ts'

const topics = new Map([topic('__groups', 'aaaaaaaaaaaaaaaa'), topic('orders', 'bbbbbbbbbbbbbbbb')]
  .map(info => [info.name, info]))

function topic (name: string, topicId: string): TopicInfo {
  return {
    topicId, name, internal: name.startsWith('__'), partitions: 1, replicas: 3, minInSync: 2,
    retentionMs: -1, retentionBytes: -1, segmentBytes: 1024, deleting: false, orphaned: false
  }
}

const view = {
  topicByName: (name: string) => topics.get(name),
  topicById: (id: string) => [...topics.values()].find(found => found.topicId === id),
  row: () => ({ leader: 2, leaderEpoch: 7 }),
  broker: () => ({ clientAddress: 'broker-2:9090' })
} as unknown as ClusterView

const log = { debug () {}, info () {}, warn () {}, error () {} }

function setup (): { coordinator: GroupCoordinator, partitions: FakePartitions, wall: { time: number } } {
  const partitions = new FakePartitions()
  const wall = { time: 1_700_000_000_000 }
  const clock = {
    now: () => 0,
    wallTime: () => wall.time,
    setTimer: () => ({ cancel () {} }),
    defer (callback: () => void) { callback() }
  }
  const coordinator = new GroupCoordinator({ clock, net: new FakeNet(clock), log, partitions, view })
  return { coordinator, partitions, wall }
}

async function loaded (partitions: FakePartitions): Promise<void> {
  partitions.lead(0, true)
  await new Promise(resolve => { setImmediate(resolve) })
}

function offset (value: number, more: Partial<CommittedOffset> = {}): CommittedOffset {
  const bare = { topic: 'orders', topicId: '', partition: 0, leaderEpoch: 3, metadata: '', committedAt: 0 }
  return { ...bare, offset: value, ...more }
}

async function codeOf (promise: Promise<unknown>): Promise<ErrorCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
}

describe('committed offsets', () => {
  it('gives back what was committed, newest last word', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    await coordinator.commit('audit', [offset(5), offset(9, { partition: 1 })])
    await coordinator.commit('audit', [offset(6, { metadata: 'note' })])
    expect(coordinator.committed('audit', []).map(entry => [entry.partition, entry.offset, entry.metadata]))
      .toEqual([[0, 6, 'note'], [1, 9, '']])
    expect(coordinator.committed('audit', [offset(0, { partition: 1 })]).map(entry => entry.offset)).toEqual([9])
    expect(coordinator.committed('other', [])).toEqual([])
  })

  it('answers a commit only when the log has committed it, and shows it no earlier', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    partitions.automatic = false
    let answered = false
    const commit = coordinator.commit('audit', [offset(5)]).then(() => { answered = true })
    await Promise.resolve()
    expect([answered, coordinator.committed('audit', []).length]).toEqual([false, 0])
    partitions.commitAll()
    await commit
    expect(coordinator.committed('audit', []).map(entry => entry.offset)).toEqual([5])
  })

  it('loads what an earlier leader committed before it answers', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    await coordinator.commit('audit', [offset(5)])
    partitions.lead(0, false)
    partitions.endKnown = false
    await loaded(partitions)
    expect(await codeOf(coordinator.commit('audit', [offset(6)]))).toBe('COORDINATOR_LOADING')
    expect(() => coordinator.committed('audit', [])).toThrow(WireError)
    partitions.endKnown = true
    partitions.changed()
    await new Promise(resolve => { setImmediate(resolve) })
    expect(coordinator.committed('audit', []).map(entry => entry.offset)).toEqual([5])
  })

  it('names the leader when it is another broker', async () => {
    const { coordinator } = setup()
    const failed = await coordinator.commit('audit', [offset(5)]).catch((error: unknown) => error as WireError)
    expect(failed).toMatchObject({ code: 'NOT_COORDINATOR', detail: { leader: 2, leaderAddress: 'broker-2:9090' } })
  })

  it('turns a leadership lost under way into NOT_COORDINATOR', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    partitions.automatic = false
    const commit = codeOf(coordinator.commit('audit', [offset(5)]))
    partitions.failAll(new WireError('NOT_LEADER'))
    expect(await commit).toBe('NOT_COORDINATOR')
    expect(coordinator.committed('audit', [])).toEqual([])
  })

  it('refuses what is not an offset, a group or a topic', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    expect(await codeOf(coordinator.commit('', [offset(1)]))).toBe('INVALID_REQUEST')
    expect(await codeOf(coordinator.commit('g'.repeat(256), [offset(1)]))).toBe('INVALID_REQUEST')
    expect(await codeOf(coordinator.commit('audit', [offset(-1)]))).toBe('INVALID_REQUEST')
    const long = offset(1, { metadata: 'x'.repeat(4097) })
    expect(await codeOf(coordinator.commit('audit', [long]))).toBe('INVALID_REQUEST')
    const answers = await coordinator.commit('audit', [offset(1, { topic: 'gone' }), offset(2)])
    expect(answers.map(answer => answer.error?.code ?? 'ok')).toEqual(['UNKNOWN_TOPIC', 'ok'])
    expect(partitions.logEnd).toBe(1)
  })
})

describe('snapshots', () => {
  const metadata = 'm'.repeat(4000)

  async function turns (): Promise<void> {
    await new Promise(resolve => { setImmediate(resolve) })
  }

  async function reload (partitions: FakePartitions): Promise<void> {
    partitions.lead(0, false)
    await loaded(partitions)
  }

  it('keep the log short and lose nothing, with commits under way', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    partitions.automatic = false
    const commits: Promise<unknown>[] = []
    for (let index = 1; index <= 900; index++) {
      commits.push(coordinator.commit(`group-${index % 3}`, [offset(index, { metadata })]))
      if (index % 7 === 0) {
        partitions.commitAll()
        await turns()
      }
    }
    partitions.commitAll()
    await turns()
    partitions.commitAll()
    await Promise.all(commits)
    await turns()
    expect(partitions.logStart).toBeGreaterThan(0)
    const newest = (): number[] => ['group-0', 'group-1', 'group-2'].map(group =>
      coordinator.committed(group, [])[0]!.offset)
    expect(newest()).toEqual([900, 898, 899])
    await reload(partitions)
    expect(newest()).toEqual([900, 898, 899])
  })

  it('do not forget what was on its way when they were made', async () => {
    const { coordinator, partitions } = setup()
    await loaded(partitions)
    await coordinator.commit('before', [offset(7)])
    const appended = (): number => partitions.batches.reduce((sum, batch) => sum + batch.length, 0)
    for (let index = 0; appended() + 5000 < snapshotBytesMin; index++) {
      await coordinator.commit('filler', [offset(index, { metadata })])
    }
    partitions.automatic = false
    // In the log, and committed together with the record that makes the snapshot due, or after it.
    const commits = [
      coordinator.commit('filler', [offset(6, { metadata }), offset(7, { metadata, partition: 1 })]),
      coordinator.commit('once', [offset(42)])
    ]
    partitions.commit(1)
    await turns()
    commits.push(coordinator.commit('later', [offset(43)]))
    expect(partitions.pending).toHaveLength(3)
    partitions.commitAll()
    await Promise.all(commits)
    expect(partitions.logStart).toBeGreaterThan(0)
    partitions.automatic = true
    await reload(partitions)
    const all = (group: string): number[] => coordinator.committed(group, []).map(entry => entry.offset)
    expect(['before', 'filler', 'once', 'later'].map(all)).toEqual([[7], [6, 7], [42], [43]])
  })
})
