// The batches of a log by what identifies them, kept beside it. The CRC covers all of a batch that its
// producer wrote; offset, epoch and size are the rest: equal entries are equal bytes.
import { batches } from '../../wire/record-batch.ts'

export interface StoredBatch {
  readonly base: number
  readonly last: number
  readonly epoch: number
  readonly crc: number
  readonly size: number
}

export function storedBatches (bytes: Uint8Array): StoredBatch[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [...batches(bytes)].map((header) => ({
    base: header.baseOffset, last: header.lastOffset, epoch: header.leaderEpoch,
    crc: view.getUint32(header.position + 17), size: header.sizeBytes
  }))
}

function same (a: StoredBatch, b: StoredBatch): boolean {
  return a.base === b.base && a.last === b.last && a.epoch === b.epoch && a.crc === b.crc && a.size === b.size
}

export class ShadowLog {
  #batches: StoredBatch[] = []
  /** The next offset. */
  end = 0

  append (added: readonly StoredBatch[]): void {
    for (const batch of added) {
      this.#batches.push(batch)
      this.end = batch.last + 1
    }
  }

  truncate (offset: number): void {
    while ((this.#batches.at(-1)?.last ?? -1) >= offset) this.#batches.pop()
    this.end = Math.min(this.end, offset)
  }

  reset (offset: number, contents: readonly StoredBatch[] = []): void {
    this.#batches = []
    this.end = offset
    this.append(contents)
  }

  /** Batches with an offset in [from, to). */
  range (from: number, to: number): StoredBatch[] {
    const found: StoredBatch[] = []
    for (let i = this.#indexOf(from); i < this.#batches.length && this.#batches[i]!.base < to; i++) {
      found.push(this.#batches[i]!)
    }
    return found
  }

  /**
   * The first offset from `from` below `to` where `other` holds something else; what either lacks at its front
   * is no difference.
   */
  difference (other: ShadowLog, from: number, to: number): number | undefined {
    const start = Math.max(from, this.#batches[0]?.base ?? this.end, other.#batches[0]?.base ?? other.end)
    let [i, j] = [this.#indexOf(start), other.#indexOf(start)]
    for (;; i++, j++) {
      const [a, b] = [this.#batches[i], other.#batches[j]]
      const base = Math.min(a?.base ?? Infinity, b?.base ?? Infinity)
      if (base >= to) return undefined
      if (a === undefined || b === undefined || !same(a, b)) return Math.max(base, start)
    }
  }

  /** Of the first batch whose last offset is `offset` or more. */
  #indexOf (offset: number): number {
    let [low, high] = [0, this.#batches.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#batches[middle]!.last < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}
