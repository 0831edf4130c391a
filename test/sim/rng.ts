// Chance from a seed: sfc32 (PractRand), fast and with a period no run reaches.
import type { Rng } from '../../wire/ports.ts'

/** 32 bits of FNV-1a over the UTF-16 units of `text`, begun at `hash`. */
export function hashText (text: string, hash = 0x811c9dc5): number {
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

export class SimRng implements Rng {
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor (seed: number, name = '') {
    this.#name = `${seed}/${name}`
    this.#a = hashText(this.#name, 0x9e3779b9)
    this.#b = hashText(this.#name, 0x85ebca6b)
    this.#c = hashText(this.#name, 0xc2b2ae35)
    for (let i = 0; i < 16; i++) this.#next()
  }

  /**
   * A generator of its own, from the seed and the names alone: what one consumer draws, or a new
   * consumer, changes nothing for the others.
   */
  fork (name: string): SimRng { return new SimRng(0, `${this.#name}/${name}`) }

  integer (exclusiveMax: number): number {
    if (!(exclusiveMax >= 1 && exclusiveMax <= 2 ** 53)) throw new RangeError(`integer(${exclusiveMax})`)
    if (exclusiveMax <= 2 ** 32) return Math.floor(this.#next() / 2 ** 32 * exclusiveMax)
    return Math.floor(this.fraction() * exclusiveMax)
  }

  fraction (): number {
    return ((this.#next() >>> 5) * 2 ** 26 + (this.#next() >>> 6)) / 2 ** 53
  }

  hex (length: number): string {
    let text = ''
    while (text.length < length * 2) text += this.#next().toString(16).padStart(8, '0')
    return text.slice(0, length * 2)
  }

  // Beyond the port, for the simulator itself.

  /** True with this probability. */
  chance (probability: number): boolean { return this.fraction() < probability }

  /** Uniform in [low, high). */
  between (low: number, high: number): number { return low + this.fraction() * (high - low) }

  /** Exponential with this mean. */
  exponential (mean: number): number { return -Math.log(1 - this.fraction()) * mean }

  pick<T> (items: readonly T[]): T {
    const item = items[this.integer(items.length)]
    if (item === undefined && items.length === 0) throw new RangeError('pick from nothing')
    return item as T
  }

  shuffle<T> (items: readonly T[]): T[] {
    const shuffled = [...items]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const held = shuffled[i] as T
      shuffled[i] = shuffled[j] as T
      shuffled[j] = held
    }
    return shuffled
  }

  #next (): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }
}
