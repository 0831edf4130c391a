// Time that moves when a test says so.
import type { Clock, Timer } from '../../wire/ports.ts'

interface Waiting { readonly at: number, readonly order: number, readonly callback: () => void }

export class FakeClock implements Clock {
  #now = 0
  #order = 0
  readonly #timers = new Set<Waiting>()

  now (): number { return this.#now }
  wallTime (): number { return Date.UTC(2026, 0, 2, 3, 4, 5, 678) + Math.floor(this.#now) }

  setTimer (afterMs: number, callback: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, afterMs), order: this.#order++, callback }
    this.#timers.add(waiting)
    return { cancel: () => { this.#timers.delete(waiting) } }
  }

  defer (callback: () => void): void { setImmediate(callback) }

  get timers (): number { return this.#timers.size }

  /** Moves time on by `ms`, firing timers in order, letting promises settle after each. */
  async advance (ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const next = [...this.#timers].filter(timer => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
      await settle()
    }
    this.#now = end
    await settle()
  }
}

/** Lets everything that does not wait for time or the outside run to its end. */
export async function settle (): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise(resolve => { setImmediate(resolve) })
}
