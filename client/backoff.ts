// Pauses between attempts: exponential with jitter, so that many clients do not come back at once.
import type { Rng } from '../wire/ports.ts'
import { backoffMs, backoffMsMax } from './limits.ts'

export class Backoff {
  #failures = 0
  readonly #rng: Rng
  readonly #stepMsMax: number

  constructor (rng: Rng, stepMsMax = backoffMsMax) {
    this.#rng = rng
    this.#stepMsMax = stepMsMax
  }

  get failures (): number { return this.#failures }

  /** The pause after one more failure, in milliseconds: between half of the step and all of it. */
  next (): number {
    const step = Math.min(this.#stepMsMax, backoffMs * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    return step * (0.5 + this.#rng.fraction() / 2)
  }

  reset (): void {
    this.#failures = 0
  }
}
