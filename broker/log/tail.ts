// The end of a replica's log in memory: what is not yet in its segments, and before that the recent
// batches that readers of the tail and followers want.
import { assert } from '../assert.ts'
import type { Segment } from './segment.ts'
import { TailBlock } from './tail-block.ts'
import type { BatchFacts, Reach, TailBatch } from './tail-block.ts'

/** Unwritten batches of one segment that are to be written together. */
export interface UnwrittenRun {
  readonly segment: Segment
  readonly position: number
  readonly count: number
  /** Not copied. */
  readonly parts: readonly Uint8Array[]
}

/** Where a truncation cut. */
export type Cut = Pick<TailBatch, 'base' | 'segment' | 'position'>

const empty = new Uint8Array(0)
/** Larger batches stay where they came in. */
export const COPY_BYTES_MAX = 4 * 1024
/** A block is a part of its tail: what little a quiet partition keeps must not cost more than it is. */
const BLOCK_BYTES_MIN = 1024
const BLOCK_BYTES_MAX = 64 * 1024
const BLOCKS_PER_TAIL = 4

export class Tail {
  /** Oldest first, none empty. */
  #blocks: TailBlock[] = []
  /** Batches before this offset are in their segments. */
  #writtenEnd = 0
  #bytes = 0
  #unwrittenBytes = 0

