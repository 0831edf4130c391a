import { beforeEach, describe, expect, it } from 'vitest'
import type { MillraceClient } from '../../client/millrace.ts'
import { parseBatchHeader } from '../../wire/record-batch.ts'
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
    cluster.verdict = (_topic, _partition, { baseSequence }) =>
      baseSequence === 1 && refusals++ < 3 ? 'BROKER_BUSY' : 'ok'
    await clock.finish(sendAll(producer, values(0, 100)))
    expect(refusals).toBeGreaterThan(3)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 100)])
  })

  it('keeps the order although a broker knows nothing of the producer and refuses its first batch', async () => {
    const producer = client.producer({ batchBytes: 200 })
    let refusals = 0
    cluster.verdict = (_topic, _partition, { baseSequence }) =>
      baseSequence === 0 && refusals++ < 3 ? 'NOT_ENOUGH_REPLICAS' : 'ok'
    await clock.finish(sendAll(producer, values(0, 100)))
    expect(cluster.partition('orders', 0).values()).toEqual(values(0, 100))
  })

  it('sends the same bytes again after a broken stream, and nothing is written twice', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    cluster.verdict = () => 'mute'
    const sends = sendAll(producer, values(0, 40))
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
    const sends = sendAll(producer, values(0, 100))
    await clock.advance(3)
    cluster.kill(0)
    await clock.advance(400)
    cluster.elect('orders', 0, 1)
    const elected = clock.now()
    await clock.finish(sends)
    expect(clock.now() - elected).toBeLessThan(600)
    expect(cluster.partition('orders', 0).values()).toEqual(['first', ...values(0, 100)])
  })

  it('dials a broker that is gone now and then, however many partitions it led', async () => {
    const partitions = 100
    cluster.create('many', partitions)
    for (let partition = 0; partition < partitions; partition++) cluster.elect('many', partition, 0)
    const producer = client.producer()
    const send = (value: string): Promise<unknown> => Promise.all(Array.from({ length: partitions },
      (_, partition) => producer.send({ topic: 'many', partition, value })))
    await clock.finish(send('before'))
    cluster.kill(0)
    net.opened.length = 0
    const sends = send('after')
    await clock.advance(500)
    expect(net.opened.filter(each => each === 'broker-0:9090 Produce').length).toBeLessThan(15)
    for (let partition = 0; partition < partitions; partition++) cluster.elect('many', partition, 1)
    const elected = clock.now()
    await clock.finish(sends)
    expect(clock.now() - elected).toBeLessThan(600)
    expect(cluster.partition('many', 99).values()).toEqual(['before', 'after'])
  })

  it('leaves a leader that hangs when another one is elected', async () => {
    const producer = client.producer({ batchBytes: 200 })
    await clock.finish(producer.send({ topic: 'orders', partition: 0, value: 'first' }))
    net.hold('broker-0:9090')
    const sends = sendAll(producer, values(0, 50))
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

  it('asks a few times a second for a leader, however many partitions and records wait for one', async () => {
    const producer = client.producer()
    await clock.finish(Promise.all([0, 1, 2].map((partition) =>
      producer.send({ topic: 'orders', partition, value: 'first' }))))
    for (const partition of [0, 1, 2]) cluster.elect('orders', partition, -1)
    const calls = net.calls
    const sent: Promise<unknown>[] = []
    for (let ms = 0; ms < 2_000; ms += 4) {
      sent.push(producer.send({ topic: 'orders', partition: ms / 4 % 3, value: String(ms) }))
      await clock.advance(4)
    }
    expect(net.calls - calls).toBeLessThan(75)
    for (const partition of [0, 1, 2]) cluster.elect('orders', partition, 1)
    // All of them go on at the next answer.
    const started = clock.now()
    await clock.finish(Promise.all(sent))
    expect(clock.now() - started).toBeLessThan(100)
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
    cluster.verdict = (_topic, _partition, { baseSequence, producerEpoch }) =>
      baseSequence === 1 && producerEpoch === 0 ? 'RECORD_TOO_LARGE' : 'ok'
    const send = (value: string): Promise<string> => codeOf(producer.send({ topic: 'orders', partition: 0, value }))
    const results = await clock.finish(Promise.all(values(0, 60).map(send)))
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
