import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeserializationError } from '../../client/errors.ts'
import type { ConsumerOptions } from '../../client/consumer-options.ts'
import type { Consumer } from '../../client/consumer.ts'
import { serdes } from '../../client/serde.ts'
import type { Serde, SerdeContext } from '../../client/serde.ts'
import { World, codeOf, sendAll } from './world.ts'

interface Order { readonly id: number, readonly items: readonly string[] }

const place = { topic: 'orders', partition: 0 }
const context: SerdeContext = { topic: 'orders', part: 'value', headers: [] }

function world (): World {
  const made = new World()
  made.cluster.create('orders', 1)
  return made
}

async function reading<K, V> (of: World, options: ConsumerOptions<K, V>): Promise<Consumer<K, V>> {
  const consumer = of.client().consumer(options)
  await of.clock.finish(consumer.assign([{ topic: 'orders', partitions: 'all' }]))
  return consumer
}

describe('serdes', () => {
  // What JSON itself changes (-0) is not the serde's.
  const written = fc.jsonValue().map(value => JSON.parse(JSON.stringify(value)) as unknown)
  test.each([
    ['string', serdes.string, fc.string({ unit: 'grapheme' })],
    ['json', serdes.json(), written],
    ['bytes', serdes.bytes, fc.uint8Array()]
  ] as [string, Serde<unknown>, fc.Arbitrary<unknown>][])('%s gives back what it was given', (_, serde, values) => {
    fc.assert(fc.property(values, value => {
      expect(serde.deserialize(serde.serialize(value, context), context)).toEqual(value)
    }))
  })

  test('text that is no UTF-8 is not made up', () => {
    expect(() => serdes.string.deserialize(Uint8Array.of(0xff), context)).toThrow(TypeError)
  })

  test('a byte order mark is part of the text', () => {
    expect(serdes.string.deserialize(serdes.string.serialize('\ufeffa', context), context)).toBe('\ufeffa')
  })

  test('what JSON has no words for is refused', () => {
    expect(() => serdes.json().serialize(undefined, context)).toThrow('JSON has no undefined')
  })
})

test('typed records go through, null stays null, headers come along', async () => {
  const of = world()
  const seen: SerdeContext[] = []
  const own: Serde<number> = {
    serialize: (value, each) => {
      seen.push(each)
      return Uint8Array.of(value)
    },
    deserialize: (bytes, each) => {
      seen.push(each)
      return bytes[0]!
    }
  }
  const producer = of.client().producer({ key: own, value: serdes.json<Order>() })
  await of.clock.finish(producer.send({ topic: 'orders', key: 7, value: { id: 1, items: ['a'] }, headers: { h: 'x' } }))
  await of.clock.finish(producer.send({ topic: 'orders', key: null, value: null }))
  const consumer = await reading(of, { key: own, value: serdes.json<Order>() })
  const records = consumer.records()
  const first = (await of.clock.finish(records.next())).value!
  // Types: what is read is what the serdes say.
  const key: number | null = first.key
  const items: readonly string[] | undefined = first.value?.items
  expect({ key, items, id: first.value?.id }).toEqual({ key: 7, items: ['a'], id: 1 })
  const second = (await of.clock.finish(records.next())).value!
  expect([second.key, second.value]).toEqual([null, null])
  expect(seen.map(({ topic, part, headers }) => [topic, part, headers[0]?.key])).toEqual([
    ['orders', 'key', 'h'], ['orders', 'key', 'h']])
})

test('batches and a check of what came are typed as well', async () => {
  const of = world()
  await of.clock.finish(sendAll(of.client().producer(), ['1', '2']))
  const digits = serdes.json(value => {
    if (typeof value !== 'number') throw new TypeError('no number')
    return value
  })
  const consumer = await reading(of, { value: digits })
  const { value: batch } = await of.clock.finish(consumer.batches().next())
  const all: (number | null)[] = [...batch!].map(record => record.value)
  expect(all).toEqual([1, 2])
})

