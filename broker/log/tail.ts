// The end of a replica's log in memory: what is not yet in its segments, and before that the recent
// batches that readers of the tail and followers want.
import { assert } from '../assert.ts'
import type { Segment } from './segment.ts'

export interface TailBatch {
  readonly base: number
  readonly end: number
  readonly bytes: Uint8Array
  readonly maxTimestamp: number
  readonly segment: Segment
  readonly position: number
  /** The frame of the journal that holds it. */
  readonly sequence: number
}

const empty = new Uint8Array(0)

export class Tail {
  #batches: TailBatch[] = []
  /** Index of the first batch; those before were evicted. */
  #first = 0
  #unwritten = 0
  #bytes = 0
  #unwrittenBytes = 0

  get bytes (): number { return this.#bytes }
  get unwrittenBytes (): number { return this.#unwrittenBytes }
  /** The first offset in memory; undefined when nothing is. */
  get start (): number | undefined { return this.#batches[this.#first]?.base }
  /** The first batch that its segment does not hold yet. */
  get firstUnwritten (): TailBatch | undefined { return this.#batches[this.#unwritten] }

  push (batch: TailBatch): void {
    this.#batches.push(batch)
    this.#bytes += batch.bytes.length
    this.#unwrittenBytes += batch.bytes.length
  }

  /**
   * Drops the batches at and above `offset`; the first of them, if there was any.
   * @throws AssertionError when a batch begins before `offset` and ends after it.
   */
  truncate (offset: number): TailBatch | undefined {
    let first: TailBatch | undefined
    for (let last = this.#batches.at(-1); last !== undefined && last.end > offset; last = this.#batches.at(-1)) {
      if (this.#batches.length === this.#first) break
      assert(last.base >= offset, `${offset} lies within the batch ${last.base} to ${last.end}`)
      this.#batches.pop()
      this.#bytes -= last.bytes.length
      if (this.#batches.length >= this.#unwritten) this.#unwrittenBytes -= last.bytes.length
      else this.#unwritten = this.#batches.length
      first = last
    }
    return first
  }

  clear (): void {
    this.#batches = []
    this.#first = this.#unwritten = this.#bytes = this.#unwrittenBytes = 0
  }

  /** The unwritten batches of one segment, oldest first, that `wanted` accepts, up to bytesMax. */
  unwrittenRun (bytesMax: number, wanted: (batch: TailBatch) => boolean): TailBatch[] {
    const run: TailBatch[] = []
    let bytes = 0
    for (let i = this.#unwritten; i < this.#batches.length; i++) {
      const batch = this.#batches[i]!
      if (run[0] !== undefined && (batch.segment !== run[0].segment || bytes + batch.bytes.length > bytesMax)) break
      if (!wanted(batch)) break
      run.push(batch)
      bytes += batch.bytes.length
    }
    return run
  }

  /** The next `count` unwritten batches are in their segment now. */
  wrote (count: number): void {
    for (let i = 0; i < count; i++) {
      const batch = this.firstUnwritten
      assert(batch !== undefined, 'what was written was in memory')
      this.#unwrittenBytes -= batch.bytes.length
      this.#unwritten++
    }
  }

  /** Lets go of the oldest batch; its bytes, 0 when there is none that may go. */
  evict (): number {
    if (this.#first >= this.#unwritten) return 0
    const batch = this.#batches[this.#first]!
    this.#first++
    this.#bytes -= batch.bytes.length
    if (this.#first >= 64 && this.#first * 2 >= this.#batches.length) {
      this.#batches.splice(0, this.#first)
      this.#unwritten -= this.#first
      this.#first = 0
    } else {
      // The batch must not live on in the array.
      this.#batches[this.#first - 1] = evicted
    }
    return batch.bytes.length
  }

  /**
   * Whole batches from the one that holds `offset`, all below offsetEnd: as many as bytesMax allows,
   * at least one. Undefined when that batch is not in memory; empty when there is none below offsetEnd.
   */
  read (offset: number, offsetEnd: number, bytesMax: number): Uint8Array | undefined {
    const from = this.#find(offset)
    if (from === undefined) return undefined
    let to = from
    let bytes = 0
    for (let batch = this.#batches[to]; batch !== undefined && batch.end <= offsetEnd; batch = this.#batches[++to]) {
      if (to > from && bytes + batch.bytes.length > bytesMax) break
      bytes += batch.bytes.length
    }
    return this.#join(from, to, bytes)
  }

  #find (offset: number): number | undefined {
    let low = this.#first
    let high = this.#batches.length
    if (low === high || offset < this.#batches[low]!.base) return undefined
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.end <= offset) low = middle + 1
      else high = middle
    }
    return low
  }

  #join (from: number, to: number, bytes: number): Uint8Array {
    if (to === from) return empty
    const first = this.#batches[from]!.bytes
    if (to === from + 1) return first
    // Batches that came in one piece lie one after the other still.
    let end = first.byteOffset
    let together = true
    for (let i = from; i < to && together; i++) {
      const part = this.#batches[i]!.bytes
      together = part.buffer === first.buffer && part.byteOffset === end
      end += part.length
    }
    if (together) return new Uint8Array(first.buffer, first.byteOffset, bytes)
    const joined = new Uint8Array(bytes)
    let at = 0
    for (let i = from; i < to; i++) {
      joined.set(this.#batches[i]!.bytes, at)
      at += this.#batches[i]!.bytes.length
    }
    return joined
  }
}

const evicted = Object.freeze({ base: -1, end: -1, bytes: empty, maxTimestamp: -1, position: 0, sequence: 0 }) as
  unknown as TailBatch

/** The memory that all tails share. */
export class Ring {
  readonly #bytesMax: number
  readonly #tails: Tail[] = []
  #hand = 0
  #bytes = 0
  /** Not tried again before: what is not written yet cannot go. */
  #trimAt: number

  constructor (bytesMax: number) { this.#bytesMax = this.#trimAt = bytesMax }

  get bytes (): number { return this.#bytes }

  join (tail: Tail): void { this.#tails.push(tail) }

  leave (tail: Tail): void {
    const index = this.#tails.indexOf(tail)
    if (index < 0) return
    this.#tails.splice(index, 1)
    this.#bytes -= tail.bytes
    this.#hand = 0
  }

  /** The bytes of a tail changed by so much. */
  changed (tail: Tail, bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#trimAt) this.trim(tail)
  }

  /**
   * Evicts what is written, a little more than it must, from those who hold more than a fair share:
   * one busy partition does not push out the tails of the others.
   */
  trim (first?: Tail): void {
    const goal = this.#bytesMax - Math.floor(this.#bytesMax / 16)
    const holders = this.#tails.reduce((count, tail) => count + (tail.bytes > 0 ? 1 : 0), 0)
    const share = Math.floor(goal / Math.max(1, holders))
    if (first !== undefined) this.#shrink(first, share, goal)
    for (let tried = 0; tried < this.#tails.length && this.#bytes > goal; tried++) {
      this.#hand = (this.#hand + 1) % this.#tails.length
      this.#shrink(this.#tails[this.#hand]!, share, goal)
    }
    this.#trimAt = Math.max(this.#bytesMax, this.#bytes + this.#bytesMax - goal)
  }

  #shrink (tail: Tail, share: number, goal: number): void {
    while (this.#bytes > goal && tail.bytes > share) {
      const bytes = tail.evict()
      if (bytes === 0) return
      this.#bytes -= bytes
    }
  }
}
