import { beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../wire/errors.ts'
import type { FakeClock } from './fake-clock.ts'
import { QueueWorld, sorted } from './queue-world.ts'
import { codeOf, text, values } from './world.ts'

let world: QueueWorld
let clock: FakeClock
let begun: QueueWorld['begun']
let done: string[]

beforeEach(() => {
  world = new QueueWorld();
  ({ clock, begun, done } = world)
})

describe('a queue group', () => {
  it('shares the records of one partition among more members than there are partitions', async () => {
    const all = world.write(120, 1, 40)
    const five = await Promise.all(values(0, 5).map(() => world.member({}, 2)))
    await clock.until(() => done.length === 120)
    expect(sorted(done)).toEqual(all)
    expect(new Set(begun.map(each => each.member)).size).toBe(5)
    expect(begun.every(({ deliveries }) => deliveries === 1)).toBe(true)
    expect(five.every(({ failure }) => failure === undefined)).toBe(true)
    expect(world.start(0)).toBe(120)
  })

  it('gives what comes one by one to whoever has least to do', async () => {
    await world.member()
    await world.member()
    for (let round = 0; round < 6; round++) {
      world.write(1, 1)
      await clock.until(() => done.length === round + 1)
      await clock.advance(100)
    }
    for (const id of new Set(begun.map(each => each.member))) {
      expect(begun.filter(each => each.member === id)).toHaveLength(3)
    }
  })

  it('goes on where it stood, with other members', async () => {
    const first = world.write(10)
    const one = await world.member()
    await clock.until(() => done.length === 10)
    await clock.finish(one.queue.close())
    const second = world.write(10)
    await world.member()
    await clock.until(() => done.length === 20)
    expect(sorted(done)).toEqual([...first, ...second])
    expect(begun).toHaveLength(20)
  })

  it('begins at the end where that is wished', async () => {
    world.write(10)
    await world.member({ reset: 'latest' })
    await clock.advance(1_000)
    const all = world.write(10)
    await clock.until(() => done.length === 10)
    expect(sorted(done)).toEqual(all)
  })

  it('delivers again what a member had that died, and counts', async () => {
    const all = world.write(20, 1)
    const dying = await world.member({}, 4)
    dying.paceMs = 1e9
    await clock.until(() => begun.length === 4)
    dying.net.die()
    await world.member()
    await clock.until(() => done.length === 20)
    expect(sorted(done)).toEqual(all)
    const again = begun.filter(each => each.deliveries === 2 && each.member !== dying.id).map(({ value }) => value)
    expect(again).toEqual(expect.arrayContaining(all.slice(0, 4)))
  })

  it('takes back at once what a closing member did not hand out, and does not count that', async () => {
    world.write(20, 1)
    const slow = await world.member({ maxInFlight: 20 })
    slow.paceMs = 1_000
    await clock.until(() => begun.length === 1)
    await clock.finish(slow.queue.close())
    await world.member({}, 4)
    await clock.until(() => done.length === 20)
    expect(begun.every(({ deliveries }) => deliveries === 1)).toBe(true)
  })

  it('delivers again what was released, not before its delay', async () => {
    world.write(1, 1)
    const one = await world.member()
    let at = 0
    one.handle = async record => {
      if (record.deliveries === 2) expect(clock.now() - at).toBeGreaterThanOrEqual(700)
      if (record.deliveries > 1) return
      at = clock.now()
      await record.release({ delayMs: 700 })
    }
    await clock.until(() => begun.length === 2)
    expect(begun.map(({ deliveries }) => deliveries)).toEqual([1, 2])
  })

  it('releases the record of a handler that fails, and goes on', async () => {
    const all = world.write(10, 1)
    const one = await world.member()
    one.handle = record => { if (record.deliveries === 1) throw new Error('not today') }
    await clock.until(() => done.length === 10)
    expect(sorted(done)).toEqual(all)
    expect(begun).toHaveLength(20)
  })

  it('survives its coordinator: nothing is lost, nothing that is acknowledged comes again', async () => {
    const all = world.write(200, 2)
    await Promise.all([0, 1, 2].map(() => world.member({}, 3)))
    await clock.until(() => done.length > 20)
    const before = new Set(done)
    world.coordinators.takeOver(1)
    const mark = begun.length
    await clock.until(() => new Set(done).size === 200)
    expect(sorted([...new Set(done)])).toEqual(all)
    expect(begun.slice(mark).filter(({ value }) => before.has(value))).toEqual([])
    expect(world.start(0) + world.start(1)).toBe(200)
  })
})

describe('a partition that was just added', () => {
  it('ends no member whose metadata lacks it, and is shared as soon as it is known', async () => {
    const one = await world.member()
    world.cluster.grow('jobs', 3)
    await clock.advance(1_000)
    expect(one.failure).toBeUndefined()
    const all = world.write(9, 3)
    await clock.until(() => done.length === 9)
    expect(sorted(done)).toEqual(all)
  })
})

describe('a coordinator whose log takes no records', () => {
  it('tries again in its time, and then everything goes on', async () => {
    world.write(1)
    const one = await world.member()
    one.handle = async record => { if (record.deliveries === 1) await record.release({ delayMs: 500 }) }
    await clock.until(() => begun.length === 1)
    await clock.advance(100)
    const { log } = world.coordinators
    log.refusal = new WireError('NOT_ENOUGH_REPLICAS')
    await clock.advance(2_000)
    expect(log.refused).toBeGreaterThan(2)
    expect(log.refused).toBeLessThan(60)
    log.refusal = undefined
    await clock.until(() => begun.length === 2)
  })
})

describe('a settlement that the caller no longer waits for', () => {
  it('is said again to the next coordinator, and the record is not handed out once more', async () => {
    world.write(1, 1)
    const one = await world.member({ leaseMs: 10_000 })
    const { log } = world.coordinators
    let code = ''
    one.handle = async record => {
      log.refusal = new WireError('NOT_ENOUGH_REPLICAS')
      code = await codeOf(record.acknowledge({ timeoutMs: 500 }))
    }
    await clock.until(() => code !== '')
    expect(code).toBe('TIMED_OUT')
    world.coordinators.takeOver(1)
    log.refusal = undefined
    await clock.until(() => world.start(0) === 1)
    await clock.advance(1_000)
    expect(begun).toHaveLength(1)
  })
})

describe('a lease', () => {
  it('is renewed while the handler runs, however long', async () => {
    world.write(1, 1)
    const slow = await world.member({ leaseMs: 3_000 })
    await world.member()
    slow.paceMs = 100_000
    await clock.advance(90_000)
    expect(begun).toHaveLength(1)
  })

  it('is over when the record is not settled within processingTimeoutMs', async () => {
    world.write(1, 1)
    const stuck = await world.member({ leaseMs: 3_000, processingTimeoutMs: 20_000 })
    let late = ''
    stuck.paceMs = 60_000
    stuck.handle = async record => { late = await codeOf(record.acknowledge()) }
    await clock.until(() => begun.length === 1)
    await world.member()
    await clock.until(() => done.length === 1, 30_000)
    expect(begun[1]?.deliveries).toBe(2)
    await clock.until(() => late !== '', 60_000)
    expect(late).toBe('LEASE_LOST')
  })

  it('of a member that hangs is over by itself, and it cannot acknowledge any more', async () => {
    world.write(1, 1)
    const cut = await world.member({ leaseMs: 3_000 })
    await clock.until(() => begun.length === 1)
    cut.net.die()
    await world.member()
    await clock.until(() => done.length === 1)
    expect(begun[1]?.deliveries).toBe(2)
  })
})

describe('loops', () => {
  it('hand out what has to be settled one by one', async () => {
    world.write(30, 1)
    const { queue } = world.raw()
    await clock.finish(queue.subscribe(['jobs']))
    const got: string[] = []
    await clock.finish((async () => {
      for await (const record of queue) {
        got.push(text(record))
        await record.acknowledge()
        if (got.length === 10) break
      }
    })())
    expect(world.start(0)).toBe(10)
    await clock.finish(queue.close())
    expect(await codeOf(queue.subscribe(['jobs']))).toBe('CLOSED')
  })

  it('end when the signal aborts, without a record', async () => {
    const { queue } = world.raw()
    await clock.finish(queue.subscribe(['jobs']))
    const stop = new AbortController()
    const loop = (async () => {
      for await (const record of queue.records({ signal: stop.signal })) await record.release()
    })()
    await clock.advance(1_000)
    stop.abort()
    await clock.finish(loop)
  })

  it('refuse a second settlement', async () => {
    world.write(1, 1)
    const { queue } = world.raw()
    await clock.finish(queue.subscribe(['jobs']))
    await clock.finish((async () => {
      for await (const record of queue) {
        await record.acknowledge()
        expect(record.isSettled).toBe(true)
        expect(await codeOf(record.acknowledge())).toBe('INVALID_REQUEST')
        break
      }
    })())
  })
})

describe('modes', () => {
  it('do not mix in one group', async () => {
    await world.member()
    const { queue } = world.raw({ orderedBy: 'key' })
    expect(await codeOf(clock.finish(queue.subscribe(['jobs'])))).toBe('INCONSISTENT_GROUP')
    const consumer = world.client().consumer({ group: 'audit' })
    expect(await codeOf(clock.finish(consumer.subscribe(['jobs'])))).toBe('INCONSISTENT_GROUP')
  })

  it('may change when nobody is there, and the group goes on where it stands', async () => {
    const all = world.write(10, 1)
    const one = await world.member()
    await clock.until(() => done.length === 10)
    await clock.finish(one.queue.close())
    const more = world.write(5, 1)
    const consumer = world.client().consumer({ group: 'audit' })
    await clock.finish(consumer.subscribe(['jobs']))
    const got: string[] = []
    await clock.finish((async () => {
      for await (const record of consumer) {
        got.push(text(record))
        if (got.length === 5) break
      }
    })())
    expect(got).toEqual(more)
    expect(sorted(done)).toEqual(all)
  })
})
