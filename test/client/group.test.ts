import { beforeEach, describe, expect, it } from 'vitest'
import type { Consumer } from '../../client/consumer.ts'
import type { ConsumerOptions, ConsumerRecord, TopicPartition } from '../../client/consumer-options.ts'
import type { MillraceError } from '../../client/errors.ts'
import { MillraceClient } from '../../client/millrace.ts'
import type { FakeClock } from './fake-clock.ts'
import { SeededRng } from './fake-clock.ts'
import { GroupWorld } from './group-world.ts'
import { mortal } from './mortal.ts'
import { codeOf, text, values as range } from './world.ts'

let world: GroupWorld
let clock: FakeClock

beforeEach(() => {
  world = new GroupWorld();
  ({ clock } = world)
  world.cluster.create('orders', 6)
})

let seed = 100

class Worker {
  readonly consumer: Consumer
  readonly got: string[] = []
  readonly records: ConsumerRecord[] = []
  readonly assigned: TopicPartition[] = []
  readonly revoked: TopicPartition[] = []
  readonly lost: TopicPartition[] = []
  lostWhy: MillraceError | undefined
  failure: MillraceError | undefined
  readonly net = mortal(world.net)
  /** Between two records. */
  paceMs = 0

  constructor (options: ConsumerOptions = {}) {
    const client = new MillraceClient({ bootstrap: 'broker-1:9090' },
      { net: this.net, clock, rng: new SeededRng(seed++) })
    this.consumer = client.consumer({
      group: 'audit',
      onAssigned: partitions => { this.assigned.push(...partitions) },
      onRevoked: partitions => { this.revoked.push(...partitions) },
      onLost: (partitions, why) => {
        this.lost.push(...partitions)
        this.lostWhy = why
      },
      ...options
    })
  }

  async start (): Promise<this> {
    await clock.finish(this.consumer.subscribe(['orders']))
    void this.#run()
    return this
  }

  async #run (): Promise<void> {
    try {
      for await (const record of this.consumer) {
        this.got.push(text(record))
        this.records.push(record)
        if (this.paceMs > 0) await new Promise<void>(resolve => { clock.setTimer(this.paceMs, resolve) })
      }
    } catch (error) {
      this.failure = error as MillraceError
    }
  }

  get partitions (): number[] {
    return this.consumer.assignment().map(({ partition }) => partition).sort((a, b) => a - b)
  }
}

async function worker (options: ConsumerOptions = {}): Promise<Worker> {
  return await new Worker(options).start()
}

let written = 0

function write (count = 60): string[] {
  const all = range(written, written += count)
  for (const [index, value] of all.entries()) world.cluster.write('orders', index % 6, [value])
  return all
}

beforeEach(() => { written = 0 })

async function allRead (workers: readonly Worker[], count = written): Promise<void> {
  await clock.until(() => new Set(workers.flatMap(({ got }) => got)).size === count)
}

