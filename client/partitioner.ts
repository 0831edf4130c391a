// Which partition a record goes to.
import type { Rng } from '../wire/ports.ts'

/** What a partitioner of one's own may look at. */
export interface Partitionable {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

/**
 * 'default': by murmur2 of the key as Kafka does; without a key, one partition until a batch is full, then
 * another (KIP-480, KIP-794). 'round-robin': one after the other, whatever the key. A function: its answer,
 * in [0, partitions).
 */
export type Partitioner = 'default' | 'round-robin' | ((record: Partitionable, partitions: number) => number)

/** The partition for records without a key: it changes after `bytesMax` bytes, not per record. */
export class Sticky {
  #partition = -1
  #bytes = 0
  readonly #rng: Rng
  readonly #bytesMax: number

  constructor (rng: Rng, bytesMax: number) {
    this.#rng = rng
    this.#bytesMax = bytesMax
  }

  /** @param led says whether a partition has a leader now; one that has none is avoided. */
  pick (partitions: number, recordBytes: number, led: (partition: number) => boolean): number {
    if (this.#partition < 0 || this.#partition >= partitions || this.#bytes >= this.#bytesMax) {
      this.#partition = this.#other(partitions, led)
      this.#bytes = 0
    }
    this.#bytes += recordBytes
    return this.#partition
  }

  /** Its batch is on its way: the next record may as well begin another partition's. */
  sent (partition: number): void {
    if (partition === this.#partition) this.#bytes = this.#bytesMax
  }

  #other (partitions: number, led: (partition: number) => boolean): number {
    const first = this.#rng.integer(partitions)
    for (let step = 0; step < partitions; step++) {
      const candidate = (first + step) % partitions
      if (led(candidate) && (partitions === 1 || candidate !== this.#partition)) return candidate
    }
    return this.#partition >= 0 && this.#partition < partitions ? this.#partition : first
  }
}

export class RoundRobin {
  #next: number

  constructor (rng: Rng) {
    this.#next = rng.integer(1 << 30)
  }

  pick (partitions: number): number {
    this.#next = (this.#next + 1) % Number.MAX_SAFE_INTEGER
    return this.#next % partitions
  }
}
