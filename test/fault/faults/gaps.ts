// How long writing stood still, from a history: per partition, the longest time between two acknowledgements.
import type { Key, Operation } from '../../check/history.ts'
import type { Round } from './rounds.ts'

export interface Measured {
  /** Of the partition that waited longest, and of the one in the middle, from the strike until all was whole. */
  readonly gapMs: number
  readonly gapMedianMs: number
  /** After healing, until every partition had acknowledged a record that was sent after it. Infinity: never. */
  readonly writesBackMs: number
  readonly wholeMs: number
}

export class Acknowledgements {
  /** Times, ascending, by partition. */
  readonly #times = new Map<Key, number[]>()
  readonly #sends = new Map<Key, { startMs: number, endMs: number }[]>()

  constructor (history: readonly Operation[], keys: readonly Key[]) {
    for (const key of keys) {
      this.#times.set(key, [])
      this.#sends.set(key, [])
    }
    for (const operation of history) {
      if (operation.kind !== 'send' || operation.outcome !== 'ok') continue
      this.#times.get(operation.key)?.push(operation.endMs)
      this.#sends.get(operation.key)?.push(operation)
    }
    for (const times of this.#times.values()) times.sort((a, b) => a - b)
  }

  /** The longest time without an acknowledgement that touches [fromMs, untilMs), per partition. */
  gaps (fromMs: number, untilMs: number): Map<Key, number> {
    return new Map([...this.#times].map(([key, times]) => {
      let longest = times.length === 0 ? Infinity : 0
      for (let index = 1; index < times.length; index++) {
        const [before, after] = [times[index - 1]!, times[index]!]
        if (after >= fromMs && before < untilMs) longest = Math.max(longest, after - before)
      }
      return [key, longest]
    }))
  }

  measure ({ startedAtMs, healedAtMs, wholeAtMs }: Round): Measured {
    const gaps = [...this.gaps(startedAtMs, Number.isFinite(wholeAtMs) ? wholeAtMs : healedAtMs).values()]
      .sort((a, b) => a - b)
    const back = [...this.#sends.values()].map(sends =>
      sends.filter(({ startMs }) => startMs >= healedAtMs)
        .reduce((first, { endMs }) => Math.min(first, endMs), Infinity) - healedAtMs)
    return {
      gapMs: gaps.at(-1) ?? 0,
      gapMedianMs: gaps[gaps.length >> 1] ?? 0,
      writesBackMs: Math.max(...back),
      wholeMs: wholeAtMs - healedAtMs
    }
  }
}