describe('members of a group', () => {
  it('share the partitions, and read each record once while one comes and one goes', async () => {
    const first = await worker()
    expect(first.partitions).toEqual([0, 1, 2, 3, 4, 5])
    write()
    await clock.advance(20)
    const second = await worker()
    write()
    await clock.until(() => second.partitions.length === 3)
    write()
    await allRead([first, second])
    await clock.finish(first.consumer.close())
    write()
    await allRead([first, second])
    expect(second.partitions).toHaveLength(6)
    // What was handed out was finished, and committed before it went.
    expect([...first.got, ...second.got].sort()).toEqual(range(0, written).sort())
    expect([first.revoked.length, first.lost.length, second.lost.length]).toEqual([3, 0, 0])
  })

  it('go on without a rebalance when the coordinator is another broker', async () => {
    const workers = [await worker(), await worker()]
    await clock.until(() => workers.every(({ partitions }) => partitions.length === 3))
    const before = workers.map(({ assigned }) => assigned.length)
    write()
    world.coordinators.takeOver(2)
    write()
    await allRead(workers)
    await clock.advance(15_000)
    write()
    await allRead(workers)
    expect(workers.map(({ assigned }) => assigned.length)).toEqual(before)
    expect(workers.flatMap(({ lost }) => lost)).toEqual([])
    expect(workers.flatMap(({ got }) => got).sort()).toEqual(range(0, written).sort())
    expect(world.coordinators.all[2]!.membersCount).toBe(2)
  })

  it('take over from one that died, at its last commit', async () => {
    const first = await worker()
    write()
    await allRead([first])
    await clock.advance(1_500)
    first.net.die()
    const second = await worker()
    const more = write()
    await clock.until(() => second.partitions.length === 6, 4_000)
    await clock.until(() => second.got.length >= more.length)
    // The last record of each partition was in hand: it was not known whether it was finished.
    expect(second.got.filter(value => !more.includes(value)).length).toBeLessThanOrEqual(6)
    expect(new Set([...first.got, ...second.got]).size).toBe(written)
  })

  it('keep what is in hand until it is finished; the others go on', async () => {
    const first = await worker()
    first.paceMs = 2_000
    // One of those that go to the second member.
    world.cluster.write('orders', 5, ['in hand'])
    await clock.until(() => first.got.length === 1)
    const second = await worker()
    await clock.until(() => second.partitions.length === 2, 1_000)
    expect(first.partitions).toEqual([0, 1, 2, 5])
    await clock.until(() => second.partitions.length === 3)
    await clock.advance(3_000)
    expect([...first.got, ...second.got]).toEqual(['in hand'])
  })

  it('refuse a commit of what they do not hold any more', async () => {
    const first = await worker({ autoCommitIntervalMs: 0 })
    const second = await worker()
    await clock.until(() => first.partitions.length === 3)
    const [gone] = second.consumer.assignment()
    expect(await codeOf(clock.finish(first.consumer.commit([{ ...gone!, offset: 1 }])))).toBe('FENCED_MEMBER')
    const admin = world.client().admin()
    const reset = admin.commitOffsets('audit', [{ topic: 'orders', topicId: '', partition: 0, offset: 0 }])
    expect(await codeOf(clock.finish(reset))).toBe('GROUP_NOT_EMPTY')
  })

  it('refuse a commit that waited while the partition was another\'s, though it has come back', async () => {
    const first = await worker({ autoCommitIntervalMs: 0 })
    // One of those that go to the second member.
    for (let offset = 0; offset < 9; offset++) world.cluster.write('orders', 5, [`${offset}`])
    await clock.until(() => first.got.length === 9)
    const late = first.records.find(record => record.offset === 4)!
    const gate = first.net.hold('CommitOffsets')
    const before = first.consumer.commit([{ topic: 'orders', partition: 0, offset: 0 }])
    const waiting = [first.consumer.commit(late), first.consumer.commit([{ topic: 'orders', partition: 5, offset: 5 }])]
      .map(commit => codeOf(commit))

    const second = await worker({ autoCommitIntervalMs: 0 })
    await clock.until(() => second.partitions.includes(5) && second.got.length === 9)
    await clock.finish(second.consumer.commit())
    await clock.finish(second.consumer.close())
    await clock.until(() => first.assigned.filter(({ partition }) => partition === 5).length === 2)
    await clock.until(() => first.partitions.length === 6)
    gate()
    await clock.finish(before)
    expect(await clock.finish(Promise.all(waiting))).toEqual(['FENCED_MEMBER', 'FENCED_MEMBER'])
    expect(await codeOf(clock.finish(first.consumer.commit(late)))).toBe('FENCED_MEMBER')
    const committed = await clock.finish(first.consumer.committed())
    expect(committed.find(({ partition }) => partition === 5)?.offset).toBe(9)
    // What a person wants is another matter.
    await clock.finish(first.consumer.commit([{ topic: 'orders', partition: 5, offset: 5 }]))
  })

  it('that ask for nothing for too long give their partitions up, and join again when they ask', async () => {
    const first = await worker({ maxPollIntervalMs: 2_000 })
    first.paceMs = 6_000
    const all = write(1)
    await clock.until(() => first.got.length === 1)
    const second = await worker()
    await clock.until(() => second.partitions.length === 6, 5_000)
    expect(first.lostWhy).toMatchObject({ code: 'MAX_POLL_EXCEEDED' })
    await clock.until(() => second.got.length > 0)
    expect(second.got).toEqual(all)
    first.paceMs = 0
    await clock.until(() => first.partitions.length === 3)
    expect(first.failure).toBeUndefined()
  })

  it('hand out nothing while nobody has heard of them for a session timeout', async () => {
    const first = await worker()
    for (const id of [0, 1, 2]) {
      // The coordinator falls silent; partitions are read on.
      if (world.cluster.partition('__groups', 0).leader === id) world.net.hold(world.cluster.addresses[id]!)
    }
    for (let partition = 0; partition < 6; partition++) world.cluster.elect('orders', partition, 1)
    await clock.advance(6_000)
    const before = write(6)
    await clock.until(() => first.got.length === before.length)
    await clock.advance(12_000)
    write(6)
    await clock.advance(3_000)
    expect(first.got).toHaveLength(6)
    world.net.release(world.cluster.addresses[0]!)
    await allRead([first])
  })

  it('begin where their reset says when nothing is committed', async () => {
    write()
    const latest = await worker({ reset: 'latest' })
    await clock.until(() => latest.consumer.assignment().every(each => latest.consumer.position(each) !== undefined))
    const more = write(6)
    await clock.until(() => latest.got.length >= 6)
    expect(latest.got.sort()).toEqual(more)
    const none = await worker({ reset: 'none', group: 'other' })
      .then(({ failure }) => failure, (error: unknown) => error as MillraceError)
    expect(none).toMatchObject({ code: 'NO_COMMITTED_OFFSET' })
  })

  it('with an instanceId have their partitions again after a restart', async () => {
    const other = await worker()
    const first = await worker({ instanceId: 'one' })
    await clock.until(() => other.partitions.length === 3 && first.partitions.length === 3)
    const mine = first.partitions
    await clock.finish(first.consumer.close())
    await clock.advance(5_000)
    expect(other.partitions).toHaveLength(3)
    const second = await worker({ instanceId: 'one' })
    await clock.until(() => second.partitions.length === 3)
    expect(second.partitions).toEqual(mine)
    const third = await worker({ instanceId: 'one' })
    await clock.until(() => second.failure !== undefined)
    expect(second.failure).toMatchObject({ code: 'FENCED_INSTANCE' })
    expect(third.partitions).toEqual(mine)
  })

  it('say with each join how long ago they first asked: of two with one instanceId the later one stays', async () => {
    const joins: number[] = []
    const net = mortal(world.net)
    const { open } = net
    net.open = (address, method, handlers) => {
      const stream = open(address, method, handlers)
      if (method !== 'GroupSession') return stream
      const send: typeof stream.send = message => {
        if ('join' in message) joins.push(message.join?.askingMs ?? -1)
        if (joins.length < 3) clock.defer(() => { stream.destroy() })
        return stream.send(message)
      }
      return { ...stream, send }
    }
    const client = new MillraceClient({ bootstrap: 'broker-1:9090' }, { net, clock, rng: new SeededRng(seed++) })
    const consumer = client.consumer({ group: 'audit', instanceId: 'one' })
    void consumer.subscribe(['orders'])
    await clock.until(() => joins.length === 3)
    expect(joins[0]).toBe(0)
    expect(joins[1]).toBeGreaterThan(0)
    expect(joins[2]).toBeGreaterThan(joins[1]!)
    await clock.finish(consumer.close())
  })

  it('say where they stand', async () => {
    const first = await worker()
    write(12)
    await allRead([first])
    await clock.advance(1_500)
    const at = { topic: 'orders', partition: 2 }
    expect([first.consumer.position(at), first.consumer.lag(at)]).toEqual([2, 0])
    const committed = await clock.finish(first.consumer.committed())
    expect(committed.map(({ offset }) => offset)).toEqual(expect.arrayContaining([2]))
  })
})

