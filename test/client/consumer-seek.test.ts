// Going elsewhere in a partition, and what a consumer says of where it is.
import { beforeEach, expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import { codeOf, fill, take, values, World } from './world.ts'

const place = { topic: 'orders', partition: 0 }
let world: World

beforeEach(async () => {
  world = new World()
  world.cluster.create('orders', 2)
  world.cluster.create('__groups', 1)
  await fill(world, 0, values(0, 50))
})

async function reader (group?: string): Promise<Consumer> {
  const consumer = world.client().consumer({ group, autoCommitIntervalMs: 0 })
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
  return consumer
}

it.each([
  ['start', 0], ['end', 50], [17, 17], [-3, 47], [-500, 0], [{ timestamp: 1_033 }, 33], [{ timestamp: 9_999 }, 50]
] as const)('seeks to %j, knows where that is, and reads on there', async (to, first) => {
  const consumer = await reader()
  expect(await take(world, consumer, 5)).toEqual(values(0, 5))
  consumer.seek(place, to)
  // An offset is known at once; anything else is asked for.
  expect(consumer.position(place)).toBe(typeof to === 'number' && to >= 0 ? to : undefined)
  await world.clock.finish(consumer.located())
  await world.clock.finish(consumer.endOffsets())
  expect([consumer.position(place), consumer.lag(place)]).toEqual([first, 50 - first])
  await fill(world, 0, values(50, 52))
  expect(await take(world, consumer, 52 - first)).toEqual(values(first, 52))
  expect([consumer.position(place), consumer.lag(place)]).toEqual([52, 0])
})

it.each([{ timestamp: 1_020 }, -30, 'end'] as const)('seeks to %j while its start is being asked for', async to => {
  const consumer = await reader()
  await world.clock.advance(1)
  expect(consumer.position(place)).toBeUndefined()
  consumer.seek(place, to)
  await world.clock.finish(consumer.located())
  expect(consumer.position(place)).toBe(to === 'end' ? 50 : 20)
})

it('seeks while it is paused, and begins there when it is resumed', async () => {
  const consumer = await reader()
  consumer.pause([place])
  consumer.seek(place, { timestamp: 1_020 })
  const taken = take(world, consumer, 2)
  await world.clock.advance(1_000)
  expect(consumer.position(place)).toBe(20)
  consumer.resume([place])
  expect(await taken).toEqual(['20', '21'])
})

it('commits where it was sought to, with what is written beside it', async () => {
  const consumer = await reader('audit')
  expect(await world.clock.finish(consumer.committed())).toEqual([])
  consumer.seek(place, { timestamp: 1_010 })
  await world.clock.finish(consumer.located())
  await world.clock.finish(consumer.commit())
  expect(await world.clock.finish(consumer.committed())).toMatchObject([{ ...place, offset: 10 }])
  await world.clock.finish(consumer.commit([{ ...place, offset: 12, metadata: 'by hand' }]))
  expect(await world.clock.finish(consumer.committed())).toEqual([{ ...place, offset: 12, metadata: 'by hand' }])
  await world.clock.finish(consumer.close())
  expect(await take(world, await reader('audit'), 1)).toEqual(['12'])
})

it('knows nothing of a partition that it does not read', async () => {
  const consumer = await reader()
  const other = { topic: 'orders', partition: 1 }
  for (const ask of [() => consumer.position(other), () => consumer.lag(other), () => { consumer.pause([other]) }]) {
    expect(ask).toThrow('not assigned')
  }
  expect(await codeOf(world.clock.finish(consumer.committed()))).toBe('INVALID_REQUEST')
})

it('a partition without a leader, or whose leader hangs, holds up no other', async () => {
  await fill(world, 1, values(100, 120))
  const consumer = world.client().consumer()
  world.cluster.elect('orders', 0, -1)
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0, 1], from: 0 }]))
  expect(await take(world, consumer, 20)).toEqual(values(100, 120))
  world.cluster.elect('orders', 0, 0)
  expect(await take(world, consumer, 10)).toEqual(values(0, 10))
  world.net.hold(world.cluster.addresses[0]!)
  await world.clock.advance(2_000)
  await fill(world, 1, values(120, 125))
  const more = await take(world, consumer, 45)
  expect(more.filter(value => Number(value) >= 100)).toEqual(values(120, 125))
})
