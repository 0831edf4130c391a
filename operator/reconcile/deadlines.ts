import type { Clock } from '../../wire/ports.ts'

/**
 * How long something has been waited for, by this process' own clock: a remote timestamp decides
 * nothing. A restart of the operator begins anew.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #since = new Map<string, number>()

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds since this was asked first about `what`. */
  waitedMs (what: string): number {
    const now = this.#clock.now()
    const since = this.#since.get(what)
    if (since === undefined) this.#since.set(what, now)
    return now - (since ?? now)
  }

  forget (what: string): void {
    this.#since.delete(what)
  }
}
