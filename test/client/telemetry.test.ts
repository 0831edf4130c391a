import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { TextMapPropagator } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { publish } from '../../client/adapters/diagnostics.ts'
import { tracing } from '../../client/adapters/open-telemetry.ts'
import type { ConsumerRecord } from '../../client/consumer-options.ts'
import type { ClientEventName } from '../../client/events.ts'
import { serdes } from '../../client/serde.ts'
import { GroupWorld } from './group-world.ts'
import { World, codeOf, sendAll, text } from './world.ts'

function worldOf (): World {
  const world = new World()
  world.cluster.create('orders', 1)
  world.cluster.create('__groups', 1)
  return world
}

describe('metrics in a registry of prom-client', () => {
  test('tell what was sent, retried and lost, what came, how long it took, and the lag', async () => {
    const world = worldOf()
    const metrics = new Registry()
    const client = world.client(undefined, { metrics })
    const producer = client.producer({ compression: 'gzip', deliveryTimeoutMs: 5_000 })
    let refusals = 2
    world.cluster.verdict = () => refusals-- > 0 ? 'NOT_ENOUGH_REPLICAS' : 'ok'
    await world.clock.finish(sendAll(producer, ['1', '2', '3']))
    world.cluster.verdict = () => 'RECORD_TOO_LARGE'
    expect(await codeOf(world.clock.finish(sendAll(producer, ['4'])))).toBe('RECORD_TOO_LARGE')
    const consumer = client.consumer({ group: 'g' })
    await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    const stop = new AbortController()
    const run = consumer.run(record => {
      if (text(record) === '2') stop.abort()
    }, { signal: stop.signal })
    await world.clock.finish(run)
    await world.clock.finish(consumer.commit())
    const all = await metrics.metrics()
    const value = (name: string): number =>
      Number(all.split('\n').find(line => line.startsWith(`${name} `))?.split(' ')[1])
    expect(value('millrace_client_sent_records_total{topic="orders"}')).toBe(3)
    expect(value('millrace_client_retried_batches_total{topic="orders"}')).toBe(2)
    expect(value('millrace_client_failed_records_total{topic="orders",code="RECORD_TOO_LARGE"}')).toBe(1)
    expect(value('millrace_client_sent_bytes_total{topic="orders"}')).toBeGreaterThan(61)
    expect(value('millrace_client_send_seconds_count{topic="orders"}')).toBe(1)
    expect(value('millrace_client_send_seconds_bucket{topic="orders",le="+Inf"}')).toBe(1)
    expect(value('millrace_client_received_records_total{topic="orders"}')).toBeGreaterThanOrEqual(3)
    expect(value('millrace_client_process_seconds_count{topic="orders",outcome="ok"}')).toBe(2)
    expect(value('millrace_client_commits_total{group="g",outcome="ok"}')).toBe(1)
    expect(value('millrace_client_lag{group="g",topic="orders",partition="0"}')).toBe(1)
    expect(value('millrace_client_buffered_bytes')).toBe(0)
    await world.clock.finish(client.close())
    expect(await metrics.metrics()).not.toContain('millrace_client_lag{')
  })

  test('of several clients are in one registry together', async () => {
    const world = worldOf()
    const metrics = new Registry()
    for (let i = 0; i < 2; i++) {
      await world.clock.finish(sendAll(world.client(undefined, { metrics }).producer(), ['1']))
    }
    expect(await metrics.metrics()).toContain('millrace_client_sent_records_total{topic="orders"} 2')
    metrics.resetMetrics()
    expect(await metrics.metrics()).not.toContain('millrace_client_sent_records_total{')
  })

  test('count in buckets from below', async () => {
    const world = worldOf()
    const metrics = new Registry()
    const producer = world.client(undefined, { metrics }).producer()
    let mute = true
    world.cluster.verdict = () => mute ? 'NOT_ENOUGH_REPLICAS' : 'ok'
    const sent = sendAll(producer, ['1'])
    await world.clock.advance(3_000)
    mute = false
    await world.clock.finish(sent)
    const all = await metrics.metrics()
    expect(all).toContain('millrace_client_send_seconds_bucket{topic="orders",le="2.5"} 0')
    expect(all).toContain('millrace_client_send_seconds_bucket{topic="orders",le="5"} 1')
    expect(all).toContain('millrace_client_send_seconds_bucket{topic="orders",le="60"} 1')
  })
})

