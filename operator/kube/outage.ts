// Notices that the API server answers again after an outage, which every pause that has grown long meanwhile waits for.
import type { Clock } from '../../wire/ports.ts'

/** Without one answer for so long: at least two renewals of a Lease have failed. Single failures are none. */
export const outageMsMin = 5_000

export class Outage {
  readonly #clock: Clock
  readonly #over: () => void
  #answeredAt: number

  /** @param over called at the first answer after an outage */
  constructor (clock: Clock, over: () => void) {
    this.#clock = clock
    this.#over = over
    this.#answeredAt = clock.now()
  }

  /** A request was answered with a 2xx. Something is asked every two seconds or so: what the Lease says. */
  answered (): void {
    const now = this.#clock.now()
    const wasAway = now - this.#answeredAt >= outageMsMin
    this.#answeredAt = now
    if (wasAway) this.#over()
  }
}
