// A member of a group that does not keep its pace stands in the way: its partitions go to those that do.
import { beforeEach, expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import { GroupWorld } from './group-world.ts'

let world: GroupWorld
let lost: string[]

beforeEach(() => {
  world = new GroupWorld()
  world.cluster.create('orders', 4)
  lost = []
})

async function subscribed (): Promise<Consumer> {
  const consumer = world.client().consumer({
    group: 'audit', maxPollIntervalMs: 2_000, onLost: (_, { code }) => { lost.push(code) }
  })
  await world.clock.finish(consumer.subscribe(['orders']))
  return consumer
}

/** It asks for records, and goes on asking. */
function read (consumer: Consumer): void {
  consumer.run(() => {}).catch((error: unknown) => { lost.push(String(error)) })
}

function partitions (...members: readonly Consumer[]): number[] {
  return members.map(each => each.assignment().length)
}

it.each(['has never read', 'has left its loop', 'waits at a record'])('one that %s gives them up', async what => {
  const idle = await subscribed()
  world.cluster.write('orders', 0, ['1', '2'])
  if (what !== 'has never read') {
    const records = idle.records()
    await world.clock.finish(records.next())
    if (what === 'has left its loop') await records.return?.()
  }
  const other = await subscribed()
  read(other)
  await world.clock.until(() => String(partitions(idle, other)) === '0,4', 5_000)
  expect(lost).toEqual(['MAX_POLL_EXCEEDED'])
  await world.clock.advance(10_000)
  expect(partitions(idle, other)).toEqual([0, 4])
  // It is a member again when it asks again.
  read(idle)
  await world.clock.until(() => String(partitions(idle, other)) === '2,2')
})

it('one that waits for what does not come keeps them', async () => {
  const members = [await subscribed(), await subscribed()]
  for (const each of members) read(each)
  await world.clock.until(() => String(partitions(...members)) === '2,2')
  members[0]!.pause(members[0]!.assignment())
  await world.clock.advance(20_000)
  expect(partitions(...members)).toEqual([2, 2])
  expect(lost).toEqual([])
})
