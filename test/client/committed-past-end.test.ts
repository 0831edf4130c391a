// A group's commit that lies behind the end of the log: somebody committed what was never written, or records were
// lost after they were read. Nobody waits there until other records have those offsets, which would be skipped.
import { beforeEach, describe, expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import type { ConsumerOptions, OffsetReset, Reset } from '../../client/consumer-options.ts'
import { OffsetOutOfRangeError } from '../../client/errors.ts'
import { GroupWorld } from './group-world.ts'
import { QueueWorld, sorted } from './queue-world.ts'
import { fill, take, values } from './world.ts'

const place = { topic: 'orders', partition: 0 }

let world: GroupWorld
let resets: OffsetReset[]

/** How a consumer comes to read the partition. */
const ways = {
  'that chose its partitions': (consumer: Consumer) => consumer.assign([{ topic: 'orders', partitions: [0] }]),
  'that is a member': (consumer: Consumer) => consumer.subscribe(['orders'])
}

beforeEach(async () => {
  world = new GroupWorld()
  resets = []
  world.cluster.create('orders', 1)
  await fill(world, 0, values(0, 50))
  const { clock } = world
  const careless = world.client().consumer({ group: 'audit', autoCommitIntervalMs: 0 })
  await clock.finish(ways['that chose its partitions'](careless))
  await clock.finish(careless.commit([{ ...place, offset: 70 }]))
  await clock.finish(careless.close())
})

async function reader (way: keyof typeof ways, options: ConsumerOptions): Promise<Consumer> {
  const consumer = world.client().consumer({ group: 'audit', onReset: each => { resets.push(each) }, ...options })
  await world.clock.finish(ways[way](consumer))
  return consumer
}

async function committed (): Promise<number | undefined> {
  const offsets = await world.clock.finish(world.client().admin().committedOffsets('audit'))
  return offsets[0]?.offset
}

describe.each(Object.keys(ways) as (keyof typeof ways)[])('a consumer %s', way => {
  it.each<[Reset | undefined, OffsetReset['to'], number]>([
    [undefined, 'start', 0], ['earliest', 'start', 0], ['latest', 'end', 50], ['nearest', 'end', 50]
  ])('goes where its reset says, %s, and says so', async (reset, to, offset) => {
    const consumer = await reader(way, reset === undefined ? {} : { reset })
    await world.clock.until(() => consumer.position(place) === offset)
    expect(resets).toEqual([{ ...place, wanted: 70, logStart: 0, highWatermark: 50, to }])
    await fill(world, 0, values(50, 100))
    expect(await take(world, consumer, 100 - offset)).toEqual(values(offset, 100))
    // The commit goes back to what was read.
    await world.clock.finish(consumer.commit())
    expect(await committed()).toBe(100)
  })

  it('fails if told so, with the offsets that there are', async () => {
    const first = reader(way, { reset: 'none' }).then(consumer => world.clock.finish(consumer.records().next()))
    const failure: unknown = await first.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(OffsetOutOfRangeError)
    expect(failure).toMatchObject({ ...place, logStart: 0, highWatermark: 50 })
    expect([resets, await committed()]).toEqual([[], 70])
  })

  it('begins at the start of a topic that was made again: the commit was of another', async () => {
    world.cluster.create('orders', 1)
    await fill(world, 0, values(200, 280))
    const consumer = await reader(way, {})
    expect(await take(world, consumer, 80)).toEqual(values(200, 280))
    expect(resets).toEqual([])
  })
})

it('a queue group waits for a person where its place is past the end, and says so', async () => {
  const queues = new QueueWorld()
  const { clock } = queues
  const all = queues.write(20, 1)
  const admin = queues.client().admin()
  const reset = (offset: number): Promise<void> =>
    clock.finish(admin.commitOffsets('audit', [{ topic: 'jobs', topicId: '', partition: 0, offset }]))
  await reset(70)
  const worker = await queues.member()
  await clock.until(() => worker.waiting.has('jobs/0 (the group stands at 70, behind its end at 20: see group reset)'))
  expect(queues.begun).toEqual([])
  await clock.finish(worker.queue.close())
  await reset(0)
  await queues.member()
  await clock.until(() => queues.done.length === 20)
  expect(sorted(queues.done)).toEqual(all)
})
