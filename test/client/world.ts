// What tests of the client begin with: a clock, a network, three brokers and a client.
import { MillraceClient } from '../../client/millrace.ts'
import type { ClientOptions, OutsideWorld } from '../../client/millrace.ts'
import { MillraceError } from '../../client/errors.ts'
import type { Consumer } from '../../client/consumer.ts'
import type { ConsumerRecord } from '../../client/consumer-options.ts'
import type { Producer } from '../../client/producer.ts'
import type { RecordMetadata } from '../../client/produce-batch.ts'
import { nodeCodec } from '../../wire/adapters/node-compression.ts'
import type { Services } from '../../wire/ports.ts'
import { FakeCluster } from './fake-cluster.ts'
import { FakeClock, SeededRng } from './fake-clock.ts'
import { FakeNet } from './fake-net.ts'

export class World {
  readonly clock: FakeClock
  readonly net: FakeNet
  readonly cluster: FakeCluster
  /** Everything that a client said it waits for. */
  readonly waiting = new Set<string>()
  #seed = 7

  constructor (groups?: (id: number) => Services, clock = new FakeClock(), net = new FakeNet(clock)) {
    this.clock = clock
    this.net = net
    this.cluster = new FakeCluster(this.net, 3, groups)
  }

  client (bootstrap = 'broker-2:9090, broker-0:9090', options: Omit<ClientOptions, 'bootstrap'> = {},
    more: Partial<OutsideWorld> = { codecs: nodeCodec }): MillraceClient {
    const onWaiting = (what: string): void => { this.waiting.add(what) }
    const rng = new SeededRng(this.#seed++)
    return new MillraceClient({ onWaiting, ...options, bootstrap },
      { net: this.net, clock: this.clock, rng, ...more })
  }
}

/** '3', '4', ... up to `to`, exclusive. */
export function values (from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index))
}

/** Sends all of them to partition 0 of orders, at once. */
export function sendAll (producer: Producer, all: readonly string[]): Promise<RecordMetadata[]> {
  return producer.sendBatch(all.map(value => ({ topic: 'orders', partition: 0, value })))
}

/** The code that the promise is rejected with, or 'none'. */
export async function codeOf (promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MillraceError) return error.code
    throw error
  }
  return 'none'
}

/** Writes values as batches of `size` records each; record n has timestamp 1000 + n. */
export async function fill (world: World, partition: number, all: readonly string[], size = 10): Promise<void> {
  const producer = world.client().producer()
  for (let start = 0; start < all.length; start += size) {
    await world.clock.finish(producer.sendBatch(all.slice(start, start + size).map(value =>
      ({ topic: 'orders', partition, value, key: null, timestamp: 1_000 + Number(value) }))))
  }
  await world.clock.finish(producer.close())
}

export function text (record: ConsumerRecord): string {
  return Buffer.from(record.value ?? []).toString()
}

/** Reads so many records in a loop that is left with the last one; their values. */
export async function take (world: World, consumer: Consumer, count: number): Promise<string[]> {
  const all: string[] = []
  await world.clock.finish((async () => {
    for await (const record of consumer) {
      all.push(text(record))
      if (all.length === count) break
    }
  })())
  return all
}
