import { describe, expect, test } from 'vitest'
import type { ConsumerOptions, ConsumerRecord } from '../../client/consumer-options.ts'
import type { Consumer } from '../../client/consumer.ts'
import type { RunOptions } from '../../client/runner.ts'
import { serdes } from '../../client/serde.ts'
import { GroupWorld } from './group-world.ts'
import { World, codeOf, fill, values } from './world.ts'

type Read = ConsumerRecord<string, string>

/** Handles records until it is told that one of them is done. */
class Work {
  readonly begun: string[] = []
  readonly open = new Map<string, { resolve (): void, reject (error: Error): void }>()
  most = 0
  readonly world: World

  constructor (world: World) {
    this.world = world
  }

  readonly handle = ({ value }: Read): Promise<void> => {
    this.begun.push(value!)
    return new Promise((resolve, reject) => {
      this.open.set(value!, { resolve, reject })
      this.most = Math.max(this.most, this.open.size)
    })
  }

  async done (...names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.open.get(name)!.resolve()
      this.open.delete(name)
    }
    await this.world.clock.advance(0)
  }

  async doneAll (until: number): Promise<void> {
    await this.world.clock.until(() => {
      for (const [name, { resolve }] of this.open) {
        this.open.delete(name)
        resolve()
      }
      return this.begun.length === until
    })
    await this.done(...this.open.keys())
  }
}

async function worldOf (partitions: number): Promise<World> {
  const world = new World()
  world.cluster.create('orders', partitions)
  world.cluster.create('__groups', 1)
  for (let p = 0; p < partitions; p++) await fill(world, p, values(p * 100, p * 100 + 12), 5)
  return world
}

async function start (world: World, run: RunOptions = {}, options: ConsumerOptions<string, string> = {}): Promise<{
  consumer: Consumer<string, string>, work: Work, ended: Promise<unknown>
}> {
  const consumer = world.client().consumer({ key: serdes.string, value: serdes.string, ...options })
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]))
  const work = new Work(world)
  const ended = consumer.run(work.handle, run).then(() => 'ended', (error: unknown) => error)
  await world.clock.advance(50)
  return { consumer, work, ended }
}

function committed (world: World): Map<number, number> {
  return new Map([...world.cluster.committed.values()].map(({ partition, offset }) => [partition, offset]))
}

describe('ordered by partition', () => {
  test('hands out one record of a partition after the other, across batches, all of them once', async () => {
    const world = await worldOf(2)
    const { work } = await start(world, { concurrency: 8 })
    expect(work.begun.toSorted()).toEqual(['0', '100'])
    await work.doneAll(24)
    expect(work.most).toBe(2)
    for (const p of [0, 1]) {
      expect(work.begun.filter(value => Math.floor(Number(value) / 100) === p)).toEqual(values(p * 100, p * 100 + 12))
    }
  })

  test('one slow partition does not hold up the others', async () => {
    const world = await worldOf(3)
    const { work } = await start(world, { concurrency: 3 })
    // Partition 0 is never done with its first record.
    await world.clock.until(() => {
      for (const [name, { resolve }] of work.open) {
        if (name === '0') continue
        work.open.delete(name)
        resolve()
      }
      return work.begun.length === 25
    })
    expect(work.begun.filter(value => Number(value) < 100)).toEqual(['0'])
  })

  test('by default one record at a time', async () => {
    const world = await worldOf(3)
    const { work } = await start(world)
    await work.doneAll(36)
    expect(work.most).toBe(1)
  })
})

