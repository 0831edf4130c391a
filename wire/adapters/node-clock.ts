// Clock over the process' own timers.
import type { Clock, Timer } from '../ports.ts'

// Node fires a longer timer at once (TIMEOUT_MAX).
const timerMsMax = 2 ** 31 - 1

class NodeTimer implements Timer {
  readonly #callback: () => void
  readonly #dueAt: number
  #handle: NodeJS.Timeout

  constructor (afterMs: number, callback: () => void) {
    this.#callback = callback
    this.#dueAt = performance.now() + afterMs
    this.#handle = this.#start(afterMs)
  }

  cancel (): void {
    clearTimeout(this.#handle)
  }

  #start (afterMs: number): NodeJS.Timeout {
    return setTimeout(this.#fire, Math.min(Math.max(0, Math.ceil(afterMs)), timerMsMax)).unref()
  }

  readonly #fire = (): void => {
    // Node counts from when its loop last looked at the clock, and so fires up to a millisecond early.
    const leftMs = this.#dueAt - performance.now()
    if (leftMs > 0) this.#handle = this.#start(leftMs)
    else this.#callback()
  }
}

export class NodeClock implements Clock {
  now (): number {
    return performance.now()
  }

  wallTime (): number {
    return Date.now()
  }

  setTimer (afterMs: number, callback: () => void): Timer {
    return new NodeTimer(afterMs, callback)
  }

  defer (callback: () => void): void {
    setImmediate(callback)
  }
}
