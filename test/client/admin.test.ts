import { beforeEach, describe, expect, it } from 'vitest'
import { parseBootstrap } from '../../client/addresses.ts'
import { errorOf, MillraceError, toMillraceError } from '../../client/errors.ts'
import { Fifo } from '../../client/fifo.ts'
import { MillraceClient } from '../../client/millrace.ts'
import { errorTable, WireError } from '../../wire/errors.ts'
import type { ErrorCode } from '../../wire/errors.ts'
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
  cluster.create('bills', 1)
  cluster.create('__groups', 4)
  client = new MillraceClient({ bootstrap: ['nowhere:1', 'broker-2:9090'] }, { net, clock, rng: new SeededRng(7) })
})

describe('admin', () => {
  it('lists topics by name, internal ones when asked', async () => {
    const admin = client.admin()
    const names = async (internal: boolean): Promise<string[]> =>
      (await clock.finish(admin.listTopics({ internal }))).map(({ topic }) => topic!.name)
    expect(await names(false)).toEqual(['bills', 'orders'])
    expect(await names(true)).toEqual(['__groups', 'bills', 'orders'])
  })

  it('describes a topic, or says that there is none', async () => {
    const admin = client.admin()
    const { topic, partitions } = await clock.finish(admin.describeTopic('orders'))
    expect(topic!.partitions).toBe(3)
    expect(partitions.map(({ leader }) => leader)).toEqual([0, 1, 2])
    await expect(clock.finish(admin.describeTopic('nothing'))).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  })

  it('lists offsets and commits for groups', async () => {
    const producer = client.producer()
    await clock.finish(producer.sendBatch(['a', 'b'].map(value => ({ topic: 'orders', partition: 1, value }))))
    const admin = client.admin()
    const listed = await clock.finish(admin.listOffsets([
      { topic: 'orders', partition: 1, at: 'end' }, { topic: 'bills', partition: 0, at: 'end' }
    ]))
    expect(listed.map(({ offset }) => offset)).toEqual([2, 0])
    await expect(clock.finish(admin.listOffsets([{ topic: 'bills', partition: 4, at: 'end' }])))
      .rejects.toMatchObject({ code: 'UNKNOWN_PARTITION' })
    const { topicId } = cluster.topics.get('orders')!.info
    await clock.finish(admin.commitOffsets('audit', [{ topic: 'orders', topicId, partition: 1, offset: 1 }]))
    expect(await clock.finish(admin.committedOffsets('audit'))).toMatchObject([{ partition: 1, offset: 1 }])
  })

  it('passes over brokers that are gone or hang, and gives up in time', async () => {
    const admin = client.admin()
    cluster.kill(0)
    net.hold('broker-1:9090')
    for (let index = 0; index < 4; index++) {
      const started = clock.now()
      await clock.finish(admin.metadata([]))
      expect(clock.now() - started).toBeLessThan(800)
    }
    const lost = new MillraceClient({ bootstrap: 'nowhere:1' }, { net, clock, rng: new SeededRng(7) })
    await expect(clock.finish(lost.admin().metadata([], { timeoutMs: 1_000 })))
      .rejects.toThrow(/metadata: nobody listens at nowhere:1 \(waited 1 s\)/)
  })
})

describe('the client', () => {
  it('closes what it opened, and is closed then', async () => {
    const producer = client.producer()
    const consumer = client.consumer()
    const sent = producer.send({ topic: 'orders', value: 'v' })
    await clock.finish(client.close())
    await sent
    const uses = [() => client.producer(), () => client.consumer(), () => client.admin()]
    for (const use of uses) expect(use).toThrow('closed')
    await expect(producer.send({ topic: 'orders', value: 'v' })).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(consumer.assign([])).rejects.toMatchObject({ code: 'CLOSED' })
    await client.close()
  })

  it.each([
    ['a:1', ['a:1']],
    [' a:1 ,b:2,a:1', ['a:1', 'b:2']],
    ['[::1]:9090', ['[::1]:9090']],
    [['a.b-c:65535'], ['a.b-c:65535']]
  ])('takes bootstrap %j', (text, addresses) => {
    expect(parseBootstrap(text)).toEqual(addresses)
  })

  it.each(['', ',', 'a', 'a:', 'a:0', 'a:65536', 'a:1:2', 'http://a:1', 'a b:1'])('refuses bootstrap %j', text => {
    expect(() => parseBootstrap(text)).toThrow(MillraceError)
  })
})

describe('errors', () => {
  it('every code of the table has a class, and keeps what the table says', () => {
    for (const code of Object.keys(errorTable) as ErrorCode[]) {
      const error = errorOf(code)
      expect(error.name).toMatch(/^(Timeout|Unavailable|UnknownTopic|Refused|Closed)Error$/)
      expect([error.code, error.retriable, error.help, error.message])
        .toEqual([code, errorTable[code].retriable, errorTable[code].help, errorTable[code].message])
    }
  })

  it('keeps the cause', () => {
    const cause = new WireError('NOT_LEADER')
    expect(toMillraceError(cause, { topic: 't', partition: 1 })).toMatchObject({ cause, topic: 't', partition: 1 })
    expect(toMillraceError(new TypeError('x'))).toMatchObject({ code: 'INTERNAL', retriable: false })
  })
})

describe('the queue', () => {
  it('is first in, first out, however long', () => {
    const queue = new Fifo<number>()
    const out: number[] = []
    for (let index = 0; index < 10_000; index++) {
      queue.push(index)
      if (index % 3 === 0) out.push(queue.shift()!)
    }
    expect(queue.remove(5_000)).toBe(true)
    expect(queue.remove(0)).toBe(false)
    expect([...queue]).toHaveLength(queue.length)
    while (queue.length > 0) out.push(queue.shift()!)
    expect(out).toEqual(Array.from({ length: 10_000 }, (_, index) => index).filter(index => index !== 5_000))
    expect([queue.shift(), queue.peek(), queue.clear()]).toEqual([undefined, undefined, []])
  })
})
