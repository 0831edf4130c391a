import { beforeEach, describe, expect, it } from 'vitest'
import { MillraceClient } from '../../client/millrace.ts'
import { MillraceError } from '../../client/errors.ts'
import type { Delivery } from '../../client/producer-options.ts'
import { parseBatchHeader } from '../../wire/record-batch.ts'
import { FakeCluster } from './fake-cluster.ts'
import { FakeClock, SeededRng } from './fake-clock.ts'
import { FakeNet } from './fake-net.ts'

let clock: FakeClock
let net: FakeNet
let cluster: FakeCluster
let client: MillraceClient

beforeEach(() => {
  clock = new FakeClock()
  net = new FakeNet(clock)
  cluster = new FakeCluster(net)
  cluster.create('orders', 3)
  client = new MillraceClient({ bootstrap: 'broker-2:9090, broker-0:9090' }, { net, clock, rng: new SeededRng(7) })
})

async function codeOf (promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
  return 'none'
}

function values (from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index))
}

describe('sending', () => {
  it('answers with where the record is', async () => {
    const producer = client.producer()
    const first = await clock.finish(producer.send({ topic: 'orders', partition: 1, value: 'a', timestamp: 5 }))
    const second = await clock.finish(producer.send({ topic: 'orders', partition: 1, value: 'b', timestamp: 6 }))
    expect(first).toEqual({ topic: 'orders', partition: 1, offset: 0, timestamp: 5 })
    expect(second).toEqual({ topic: 'orders', partition: 1, offset: 1, timestamp: 6 })
    expect(cluster.partition('orders', 1).values()).toEqual(['a', 'b'])
    expect(producer.bufferedBytes).toBe(0)
  })

  it('puts keys where Kafka puts them', async () => {
    cluster.create('wide', 12)
    const producer = client.producer()
    const sent = await clock.finish(producer.sendBatch(['21', 'foobar', 'abc'].map(key => ({ topic: 'wide', key, value: key }))))
    expect(sent.map(({ partition }) => partition))
      .toEqual([-973932308, -790332482, 479470107].map(hash => (hash & 0x7fffffff) % 12))
  })

  it('keeps records sent together in one batch', async () => {
    const producer = client.producer()
    await clock.finish(Promise.all(values(0, 500).map(value => producer.send({ topic: 'orders', partition: 0, value }))))
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
    const sent = await clock.finish(producer.sendBatch(values(0, 9).map(value => ({ topic: 'orders', key: 'k', value }))))
    expect(new Set(sent.slice(0, 3).map(({ partition }) => partition)).size).toBe(3)
    for (const partition of [0, 1, 2]) expect(cluster.partition('orders', partition).end).toBe(3)
    const own = client.producer({ partitioner: ({ value }) => value!.length })
    expect((await clock.finish(own.send({ topic: 'orders', value: 'xx' }))).partition).toBe(2)
    expect(await codeOf(clock.finish(own.send({ topic: 'orders', value: 'xxx' })))).toBe('INVALID_REQUEST')
  })

  it('refuses what cannot be sent, and goes on', async () => {
    const producer = client.producer()
    const send = (record: object): Promise<string> => codeOf(clock.finish(producer.send({ topic: 'orders', value: 'v', ...record })))
    expect(await send({ partition: 3 })).toBe('UNKNOWN_PARTITION')
    expect(await send({ partition: -1 })).toBe('UNKNOWN_PARTITION')
    expect(await send({ timestamp: -1 })).toBe('INVALID_TIMESTAMP')
    expect(await send({ value: new Uint8Array(1 << 20) })).toBe('RECORD_TOO_LARGE')
    expect(await send({ topic: 'nothing' })).toBe('UNKNOWN_TOPIC')
    expect(await send({ signal: AbortSignal.abort() })).toBe('none')
    expect(await codeOf(producer.send({ topic: 'orders', value: 'v' }, { signal: AbortSignal.abort() }))).toBe('CANCELLED')
    expect(producer.bufferedBytes).toBe(0)
  })

  it('names the command that creates a topic', async () => {
    const producer = client.producer()
    await expect(clock.finish(producer.send({ topic: 'nothing', value: 'v' }))).rejects.toThrow('millrace topic create nothing')
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
    const sends = values(0, 200).map(value => producer.send({ topic: 'orders', partition: 0, value: value.padEnd(1_000) }))
    for (let turn = 0; turn < 50; turn++) {
      most = Math.max(most, producer.bufferedBytes)
      await clock.advance(1)
    }
    await clock.finish(Promise.all(sends))
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
    const sends = Array.from({ length: 65_537 }, () => codeOf(producer.send({ topic: 'orders', partition: 0, value: '' })))
    expect(await sends.at(-1)).toBe('BUFFER_FULL')
    expect((await clock.finish(Promise.all(sends))).filter(code => code === 'none')).toHaveLength(65_536)
  })
})

