// A consumer with a rack reads from a replica in sync that lives there, and from the leader whenever that fails.
import { beforeEach, expect, it } from 'vitest'
import { WireError } from '../../wire/errors.ts'
import type { Consumer } from '../../client/consumer.ts'
import { fill, take, values, World } from './world.ts'

let world: World

beforeEach(() => {
  world = new World()
  world.cluster.racks.push('a', 'b', 'c')
  world.cluster.create('orders', 3)
})

async function reader (rack: string): Promise<Consumer> {
  const consumer = world.client().consumer({ rack })
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
  await world.clock.finish(consumer.located())
  return consumer
}

/** Which broker serves the partition. */
function servedBy (): (number | undefined)[] {
  return [...world.cluster.subscriptions].map(({ broker }) => broker)
}

it('reads near by, what it has sent before included', async () => {
  await fill(world, 0, values(0, 20))
  const consumer = await reader('b')
  expect(await take(world, consumer, 20)).toEqual(values(0, 20))
  expect(servedBy()).toEqual([1])
})

it('reads from the leader when it lives near, when nobody does, and when no rack is named', async () => {
  await fill(world, 0, values(0, 10))
  for (const rack of ['a', 'elsewhere', '']) {
    const consumer = await reader(rack)
    expect(await take(world, consumer, 10)).toEqual(values(0, 10))
    expect(servedBy()).toEqual([0])
    await world.clock.finish(consumer.close())
  }
})

it('does not read from a replica that is not in sync, nor from a broker that is fenced', async () => {
  await fill(world, 0, values(0, 10))
  world.cluster.partition('orders', 0).inSync = [0, 2]
  const consumer = await reader('b')
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  expect(servedBy()).toEqual([0])
  world.cluster.kill(2)
  const other = await reader('c')
  expect(await take(world, other, 10)).toEqual(values(0, 10))
  expect(servedBy()).toEqual([0, 0])
})

it.each(['NOT_LEADER', 'OFFSET_NOT_AVAILABLE', 'UNKNOWN_EPOCH', 'INTERNAL'] as const)(
  'goes to the leader at once when the follower says %s, and comes back later', async code => {
    await fill(world, 0, values(0, 10))
    const consumer = await reader('b')
    expect(await take(world, consumer, 10)).toEqual(values(0, 10))
    expect(servedBy()).toEqual([1])

    const before = world.clock.now()
    world.cluster.endSubscriptions('orders', 0, new WireError(code))
    await fill(world, 0, values(10, 20))
    expect(await take(world, consumer, 10)).toEqual(values(10, 20))
    expect(servedBy()).toEqual([0])
    expect(world.clock.now() - before).toBeLessThan(200)

    await world.clock.advance(60_000)
    expect(servedBy()).toEqual([1])
    await fill(world, 0, values(20, 30))
    expect(await take(world, consumer, 10)).toEqual(values(20, 30))
  })

it('goes on at the leader, without a gap or a repeat, when the broker near by dies', async () => {
  await fill(world, 0, values(0, 10))
  const consumer = await reader('b')
  expect(await take(world, consumer, 5)).toEqual(values(0, 5))
  world.cluster.kill(1)
  await fill(world, 0, values(10, 20))
  expect(await take(world, consumer, 15)).toEqual(values(5, 20))
  expect(servedBy()).toEqual([0])
})

it('goes to the leader when the follower hangs, though that one owed it nothing', async () => {
  await fill(world, 0, values(0, 10))
  const consumer = await reader('b')
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  await world.clock.advance(10_000)
  expect(servedBy()).toEqual([1])
  world.net.hold(world.cluster.addresses[1]!)
  const before = world.clock.now()
  await fill(world, 0, values(10, 20))
  expect(await take(world, consumer, 10)).toEqual(values(10, 20))
  expect(world.clock.now() - before).toBeLessThanOrEqual(2_000)
})

it('sees that a follower hangs while other partitions are quiet', async () => {
  await fill(world, 0, values(0, 10))
  const consumer = world.client().consumer({ rack: 'b' })
  const partitions = [1, 0].map(partition => ({ topic: 'orders', partitions: [partition] }))
  await world.clock.finish(consumer.assign(partitions))
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  await world.clock.advance(10_000)
  world.net.hold(world.cluster.addresses[1]!)
  const before = world.clock.now()
  await fill(world, 0, values(10, 20))
  expect(await take(world, consumer, 10)).toEqual(values(10, 20))
  expect(world.clock.now() - before).toBeLessThanOrEqual(2_000)
})

it('reads on when a follower that said nothing for a while is heard again', async () => {
  await fill(world, 0, values(0, 10))
  const consumer = await reader('b')
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  world.net.hold(world.cluster.addresses[1]!)
  await fill(world, 0, values(10, 20))
  await world.clock.advance(60_000)
  world.net.release(world.cluster.addresses[1]!)
  expect(await take(world, consumer, 10)).toEqual(values(10, 20))
})

it('does not believe a leader about the end of which the follower has had a successor', async () => {
  await fill(world, 0, values(0, 10))
  const consumer = await reader('b')
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  world.cluster.elect('orders', 0, 2)
  const results = [{ topic: 'orders', partition: 0, offset: 10, timestamp: -1, leaderEpoch: 0, error: undefined }]
  world.net.stop('broker-0:9090')
  await world.net.listen('broker-0:9090', { unary: { ListOffsets: () => Promise.resolve({ results }) } })
  world.cluster.write('orders', 0, values(10, 12))
  expect(await take(world, consumer, 2)).toEqual(values(10, 12))
  expect(servedBy()).toEqual([1])
  expect(await world.clock.finish(consumer.endOffsets())).toMatchObject([{ partition: 0, offset: 12 }])
})
