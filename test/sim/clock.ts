// Time as one process sees it: an origin and a rate of its own, timers that die with the process, a wall
// clock that may jump.
import type { Clock, Timer } from '../../wire/ports.ts'
import type { SimRng } from './rng.ts'
import type { SimProcess } from './scheduler.ts'

const wallStart = Date.UTC(2026, 0, 1)
/** As coarse as the timers of a busy process. */
const timerLatenessMsMax = 1
/** A turn of the event loop: callbacks that only defer let time go on. */
const deferMs = 0.01

export class SimClock implements Clock {
  readonly #process: SimProcess
  readonly #rng: SimRng
  readonly #origin: number
  readonly #born: number
  readonly #rate: number
  #wallOffset = 0

  constructor (process: SimProcess, rng: SimRng) {
    this.#process = process
    this.#rng = rng
    this.#origin = rng.integer(1_000_000_000)
    this.#born = process.scheduler.now
    // Quartz drifts by less than 0.02 %; a little more finds code that takes two clocks for one.
    this.#rate = rng.between(0.99, 1.01)
  }

  now (): number {
    return this.#origin + (this.#process.scheduler.now - this.#born) * this.#rate
  }

  wallTime (): number {
    return Math.floor(wallStart + this.#process.scheduler.now + this.#wallOffset)
  }

  setTimer (afterMs: number, callback: () => void): Timer {
    if (Number.isNaN(afterMs)) throw new RangeError('setTimer(NaN)')
    if (this.#process.dead) return { cancel: () => {} }
    const delay = Math.max(0, afterMs) / this.#rate + this.#rng.fraction() * timerLatenessMsMax
    if (delay === Infinity) return { cancel: () => {} }
    return this.#process.schedule(delay, 'timer', callback)
  }

  defer (callback: () => void): void {
    if (!this.#process.dead) this.#process.schedule(deferMs, 'defer', callback)
  }

  /** The wall clock is right again, as by NTP. */
  correct (): void { this.#wallOffset = 0 }

  /** Moves the wall clock (not the monotonic one) by so many milliseconds. */
  jump (byMs: number): void { this.#wallOffset += byMs }
}
