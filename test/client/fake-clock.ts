// A clock that moves when it is told to, and chance from a seed.
import type { Clock, Rng, Timer } from '../../wire/ports.ts'

interface Entry {
  readonly at: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export class FakeClock implements Clock {
  #now = 0
  #order = 0
  #jumpedMs = 0
  #timers: Entry[] = []

  now (): number { return this.#now }
  wallTime (): number { return 1_700_000_000_000 + this.#jumpedMs + Math.floor(this.#now) }

  /** The wall clock alone goes on by so much. */
  jumpWall (ms: number): void { this.#jumpedMs += ms }

  setTimer (afterMs: number, callback: () => void): Timer {
    const entry = { at: this.#now + Math.max(0, afterMs), order: this.#order++, callback, cancelled: false }
    this.#timers.push(entry)
    return { cancel: () => { entry.cancelled = true } }
  }

  defer (callback: () => void): void {
    this.setTimer(0, callback)
  }

  /** Runs everything that is due within `ms`, one thing at a time, promises between them. */
  async advance (ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settle()
      this.#timers = this.#timers.filter(entry => !entry.cancelled)
      const next = this.#timers.reduce<Entry | undefined>((best, entry) =>
        best === undefined || entry.at < best.at || (entry.at === best.at && entry.order < best.order) ? entry : best,
      undefined)
      if (next === undefined || next.at > until) break
      next.cancelled = true
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = until
    await settle()
  }

  /** Advances until `condition` holds; fails after `withinMs`. */
  async until (condition: () => boolean, withinMs = 10_000): Promise<void> {
    const limit = this.#now + withinMs
    for (await settle(); !condition(); await this.advance(1)) {
      if (this.#now >= limit) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`)
    }
  }

  /** Advances until the promise settles; its result. */
  async finish<T> (promise: Promise<T>, withinMs = 10_000): Promise<T> {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await this.until(() => settled, withinMs)
    return await promise
  }
}

function settle (): Promise<void> {
  return new Promise(resolve => { setImmediate(resolve) })
}

/** mulberry32. */
export class SeededRng implements Rng {
  #state: number

  constructor (seed: number) {
    this.#state = seed
  }

  fraction (): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  integer (exclusiveMax: number): number {
    return Math.floor((this.fraction() + this.fraction() / 2 ** 21) % 1 * exclusiveMax)
  }

  hex (length: number): string {
    return Array.from({ length: length * 2 }, () => this.integer(16).toString(16)).join('')
  }
}
