import { expect, test } from 'vitest'
import { SimRng } from './rng.ts'
import { Scheduler } from './scheduler.ts'

function scheduler (seed = 1): Scheduler { return new Scheduler(new SimRng(seed)) }

test('runs events by time, then by age, with all their promises, and lets no real time pass', async () => {
  const sim = scheduler()
  const seen: string[] = []
  const slow = async (name: string): Promise<void> => {
    for (let i = 0; i < 1_000; i++) await Promise.resolve()
    seen.push(name)
  }
  sim.schedule(3_600_000, undefined, 'late', () => { seen.push('late') })
  sim.schedule(5, undefined, 'first', () => { void slow('promises of first') })
  sim.schedule(5, undefined, 'second', () => { seen.push('second') })
  await sim.run(7_200_000)
  expect(seen).toEqual(['promises of first', 'second', 'late'])
  expect(sim.now).toBe(7_200_000)
})

test('a cancelled timer never fires, a timer never early', async () => {
  const sim = scheduler()
  const { clock } = sim.process('p')
  const seen: string[] = []
  const before = clock.now()
  clock.setTimer(100, () => { seen.push('cancelled') }).cancel()
  clock.setTimer(100, () => {
    expect(clock.now() - before).toBeGreaterThanOrEqual(100)
    seen.push('fired')
  })
  clock.defer(() => { seen.push('deferred') })
  await sim.run(1_000)
  expect(seen).toEqual(['deferred', 'fired'])
})

test('a killed process leaves no timer and no continuation', async () => {
  const sim = scheduler()
  const dying = sim.process('dying')
  const seen: string[] = []
  const work = async (): Promise<void> => {
    await new Promise<void>((resolve) => { dying.clock.setTimer(100, resolve) })
    seen.push('continued')
  }
  void work()
  sim.schedule(50, undefined, 'kill', () => { dying.kill() })
  await sim.run(1_000)
  dying.clock.setTimer(1, () => { seen.push('after death') })
  await sim.run(2_000)
  expect(seen).toEqual([])
})

test('a paused process gets everything late, in order, and can cancel what is due when it wakes', async () => {
  const sim = scheduler()
  const p = sim.process('p')
  const seen: [string, number][] = []
  const note = (name: string) => (): void => { seen.push([name, Math.floor(sim.now / 100)]) }
  p.clock.setTimer(100, () => {
    note('a')()
    late.cancel()
  })
  const late = p.clock.setTimer(200, note('b'))
  p.clock.setTimer(300, note('c'))
  p.pause()
  sim.schedule(1_000, undefined, 'resume', () => { p.resume() })
  await sim.run(2_000)
  expect(seen).toEqual([['a', 10], ['c', 10]])
})

test('processes have clocks of their own; only the wall clock jumps', () => {
  const sim = scheduler()
  const [a, b] = [sim.process('a').clock, sim.process('b').clock]
  expect(a.now()).not.toBe(b.now())
  const [mono, wall] = [a.now(), a.wallTime()]
  a.jump(-60_000)
  expect(a.now()).toBe(mono)
  expect(a.wallTime()).toBe(wall - 60_000)
})

test('errors and unhandled rejections end the run and name the process', async () => {
  const throwing = scheduler()
  throwing.process('broker 1').schedule(1, 'x', () => { throw new TypeError('boom') })
  await throwing.run(10)
  expect(throwing.failure?.kind).toBe('uncaught error')
  expect(throwing.failure?.message).toMatch(/in broker 1: TypeError: boom/)

  const rejecting = scheduler()
  rejecting.schedule(1, undefined, 'x', () => { void Promise.reject(new Error('nobody cares')) })
  await rejecting.run(10)
  expect(rejecting.failure?.kind).toBe('unhandled rejection')
})

test('a program that spins without letting time pass is found', async () => {
  const sim = scheduler()
  const again = (): void => { sim.schedule(0, undefined, 'spin', again) }
  again()
  await sim.run(10)
  expect(sim.failure?.kind).toBe('progress')
})

test('equal seeds give equal traces, others do not', async () => {
  const trace = async (seed: number): Promise<string> => {
    const sim = scheduler(seed)
    const { clock } = sim.process('p')
    const tick = (left: number): void => {
      if (left > 0) clock.setTimer(sim.rng.integer(100), () => { tick(left - 1) })
    }
    tick(100)
    await sim.run(100_000)
    return sim.trace.hash
  }
  expect(await trace(7)).toBe(await trace(7))
  expect(await trace(7)).not.toBe(await trace(8))
})

test('forks of chance are named, not ordered', () => {
  const a = new SimRng(5)
  const b = new SimRng(5)
  b.fork('something new').integer(10)
  b.integer(10)
  expect(b.fork('disk').hex(16)).toBe(a.fork('disk').hex(16))
  expect(a.fork('disk').hex(8)).not.toBe(a.fork('net').hex(8))
  for (let i = 0; i < 1_000; i++) {
    expect(a.integer(7)).toBeLessThan(7)
    expect(a.integer(2 ** 53)).toBeLessThan(2 ** 53)
  }
  const drawn = new Set(Array.from({ length: 200 }, () => a.integer(7)))
  expect([...drawn].sort()).toEqual([0, 1, 2, 3, 4, 5, 6])
})
