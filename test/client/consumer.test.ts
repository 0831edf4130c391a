import { beforeEach, describe, expect, it } from 'vitest'
import type { MillraceClient } from '../../client/millrace.ts'
import type { Consumer } from '../../client/consumer.ts'
import type { ConsumerOptions, ConsumerRecord, OffsetReset } from '../../client/consumer-options.ts'
import { OffsetOutOfRangeError } from '../../client/errors.ts'
import { WireError } from '../../wire/errors.ts'
import { stampCrc } from '../../wire/record-batch.ts'
import type { FakeCluster } from './fake-cluster.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeNet } from './fake-net.ts'
import { codeOf, fill, take, text, values as range, World } from './world.ts'

let world: World
let clock: FakeClock
let net: FakeNet
let cluster: FakeCluster
let client: MillraceClient

beforeEach(() => {
  world = new World();
  ({ clock, net, cluster } = world)
  cluster.create('orders', 3)
  cluster.create('__groups', 4)
  client = world.client()
})

describe('reading', () => {
  it('gives every record of every partition, each partition in order', async () => {
    for (const partition of [0, 1, 2]) await fill(world, partition, range(partition * 100, partition * 100 + 50))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]))
    const records: ConsumerRecord[] = []
    await clock.finish((async () => {
      for await (const record of consumer) if (records.push(record) === 150) break
    })())
    for (const partition of [0, 1, 2]) {
      const mine = records.filter(record => record.partition === partition)
      expect(mine.map(text)).toEqual(range(partition * 100, partition * 100 + 50))
      expect(mine.map(record => record.offset)).toEqual(range(0, 50).map(Number))
    }
    expect(records[0]).toMatchObject({ topic: 'orders', key: null, headers: [], leaderEpoch: 0 })
  })

  it.each([
    ['start', 0], ['end', 50], [17, 17], [-3, 47], [-500, 0], [{ timestamp: 1_033 }, 33], [{ timestamp: 9_999 }, 50]
  ] as const)('begins at %j', async (from, first) => {
    await fill(world, 0, range(0, 50))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0], from }]))
    await clock.until(() => consumer.position({ topic: 'orders', partition: 0 }) !== undefined)
    await fill(world, 0, range(50, 52))
    expect(await take(world, consumer, 52 - first)).toEqual(range(first, 52))
  })

  it('waits at the end for what comes', async () => {
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [1] }]))
    const taken = take(world, consumer, 3)
    await clock.advance(5_000)
    await fill(world, 1, range(0, 3))
    expect(await taken).toEqual(range(0, 3))
  })

  it('goes on where one loop was left, in the middle of a batch', async () => {
    await fill(world, 0, range(0, 30))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    expect(await take(world, consumer, 7)).toEqual(range(0, 7))
    expect(consumer.position({ topic: 'orders', partition: 0 })).toBe(7)
    expect(await take(world, consumer, 16)).toEqual(range(7, 23))
    expect(await take(world, consumer, 7)).toEqual(range(23, 30))
  })

  it('by batch, with a cursor that begins before the offset wanted', async () => {
    await fill(world, 0, range(0, 30))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0], from: 15 }]))
    const batches = consumer.batches()
    const { value: first } = await clock.finish(batches.next())
    expect([first!.firstOffset, first!.lastOffset, first!.highWatermark]).toEqual([15, 19, 30])
    expect([...first!].map(text)).toEqual(range(15, 20))
    const { value: second } = await clock.finish(batches.next())
    expect([...second!].map(text)).toEqual(range(20, 30))
  })

  it('waits for a broker that has not heard of a new partition yet', async () => {
    await fill(world, 1, range(0, 3))
    cluster.listRefusal = 'UNKNOWN_PARTITION'
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [1], from: 'start' }]))
    const taken = take(world, consumer, 3)
    await clock.advance(1_000)
    cluster.listRefusal = undefined
    expect(await taken).toEqual(range(0, 3))
  })

  it('asks no more of a broker than it has room for', async () => {
    const padded = range(0, 1_000).map(value => value.padStart(500, '0'))
    for (const partition of [0, 1]) await fill(world, partition, padded, 20)
    const consumer = client.consumer({ prefetchBytes: 20_000 })
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0, 1] }]))
    await clock.advance(1_000)
    const ahead = (): number[] => [...cluster.subscriptions].map(({ partition, offset }) =>
      offset - consumer.position({ topic: 'orders', partition })!)
    expect(ahead()).toEqual([40, 40])
    let read = 0
    await clock.finish((async () => {
      for await (const _record of consumer) {
        if (++read % 100 === 0) for (const count of ahead()) expect(count).toBeLessThanOrEqual(60)
        if (read === 2_000) break
      }
    })())
  })

  it('hands out partitions in turn, and none that is paused', async () => {
    for (const partition of [0, 1]) await fill(world, partition, range(0, 100))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0, 1] }]))
    await clock.advance(100)
    const seen: number[] = []
    for await (const batch of consumer.batches()) {
      seen.push(batch.partition)
      if (seen.length === 6) break
    }
    expect(seen.filter(partition => partition === 0)).toHaveLength(3)
    consumer.pause([{ topic: 'orders', partition: 0 }])
    expect(new Set((await take(world, consumer, 70)).map(Number)).size).toBe(70)
    const more = take(world, consumer, 1)
    await clock.advance(500)
    consumer.resume([{ topic: 'orders', partition: 0 }])
    expect(await more).toEqual(['30'])
  })

  it('seeks, also out of a batch that is being read', async () => {
    await fill(world, 0, range(0, 30))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    const values: string[] = []
    await clock.finish((async () => {
      for await (const record of consumer) {
        values.push(text(record))
        if (values.length === 3) consumer.seek(record, 25)
        if (values.length === 5) consumer.seek(record, 'start')
        if (values.length === 7) break
      }
    })())
    expect(values).toEqual(['0', '1', '2', '25', '26', '0', '1'])
  })

  it('takes up partitions that a topic is given later, from their start', async () => {
    const consumer = client.consumer()
    const chosen = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all', from: 'end' }]))
    await clock.finish(chosen.assign([{ topic: 'orders', partitions: [0, 1, 2] }]))
    cluster.grow('orders', 5)
    await fill(world, 4, range(0, 10))
    expect(await take(world, consumer, 10)).toEqual(range(0, 10))
    expect(chosen.assignment()).toHaveLength(3)
  })

  it('ends when its signal is aborted or it is closed', async () => {
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]))
    const abort = new AbortController()
    const first = consumer.records({ signal: abort.signal }).next()
    await clock.advance(10)
    abort.abort()
    expect((await first).done).toBe(true)
    const second = consumer.records().next()
    await clock.advance(10)
    await expect(consumer.batches().next()).rejects.toThrow('one loop at a time')
    await consumer.close()
    expect((await second).done).toBe(true)
    expect(await codeOf(consumer.assign([{ topic: 'orders', partitions: 'all' }]))).toBe('CLOSED')
  })

  it('refuses what does not exist', async () => {
    const consumer = client.consumer()
    const assign = (topic: string, partition: number): Promise<string> =>
      codeOf(clock.finish(consumer.assign([{ topic, partitions: [partition] }])))
    expect(await assign('nothing', 0)).toBe('UNKNOWN_TOPIC')
    expect(await assign('orders', 3)).toBe('UNKNOWN_PARTITION')
    expect(() => consumer.seek({ topic: 'orders', partition: 0 }, 0)).toThrow('not assigned')
    await expect(consumer.commit()).rejects.toThrow('without a group')
  })

  it('knows the end of what is there now', async () => {
    await fill(world, 1, range(0, 5))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]))
    const ends = await clock.finish(consumer.endOffsets())
    expect(ends.map(({ partition, offset }) => [partition, offset])).toEqual([[0, 0], [1, 5], [2, 0]])
    // The lag is known from then on, before any record has come.
    await clock.finish(consumer.endOffsets())
    expect(consumer.lag({ topic: 'orders', partition: 1 })).toBe(5)
  })
})