describe('a writer', () => {
  it('takes ranges, tells of batches, and says when it is full', async () => {
    const deliveries: Delivery[] = []
    const producer = client.producer({ maxBufferedBytes: 20_000, batchBytes: 5_000, onDelivery: each => { deliveries.push(each) } })
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
    const waiting = new Set<string>()
    const lost = new MillraceClient({ bootstrap: 'nowhere:1', onWaiting: what => { waiting.add(what) } },
      { net, clock, rng: new SeededRng(1) })
    const writer = lost.producer({ onDelivery: () => {} }).writer('orders', { timeoutMs: 2_000 })
    await expect(clock.finish(writer)).rejects.toThrow(/nowhere:1 .* within 2 s/)
    expect([...waiting].join()).toContain('a broker at nowhere:1')
  })
})

describe('failures', () => {
  it('follows the leader that an error names, at once and without asking', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    cluster.elect('orders', 0, 2)
    const calls = net.calls
    const started = clock.now()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '1' }))
    expect(clock.now() - started).toBeLessThan(10)
    expect(net.calls).toBe(calls)
    expect(cluster.partition('orders', 0).values()).toEqual(['0', '1'])
  })

  it('keeps the order of five batches when the first of them is refused', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    let refusals = 0
    cluster.verdict = (_topic, _partition, header) => header.baseSequence === 1 && refusals++ < 3 ? 'BROKER_BUSY' : 'ok'
    await clock.finish(Promise.all(values(0, 100).map(value => producer.send({ topic: 'orders', partition: 0, value }))))
    expect(refusals).toBeGreaterThan(3)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 100)])
  })

  it('keeps the order although a broker knows nothing of the producer and refuses its first batch', async () => {
    const producer = client.producer({ batchBytes: 200 })
    let refusals = 0
    cluster.verdict = (_topic, _partition, header) => header.baseSequence === 0 && refusals++ < 3 ? 'NOT_ENOUGH_REPLICAS' : 'ok'
    await clock.finish(Promise.all(values(0, 100).map(value => producer.send({ topic: 'orders', partition: 0, value }))))
    expect(cluster.partition('orders', 0).values()).toEqual(values(0, 100))
  })

  it('sends the same bytes again after a broken stream, and nothing is written twice', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    cluster.verdict = () => 'mute'
    const sends = Promise.all(values(0, 40).map(value => producer.send({ topic: 'orders', partition: 0, value })))
    await clock.advance(20)
    const before = cluster.partition('orders', 0).values().length
    expect(before).toBeGreaterThan(5)
    cluster.verdict = () => 'ok'
    net.breakStreams('broker-0:9090')
    const placed = await clock.finish(sends)
    expect(placed.map(({ offset }) => offset)).toEqual(values(1, 41).map(Number))
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 40)])
    const requests = cluster.produced.filter(({ batch }) => parseBatchHeader(batch).baseSequence === 1)
    expect(requests.length).toBeGreaterThan(1)
  })

  it('breaks a stream that does not answer', async () => {
    const producer = client.producer({ requestTimeoutMs: 1_000 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    let lost = 0
    cluster.verdict = () => lost++ === 0 ? 'lose' : 'ok'
    const started = clock.now()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '1' }))
    expect(clock.now() - started).toBeGreaterThan(999)
    expect(clock.now() - started).toBeLessThan(1_500)
    expect(cluster.partition('orders', 0).values()).toEqual(['0', '1'])
  })

  it('goes on at the new leader when the old one is killed', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    const sends = Promise.all(values(0, 100).map(value => producer.send({ topic: 'orders', partition: 0, value })))
    await clock.advance(3)
    cluster.kill(0)
    await clock.advance(400)
    cluster.elect('orders', 0, 1)
    const elected = clock.now()
    await clock.finish(sends)
    expect(clock.now() - elected).toBeLessThan(600)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 100)])
  })

  it('leaves a leader that hangs when another one is elected', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    net.hold('broker-0:9090')
    const sends = Promise.all(values(0, 50).map(value => producer.send({ topic: 'orders', partition: 0, value })))
    await clock.advance(2_000)
    cluster.elect('orders', 0, 1)
    const elected = clock.now()
    await clock.finish(sends)
    expect(clock.now() - elected).toBeLessThan(1_200)
    net.release('broker-0:9090')
    await clock.advance(100)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 50)])
  })

  it('does not believe a broker that is behind', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    cluster.elect('orders', 0, 1)
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '1' }))
    const { leader, leaderEpoch, version } = cluster.partition('orders', 0)
    // Everybody tells old news for a while; the refresh that a refusal asks for brings nothing else.
    Object.assign(cluster.partition('orders', 0), { leader: 0, leaderEpoch: 0, version: 0 })
    let asked = false
    cluster.verdict = () => {
      if (asked) return 'ok'
      asked = true
      return 'BROKER_BUSY'
    }
    const sent = producer.send({ topic: 'orders', partition: 0, value: '2' })
    await clock.advance(15)
    Object.assign(cluster.partition('orders', 0), { leader, leaderEpoch, version })
    await clock.finish(sent)
    expect(net.opened.filter(each => each === 'broker-0:9090 Produce')).toHaveLength(1)
  })

  it('finds brokers that all changed their addresses, if one bootstrap address stays', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    for (const id of [0, 1]) {
      cluster.kill(id)
      cluster.addresses[id] = `moved-${id}:9090`
      cluster.start(id)
    }
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '1' }))
    expect(cluster.partition('orders', 0).values()).toEqual(['0', '1'])
  })

  it('a record that the broker refuses fails alone; those behind it get new sequences', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    cluster.verdict = (_topic, _partition, header) => header.baseSequence === 1 && header.producerEpoch === 0 ? 'RECORD_TOO_LARGE' : 'ok'
    const results = await clock.finish(Promise.all(values(0, 60).map(value => codeOf(producer.send({ topic: 'orders', partition: 0, value })))))
    const failed = results.filter(code => code === 'RECORD_TOO_LARGE').length
    expect(failed).toBeGreaterThan(1)
    expect(results.slice(0, failed).every(code => code === 'RECORD_TOO_LARGE')).toBe(true)
    expect(results.slice(failed).every(code => code === 'none')).toBe(true)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(failed, 60)])
  })

  it('goes on under a new epoch when the log lost the producer\'s last batches', async () => {
    const producer = client.producer()
    for (const value of values(0, 3)) await clock.finish(producer.send({ topic: 'orders', partition: 0, value }))
    const partition = cluster.partition('orders', 0)
    partition.entries.pop()
    partition.end = 2
    for (const state of partition.producers.values()) state.next = 2
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '3' }))
    expect(partition.values()).toEqual(['0', '1', '3'])
  })
})

