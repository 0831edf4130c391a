// Reads that must go to disk, a few at a time: catching up must not slow the tail down.
import * as limits from '../limits.ts'

export class ColdReads {
  #running = 0
  readonly #queue: (() => void)[] = []

  /** Runs `read` when its turn comes; first come, first served. */
  async run<T> (read: () => Promise<T>): Promise<T> {
    if (this.#running >= limits.coldReadsMax) await new Promise<void>(resolve => { this.#queue.push(resolve) })
    else this.#running++
    try {
      return await read()
    } finally {
      // The turn goes to the next in line, or is free.
      const next = this.#queue.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
