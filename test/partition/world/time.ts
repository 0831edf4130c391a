// Time and chance under the test's control.
import type { Clock, Rng, Timer } from '../../../wire/ports.ts'

/** One time for all processes of a world; it moves only by `advance`. */
export class WorldTime {
  nowMs = 1_000
  /** What wall clocks are off by. */
  wallJumpMs = 0
  #timers: { dueMs: number, order: number, run: () => void }[] = []
  #deferred: (() => void)[] = []
  #order = 0

  get deferring (): boolean { return this.#deferred.length > 0 }

  defer (run: () => void): void { this.#deferred.push(run) }

  setTimer (afterMs: number, run: () => void): Timer {
    const timer = { dueMs: this.nowMs + afterMs, order: this.#order++, run }
    this.#timers.push(timer)
    return { cancel: () => { this.#timers = this.#timers.filter(other => other !== timer) } }
  }

  runDeferred (): void {
    const deferred = this.#deferred
    this.#deferred = []
    for (const run of deferred) run()
  }

  /** The next timer that is due by `untilMs`, run at its time; false when there is none. */
  runTimer (untilMs: number): boolean {
    const [next] = this.#timers.filter(timer => timer.dueMs <= untilMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
    if (next === undefined) {
      this.nowMs = untilMs
      return false
    }
    this.#timers = this.#timers.filter(timer => timer !== next)
    this.nowMs = Math.max(this.nowMs, next.dueMs)
    next.run()
    return true
  }
}

/** One process's clock: after its death nothing runs. */
export class ProcessClock implements Clock {
  readonly #time: WorldTime
  dead = false

  constructor (time: WorldTime) {
    this.#time = time
  }

  now (): number { return this.#time.nowMs }
  wallTime (): number { return 1_800_000_000_000 + Math.floor(this.#time.nowMs) + this.#time.wallJumpMs }
  setTimer (afterMs: number, callback: () => void): Timer {
    return this.#time.setTimer(afterMs, () => { if (!this.dead) callback() })
  }

  defer (callback: () => void): void {
    this.#time.defer(() => { if (!this.dead) callback() })
  }
}

/** A linear congruential generator: the same in every run. */
export class TestRng implements Rng {
  #state: number

  constructor (seed = 12345) {
    this.#state = seed * 7919 % 2 ** 31
    for (let n = 0; n < 8; n++) this.fraction()
  }

  integer (exclusiveMax: number): number { return Math.floor(this.fraction() * exclusiveMax) }
  fraction (): number {
    this.#state = (this.#state * 1103515245 + 12345) % 2 ** 31
    return this.#state / 2 ** 31
  }

  hex (length: number): string {
    return Array.from({ length }, () => this.integer(256).toString(16).padStart(2, '0')).join('')
  }
}