test('what cannot be serialized is refused, and nothing of it is sent', async () => {
  const of = world()
  const producer = of.client().producer({ value: serdes.json<unknown>() })
  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const failure = await of.clock.finish(producer.send({ topic: 'orders', value: cyclic }).catch((e: unknown) => e))
  expect(failure).toMatchObject({ name: 'RefusedError', code: 'SERIALIZATION_FAILED', topic: 'orders' })
  expect((failure as Error).cause).toBeInstanceOf(TypeError)
  // Without types somebody may forget the serializer.
  const bare = of.client().producer<string, string>()
  expect(await codeOf(bare.send({ topic: 'orders', value: 5 as never }))).toBe('SERIALIZATION_FAILED')
  expect(producer.bufferedBytes).toBe(0)
  expect(of.cluster.produced).toEqual([])
})

describe('a record that cannot be deserialized', () => {
  async function broken (options: Partial<ConsumerOptions<Uint8Array, unknown>> = {}): Promise<{
    of: World, consumer: Consumer<Uint8Array, unknown>
  }> {
    const of = world()
    await of.clock.finish(sendAll(of.client().producer(), ['0', '1', '{', '3', '4']))
    return { of, consumer: await reading(of, { value: serdes.json(), ...options }) }
  }

  async function until (of: World, consumer: Consumer<Uint8Array, unknown>, last: number): Promise<unknown[]> {
    const all: unknown[] = []
    await of.clock.finish((async () => {
      for await (const { value } of consumer) {
        all.push(value)
        if (value === last) break
      }
    })())
    return all
  }

  test('fails the loop where it is, every time, until it is sought past', async () => {
    const { of, consumer } = await broken()
    for (let attempt = 0; attempt < 2; attempt++) {
      const all: unknown[] = []
      const failure = await of.clock.finish((async () => {
        for await (const { value } of consumer) all.push(value)
      })().catch((error: unknown) => error))
      expect(all).toEqual(attempt === 0 ? [0, 1] : [])
      expect(failure).toBeInstanceOf(DeserializationError)
      expect(failure).toMatchObject({ code: 'DESERIALIZATION_FAILED', ...place, offset: 2, part: 'value' })
      expect((failure as DeserializationError).retriable).toBe(false)
      expect(Buffer.from((failure as DeserializationError).record.value!).toString()).toBe('{')
      expect(consumer.position(place)).toBe(2)
    }
    consumer.seek(place, 3)
    expect(await until(of, consumer, 4)).toEqual([3, 4])
  })

  test('is passed over when somebody was told, who is waited for', async () => {
    const told: number[] = []
    let release = (): void => {}
    const { of, consumer } = await broken({
      onUndecodable: async error => {
        await new Promise<void>(resolve => { release = resolve })
        told.push(error.offset)
      }
    })
    const loop = until(of, consumer, 4)
    await of.clock.until(() => consumer.position(place) === 3)
    await of.clock.advance(1_000)
    expect(told).toEqual([])
    release()
    expect(await loop).toEqual([0, 1, 3, 4])
    expect(told).toEqual([2])
  })

  test('is met again when who was told of it failed', async () => {
    let fails = true
    const onUndecodable = (): void => { if (fails) throw new Error('no dead letters now') }
    const { of, consumer } = await broken({ onUndecodable })
    await expect(until(of, consumer, 4)).rejects.toThrow('no dead letters now')
    fails = false
    expect(await until(of, consumer, 4)).toEqual([3, 4])
  })

  test('ends the iteration of its batch', async () => {
    const { of, consumer } = await broken()
    const { value: batch } = await of.clock.finish(consumer.batches().next())
    const all: unknown[] = []
    expect(() => { for (const { value } of batch!) all.push(value) }).toThrow(DeserializationError)
    expect(all).toEqual([0, 1])
  })
})
