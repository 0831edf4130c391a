// The producer under random faults, from seeds: whatever happens, what was acknowledged is where it was said
// to be, nothing is there twice, and each partition has its records in the order of sending.
import { describe, expect, it } from 'vitest'
import { MillraceClient } from '../../client/millrace.ts'
import { decodeRecords } from '../../wire/batch-reader.ts'
import { FakeCluster } from './fake-cluster.ts'
import type { Verdict } from './fake-cluster.ts'
import { FakeClock, SeededRng } from './fake-clock.ts'
import { FakeNet } from './fake-net.ts'

const verdicts: readonly Verdict[] = [
  'lose', 'mute', 'mute', 'BROKER_BUSY', 'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'LEADER_NOT_AVAILABLE', 'INVALID_TIMESTAMP', 'INTERNAL', 'TIMED_OUT'
]
const PARTITIONS = 3
const RECORDS = 400

interface Sent { readonly value: string, readonly partition: number, offset: number, failed: boolean }

async function run (seed: number): Promise<{ sent: Sent[], cluster: FakeCluster }> {
  const clock = new FakeClock()
  const chance = new SeededRng(seed)
  const net = new FakeNet(clock)
  const cluster = new FakeCluster(net)
  cluster.create('orders', PARTITIONS)
  const faults = chance.fraction() * 0.3
  cluster.verdict = () => chance.fraction() < faults ? verdicts[chance.integer(verdicts.length)]! : 'ok'
  const client = new MillraceClient({ bootstrap: cluster.addresses }, { net, clock, rng: new SeededRng(seed + 1) })
  const producer = client.producer({
    batchBytes: 150 + chance.integer(400), lingerMs: chance.integer(10), maxBufferedBytes: 20_000,
    deliveryTimeoutMs: 1_500 + chance.integer(5_000), requestTimeoutMs: 300 + chance.integer(500)
  })
  const sent: Sent[] = []
  for (let index = 0; index < RECORDS; index++) {
    const each: Sent = { value: `v${index}`, partition: chance.integer(PARTITIONS), offset: -1, failed: false }
    sent.push(each)
    producer.send({ topic: 'orders', partition: each.partition, value: each.value })
      .then(({ offset }) => { each.offset = offset }, () => { each.failed = true })
    if (chance.fraction() < 0.2) await clock.advance(chance.integer(15))
    if (chance.fraction() < 0.04) disturb()
  }
  function disturb (): void {
    const partition = chance.integer(PARTITIONS)
    const broker = chance.integer(3)
    const address = cluster.addresses[broker]!
    const kind = chance.integer(4)
    if (kind === 0) cluster.elect('orders', partition, broker)
    if (kind === 1) net.breakStreams(address)
    if (kind === 2) {
      net.hold(address)
      clock.setTimer(chance.integer(3_000), () => { net.release(address) })
    }
    if (kind === 3 && cluster.live.size === 3) {
      cluster.kill(broker)
      const next = (broker + 1) % 3
      clock.setTimer(chance.integer(400), () => {
        for (let each = 0; each < PARTITIONS; each++) {
          if (cluster.partition('orders', each).leader === broker) cluster.elect('orders', each, next)
        }
      })
      clock.setTimer(500 + chance.integer(1_000), () => { cluster.start(broker) })
    }
  }
  await clock.finish(producer.close(), 60_000)
  await clock.advance(5_000)
  await client.close()
  return { sent, cluster }
}

function check (sent: readonly Sent[], cluster: FakeCluster): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const written = cluster.partition('orders', partition).entries
      .flatMap(({ header, bytes }) => decodeRecords(bytes, header))
      .map(record => ({ offset: record.offset, value: Buffer.from(record.value ?? []).toString() }))
    const mine = sent.filter(each => each.partition === partition)
    const place = new Map(written.map(({ offset, value }) => [value, offset]))
    expect(place.size, 'a record twice').toBe(written.length)
    for (const each of mine) {
      expect(each.failed || each.offset >= 0, 'a promise without an end').toBe(true)
      if (each.offset >= 0) expect(place.get(each.value), 'an acknowledged record').toBe(each.offset)
    }
    const order = mine.filter(each => place.has(each.value)).map(each => place.get(each.value)!)
    expect(order, 'the order of sending').toEqual([...order].sort((a, b) => a - b))
  }
}

describe('producer under random faults', () => {
  const seeds = Array.from({ length: Number(process.env.PRODUCER_SEEDS ?? 40) }, (_, index) => index + 1)
  it.each(seeds)('seed %i', async seed => {
    const { sent, cluster } = await run(seed)
    check(sent, cluster)
    expect(sent.some(each => each.offset >= 0)).toBe(true)
  })
})
