// Which brokers a client speaks to, and how it comes back to those that were gone.
import { beforeEach, describe, expect, it } from 'vitest'
import { Backoff } from '../../client/backoff.ts'
import { backoffMs, backoffMsMax } from '../../client/limits.ts'
import { SeededRng } from './fake-clock.ts'
import { fill, take, values, World } from './world.ts'

let world: World

beforeEach(() => {
  world = new World()
  world.cluster.create('orders', 6)
})

it('opens one stream of a kind to each broker that leads what it sends or reads, and to no other', async () => {
  const client = world.client()
  const producer = client.producer()
  // Partitions 0 and 3 are led by broker 0, 1 and 4 by broker 1.
  for (const partition of [0, 3, 1]) {
    await world.clock.finish(producer.send({ topic: 'orders', partition, value: String(partition) }))
  }
  const consumer = client.consumer()
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [1, 4] }]))
  expect(await take(world, consumer, 1)).toEqual(['1'])
  await world.clock.advance(60_000)
  expect([...world.net.opened].sort())
    .toEqual(['broker-0:9090 Produce', 'broker-1:9090 Fetch', 'broker-1:9090 Produce'])
})

it('reads on when all brokers but one that it began with have other addresses', async () => {
  const { cluster, clock } = world
  await fill(world, 0, values(0, 5))
  const consumer = world.client().consumer()
  await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
  expect(await take(world, consumer, 5)).toEqual(values(0, 5))
  for (const id of [0, 1]) {
    cluster.kill(id)
    cluster.addresses[id] = `moved-${id}:9090`
    cluster.start(id)
  }
  await fill(world, 0, values(5, 10))
  expect(await take(world, consumer, 5)).toEqual(values(5, 10))
  // The last one that it knew from the beginning moves too, once the others are known.
  cluster.kill(2)
  cluster.addresses[2] = 'moved-2:9090'
  cluster.start(2)
  cluster.elect('orders', 0, 2)
  await clock.advance(1_000)
  cluster.write('orders', 0, ['10'])
  expect(await take(world, consumer, 1)).toEqual(['10'])
})

describe('pauses between attempts', () => {
  const pauses = (seed: number): number[] => {
    const backoff = new Backoff(new SeededRng(seed))
    return Array.from({ length: 12 }, () => backoff.next())
  }

  it('double up to a bound, between half of it and all', () => {
    for (const [index, pause] of pauses(1).entries()) {
      const step = Math.min(backoffMsMax, backoffMs * 2 ** index)
      expect(pause).toBeGreaterThanOrEqual(step / 2)
      expect(pause).toBeLessThanOrEqual(step)
    }
  })

  it('are not the same for two clients', () => {
    const [one, other] = [pauses(1), pauses(2)]
    expect(one.filter((pause, index) => pause === other[index])).toEqual([])
  })
})