describe('ordered by key', () => {
  async function keyed (keys: readonly (string | null)[]): Promise<World> {
    const world = new World()
    world.cluster.create('orders', 2)
    world.cluster.create('__groups', 1)
    const producer = world.client().producer()
    await world.clock.finish(producer.sendBatch(keys.map((key, i) =>
      ({ topic: 'orders', partition: 0, key, value: `${key ?? '-'}${i}` }))))
    return world
  }

  test('runs different keys beside each other, the same one after the other', async () => {
    const world = await keyed(['a', 'a', 'b', 'c', 'a', 'b'])
    const { work } = await start(world, { concurrency: 5, orderedBy: 'key' })
    expect(work.begun).toEqual(['a0', 'b2', 'c3'])
    await work.done('a0')
    expect(work.begun).toEqual(['a0', 'b2', 'c3', 'a1'])
    await work.done('b2')
    expect(work.begun.at(-1)).toBe('b5')
    await work.done('a1')
    expect(work.begun.at(-1)).toBe('a4')
  })

  test('records without a key wait for nobody', async () => {
    const world = await keyed([null, null, null])
    const { work } = await start(world, { concurrency: 5, orderedBy: 'key' })
    expect(work.begun).toEqual(['-0', '-1', '-2'])
  })

  test('a slot is kept for the partition that has nothing running', async () => {
    const world = await keyed(['a', 'b', 'c', 'd'])
    const { work } = await start(world, { concurrency: 3, orderedBy: 'key' })
    expect(work.begun).toEqual(['a0', 'b1'])
    world.cluster.write('orders', 1, ['other'])
    await world.clock.until(() => work.begun.includes('other'))
    expect(work.begun).toEqual(['a0', 'b1', 'other'])
  })

  test('commits only what lies before everything that is not finished', async () => {
    const world = await keyed(['a', 'b', 'c', 'd', 'e'])
    const { work, consumer } = await start(world, { concurrency: 6, orderedBy: 'key' },
      { group: 'billing', autoCommitIntervalMs: 100 })
    expect(work.begun).toHaveLength(5)
    await work.done('b1', 'd3')
    await world.clock.advance(300)
    expect(committed(world).get(0)).toBe(0)
    expect(consumer.position({ topic: 'orders', partition: 0 })).toBe(0)
    await work.done('a0')
    await world.clock.advance(300)
    expect(committed(world).get(0)).toBe(2)
    await work.done('c2', 'e4')
    await world.clock.advance(300)
    expect(committed(world).get(0)).toBe(5)
    expect(consumer.lag({ topic: 'orders', partition: 0 })).toBe(0)
  })

  test('a window bounds how far it looks ahead of a record that is never done', async () => {
    const world = await keyed(Array.from({ length: 500 }, (_, i) => i === 0 ? 'slow' : `k${i}`))
    const { work } = await start(world, { concurrency: 4, orderedBy: 'key' })
    await world.clock.until(() => {
      for (const [name, { resolve }] of work.open) {
        if (name === 'slow0') continue
        work.open.delete(name)
        resolve()
      }
      return work.begun.length === 32
    })
    await world.clock.advance(1_000)
    expect(work.begun).toHaveLength(32)
    await work.done('slow0')
    await work.doneAll(500)
  })
})

describe('the end of a run', () => {
  test('by a signal: what was begun is finished, the rest comes in the next loop', async () => {
    const world = await worldOf(1)
    const stop = new AbortController()
    const { work, consumer, ended } = await start(world, { signal: stop.signal })
    await work.done('0')
    await work.done('1')
    stop.abort()
    await world.clock.advance(100)
    expect(work.begun).toEqual(['0', '1', '2'])
    await work.done('2')
    expect(await world.clock.finish(ended)).toBe('ended')
    expect(consumer.position({ topic: 'orders', partition: 0 })).toBe(3)
    const again = new Work(world)
    void consumer.run(again.handle)
    await again.doneAll(9)
    expect(again.begun).toEqual(values(3, 12))
  })

  test('by a handler that fails: its record was not finished', async () => {
    const world = await worldOf(2)
    const { work, consumer, ended } = await start(world, { concurrency: 2 }, { group: 'g', autoCommitIntervalMs: 100 })
    await work.done('0')
    work.open.get('1')!.reject(new Error('no database'))
    await world.clock.advance(10)
    expect(work.begun.toSorted()).toEqual(['0', '1', '100'])
    await work.done('100')
    expect(await world.clock.finish(ended)).toMatchObject({ message: 'no database' })
    await world.clock.finish(consumer.close())
    expect(committed(world)).toEqual(new Map([[0, 1], [1, 1]]))
  })

  test('by close, which waits for what was begun and commits it', async () => {
    const world = await worldOf(1)
    const { work, consumer, ended } = await start(world, {}, { group: 'g' })
    await work.done('0')
    const closed = consumer.close()
    await world.clock.advance(1_000)
    await work.done('1')
    await world.clock.finish(closed)
    expect(await ended).toBe('ended')
    expect(committed(world)).toEqual(new Map([[0, 2]]))
  })

  test('by close, which does not wait for ever', async () => {
    const world = await worldOf(1)
    const { work, consumer } = await start(world, {}, { group: 'g' })
    await work.done('0')
    await world.clock.finish(consumer.close({ timeoutMs: 500 }), 2_000)
    expect(committed(world)).toEqual(new Map([[0, 1]]))
  })

  test('by a record that cannot be deserialized; one that somebody takes is passed over', async () => {
    const world = await worldOf(1)
    world.cluster.write('orders', 0, ['?'])
    const value = { ...serdes.string, deserialize: (bytes: Uint8Array) => {
      if (bytes[0] === 0x3f) throw new Error('what?')
      return Buffer.from(bytes).toString()
    } }
    const { work, consumer, ended } = await start(world, {}, { value })
    await work.doneAll(12)
    expect(await world.clock.finish(ended)).toMatchObject({ code: 'DESERIALIZATION_FAILED', offset: 12 })
    expect(consumer.position({ topic: 'orders', partition: 0 })).toBe(12)
    const told: number[] = []
    const other = await start(world, {}, { value, onUndecodable: error => { told.push(error.offset) } })
    world.cluster.write('orders', 0, ['end'])
    await other.work.doneAll(13)
    expect([told, other.work.begun.at(-1)]).toEqual([[12], 'end'])
  })
})

