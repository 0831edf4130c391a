// The consumer under random faults, from seeds: every partition is read in order, without a gap or a repeat;
// a group that is stopped anywhere, in any way, skips nothing when it goes on.
import { describe, expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import type { MillraceClient } from '../../client/millrace.ts'
import { SeededRng } from './fake-clock.ts'
import { World } from './world.ts'

const PARTITIONS = 3
const RECORDS = 300

class Run {
  readonly world = new World()
  readonly chance: SeededRng
  readonly client: MillraceClient
  /** By partition: the offsets handed out, by one consumer after the other. */
  readonly read: number[][][] = Array.from({ length: PARTITIONS }, () => [])

  constructor (seed: number) {
    this.chance = new SeededRng(seed)
    this.world.cluster.create('orders', PARTITIONS)
    this.world.cluster.create('__groups', 2)
    this.client = this.world.client('broker-0:9090,broker-1:9090,broker-2:9090')
  }

  /** Writes without the client: the faults are the readers' alone. */
  write (records: number): void {
    const { cluster } = this.world
    for (let left = records; left > 0;) {
      const count = 1 + this.chance.integer(Math.min(8, left))
      cluster.write('orders', this.chance.integer(PARTITIONS), Array.from({ length: count }, () => 'x'))
      left -= count
    }
  }

  disturb (): void {
    const { cluster, net, clock } = this.world
    const partition = this.chance.integer(PARTITIONS)
    const broker = this.chance.integer(3)
    const address = cluster.addresses[broker]!
    const kind = this.chance.integer(5)
    if (kind === 0) cluster.elect('orders', partition, broker)
    if (kind === 1) net.breakStreams(address)
    if (kind === 2) {
      net.hold(address)
      clock.setTimer(this.chance.integer(3_000), () => { net.release(address) })
    }
    if (kind === 3) {
      cluster.elect('orders', partition, -1)
      clock.setTimer(this.chance.integer(600), () => { cluster.elect('orders', partition, broker) })
    }
    if (kind === 4 && cluster.live.size === 3) {
      cluster.kill(broker)
      clock.setTimer(300, () => { this.#failOver(broker) })
      clock.setTimer(1_000, () => { cluster.start(broker) })
    }
  }

  #failOver (dead: number): void {
    const { cluster } = this.world
    for (const topic of ['orders', '__groups']) {
      for (const [partition, { leader }] of cluster.topics.get(topic)!.partitions.entries()) {
        if (leader === dead) cluster.elect(topic, partition, (dead + 1) % 3)
      }
    }
  }

  /** Reads until `count` records came, with trouble in between. */
  async consume (consumer: Consumer, count: number): Promise<void> {
    const mine = this.read.map(each => {
      const offsets: number[] = []
      each.push(offsets)
      return offsets
    })
    let left = count
    const byRecord = async (): Promise<void> => {
      for await (const record of consumer) {
        mine[record.partition]!.push(record.offset)
        if (--left === 0) break
      }
    }
    const byBatch = async (): Promise<void> => {
      for await (const batch of consumer.batches()) {
        for (const record of batch) {
          mine[batch.partition]!.push(record.offset)
          left--
        }
        if (left <= 0) break
      }
    }
    const loop = this.chance.fraction() < 0.5 ? byRecord() : byBatch()
    while (left > 0) {
      await this.world.clock.advance(this.chance.integer(60))
      if (this.chance.fraction() < 0.3) this.disturb()
      if (this.world.clock.now() > 600_000) throw new Error(`${left} records never came`)
    }
    await this.world.clock.finish(loop)
  }
}

function consecutive (offsets: readonly number[], from: number): void {
  expect(offsets).toEqual(Array.from({ length: offsets.length }, (_, index) => from + index))
}

describe('consumer under random faults', () => {
  const seeds = Array.from({ length: Number(process.env.CONSUMER_SEEDS ?? 20) }, (_, index) => index + 1)

  it.each(seeds)('reads everything once, seed %i', async seed => {
    const run = new Run(seed)
    run.write(RECORDS / 2)
    const consumer = run.client.consumer({ prefetchBytes: 16_384 })
    await run.world.clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]), 60_000)
    run.world.clock.setTimer(500, () => { run.write(RECORDS / 2) })
    await run.consume(consumer, RECORDS)
    for (const [partition, [offsets]] of run.read.entries()) {
      consecutive(offsets!, 0)
      expect(offsets).toHaveLength(run.world.cluster.partition('orders', partition).end)
    }
  })

  it.each(seeds)('a group skips nothing, seed %i', async seed => {
    const run = new Run(seed)
    run.write(RECORDS)
    const { clock, cluster } = run.world
    for (let round = 0; round < 4; round++) {
      const consumer = run.client.consumer({ group: 'audit', autoCommitIntervalMs: 200 })
      await clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }], { timeoutMs: 60_000 }), 60_000)
      await run.consume(consumer, 20 + run.chance.integer(40))
      // Otherwise what it finished last is not committed, as after kill -9.
      const timeoutMs = run.chance.fraction() < 0.5 ? 60_000 : 1
      await clock.finish(consumer.close({ timeoutMs }).catch(() => {}), 60_000)
    }
    for (const [partition, rounds] of run.read.entries()) {
      let next = 0
      for (const offsets of rounds.filter(each => each.length > 0)) {
        expect(offsets[0], `partition ${partition}`).toBeLessThanOrEqual(next)
        consecutive(offsets, offsets[0]!)
        next = Math.max(next, offsets.at(-1)! + 1)
      }
      expect(next).toBeLessThanOrEqual(cluster.partition('orders', partition).end)
    }
  })
})