describe('a coordinator', () => {
  it('knows how far behind its groups are', async () => {
    const first = await worker()
    write()
    await allRead([first])
    await clock.finish(first.consumer.close())
    write(12)
    await clock.advance(6_000)
    // The last record of each partition was in hand when the loop was left; one is being asked for.
    const [lag] = world.coordinators.all[0]!.lags
    expect(lag).toMatchObject({ group: 'audit', topic: 'orders' })
    expect(lag!.records).toBeGreaterThanOrEqual(12)
    expect(lag!.records).toBeLessThanOrEqual(18)
  })

  it('forgets a group that nobody used for a week, and none that has members', async () => {
    const first = await worker()
    write()
    await allRead([first])
    const idle = await worker({ group: 'idle', reset: 'latest' })
    await clock.advance(1_500)
    await clock.finish(first.consumer.close())
    const week = 7 * 24 * 3600 * 1000
    clock.jumpWall(week - 120_000)
    await clock.advance(61_000)
    const known = (): string[] => world.coordinators.all[0]!.list().map(({ group }) => group!)
    expect(known()).toEqual(['audit', 'idle'])
    clock.jumpWall(200_000)
    await clock.advance(61_000)
    expect(known()).toEqual(['idle'])
    expect(idle.partitions).toHaveLength(6)
  })
})

