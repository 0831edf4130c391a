// Time of a whole world, operators, nodes and brokers: it stands still while anything runs, and then jumps to the
// next timer. Nothing in it waits for the real clock or for input and output, so a run repeats step for step.
import type { Clock, Timer } from '../../../wire/ports.ts'

interface Waiting { readonly at: number, readonly order: number, readonly callback: () => void }

const wallStart = Date.UTC(2026, 0, 2, 3, 4, 5)
/** Turns of the event loop in which what one timer set off comes to rest: write, announcement, garbage collection. */
const settleTurns = 4

/** One operator: when it is dead its timers do not fire and nothing reaches it. */
export class Process {
  dead = false
}

export class VirtualTime {
  #now = 0
  #order = 0
  readonly #waiting = new Set<Waiting>()

  get now (): number { return this.#now }
  wallTime (): number { return wallStart + Math.floor(this.#now) }

  after (ms: number, callback: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, ms), order: this.#order++, callback }
    this.#waiting.add(waiting)
    return { cancel: () => { this.#waiting.delete(waiting) } }
  }

  async sleep (ms: number): Promise<void> {
    await new Promise<void>(resolve => { this.after(ms, resolve) })
  }

  clockOf (process: Process): Clock {
    return {
      now: () => this.#now,
      wallTime: () => this.wallTime(),
      setTimer: (ms, callback) => this.after(ms, () => { if (!process.dead) callback() }),
      defer: callback => { setImmediate(callback) }
    }
  }

  /** Lets time pass until `holds`; answers false when that has not come about within `limitMs`. */
  async until (holds: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.#now + limitMs
    for (;;) {
      for (let turn = 0; turn < settleTurns; turn++) await new Promise(resolve => { setImmediate(resolve) })
      if (holds()) return true
      const next = this.#next()
      if (next === undefined || next.at > end) return false
      this.#waiting.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
  }

  #next (): Waiting | undefined {
    let first: Waiting | undefined
    for (const waiting of this.#waiting) {
      const isEarlier = first === undefined || waiting.at < first.at ||
        (waiting.at === first.at && waiting.order < first.order)
      if (isEarlier) first = waiting
    }
    return first
  }
}

/** Numbers that a seed decides (mulberry32). */
export function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