describe('a logger', () => {
  test('is told of what goes wrong and of partitions, and of the same thing once', async () => {
    const lines: string[] = []
    const write = (level: string) => (about: object, message: string) => {
      expect(about).toHaveProperty('event')
      lines.push(`${level} ${message}`)
    }
    const log = { debug: write('debug'), info: write('info'), warn: write('warn') }
    const world = new GroupWorld()
    world.cluster.create('orders', 2)
    const client = world.client(undefined, { log })
    world.cluster.partition('orders', 0).leader = -1
    const sent = sendAll(client.producer({ deliveryTimeoutMs: 3_000 }), ['1'])
    expect(await codeOf(world.clock.finish(sent))).toBe('TIMED_OUT')
    expect(lines.filter(line => line === 'debug waiting for the leader of orders/0')).toHaveLength(1)
    expect(lines.at(-1)).toMatch(/^warn 1 records for orders\/0 failed: .* not written$/)
    await world.clock.finish(client.consumer({ group: 'g' }).subscribe(['orders']))
    await world.clock.until(() => lines.includes('info group g: 2 partitions come'))
  })
})

test('diagnostics channels tell what the client does, to who listens', async () => {
  const told: unknown[] = []
  const listener = (event: unknown): void => { told.push(event) }
  subscribe('millrace:batch.delivered', listener)
  const world = worldOf()
  const producer = world.client(undefined, {}, { publish }).producer()
  await world.clock.finish(sendAll(producer, ['1', '2']))
  unsubscribe('millrace:batch.delivered', listener)
  await world.clock.finish(sendAll(producer, ['3']))
  expect(told).toEqual([{
    topic: 'orders', partition: 0, records: 2, bytes: expect.any(Number) as number, baseOffset: 0, attempts: 1,
    durationMs: expect.any(Number) as number, error: undefined
  }])
})

test('each diagnostics channel is told of its kind', async () => {
  const all: Record<ClientEventName, true> = {
    'batch.delivered': true, 'records.received': true, 'record.processed': true, 'offsets.committed': true,
    'offset.reset': true, 'group.assigned': true, 'group.revoked': true, 'group.lost': true, 'waiting': true
  }
  const channels = Object.keys(all).map(name => `millrace:${name}`)
  const told = new Set<string>()
  const listener = (_event: unknown, name: string | symbol): void => { told.add(String(name)) }
  for (const channel of channels) subscribe(channel, listener)
  const world = new GroupWorld()
  const { clock, cluster } = world
  cluster.create('orders', 2)
  const client = world.client(undefined, {}, { publish })
  await clock.finish(sendAll(client.producer(), ['1', '2']))
  const [reads, idle] = [1, 2].map(() => client.consumer({ group: 'g', maxPollIntervalMs: 2_000 }))
  await clock.finish(reads!.subscribe(['orders']))
  void reads!.run(() => {})
  // It takes a partition of the other's, and loses it, since it does not read.
  await clock.finish(idle!.subscribe(['orders']))
  await clock.until(() => told.has('millrace:group.lost'))
  await clock.finish(client.consumer().assign([{ topic: 'orders', partitions: [0], from: 70 }]))
  cluster.elect('orders', 1, -1)
  await clock.finish(client.consumer().assign([{ topic: 'orders', partitions: [1], from: 0 }]))
  await clock.advance(2_000)
  for (const channel of channels) unsubscribe(channel, listener)
  expect([...told].sort()).toEqual(channels.sort())
})

