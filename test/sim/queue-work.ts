// How far the workers of a queue group have come, as they know themselves.
import type { Key } from '../check/history.ts'

export class QueueWork {
  readonly #logStart: (key: Key) => number
  /** How many have finished it, or may have. */
  readonly #finishers = new Map<Key, Map<number, number>>()
  readonly #frontiers = new Map<Key, number>()

  /** @param logStart what retention removed before that needs nobody to finish it */
  constructor (logStart: (key: Key) => number) {
    this.#logStart = logStart
  }

  /** Somebody says so, and it is not known to be refused: nobody need get it again. */
  mayBeFinished (key: Key, offset: number): void {
    const finishers = this.#finishers.get(key) ?? new Map<number, number>()
    this.#finishers.set(key, finishers)
    finishers.set(offset, (finishers.get(offset) ?? 0) + 1)
  }

  /** It was refused: the record was another's. */
  isNotFinished (key: Key, offset: number): void {
    const finishers = this.#finishers.get(key)!
    finishers.set(offset, finishers.get(offset)! - 1)
    this.#frontiers.set(key, Math.min(offset, this.#frontiers.get(key) ?? 0))
  }

  /** Everything before it is finished. */
  frontier (key: Key): number {
    const finishers = this.#finishers.get(key)
    let frontier = Math.max(this.#logStart(key), this.#frontiers.get(key) ?? 0)
    while ((finishers?.get(frontier) ?? 0) > 0) frontier++
    this.#frontiers.set(key, frontier)
    return frontier
  }
}
