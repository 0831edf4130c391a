import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { MillraceClient } from '../../client/millrace.ts'
import type { Delivery } from '../../client/producer-options.ts'
import type { FakeCluster } from './fake-cluster.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeNet } from './fake-net.ts'
import { codeOf, sendAll, values, World } from './world.ts'

let world: World
let clock: FakeClock
let net: FakeNet
let cluster: FakeCluster
let client: MillraceClient

beforeEach(() => {
  world = new World();
  ({ clock, net, cluster } = world)
  cluster.create('orders', 3)
  client = world.client()
})

describe('sending', () => {
  it('answers with where the record is', async () => {
    const producer = client.producer()
    const first = await clock.finish(producer.send({ topic: 'orders', partition: 1, value: 'a', timestamp: 5 }))
    const second = await clock.finish(producer.send({ topic: 'orders', partition: 1, value: 'b', timestamp: 6 }))
    const { topicId } = cluster.topics.get('orders')!.info
    expect(first).toEqual({ topic: 'orders', topicId, partition: 1, offset: 0, timestamp: 5 })
    expect(second).toEqual({ topic: 'orders', topicId, partition: 1, offset: 1, timestamp: 6 })
    expect(cluster.partition('orders', 1).values()).toEqual(['a', 'b'])
    expect(producer.bufferedBytes).toBe(0)
  })

  it('puts keys where Kafka puts them', async () => {
    cluster.create('wide', 12)
    const producer = client.producer()
    const records = ['21', 'foobar', 'abc'].map(key => ({ topic: 'wide', key, value: key }))
    const sent = await clock.finish(producer.sendBatch(records))
    expect(sent.map(({ partition }) => partition))
      .toEqual([-973932308, -790332482, 479470107].map(hash => (hash & 0x7fffffff) % 12))
  })

  it('a batch costs one turn of the event loop', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    const defer = vi.spyOn(clock, 'defer')
    for (let i = 0; i < 10; i++) await clock.finish(producer.send({ topic: 'orders', partition: 0, value: `${i}` }))
    expect(defer.mock.calls.length).toBe(10)
  })

  it('keeps records sent together in one batch', async () => {
    const producer = client.producer()
    await clock.finish(sendAll(producer, values(0, 500)))
    expect(cluster.produced).toHaveLength(1)
    expect(cluster.partition('orders', 0).values()).toEqual(values(0, 500))
  })

  it('lingers only while others of the partition are on their way', async () => {
    const producer = client.producer({ lingerMs: 50 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    net.latencyMs = 20
    const started = clock.now()
    const sends = [producer.send({ topic: 'orders', partition: 0, value: '1' })]
    await clock.advance(1)
    for (const value of values(2, 10)) {
      sends.push(producer.send({ topic: 'orders', partition: 0, value }))
      await clock.advance(1)
    }
    await clock.finish(Promise.all(sends))
    // One batch at once, the others together when it was answered.
    expect(cluster.produced).toHaveLength(3)
    expect(clock.now() - started).toBeLessThan(100)
  })

  it('spreads records without a key, batch by batch', async () => {
    const producer = client.producer()
    for (const value of values(0, 60)) await clock.finish(producer.send({ topic: 'orders', value }))
    for (const partition of [0, 1, 2]) expect(cluster.partition('orders', partition).end).toBeGreaterThan(5)
  })

  it('goes round the partitions when told to, and by a function of one\'s own', async () => {
    const producer = client.producer({ partitioner: 'round-robin' })
    const records = values(0, 9).map(value => ({ topic: 'orders', key: 'k', value }))
    const sent = await clock.finish(producer.sendBatch(records))
    expect(new Set(sent.slice(0, 3).map(({ partition }) => partition)).size).toBe(3)
    for (const partition of [0, 1, 2]) expect(cluster.partition('orders', partition).end).toBe(3)
    const own = client.producer({ partitioner: ({ value }) => value!.length })
    expect((await clock.finish(own.send({ topic: 'orders', value: 'xx' }))).partition).toBe(2)
    expect(await codeOf(clock.finish(own.send({ topic: 'orders', value: 'xxx' })))).toBe('INVALID_REQUEST')
  })

  it('knows a partition that was added soon after it has refused to send there', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', value: 'v' }))
    cluster.grow('orders', 4)
    const record = { topic: 'orders', value: 'v', partition: 3 }
    const send = (): Promise<string> => codeOf(clock.finish(producer.send(record)))
    expect(await send()).toBe('UNKNOWN_PARTITION')
    await clock.advance(100)
    expect(await send()).toBe('none')
  })

  it('refuses what cannot be sent, and goes on', async () => {
    const producer = client.producer()
    const send = (record: object): Promise<string> =>
      codeOf(clock.finish(producer.send({ topic: 'orders', value: 'v', ...record })))
    expect(await send({ partition: 3 })).toBe('UNKNOWN_PARTITION')
    expect(await send({ partition: -1 })).toBe('UNKNOWN_PARTITION')
    expect(await send({ timestamp: -1 })).toBe('INVALID_TIMESTAMP')
    expect(await send({ value: new Uint8Array(1 << 20) })).toBe('RECORD_TOO_LARGE')
    expect(await send({ topic: 'nothing' })).toBe('UNKNOWN_TOPIC')
    const signal = AbortSignal.abort()
    expect(await codeOf(producer.send({ topic: 'orders', value: 'v' }, { signal }))).toBe('CANCELLED')
    expect(producer.bufferedBytes).toBe(0)
  })

  it('names the command that creates a topic', async () => {
    const producer = client.producer()
    await expect(clock.finish(producer.send({ topic: 'nothing', value: 'v' })))
      .rejects.toThrow('millrace topic create nothing')
  })

  it('finds a topic that is made a little later', async () => {
    const producer = client.producer()
    const sent = producer.send({ topic: 'late', value: 'v' })
    await clock.advance(300)
    cluster.create('late', 1)
    expect((await clock.finish(sent)).offset).toBe(0)
  })
})

