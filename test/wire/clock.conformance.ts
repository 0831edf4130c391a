// What every implementation of Clock and Rng keeps to.
import { describe, expect, it } from 'vitest'
import type { Clock, Rng } from '../../wire/ports.ts'

/** @param settle lets time pass, really or simulated, until the promise settles. */
export function clockConformance (name: string, make: () => Clock,
  settle: <T>(promise: Promise<T>) => Promise<T>): void {
  const sleep = (clock: Clock, ms: number): Promise<void> =>
    new Promise(resolve => { clock.setTimer(ms, resolve) })

  describe(`${name}: Clock`, () => {
    it('calls timers after their time, in order, once', async () => {
      const clock = make()
      const calls: string[] = []
      const begun = clock.now()
      clock.setTimer(30, () => calls.push(`c ${clock.now() - begun >= 30}`))
      clock.setTimer(10, () => calls.push(`b ${clock.now() - begun >= 10}`))
      clock.setTimer(0.5, () => calls.push(`a ${clock.now() - begun >= 0.5}`))
      expect(calls).toEqual([])
      await settle(sleep(clock, 60))
      expect(calls).toEqual(['a true', 'b true', 'c true'])
    })

    it('never calls a timer that was cancelled', async () => {
      const clock = make()
      let calls = 0
      const timer = clock.setTimer(5, () => calls++)
      const other = clock.setTimer(1, () => calls++)
      timer.cancel()
      timer.cancel()
      await settle(sleep(clock, 20))
      other.cancel()
      expect(calls).toBe(1)
    })

    it('never goes back, and tells the time of day in whole milliseconds', async () => {
      const clock = make()
      const before = clock.now()
      await settle(sleep(clock, 5))
      expect(clock.now()).toBeGreaterThan(before)
      expect(Number.isSafeInteger(clock.wallTime())).toBe(true)
      expect(clock.wallTime()).toBeGreaterThan(1_500_000_000_000)
    })

    it('defers in order, and not at once', async () => {
      const clock = make()
      const calls: number[] = []
      clock.defer(() => calls.push(1))
      clock.defer(() => calls.push(2))
      expect(calls).toEqual([])
      await settle(sleep(clock, 5))
      expect(calls).toEqual([1, 2])
    })
  })
}

export function rngConformance (name: string, make: () => Rng): void {
  describe(`${name}: Rng`, () => {
    it('gives integers below their bound, every one of them', () => {
      const rng = make()
      const seen = new Set<number>()
      for (let draw = 0; draw < 500; draw++) seen.add(rng.integer(5))
      expect([...seen].sort()).toEqual([0, 1, 2, 3, 4])
      for (let draw = 0; draw < 100; draw++) {
        const large = rng.integer(2 ** 53)
        expect(Number.isSafeInteger(large) && large >= 0).toBe(true)
      }
      expect(rng.integer(1)).toBe(0)
    })

    it('gives fractions in [0, 1)', () => {
      const rng = make()
      for (let draw = 0; draw < 500; draw++) {
        const fraction = rng.fraction()
        expect(fraction >= 0 && fraction < 1).toBe(true)
      }
    })

    it('gives bytes as lower-case hex', () => {
      const rng = make()
      expect(rng.hex(8)).toMatch(/^[0-9a-f]{16}$/)
      expect(rng.hex(8)).not.toBe(rng.hex(8))
      expect(rng.hex(0)).toBe('')
    })
  })
}
