// The lag of a group as its coordinator tells it: right while partitions and coordinators move.
import { expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import { groupLagMs } from '../../broker/limits.ts'
import { GroupWorld } from './group-world.ts'

const partitions = [0, 1, 2, 3, 4, 5]

it('is what is not committed, right after members come, go and die, and at the next coordinator', async () => {
  const world = new GroupWorld()
  const { clock, cluster, coordinators } = world
  for (const topic of ['orders', 'refunds']) cluster.create(topic, partitions.length)
  let written = 0
  const write = (topic: string, each: number): void => {
    for (const partition of partitions) cluster.write(topic, partition, Array.from({ length: each }, () => 'v'))
    written += each * partitions.length
  }
  let handled = 0
  const member = async (): Promise<Consumer> => {
    const consumer = world.client().consumer({ group: 'audit' })
    await clock.finish(consumer.subscribe(['orders', 'refunds']))
    void consumer.run(() => { handled++ })
    return consumer
  }
  const lags = (broker: number): unknown =>
    Object.fromEntries(coordinators.all[broker]!.lags.map(each => [`${each.group} ${each.topic}`, each.records]))

  const first = await member()
  write('orders', 10)
  write('refunds', 10)
  await clock.until(() => handled === written)
  await clock.advance(groupLagMs + 1_100)
  expect(lags(0)).toEqual({ 'audit orders': 0, 'audit refunds': 0 })

  // Nobody reads: what comes is behind, whoever has the partitions.
  first.pause(first.assignment())
  write('orders', 4)
  await clock.advance(groupLagMs + 100)
  expect(lags(0)).toEqual({ 'audit orders': 24, 'audit refunds': 0 })
  const second = await member()
  // The second reads what it was given.
  const left = (): number => 4 * first.assignment().filter(({ topic }) => topic === 'orders').length
  await clock.until(() => second.assignment().length === 6 && handled === written - left())
  await clock.advance(groupLagMs + 1_100)
  expect(lags(0)).toEqual({ 'audit orders': left(), 'audit refunds': 0 })

  coordinators.takeOver(2)
  await clock.advance(groupLagMs + 1_100)
  expect([lags(0), lags(2)]).toEqual([{}, { 'audit orders': left(), 'audit refunds': 0 }])
  await clock.finish(first.close())
  await clock.until(() => second.assignment().length === 12 && handled === written)
  await clock.advance(groupLagMs + 1_100)
  expect(lags(2)).toEqual({ 'audit orders': 0, 'audit refunds': 0 })
})