describe('while it runs', () => {
  test('nobody else reads', async () => {
    const world = await worldOf(1)
    const { consumer } = await start(world)
    expect(await codeOf(consumer.run(() => {}))).toBe('INVALID_REQUEST')
  })

  test('a paused partition begins nothing, and goes on where it was', async () => {
    const world = await worldOf(2)
    const { consumer, work } = await start(world, { concurrency: 2 })
    const place = { topic: 'orders', partition: 0 }
    consumer.pause([place])
    await work.doneAll(13)
    expect(work.begun.filter(value => Number(value) < 100)).toEqual(['0'])
    expect(consumer.position(place)).toBe(1)
    consumer.resume([place])
    await work.doneAll(24)
    expect(work.begun.filter(value => Number(value) < 100)).toEqual(values(0, 12))
  })

  test('a seek drops what was not begun', async () => {
    const world = await worldOf(1)
    const { consumer, work } = await start(world)
    consumer.seek({ topic: 'orders', partition: 0 }, 10)
    await work.done('0')
    await work.doneAll(3)
    expect(work.begun).toEqual(['0', '10', '11'])
  })

  test('commit(record) is of that record, in any order', async () => {
    const world = await worldOf(1)
    const consumer = world.client().consumer({ group: 'g', autoCommitIntervalMs: 0, value: serdes.string })
    await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    const seen: (number | undefined)[] = []
    const run = consumer.run(async record => {
      await consumer.commit(record)
      seen.push(committed(world).get(0))
    }, { concurrency: 1 })
    await world.clock.until(() => seen.length === 12)
    expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    await world.clock.finish(consumer.close())
    await run
  })
})

test('a member that gives a partition up finishes what it has begun, commits it, and repeats nothing', async () => {
  const world = new GroupWorld()
  world.cluster.create('orders', 2)
  for (const p of [0, 1]) await fill(world, p, values(p * 100, p * 100 + 6), 3)
  const works = [new Work(world), new Work(world)]
  const consumers = works.map(() => world.client().consumer({ group: 'g', value: serdes.string }))
  await world.clock.finish(consumers[0]!.subscribe(['orders']))
  void consumers[0]!.run(works[0]!.handle as never, { concurrency: 2 })
  await world.clock.until(() => works[0]!.begun.length === 2)
  await works[0]!.done('0', '100')
  const second = consumers[1]!.subscribe(['orders'])
  void second.then(() => consumers[1]!.run(works[1]!.handle as never, { concurrency: 2 }))
  await world.clock.advance(3_000)
  // One of the two goes, but its record in hand is waited for.
  expect(consumers[0]!.assignment()).toHaveLength(2)
  expect(works[1]!.begun).toEqual([])
  await works[0]!.done('1', '101')
  await world.clock.finish(second)
  await world.clock.until(() => {
    for (const { open } of works) {
      for (const [name, { resolve }] of open) {
        open.delete(name)
        resolve()
      }
    }
    return works[0]!.begun.length + works[1]!.begun.length === 12
  })
  const all = works.flatMap(({ begun }) => begun)
  expect(all.toSorted()).toEqual([...values(0, 6), ...values(100, 106)].toSorted())
  expect(works[1]!.begun).toHaveLength(4)
})