  /** Of memory: what the blocks take. */
  get bytes (): number { return this.#bytes }
  /** Of batches. */
  get unwrittenBytes (): number { return this.#unwrittenBytes }
  /** The first offset in memory; undefined when nothing is. */
  get start (): number | undefined { return this.#blocks[0]?.base }

  /** @param isMost a large batch may stay in its message: such ones are most of it. */
  push (batch: TailBatch, isMost: boolean): void {
    const { bytes } = batch
    this.#unwrittenBytes += bytes.length
    const last = this.#blocks.at(-1)
    if (bytes.length <= COPY_BYTES_MAX && last?.hasRoomFor(batch) === true) {
      this.#bytes -= last.memoryBytes
      last.push(batch)
      this.#bytes += last.memoryBytes
      return
    }
    const block = new TailBlock(batch, this.#room(bytes, isMost))
    block.push(batch)
    this.#blocks.push(block)
    this.#bytes += block.memoryBytes
  }

  /** Drops the batches at and above `offset`; where the first of them was, if there was any. */
  truncate (offset: number): Cut | undefined {
    let cut: Cut | undefined
    for (let block = this.#blocks.at(-1); block !== undefined && block.end > offset; block = this.#blocks.at(-1)) {
      const kept = block.base >= offset ? 0 : block.indexOf(offset)
      const base = block.baseOf(kept)
      assert(base >= offset, `${offset} lies within the batch ${base} to ${block.facts(kept).end}`)
      cut = { base, segment: block.segment, position: block.position + block.startOf(kept) }
      this.#unwrittenBytes -= block.usedBytes - block.startOf(Math.max(kept, block.indexOf(this.#writtenEnd)))
      this.#bytes -= block.memoryBytes
      if (kept === 0) {
        this.#blocks.pop()
      } else {
        block.cut(kept)
        this.#bytes += block.memoryBytes
      }
    }
    this.#writtenEnd = Math.min(this.#writtenEnd, offset)
    return cut
  }

  clear (): void {
    this.#blocks = []
    this.#writtenEnd = this.#bytes = this.#unwrittenBytes = 0
  }

  /** The unwritten batches of one segment, oldest first, as far as `reach` allows: the first, however large. */
  unwrittenRun (reach: Reach): UnwrittenRun | undefined {
    const { block: first, index } = this.#firstUnwritten()
    const segment = this.#blocks[first]?.segment
    if (segment === undefined) return undefined
    const { count, parts } = this.#collect(first, index, reach, segment)
    if (count === 0) return undefined
    return { segment, position: this.#blocks[first]!.position + this.#blocks[first]!.startOf(index), count, parts }
  }

  /** Tells of the next `count` unwritten batches, oldest first. */
  eachUnwritten (count: number, tell: (batch: BatchFacts) => void): void {
    let { block, index } = this.#firstUnwritten()
    for (let i = 0; i < count; i++) {
      const held = this.#blocks[block]!
      tell(held.facts(index++))
      if (index < held.count) continue
      block++
      index = 0
    }
  }

  /** The next `count` unwritten batches are in their segment now. */
  wrote (count: number): void {
    let left = count
    while (left > 0) {
      const { block, index } = this.#firstUnwritten()
      const held = this.#blocks[block]
      assert(held !== undefined && index < held.count, 'what was written was in memory')
      const to = Math.min(held.count, index + left)
      this.#unwrittenBytes -= held.startOf(to) - held.startOf(index)
      this.#writtenEnd = held.baseOf(to)
      left -= to - index
    }
  }

  /** Lets go of the oldest batches, which are written; the memory that this freed, 0 when none may go. */
  evict (): number {
    const first = this.#blocks[0]
    if (first === undefined || first.end > this.#writtenEnd) return 0
    this.#blocks.shift()
    this.#bytes -= first.memoryBytes
    return first.memoryBytes
  }

  /**
   * Whole batches from the one that holds `offset`, all below offsetEnd: as many as bytesMax allows,
   * at least one. Undefined when that batch is not in memory; empty when there is none below offsetEnd.
   */
  read (offset: number, offsetEnd: number, bytesMax: number): Uint8Array | undefined {
    const { start } = this
    if (start === undefined || offset < start) return undefined
    const { block, index } = this.#find(offset)
    return join(this.#collect(block, index, { offsetEnd, bytesMax, sequenceMax: Infinity }).parts)
  }

  /**
   * Of a large batch its own bytes, unless they would keep a large message alive. Else at most twice the block before,
   * if that is one of copies: small batches between large ones are few.
   */
  #room (bytes: Uint8Array, isMost: boolean): Uint8Array {
    if (bytes.length > COPY_BYTES_MAX) return isMost ? bytes : new Uint8Array(bytes.length)
    const last = this.#blocks.at(-1)
    const isRun = last !== undefined && last.startOf(1) <= COPY_BYTES_MAX
    const wanted = Math.min(BLOCK_BYTES_MAX, this.#bytes / BLOCKS_PER_TAIL, isRun ? 2 * last.roomBytes : 0)
    return new Uint8Array(2 ** Math.ceil(Math.log2(Math.max(BLOCK_BYTES_MIN, wanted, bytes.length))))
  }

  #firstUnwritten (): { block: number, index: number } { return this.#find(this.#writtenEnd) }

  /** Where the batch lies that holds `offset`, or the next one. */
  #find (offset: number): { block: number, index: number } {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#blocks[middle]!.end <= offset) low = middle + 1
      else high = middle
    }
    return { block: low, index: this.#blocks[low]?.indexOf(offset) ?? 0 }
  }

  #collect (first: number, from: number, reach: Reach, segment?: Segment): { count: number, parts: Uint8Array[] } {
    const parts: Uint8Array[] = []
    let [count, left, index] = [0, reach.bytesMax, from]
    for (let at = first; at < this.#blocks.length; at++) {
      const block = this.#blocks[at]!
      if (segment !== undefined && block.segment !== segment) break
      const to = block.reach(index, { ...reach, bytesMax: left }, count === 0)
      if (to === index) break
      const part = block.view(index, to)
      parts.push(part)
      count += to - index
      left -= part.length
      if (to < block.count || left <= 0) break
      index = 0
    }
    return { count, parts }
  }
}

function join (parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (first === undefined) return empty
  if (parts.length === 1) return first
  // Batches that came in one piece lie one after the other still.
  let end = first.byteOffset
  let bytes = 0
  let together = true
  for (const part of parts) {
    together &&= part.buffer === first.buffer && part.byteOffset === end
    end += part.length
    bytes += part.length
  }
  if (together) return new Uint8Array(first.buffer, first.byteOffset, bytes)
  const joined = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

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