describe('the delivery timeout', () => {
  it('says that nothing was written when nothing was', async () => {
    const producer = client.producer({ deliveryTimeoutMs: 1_000 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '0' }))
    cluster.verdict = () => 'NOT_ENOUGH_REPLICAS'
    const sent = clock.finish(producer.send({ topic: 'orders', partition: 0, value: '1' }))
    await expect(sent).rejects.toThrow(/not acknowledged within 1 s \(fewer than minInSync.*; not written/)
    cluster.verdict = () => 'ok'
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: '2' }))
    expect(cluster.partition('orders', 0).values()).toEqual(['0', '2'])
  })

  it('fails what may have been written, and no late copy of it comes in later', async () => {
    const producer = client.producer({ deliveryTimeoutMs: 1_000, batchBytes: 100 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    net.hold('broker-0:9090')
    const lost = values(0, 10).map(value => producer.send({ topic: 'orders', partition: 0, value: value.padEnd(30) }))
    const results = Promise.allSettled(lost)
    await clock.advance(900)
    const later = producer.send({ topic: 'orders', partition: 0, value: 'later' })
    await clock.advance(200)
    const unsure = (await clock.finish(results)).filter(result => result.status === 'rejected')
    expect(unsure.length).toBe(10)
    expect(String((unsure[0] as PromiseRejectedResult).reason)).toContain('whether it was written is not known')
    expect(String((unsure[9] as PromiseRejectedResult).reason)).toContain('not written')
    net.release('broker-0:9090')
    await clock.finish(later)
    await clock.advance(2_000)
    const written = cluster.partition('orders', 0).values().map(value => value.trim())
    // Late copies stand before what was acknowledged later, each once and in order.
    expect(written.at(0)).toBe('first')
    expect(written.at(-1)).toBe('later')
    expect(written.slice(1, -1)).toEqual(values(0, written.length - 2))
  })
})

describe('flush and close', () => {
  it('flush waits for everything that was accepted', async () => {
    const producer = client.producer({ maxBufferedBytes: 5_000, batchBytes: 1_000, lingerMs: 60_000 })
    let acknowledged = 0
    for (const value of values(0, 300)) void producer.send({ topic: 'orders', key: value, value: value.padEnd(50) }).then(() => { acknowledged++ })
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

  it('close says what it lost', async () => {
    const producer = client.producer()
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'v' }))
    cluster.verdict = () => 'lose'
    const sent = codeOf(producer.send({ topic: 'orders', partition: 0, value: 'v' }))
    await clock.finish(producer.close({ timeoutMs: 500 }))
    expect(await sent).toBe('CLOSED')
  })
})