describe('failures', () => {
  async function reading (count: number): Promise<{ consumer: Consumer, rest: Promise<string[]> }> {
    await fill(world, 0, range(0, 20))
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    expect(await take(world, consumer, 20)).toEqual(range(0, 20))
    return { consumer, rest: take(world, consumer, count) }
  }

  it('goes on at the new leader after a kill', async () => {
    const { rest } = await reading(10)
    cluster.kill(0)
    await clock.advance(300)
    cluster.elect('orders', 0, 1)
    await fill(world, 0, range(20, 30))
    expect(await rest).toEqual(range(20, 30))
  })

  it('goes on at the leader that an error names, without asking', async () => {
    const { rest } = await reading(10)
    cluster.elect('orders', 0, 2)
    const calls = net.calls
    cluster.endSubscriptions('orders', 0, new WireError('NOT_LEADER', undefined, { leader: 2, leaderEpoch: 1 }))
    await clock.advance(10)
    expect([...cluster.subscriptions].map(({ offset }) => offset)).toEqual([20])
    expect(net.calls).toBe(calls)
    await fill(world, 0, range(20, 30))
    expect(await rest).toEqual(range(20, 30))
  })

  it('leaves a leader that hangs when there is another one', async () => {
    const { rest } = await reading(10)
    net.hold('broker-0:9090')
    cluster.elect('orders', 0, 1)
    await fill(world, 0, range(20, 30))
    await clock.advance(4_000)
    expect(await rest).toEqual(range(20, 30))
  })

  it('reads on after broken streams, nothing twice', async () => {
    const { rest } = await reading(200)
    for (let start = 20; start < 220; start += 40) {
      await fill(world, 0, range(start, start + 40), 7)
      net.breakStreams('broker-0:9090')
      await clock.advance(30)
    }
    expect(await rest).toEqual(range(20, 220))
  })

  it('begins at the log start when its offset is gone, or fails if told so', async () => {
    await fill(world, 0, range(0, 50))
    const state = cluster.partition('orders', 0)
    state.logStart = 30
    state.entries.splice(0, 3)
    const earliest = client.consumer()
    await clock.finish(earliest.assign([{ topic: 'orders', partitions: [0], from: 5 }]))
    expect(await take(world, earliest, 20)).toEqual(range(30, 50))
    const latest = client.consumer({ reset: 'latest' })
    await clock.finish(latest.assign([{ topic: 'orders', partitions: [0], from: 5 }]))
    await clock.advance(100)
    expect(latest.position({ topic: 'orders', partition: 0 })).toBe(50)
    const none = client.consumer({ reset: 'none' })
    await clock.finish(none.assign([{ topic: 'orders', partitions: [0], from: 5 }]))
    const failure = await clock.finish(none.records().next().catch((error: unknown) => error))
    expect(failure).toBeInstanceOf(OffsetOutOfRangeError)
    expect(failure).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', logStart: 30, highWatermark: 50, partition: 0 })
  })

  it('begins at the nearer end when told so, and says it', async () => {
    await fill(world, 0, range(0, 50))
    const state = cluster.partition('orders', 0)
    state.logStart = 30
    state.entries.splice(0, 3)
    const resets: OffsetReset[] = []
    const options: ConsumerOptions = { reset: 'nearest', onReset: reset => { resets.push(reset) } }
    const place = { topic: 'orders', partition: 0 }
    const gone = client.consumer(options)
    await clock.finish(gone.assign([{ topic: 'orders', partitions: [0], from: 5 }]))
    expect(await take(world, gone, 20)).toEqual(range(30, 50))
    const ahead = client.consumer(options)
    await clock.finish(ahead.assign([{ topic: 'orders', partitions: [0], from: 70 }]))
    await clock.advance(100)
    expect(ahead.position(place)).toBe(50)
    expect(resets).toEqual([
      { ...place, wanted: 5, logStart: 30, highWatermark: 50, to: 'start' },
      { ...place, wanted: 70, logStart: 30, highWatermark: 50, to: 'end' }
    ])
  })

  it('never goes back when its offset is gone at one leader and the next has kept more', async () => {
    await fill(world, 0, range(0, 50))
    const state = cluster.partition('orders', 0)
    state.logStart = 30
    let resets = 0
    const onReset = (): void => {
      resets++
      state.logStart = 0
    }
    const reader = client.consumer({ onReset })
    await clock.finish(reader.assign([{ topic: 'orders', partitions: [0], from: 20 }]))
    expect(await take(world, reader, 30)).toEqual(range(20, 50))
    expect(resets).toBe(1)
  })

  it('a topic that is made again is read from its start, or is an error if told so', async () => {
    await fill(world, 0, range(0, 10))
    const consumer = client.consumer()
    const strict = client.consumer({ reset: 'none' })
    for (const each of [consumer, strict]) {
      await clock.finish(each.assign([{ topic: 'orders', partitions: [0] }]))
      expect(await take(world, each, 10)).toEqual(range(0, 10))
    }
    cluster.create('orders', 3)
    cluster.endSubscriptions('orders', 0, new WireError('UNKNOWN_TOPIC_ID'))
    await fill(world, 0, range(100, 103))
    expect(await take(world, consumer, 3)).toEqual(range(100, 103))
    expect(await codeOf(clock.finish(strict.records().next()))).toBe('UNKNOWN_TOPIC_ID')
  })

  it('a deleted topic ends the loop with an error', async () => {
    const { rest } = await reading(1)
    cluster.topics.delete('orders')
    net.breakStreams('broker-0:9090')
    expect(await codeOf(clock.finish(rest))).toBe('UNKNOWN_TOPIC')
  })

  it('fetches damaged bytes again, and gives up when they stay damaged', async () => {
    await fill(world, 0, range(0, 10))
    const entry = cluster.partition('orders', 0).entries[0]!
    entry.bytes[70]! ^= 1
    const consumer = client.consumer()
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    await clock.advance(15)
    stampCrc(entry.bytes)
    entry.bytes[70]! ^= 1
    stampCrc(entry.bytes)
    expect(await take(world, consumer, 10)).toEqual(range(0, 10))
    entry.bytes[70]! ^= 1
    const other = client.consumer()
    await clock.finish(other.assign([{ topic: 'orders', partitions: [0] }]))
    expect(await codeOf(clock.finish(other.records().next()))).toBe('CORRUPT_BATCH')
  })

  it('a leader that does not answer is trouble too', async () => {
    const consumer = client.consumer({ waitTimeoutMs: 2_000 })
    await clock.finish(consumer.assign([{ topic: 'orders', partitions: [0], from: 0 }]))
    await clock.advance(100)
    net.hold('broker-0:9090')
    net.breakStreams('broker-0:9090')
    await expect(clock.finish(consumer.records().next())).rejects.toMatchObject({ code: 'TIMED_OUT' })
    expect([...world.waiting].join()).toContain('orders/0 (broker-0:9090 does not answer)')
  })

  it('waits for a partition without a leader, and no longer than it was told', async () => {
    await fill(world, 0, range(0, 5))
    cluster.elect('orders', 0, -1)
    const patient = client.consumer()
    await clock.finish(patient.assign([{ topic: 'orders', partitions: [0] }]))
    const hasty = client.consumer({ waitTimeoutMs: 3_000 })
    await clock.finish(hasty.assign([{ topic: 'orders', partitions: [0], from: 0 }]))
    await expect(clock.finish(hasty.records().next()))
      .rejects.toThrow(/orders\/0 could not be read for 3 s: .*no leader/)
    expect([...world.waiting].some(what => what.includes('orders/0'))).toBe(true)
    const taken = take(world, patient, 5)
    cluster.elect('orders', 0, 1)
    expect(await taken).toEqual(range(0, 5))
  })
})
