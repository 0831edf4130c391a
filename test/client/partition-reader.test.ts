// A reader that goes on where its group stands, when a broker is still taken for the leader that is not any more.
import { expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import type { OffsetReset } from '../../client/consumer-options.ts'
import { WireError } from '../../wire/errors.ts'
import { text, values, World } from './world.ts'

async function take (world: World, consumer: Consumer, count: number): Promise<string[]> {
  const got: string[] = []
  await world.clock.finish((async () => {
    for await (const record of consumer) if (got.push(text(record)) === count) return
  })())
  return got
}

it('does not believe a leader of an older epoch that what the group has read is not there', async () => {
  const world = new World()
  const { cluster, clock } = world
  cluster.create('__groups', 1)
  cluster.create('orders', 1)
  cluster.write('orders', 0, values(0, 4))
  const { leader: deposed, leaderEpoch: oldEpoch } = cluster.partition('orders', 0)
  const [stale] = structuredClone(cluster.metadata(['orders']).topics)
  cluster.elect('orders', 0, (deposed + 1) % 3)
  cluster.write('orders', 0, values(4, 9))
  const first = world.client().consumer({ group: 'audit', autoCommitIntervalMs: 0 })
  await clock.finish(first.assign([{ topic: 'orders', partitions: 'all', from: 'start' }]))
  await take(world, first, 9)
  await clock.finish(first.commit([{ topic: 'orders', partition: 0, offset: 9 }]))
  await clock.finish(first.close())

  // Nobody has told of the election yet, and the broker itself has not heard of it.
  const current = cluster.metadata.bind(cluster)
  cluster.metadata = (...names) => {
    const now = current(...names)
    return { ...now, topics: now.topics.map(topic => topic.topic?.name === 'orders' ? stale! : topic) }
  }
  let asked = 0
  cluster.refuse = (id, { leaderEpoch }) => {
    if (id !== deposed) return
    asked++
    cluster.metadata = current
    if (leaderEpoch > oldEpoch) throw new WireError('UNKNOWN_EPOCH', undefined, { leaderEpoch: oldEpoch })
    throw new WireError('OFFSET_OUT_OF_RANGE', undefined, { logStart: 0, highWatermark: 4 })
  }
  const resets: OffsetReset[] = []
  const next = world.client().consumer({ group: 'audit', onReset: reset => { resets.push(reset) } })
  await clock.finish(next.assign([{ topic: 'orders', partitions: 'all', from: 'start' }]))
  cluster.write('orders', 0, ['9'])
  expect(await take(world, next, 1)).toEqual(['9'])
  expect(asked).toBeGreaterThan(0)
  expect(resets).toEqual([])
})
