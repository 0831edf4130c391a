// A steady rate: so many per second from the beginning, none saved up for later than a tenth of a second.

const saveMs = 100

export class Pace {
  readonly #perMs: number
  #nextAt = performance.now()

  constructor (perSecond: number) {
    this.#perMs = perSecond / 1_000
  }

  /** True when one more may go now. */
  take (now = performance.now()): boolean {
    this.#nextAt = Math.max(this.#nextAt, now - saveMs)
    if (this.#nextAt > now) return false
    this.#nextAt += 1 / this.#perMs
    return true
  }

  /** Waits for the next one and takes it. */
  async wait (signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.take()) {
      await new Promise<void>(resolve => {
        setTimeout(resolve, Math.max(1, this.#nextAt - performance.now()))
      })
    }
  }
}
