import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, CODEC_MASK } from '../../wire/record-batch.ts'
import { codecIds } from '../../wire/compression.ts'
import type { Codec, Compression } from '../../wire/compression.ts'
import { BatchBuilder } from '../../wire/batch-builder.ts'
import type { ConsumerOptions } from '../../client/consumer-options.ts'
import type { Consumer } from '../../client/consumer.ts'
import { World, codeOf, sendAll, take, values } from './world.ts'

const long = values(0, 100).map(value => value.padEnd(200, 'x'))

async function consumerOf (world: World, options: ConsumerOptions = {}): Promise<Consumer> {
  const consumer = world.client().consumer(options)
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
  return consumer
}

function codecIn (world: World): number[] {
  return world.cluster.partition('orders', 0).entries.map(({ header }) => header.attributes & CODEC_MASK)
}

test.each(Object.keys(codecIds) as Compression[])('what was sent with %s is read as it was', async compression => {
  const world = new World()
  world.cluster.create('orders', 1)
  const producer = world.client().producer({ compression })
  await world.clock.finish(sendAll(producer, long))
  expect(new Set(codecIn(world))).toEqual(new Set([codecIds[compression]]))
  const stored = world.cluster.partition('orders', 0).entries.reduce((sum, { bytes }) => sum + bytes.length, 0)
  expect(stored).toBeLessThan(long.length * 100)
  expect(await take(world, await consumerOf(world), long.length)).toEqual(long)
})

test('a batch that compression would make larger is sent as it is', async () => {
  const world = new World()
  world.cluster.create('orders', 1)
  await world.clock.finish(sendAll(world.client().producer({ compression: 'gzip' }), ['1']))
  expect(codecIn(world)).toEqual([0])
})

test('a repeat sends the same bytes, and a new epoch the same records', async () => {
  const world = new World()
  world.cluster.create('orders', 1)
  const producer = world.client().producer({ compression: 'gzip' })
  await world.clock.finish(sendAll(producer, [long[0]!]))
  let mute = true
  world.cluster.verdict = () => mute ? 'mute' : 'ok'
  const sent = sendAll(producer, long.slice(1))
  await world.clock.until(() => world.cluster.produced.length === 2)
  mute = false
  world.cluster.elect('orders', 0, 1)
  await world.clock.finish(sent)
  const [, first, second] = world.cluster.produced
  const records = (batch: Uint8Array): string => Buffer.from(batch.subarray(BATCH_HEADER_BYTES)).toString('hex')
  expect(records(second!.batch)).toBe(records(first!.batch))
  expect(await take(world, await consumerOf(world), long.length)).toEqual(long)
})

test('a codec of one\'s own takes the place of Node\'s', async () => {
  const world = new World()
  world.cluster.create('orders', 1)
  const turned = (bytes: Uint8Array): Uint8Array => bytes.map(byte => byte ^ 0xff)
  const own: Codec = { compress: bytes => gzipSync(turned(bytes)), decompress: () => { throw new Error('not mine') } }
  const client = world.client(undefined, { codecs: { gzip: own } })
  await world.clock.finish(sendAll(client.producer({ compression: 'gzip' }), long))
  const consumer = client.consumer()
  await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
  expect(await codeOf(world.clock.finish(consumer[Symbol.asyncIterator]().next()))).toBe('CORRUPT_BATCH')
})

test('what cannot be opened fails the loop, again and again, until it is sought past', async () => {
  const world = new World()
  world.cluster.create('orders', 1)
  const producer = world.client().producer({ compression: 'gzip' })
  await world.clock.finish(sendAll(producer, long))
  await world.clock.finish(sendAll(producer, ['last']))
  const consumer = await consumerOf(world, { decompressedBytesMax: 5_000 })
  for (let attempt = 0; attempt < 2; attempt++) {
    const failure = await world.clock.finish(consumer.records().next().catch((error: unknown) => error))
    expect(failure).toMatchObject({ code: 'RECORD_TOO_LARGE', topic: 'orders', partition: 0 })
    expect(consumer.position({ topic: 'orders', partition: 0 })).toBe(0)
  }
  consumer.seek({ topic: 'orders', partition: 0 }, long.length)
  expect(await take(world, consumer, 1)).toEqual(['last'])
})

test('a batch in hand tells what is wrong with it in the client\'s words', async () => {
  const world = new World()
  world.cluster.create('orders', 1)
  const builder = new BatchBuilder(64)
  builder.append(1, null, Buffer.from('x'.repeat(1_000)))
  const bytes = builder.finish(-1, -1, -1, { codecId: codecIds.zstd, compress: () => Buffer.from('no such thing') })
  world.cluster.append('orders', 0, bytes)
  const consumer = await consumerOf(world)
  const { value } = await world.clock.finish(consumer.batches().next())
  expect(() => [...value!])
    .toThrow(expect.objectContaining({ name: 'RefusedError', code: 'CORRUPT_BATCH', partition: 0 }))
})

test('what is not there is said before anything is sent', () => {
  const world = new World()
  const bare = world.client(undefined, {}, {})
  expect(() => bare.producer({ compression: 'snappy' }))
    .toThrow(expect.objectContaining({ name: 'RefusedError', code: 'UNSUPPORTED_COMPRESSION', retriable: false }))
})
