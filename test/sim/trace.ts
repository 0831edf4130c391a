// What happened: a running hash over every event (equal seeds must give equal hashes) and the last
// events in words, for the report of a failure.

const prime = 0x01000193
const bytesMixedMax = 256

function mixedHigh (high: number, value: number): number { return Math.imul(high ^ value, prime) }

function mixedLow (low: number, value: number): number {
  const mixed = Math.imul((low ^ value) + 0x7f4a7c15 | 0, 0x85ebca6b)
  return mixed ^ mixed >>> 15
}

export interface TraceEntry {
  readonly atMs: number
  readonly sequence: number
  readonly who: string
  readonly what: string
  /** Rendered only when a failure is reported. */
  readonly detail: unknown
}

export class Trace {
  readonly #entries: TraceEntry[] = []
  readonly #capacity: number
  #next = 0
  #high = 0x811c9dc5
  #low = 0x9e3779b9
  count = 0
  /** For every event, as it begins. */
  onEntry: ((entry: TraceEntry) => void) | undefined

  constructor (capacity: number) { this.#capacity = capacity }

  /** 16 hex characters that stand for everything added so far. */
  get hash (): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  add (entry: TraceEntry): void {
    this.count++
    this.onEntry?.(entry)
    this.mixNumber(entry.atMs)
    this.mixText(entry.who)
    this.mixText(entry.what)
    if (this.#entries.length < this.#capacity) this.#entries.push(entry)
    else this.#entries[this.#next] = entry
    this.#next = (this.#next + 1) % this.#capacity
  }

  mixNumber (value: number): void {
    const whole = Math.floor(value)
    this.#mix(whole | 0)
    this.#mix(((value - whole) * 2 ** 31) | 0)
  }

  // Every event's words and every message's front come through the two loops below: they mix in variables.

  mixText (text: string): void {
    let high = this.#high
    let low = this.#low
    for (let i = 0; i < text.length; i++) {
      const value = text.charCodeAt(i)
      high = mixedHigh(high, value)
      low = mixedLow(low, value)
    }
    this.#high = high
    this.#low = low
  }

  /** The length and the front: where two runs part, headers and lengths part too. */
  mixBytes (bytes: Uint8Array): void {
    this.#mix(bytes.length)
    let high = this.#high
    let low = this.#low
    const end = Math.min(bytes.length, bytesMixedMax)
    for (let i = 0; i < end; i++) {
      const value = bytes[i]!
      high = mixedHigh(high, value)
      low = mixedLow(low, value)
    }
    this.#high = high
    this.#low = low
  }

  /** The last events, oldest first. */
  last (): TraceEntry[] {
    if (this.#entries.length < this.#capacity) return [...this.#entries]
    return [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
  }

  #mix (value: number): void {
    this.#high = mixedHigh(this.#high, value)
    this.#low = mixedLow(this.#low, value)
  }
}