describe('OpenTelemetry', () => {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  /** W3C trace context, which an SDK brings. */
  const propagator: TextMapPropagator = {
    fields: () => ['traceparent'],
    inject: (from, carrier, setter) => {
      const { traceId, spanId } = trace.getSpanContext(from)!
      setter.set(carrier, 'traceparent', `00-${traceId}-${spanId}-01`)
    },
    extract: (into, carrier, getter) => {
      const parent = /^00-(\w{32})-(\w{16})-01$/.exec(String(getter.get(carrier, 'traceparent')))
      return parent === null ? into
        : trace.setSpanContext(into, { traceId: parent[1]!, spanId: parent[2]!, traceFlags: 1, isRemote: true })
    }
  }

  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    propagation.setGlobalPropagator(propagator)
  })
  afterEach(() => { exporter.reset() })
  afterAll(() => {
    trace.disable()
    context.disable()
    propagation.disable()
  })

  type Handler = (record: ConsumerRecord<Uint8Array, string>) => unknown

  async function read (world: World, handler: Handler): Promise<unknown> {
    const consumer = world.client(undefined, {}, { tracing }).consumer({ group: 'g', value: serdes.string })
    await world.clock.finish(consumer.assign([{ topic: 'orders', partitions: [0] }]))
    const run = consumer.run(async record => {
      await handler(record)
      void consumer.close()
    }).catch((error: unknown) => error)
    return await world.clock.finish(run)
  }

  async function headersSent (of: { readonly tracing?: boolean }): Promise<number> {
    const world = worldOf()
    const producer = world.client(undefined, of, { tracing }).producer()
    await world.clock.finish(producer.send({ topic: 'orders', value: 'v' }))
    let headers = -1
    await read(world, record => { headers = record.headers.length })
    return headers
  }

  test('without an SDK nothing is added to a record', async () => {
    expect(await headersSent({})).toBe(0)
    trace.setGlobalTracerProvider(provider)
    expect(await headersSent({})).toBe(1)
    exporter.reset()
    expect(await headersSent({ tracing: false })).toBe(0)
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['process orders'])
  })

  test('spans of sending and of processing are one trace, through the headers of the record', async () => {
    const world = worldOf()
    const producer = world.client(undefined, {}, { tracing }).producer()
    await world.clock.finish(producer.send({ topic: 'orders', key: 'k', value: 'v', headers: { own: 'kept' } }))
    const headers: string[] = []
    let inside: string | undefined
    await read(world, record => {
      headers.push(...record.headers.map(({ key }) => key))
      inside = trace.getActiveSpan()?.spanContext().spanId
    })
    const [send, process] = exporter.getFinishedSpans()
    expect(headers).toEqual(['own', 'traceparent'])
    expect(send).toMatchObject({ name: 'send orders', kind: SpanKind.PRODUCER })
    expect(send!.attributes).toMatchObject({
      'messaging.system': 'millrace', 'messaging.destination.name': 'orders',
      'messaging.destination.partition.id': '0', 'messaging.kafka.offset': 0
    })
    expect(process).toMatchObject({ name: 'process orders', kind: SpanKind.CONSUMER })
    expect(process!.attributes).toMatchObject({ 'messaging.consumer.group.name': 'g', 'messaging.kafka.offset': 0 })
    expect(process!.spanContext().traceId).toBe(send!.spanContext().traceId)
    expect(process!.parentSpanContext?.spanId).toBe(send!.spanContext().spanId)
    expect(inside).toBe(process!.spanContext().spanId)
  })

  test('failures are on their spans', async () => {
    const world = worldOf()
    const producer = world.client(undefined, {}, { tracing }).producer()
    await world.clock.finish(producer.send({ topic: 'orders', value: 'v' }))
    expect(await read(world, () => { throw new TypeError('no such customer') })).toBeInstanceOf(TypeError)
    world.cluster.verdict = () => 'RECORD_TOO_LARGE'
    expect(await codeOf(world.clock.finish(producer.send({ topic: 'orders', value: 'v' })))).toBe('RECORD_TOO_LARGE')
    const failed = exporter.getFinishedSpans().filter(({ status }) => status.code === SpanStatusCode.ERROR)
    expect(failed.map(({ name, attributes }) => [name, attributes['error.type']]))
      .toEqual([['process orders', 'TypeError'], ['send orders', 'RECORD_TOO_LARGE']])
  })
})
