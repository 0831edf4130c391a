import { beforeEach, describe, expect, it } from 'vitest'
import { MillraceClient } from '../../client/millrace.ts'
import { serdes } from '../../client/serde.ts'
import { SeededRng } from './fake-clock.ts'
import type { FakeClock } from './fake-clock.ts'
import { QueueWorld } from './queue-world.ts'

let world: QueueWorld
let clock: FakeClock
let begun: QueueWorld['begun']

beforeEach(() => {
  world = new QueueWorld();
  ({ clock, begun } = world)
})

describe('dead letters', () => {
  const letters = (): { value: string, headers: Record<string, string> }[] => world.cluster.partition('jobs.dead', 0)
    .records().map(({ value, headers }) => ({
      value: Buffer.from(value ?? []).toString(),
      headers: Object.fromEntries(headers.map(({ key, value }) => [key, Buffer.from(value ?? []).toString()]))
    }))

  it('get what was rejected, with headers that say why', async () => {
    world.cluster.create('jobs.dead', 1)
    world.write(3, 1)
    const one = await world.member({ deadLetterTopic: 'jobs.dead' })
    one.handle = async record => { if (record.offset === 1) await record.reject('no such customer') }
    await clock.until(() => world.start(0) === 3)
    expect(letters()).toHaveLength(1)
    expect(letters()[0]?.headers).toMatchObject({
      'millrace.dead-letter.group': 'audit', 'millrace.dead-letter.topic': 'jobs',
      'millrace.dead-letter.partition': '0', 'millrace.dead-letter.offset': '1',
      'millrace.dead-letter.deliveries': '1', 'millrace.dead-letter.cause': 'rejected',
      'millrace.dead-letter.reason': 'no such customer'
    })
  })

  it('get what was delivered as often as may be', async () => {
    world.cluster.create('jobs.dead', 1)
    world.write(2, 1)
    const one = await world.member({ deadLetterTopic: 'jobs.dead', maxDeliveries: 3, retryDelayMs: 10 })
    one.handle = record => { if (record.offset === 0) throw new Error('cannot') }
    await clock.until(() => world.start(0) === 2)
    expect(begun.filter(({ deliveries }) => deliveries === 3)).toHaveLength(1)
    expect(begun.filter(({ deliveries }) => deliveries > 3)).toHaveLength(0)
    expect(letters().map(({ headers }) => headers)).toMatchObject([
      { 'millrace.dead-letter.cause': 'deliveries', 'millrace.dead-letter.reason': 'cannot' }
    ])
  })

  it('get a record that kills whoever has it', async () => {
    world.cluster.create('jobs.dead', 1)
    world.write(1, 1)
    for (let death = 1; death <= 2; death++) {
      const dying = await world.member({ deadLetterTopic: 'jobs.dead', maxDeliveries: 2 })
      dying.paceMs = 1e9
      await clock.until(() => begun.length === death)
      dying.net.die()
    }
    await world.member({ deadLetterTopic: 'jobs.dead', maxDeliveries: 2 })
    await clock.until(() => world.start(0) === 1)
    expect(begun).toHaveLength(2)
    expect(letters()).toHaveLength(1)
  })

  it('wait for their topic, and say so', async () => {
    world.write(2, 1)
    const one = await world.member({ deadLetterTopic: 'jobs.dead' })
    one.handle = async record => { if (record.offset === 0) await record.reject('bad') }
    await clock.advance(20_000)
    expect(world.start(0)).toBe(0)
    const described = world.coordinators.all[0]!.describe('audit')
    expect(described.queues?.find(({ partition }) => partition === 0)?.deadLetterError).toContain('jobs.dead')
    expect([...one.waiting].join()).toContain('jobs.dead')
    world.cluster.create('jobs.dead', 1)
    await clock.until(() => world.start(0) === 2)
    expect(letters()).toHaveLength(1)
  })

  it('are dropped where there is no topic for them', async () => {
    world.write(2, 1)
    const one = await world.member()
    one.handle = async record => { await record.reject('bad') }
    await clock.until(() => world.start(0) === 2)
    expect(begun).toHaveLength(2)
  })

  it('get what cannot be deserialized', async () => {
    world.cluster.create('jobs.dead', 1)
    world.cluster.write('jobs', 0, ['not json'])
    const client = new MillraceClient({ bootstrap: 'broker-1:9090' }, { net: world.net, clock, rng: new SeededRng(3) })
    const queue = client.queue({ group: 'audit', value: serdes.json(), deadLetterTopic: 'jobs.dead' })
    await clock.finish(queue.subscribe(['jobs']))
    void queue.run(() => {})
    await clock.until(() => world.start(0) === 1)
    expect(letters()[0]?.headers['millrace.dead-letter.reason']).toContain('value')
  })
})
