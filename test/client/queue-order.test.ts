import { beforeEach, describe, expect, it } from 'vitest'
import { BatchBuilder } from '../../wire/batch-builder.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { FakeClock } from './fake-clock.ts'
import { QueueWorld } from './queue-world.ts'
import { text } from './world.ts'

let world: QueueWorld
let clock: FakeClock
let begun: QueueWorld['begun']
let done: string[]

beforeEach(() => {
  world = new QueueWorld();
  ({ clock, begun, done } = world)
})

describe('records of one key', () => {
  /** Value n of key k is k:n. */
  function writeKeyed (keys: number, each: number, size = 7): void {
    const all = Array.from({ length: keys * each }, (_, index) =>
      ({ key: `k${index % keys}`, n: Math.floor(index / keys) }))
    for (let at = 0; at < all.length; at += size) {
      const builder = new BatchBuilder(64)
      for (const { key, n } of all.slice(at, at + size)) builder.append(1, utf8(key), utf8(`${key}:${n}`))
      world.cluster.append('jobs', 0, builder.finish())
    }
  }

  it('are handled one after the other, in order, whichever member has them; other keys go on', async () => {
    writeKeyed(6, 20)
    const all = await Promise.all([0, 1, 2, 3].map(() => world.member({ orderedBy: 'key' }, 3)))
    const busy = new Map<string, number>()
    const next = new Map<string, number>()
    for (const each of all) {
      each.handle = record => {
        const [key = '', n] = text(record).split(':')
        expect(Number(n)).toBe(next.get(key) ?? 0)
        next.set(key, Number(n) + 1)
        busy.set(key, (busy.get(key) ?? 0) + 1)
      }
    }
    await clock.until(() => done.length === 120)
    expect(new Set(begun.map(each => each.member)).size).toBeGreaterThan(1)
    expect(begun).toHaveLength(120)
    expect(Math.max(...[...busy.values()])).toBe(20)
    expect(all.every(({ failure }) => failure === undefined)).toBe(true)
  })

  it('wait for one that is released, and for the death of a member', async () => {
    writeKeyed(2, 5)
    const dying = await world.member({ orderedBy: 'key' })
    dying.handle = async record => { if (text(record) === 'k0:1') await new Promise(() => {}) }
    await clock.until(() => begun.some(({ value }) => value === 'k0:1'))
    const one = await world.member({ orderedBy: 'key', retryDelayMs: 50 })
    one.handle = record => { if (text(record) === 'k1:3' && record.deliveries < 3) throw new Error('not yet') }
    await clock.advance(5_000)
    expect(done.filter(value => value.startsWith('k1'))).toEqual(['k1:0', 'k1:1', 'k1:2', 'k1:3', 'k1:4'])
    expect(begun.some(({ value }) => value === 'k0:2')).toBe(false)
    dying.net.die()
    await clock.until(() => done.length === 10)
    expect(done.filter(value => value.startsWith('k0'))).toEqual(['k0:0', 'k0:1', 'k0:2', 'k0:3', 'k0:4'])
  })
})