describe('subscribe', () => {
  it('is for members, and once', async () => {
    const bare = world.client().consumer()
    expect(await codeOf(bare.subscribe(['orders']))).toBe('INVALID_REQUEST')
    const first = await worker()
    expect(await codeOf(first.consumer.subscribe(['orders']))).toBe('INVALID_REQUEST')
    expect(await codeOf(first.consumer.assign([{ topic: 'orders', partitions: 'all' }]))).toBe('INVALID_REQUEST')
    const lost = world.client().consumer({ group: 'audit' })
    expect(await codeOf(clock.finish(lost.subscribe(['nowhere'])))).toBe('UNKNOWN_TOPIC')
  })
})

// Whoever comes, goes, dies or stands still, and whichever broker coordinates: nothing is skipped.
describe('any course of events', () => {
  it.each(range(1, 8).map(Number))('seed %i', async seed => {
    const rng = new SeededRng(seed)
    let workers = [await worker(), await worker({ instanceId: 'static', instanceGraceMs: 3_000 })]
    const all = [...workers]
    for (let step = 0; step < 25; step++) {
      write(6 + rng.integer(12))
      const one = workers[rng.integer(Math.max(1, workers.length))]
      switch (rng.integer(7)) {
        case 0:
        case 1: {
          const next = await worker({ maxPollIntervalMs: 3_000 })
          workers.push(next)
          all.push(next)
          break
        }
        case 2:
          one?.net.die()
          workers = workers.filter(each => each !== one)
          break
        case 3:
          workers = workers.filter(each => each !== one)
          if (one !== undefined) await clock.finish(one.consumer.close())
          break
        case 4:
          world.coordinators.takeOver(rng.integer(3))
          break
        case 5:
          if (one !== undefined) one.paceMs = rng.integer(2) * 700
          break
        default:
      }
      await clock.advance(rng.integer(3_000))
    }
    for (const each of workers) each.paceMs = 0
    const last = await worker()
    workers.push(last)
    all.push(last)
    await clock.until(() => new Set(all.flatMap(({ got }) => got)).size === written, 60_000)
    expect(all.filter(({ failure }) => failure !== undefined)).toEqual([])
  })
})
