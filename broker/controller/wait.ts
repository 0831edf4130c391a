// Waiting on the Clock port: a pause, and the pauses between tries.
import type { Clock, Rng, Timer } from '../../wire/ports.ts'

export function pause (clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => { clock.setTimer(ms, resolve) })
}

/** Growing, jittered pauses: a storm of callers spreads out by itself. */
export class Backoff {
  readonly #clock: Clock
  readonly #rng: Rng
  readonly #firstMs: number
  readonly #maxMs: number
  #nextMs: number

  constructor (clock: Clock, rng: Rng, firstMs: number, maxMs: number) {
    this.#clock = clock
    this.#rng = rng
    this.#firstMs = firstMs
    this.#maxMs = maxMs
    this.#nextMs = firstMs
  }

  /** Resolves after the next pause: half of it fixed, half by chance, never less than `atLeastMs`. */
  wait (atLeastMs = 0): Promise<void> {
    const ms = this.#nextMs * (0.5 + this.#rng.fraction() / 2)
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs)
    return pause(this.#clock, Math.max(ms, atLeastMs))
  }

  reset (): void {
    this.#nextMs = this.#firstMs
  }
}

/** Calls `tick` every `intervalMs` until stopped. */
export class Ticker {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #tick: () => void
  #timer: Timer | undefined

  constructor (clock: Clock, intervalMs: number, tick: () => void) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#tick = tick
  }

  start (): void {
    this.#timer = this.#clock.setTimer(this.#intervalMs, () => {
      this.start()
      this.#tick()
    })
  }

  stop (): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
