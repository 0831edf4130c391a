import { beforeEach, describe, expect, it } from 'vitest'
import type { MillraceClient } from '../../client/millrace.ts'
import type { Consumer } from '../../client/consumer.ts'
import type { FakeCluster } from './fake-cluster.ts'
import type { FakeClock } from './fake-clock.ts'
import { codeOf, fill, take, values as range, World } from './world.ts'

let world: World
let clock: FakeClock
let cluster: FakeCluster
let client: MillraceClient

beforeEach(() => {
  world = new World();
  ({ clock, cluster } = world)
  cluster.create('orders', 3)
  cluster.create('__groups', 4)
  client = world.client()
})

describe('a group', () => {
  async function member (options: object = {}): Promise<Consumer> {
    const consumer = client.consumer({ group: 'audit', ...options })
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    return consumer
  }

  it('goes on where it was closed', async () => {
    await fill(world, 0, range(0, 30))
    const first = await member()
    expect(await take(world, first, 13)).toEqual(range(0, 13))
    await clock.finish(first.close())
    // The thirteenth was handed out, but the loop was left with it: it comes again.
    const second = await member()
    expect(await take(world, second, 18)).toEqual(range(12, 30))
    await clock.finish(second.commit())
    const third = await member()
    expect(third.position({ topic: 'orders', partition: 0 })).toBe(30)
  })

  it('commits every second what was finished', async () => {
    await fill(world, 0, range(0, 30))
    const consumer = await member()
    const records = consumer.records()
    for (let index = 0; index < 5; index++) await clock.finish(records.next())
    const committed = (): number | undefined => [...cluster.committed.values()][0]?.offset
    expect(committed()).toBeUndefined()
    await clock.advance(1_100)
    expect(committed()).toBe(4)
    await clock.finish(records.next())
    await clock.advance(1_100)
    expect(committed()).toBe(5)
  })

  it('commits to whoever coordinates now, and keeps what it could not commit for later', async () => {
    await fill(world, 0, range(0, 30))
    const consumer = await member()
    for (const partition of [0, 1, 2, 3]) cluster.elect('__groups', partition, -1)
    expect(await take(world, consumer, 10)).toEqual(range(0, 10))
    const commit = consumer.commit()
    await clock.advance(700)
    expect(cluster.committed.size).toBe(0)
    for (const partition of [0, 1, 2, 3]) cluster.elect('__groups', partition, 2)
    await clock.finish(commit)
    expect([...cluster.committed.values()].map(({ offset }) => offset)).toEqual([10])
    const committed = await clock.finish(client.admin().committedOffsets('audit'))
    expect(committed).toMatchObject([{ topic: 'orders', partition: 0, offset: 10 }])
  })

  it('commits chosen offsets, one commit after the other', async () => {
    const consumer = await member()
    const commits = [7, 3, 9].map(offset => consumer.commit([{ topic: 'orders', partition: 0, offset }]))
    await clock.finish(Promise.all(commits))
    expect([...cluster.committed.values()].map(({ offset }) => offset)).toEqual([9])
    await expect(clock.finish(consumer.commit([{ topic: 'orders', partition: 1, offset: 0 }])))
      .rejects.toThrow('not assigned')
  })

  it('gives up on a commit after its timeout', async () => {
    await fill(world, 0, range(0, 3))
    const consumer = await member({ autoCommitIntervalMs: 0 })
    cluster.topics.delete('__groups')
    const commit = consumer.commit([{ topic: 'orders', partition: 0, offset: 1 }], { timeoutMs: 500 })
    expect(await codeOf(clock.finish(commit))).toBe('TIMED_OUT')
  })
})
