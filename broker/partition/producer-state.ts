// What a replica knows of the producers of its partition: the last batches of each, by which a repeat is
// recognised (KIP-98, KIP-360). Every replica keeps it, so that a new leader recognises repeats too.
import * as limits from '../limits.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'

const sequenceMax = 2 ** 31 - 1

export interface ProducerBatch {
  readonly epoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
}

export interface Producer {
  epoch: number
  /** The sequence before the one that is expected next. */
  lastSequence: number
  /** Oldest first, ascending offsets, producerBatchesMax at most. */
  batches: ProducerBatch[]
  /** True when there were more batches than `batches` holds. */
  evicted: boolean
  /** Monotonic ms of the last use. */
  usedMs: number
}

export type SequenceCheck = 'next' | 'out-of-order' | 'old-epoch' | ProducerBatch

export function sequenceAfter (sequence: number): number {
  return sequence === sequenceMax ? 0 : sequence + 1
}

export function sequenceBefore (sequence: number): number {
  return sequence === 0 ? sequenceMax : sequence - 1
}

/** The last sequence of a batch of `count` records; wraps from 2^31 - 1 to 0. */
export function lastSequenceOf (baseSequence: number, count: number): number {
  const last = baseSequence + count - 1
  return last > sequenceMax ? last - sequenceMax - 1 : last
}

export class ProducerStates {
  /** Least recently used first. */
  readonly #producers = new Map<number, Producer>()

  get size (): number { return this.#producers.size }
  entries (): IterableIterator<[number, Producer]> { return this.#producers.entries() }
  get (producerId: number): Producer | undefined { return this.#producers.get(producerId) }
  clear (): void { this.#producers.clear() }

  /** May a leader append this batch? The earlier batch is the answer when it is a repeat of that. */
  check (header: BatchHeader): SequenceCheck {
    const producer = this.#producers.get(header.producerId)
    // Retention and expiry forget producers: whatever they go on with is accepted (KIP-360).
    if (producer === undefined) return 'next'
    if (header.producerEpoch < producer.epoch) return 'old-epoch'
    if (header.producerEpoch > producer.epoch) return header.baseSequence === 0 ? 'next' : 'out-of-order'
    const last = lastSequenceOf(header.baseSequence, header.recordsCount)
    for (const batch of producer.batches) {
      if (batch.epoch === header.producerEpoch && batch.baseSequence === header.baseSequence &&
        batch.lastSequence === last) return batch
    }
    return header.baseSequence === sequenceAfter(producer.lastSequence) ? 'next' : 'out-of-order'
  }

  /**
   * Takes in a batch of the log; `baseOffset` stands for the header's, which may not be stamped yet. A
   * batch that was taken in before changes nothing. Followers take in what the leader wrote, unchecked.
   */
  update (header: BatchHeader, baseOffset: number, nowMs: number): void {
    const id = header.producerId
    if (id < 0) return
    const lastSequence = lastSequenceOf(header.baseSequence, header.recordsCount)
    let producer = this.#producers.get(id)
    if (producer === undefined) {
      producer = { epoch: header.producerEpoch, lastSequence, batches: [], evicted: false, usedMs: nowMs }
    } else {
      const newest = producer.batches.at(-1)
      if (newest !== undefined && baseOffset <= newest.lastOffset) return
      // Map order is the order of last use.
      this.#producers.delete(id)
    }
    this.#producers.set(id, producer)
    producer.epoch = header.producerEpoch
    producer.lastSequence = lastSequence
    producer.usedMs = nowMs
    producer.batches.push({
      epoch: header.producerEpoch,
      baseSequence: header.baseSequence,
      lastSequence,
      baseOffset,
      lastOffset: baseOffset + header.recordsCount - 1
    })
    if (producer.batches.length > limits.producerBatchesMax) {
      producer.batches.shift()
      producer.evicted = true
    }
    if (this.#producers.size > limits.producersPerPartitionMax) this.#evictOldest()
  }

  /**
   * Forgets the batches at and above `offset`. What is left recognises every repeat that can still come: a
   * producer has at most producerBatchesMax batches unanswered, and those that go are unanswered.
   */
  truncate (offset: number): void {
    for (const [id, producer] of this.#producers) {
      const kept = producer.batches.filter(batch => batch.lastOffset < offset)
      if (kept.length === producer.batches.length) continue
      const firstGone = producer.batches[kept.length]!
      const last = kept.at(-1)
      producer.batches = kept
      if (last !== undefined) {
        producer.epoch = last.epoch
        producer.lastSequence = last.lastSequence
      } else if (producer.evicted) {
        // Older batches are in the log still, but not here: what they ended with is known all the same.
        producer.epoch = firstGone.epoch
        producer.lastSequence = sequenceBefore(firstGone.baseSequence)
      } else {
        this.#producers.delete(id)
      }
    }
  }

  /** Forgets producers that were not heard of for producerExpiryMs. */
  expire (nowMs: number): void {
    for (const [id, producer] of this.#producers) {
      if (nowMs - producer.usedMs < limits.producerExpiryMs) return
      this.#producers.delete(id)
    }
  }

  /** For loading a snapshot. */
  restore (id: number, producer: Producer): void {
    this.#producers.set(id, producer)
  }

  #evictOldest (): void {
    for (const id of this.#producers.keys()) {
      this.#producers.delete(id)
      return
    }
  }
}
