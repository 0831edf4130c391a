// Batches in memory, many in one piece: a batch of its own costs the heap several objects, five times the bytes of a
// small one, and each of them is looked at whenever garbage is collected.
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

/** What a block says of a batch. */
export interface BatchFacts {
  readonly base: number
  readonly end: number
  readonly sizeBytes: number
  readonly maxTimestamp: number
}

/** How far a run of batches may go. */
export interface Reach {
  readonly offsetEnd: number
  readonly bytesMax: number
  readonly sequenceMax: number
}

/** Memory of a block besides its bytes, and of each batch in it: about what the heap shows. */
const BLOCK_BYTES = 720
const ENTRY_BYTES = 40

/** How many of the first `ascending` are at most `limit`. */
function countUpTo (ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! <= limit) low = middle + 1
    else high = middle
  }
  return low
}

/** Batches that follow each other in one segment. What was put in stays as it is: others hold views of it. */
export class TailBlock {
  readonly segment: Segment
  readonly base: number
  readonly position: number
  readonly #bytes: Uint8Array
  /** By batch: the offset after it, the bytes up to its end, its largest timestamp, its frame. */
  readonly #ends: number[] = []
  readonly #stops: number[] = []
  readonly #timestamps: number[] = []
  readonly #sequences: number[] = []
  #closed = false

  /** @param room the bytes of the block: new ones, or those of its only batch */
  constructor ({ segment, base, position }: TailBatch, room: Uint8Array) {
    this.segment = segment
    this.base = base
    this.position = position
    this.#bytes = room
  }

  get count (): number { return this.#ends.length }
  get end (): number { return this.#ends.at(-1) ?? this.base }
  get usedBytes (): number { return this.#stops.at(-1) ?? 0 }
  get roomBytes (): number { return this.#bytes.length }
  get memoryBytes (): number { return BLOCK_BYTES + this.#bytes.length + ENTRY_BYTES * this.count }

  hasRoomFor ({ segment, bytes }: TailBatch): boolean {
    return !this.#closed && segment === this.segment && this.usedBytes + bytes.length <= this.#bytes.length
  }

  /** Its bytes are copied unless they are the room itself. */
  push (batch: TailBatch): void {
    assert(batch.base === this.end && batch.position === this.position + this.usedBytes, 'batches follow each other')
    if (batch.bytes !== this.#bytes) this.#bytes.set(batch.bytes, this.usedBytes)
    this.#ends.push(batch.end)
    this.#stops.push(this.usedBytes + batch.bytes.length)
    this.#timestamps.push(batch.maxTimestamp)
    this.#sequences.push(batch.sequence)
  }

  /** Keeps the first `count` batches, and takes no more. */
  cut (count: number): void {
    this.#ends.length = this.#stops.length = this.#timestamps.length = this.#sequences.length = count
    this.#closed = true
  }

  /** The first offset of the batch at `index`, and where its bytes begin. */
  baseOf (index: number): number { return index === 0 ? this.base : this.#ends[index - 1]! }
  startOf (index: number): number { return index === 0 ? 0 : this.#stops[index - 1]! }

  facts (index: number): BatchFacts {
    return {
      base: this.baseOf(index),
      end: this.#ends[index]!,
      sizeBytes: this.startOf(index + 1) - this.startOf(index),
      maxTimestamp: this.#timestamps[index]!
    }
  }

  /** The index of the batch that holds `offset`, or of the one after it. */
  indexOf (offset: number): number { return countUpTo(this.#ends, offset) }

  /** The index after the last batch, from `from` on, that `reach` allows; the first may be larger than bytesMax. */
  reach (from: number, { offsetEnd, bytesMax, sequenceMax }: Reach, isFirst: boolean): number {
    const allowed = Math.min(countUpTo(this.#ends, offsetEnd), countUpTo(this.#sequences, sequenceMax))
    const fitting = countUpTo(this.#stops, this.startOf(from) + bytesMax)
    return Math.max(from, Math.min(allowed, isFirst ? Math.max(fitting, from + 1) : fitting))
  }

  /** The bytes of the batches from `from` up to `to`, not copied. */
  view (from: number, to: number): Uint8Array {
    return this.#bytes.subarray(this.startOf(from), this.startOf(to))
  }
}