describe('the buffer', () => {
  it('holds back senders and stays within its bound', async () => {
    const producer = client.producer({ maxBufferedBytes: 20_000, batchBytes: 5_000 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    let most = 0
    const sends = sendAll(producer, values(0, 200).map(value => value.padEnd(1_000)))
    for (let turn = 0; turn < 50; turn++) {
      most = Math.max(most, producer.bufferedBytes)
      await clock.advance(1)
    }
    await clock.finish(sends)
    expect(most).toBeGreaterThan(15_000)
    expect(most).toBeLessThan(22_000)
    expect(cluster.partition('orders', 0).values().slice(1).map(value => value.trim())).toEqual(values(0, 200))
  })

  it('gives up on a record that waited for room too long, and on one whose signal is aborted', async () => {
    const producer = client.producer({ maxBufferedBytes: 100, deliveryTimeoutMs: 1_000 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    cluster.verdict = (_topic, partition) => partition === 0 ? 'lose' : 'ok'
    const stuck = codeOf(producer.send({ topic: 'orders', partition: 0, value: 'x'.repeat(100) }))
    await clock.advance(10)
    await clock.advance(300)
    const abort = new AbortController()
    const aborted = codeOf(producer.send({ topic: 'orders', partition: 0, value: 'y' }, { signal: abort.signal }))
    const waited = codeOf(producer.send({ topic: 'orders', partition: 1, value: 'z' }))
    abort.abort()
    expect(await aborted).toBe('CANCELLED')
    expect(await clock.finish(stuck)).toBe('TIMED_OUT')
    expect(await clock.finish(waited)).toBe('none')
  })

  it('does not take sends without end', async () => {
    const producer = client.producer()
    const send = (): Promise<string> => codeOf(producer.send({ topic: 'orders', partition: 0, value: '' }))
    const sends = Array.from({ length: 65_537 }, send)
    expect(await sends.at(-1)).toBe('BUFFER_FULL')
    expect((await clock.finish(Promise.all(sends))).filter(code => code === 'none')).toHaveLength(65_536)
  })
})

describe('a writer', () => {
  it('takes ranges, tells of batches, and says when it is full', async () => {
    const deliveries: Delivery[] = []
    const onDelivery = (each: Delivery): void => { deliveries.push(each) }
    const producer = client.producer({ maxBufferedBytes: 20_000, batchBytes: 5_000, onDelivery })
    const writer = await clock.finish(producer.writer('orders', { headers: [{ key: 'h', value: null }] }))
    const line = new TextEncoder().encode('..key=value..')
    let refusals = 0
    for (let index = 0; index < 5_000; index++) {
      if (writer.write(line, 2, 5, 6, 11)) continue
      refusals++
      expect(producer.bufferedBytes).toBeLessThan(21_000)
      await clock.finish(writer.ready())
      expect(producer.bufferedBytes).toBeLessThanOrEqual(10_000)
    }
    await clock.finish(producer.flush())
    expect(refusals).toBeGreaterThan(1)
    expect(deliveries.reduce((sum, each) => sum + (each.error === undefined ? each.records : 0), 0)).toBe(5_000)
    const written = [0, 1, 2].flatMap(partition => cluster.partition('orders', partition).values())
    expect(written).toHaveLength(5_000)
    expect(new Set(written)).toEqual(new Set(['value']))
  })

  it('wants to know who is told, and a topic that exists', async () => {
    expect(await codeOf(client.producer().writer('orders'))).toBe('INVALID_REQUEST')
    const producer = client.producer({ onDelivery: () => {} })
    expect(await codeOf(clock.finish(producer.writer('nothing')))).toBe('UNKNOWN_TOPIC')
    expect(await codeOf(clock.finish(producer.writer('orders', { partition: 3 })))).toBe('UNKNOWN_PARTITION')
  })

  it('gives up on an unreachable cluster after its timeout, having said what it waits for', async () => {
    const writer = world.client('nowhere:1').producer({ onDelivery: () => {} }).writer('orders', { timeoutMs: 2_000 })
    await expect(clock.finish(writer)).rejects.toThrow(/nowhere:1 .* within 2 s/)
    expect([...world.waiting].join()).toContain('a broker at nowhere:1')
  })
})

describe('flush and close', () => {
  it('flush waits for everything that was accepted', async () => {
    const producer = client.producer({ maxBufferedBytes: 5_000, batchBytes: 1_000, lingerMs: 60_000 })
    let acknowledged = 0
    for (const value of values(0, 300)) {
      void producer.send({ topic: 'orders', key: value, value: value.padEnd(50) }).then(() => { acknowledged++ })
    }
    await clock.finish(producer.flush())
    expect(acknowledged).toBe(300)
    expect(producer.bufferedBytes).toBe(0)
  })

  it('close sends the rest, and refuses more', async () => {
    const producer = client.producer()
    const sent = producer.send({ topic: 'orders', value: 'v' })
    await clock.finish(producer.close())
    expect((await sent).offset).toBe(0)
    expect(await codeOf(producer.send({ topic: 'orders', value: 'v' }))).toBe('CLOSED')
    await producer[Symbol.asyncDispose]()
  })

  it('close says exactly what it lost, and whether it was written', async () => {
    const producer = client.producer({ inFlightMax: 1 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'v' }))
    cluster.verdict = () => 'lose'
    const first = producer.send({ topic: 'orders', partition: 0, value: 'v' }).catch((error: unknown) => error)
    await clock.advance(20)
    const behind = sendAll(producer, ['1', '2']).catch((error: unknown) => error)
    const nowhere = producer.send({ topic: 'not made yet', value: 'v' }).catch((error: unknown) => error)
    const lost = await clock.finish(producer.close({ timeoutMs: 500 }))
    expect(lost).toEqual([
      { topic: 'not made yet', partition: undefined, records: 1, written: 'no' },
      { topic: 'orders', partition: 0, records: 1, written: 'unknown' },
      { topic: 'orders', partition: 0, records: 2, written: 'no' }
    ])
    expect(await first).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/is not known$/) as string })
    expect(await behind).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/not written$/) as string })
    expect(await nowhere).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/not written$/) as string })
  })

  it('both end when their signal aborts', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'v' }))
    cluster.verdict = () => 'lose'
    producer.send({ topic: 'orders', partition: 0, value: 'v' }).catch(() => {})
    const stop = new AbortController()
    const flushed = codeOf(producer.flush({ signal: stop.signal }))
    await clock.advance(1_000)
    const closed = client.close({ signal: stop.signal })
    await clock.advance(1_000)
    const before = clock.now()
    stop.abort()
    expect([await clock.finish(flushed), await clock.finish(closed)])
      .toEqual(['CANCELLED', [{ topic: 'orders', partition: 0, records: 1, written: 'unknown' }]])
    expect(clock.now() - before).toBeLessThan(100)
  })

  it('close of a client says what its producers lost, and nothing when nothing is lost', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'v' }))
    cluster.verdict = () => 'lose'
    producer.send({ topic: 'orders', partition: 0, value: 'v' }).catch(() => {})
    expect(await clock.finish(client.close({ timeoutMs: 500 })))
      .toEqual([{ topic: 'orders', partition: 0, records: 1, written: 'unknown' }])
    expect(await clock.finish(world.client().close())).toEqual([])
  })
})
