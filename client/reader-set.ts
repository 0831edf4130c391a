// The partitions that a consumer reads: which there are, where each begins, and how much each may buffer.
import type { CommittedOffset } from '../wire/messages.ts'
import type { Assignment, ConsumerOptions, StartAt, TopicPartition } from './consumer-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import * as limits from './limits.ts'
import type { Metadata, TopicView } from './metadata.ts'
import type { KnownQuery, Offsets, PartitionOffset, Patience } from './offsets.ts'
import { PartitionReader } from './partition-reader.ts'
import type { ReaderHost } from './partition-reader.ts'

const PREFETCH_BYTES_MIN = 16_384

export interface ReaderSetHost {
  readonly metadata: Metadata
  readonly offsets: Offsets
  readonly readerHost: ReaderHost
  /** Finds where the reader begins, then lets it. */
  begin (reader: PartitionReader): void
  failed (error: MillraceError): void
}

export function keyOf ({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

export function partitionOf ({ topic, topicId, partition }: PartitionReader): Omit<PartitionOffset, 'offset'> {
  return { topic, topicId, partition }
}

/** With the epoch, so that who goes on there does not believe a leader of an older one that it is not there. */
export function commitOf (reader: PartitionReader, offset: number): PartitionOffset {
  return { ...partitionOf(reader), offset, leaderEpoch: reader.leaderEpoch }
}

/** It begins where the group stands. 0: whoever committed that knew of no epoch. */
export function wentOn (reader: PartitionReader, { offset, leaderEpoch }: CommittedOffset): void {
  reader.committed = offset
  if (leaderEpoch > 0) reader.leaderEpoch = leaderEpoch
}

export class ReaderSet {
  readonly #host: ReaderSetHost
  readonly #options: ConsumerOptions<unknown, unknown>
  readonly #readers = new Map<string, PartitionReader>()
  readonly #tracked = new Set<string>()
  /** Topics of which all partitions are read, with how many there were when that was last looked at. */
  readonly #whole = new Map<string, number>()
  #prefetchBytes: number
  #closed = false

  constructor (host: ReaderSetHost, options: ConsumerOptions<unknown, unknown>) {
    this.#host = host
    this.#options = options
    this.#prefetchBytes = options.prefetchBytes ?? limits.prefetchBytes
  }

  /** Bytes that brokers may send ahead, per partition. */
  get prefetchBytes (): number { return this.#prefetchBytes }
  get size (): number { return this.#readers.size }
  get isEmpty (): boolean { return this.#readers.size === 0 }

  all (): IterableIterator<PartitionReader> {
    return this.#readers.values()
  }

  get (partition: TopicPartition): PartitionReader | undefined {
    return this.#readers.get(keyOf(partition))
  }

  /** What to ask for all ends. */
  ends (): KnownQuery[] {
    return [...this.all()].map(({ place, leaderEpoch }) => ({ ...place, leaderEpoch, at: 'end' }))
  }

  track (topic: string): void {
    if (this.#tracked.has(topic)) return
    this.#tracked.add(topic)
    this.#host.metadata.track(topic)
  }

  /** @throws MillraceError UNKNOWN_TOPIC, UNKNOWN_PARTITION, INVALID_REQUEST, TIMED_OUT, CANCELLED, CLOSED. */
  async assign (assignments: readonly Assignment[], patience: Patience): Promise<void> {
    const { metadata } = this.#host
    const readers: PartitionReader[] = []
    for (const { topic, partitions, from = 'start' } of assignments) {
      this.track(topic)
      const view = await metadata.waitForTopic(topic, patience.timeoutMs, patience.signal)
      const chosen = partitions === 'all' ? view.partitions.keys() : partitions
      for (const partition of chosen) readers.push(this.#reader(view, partition, from))
      if (partitions === 'all') this.#whole.set(topic, view.partitions.length)
    }
    await this.#add(readers, patience)
  }

  #reader (view: TopicView, partition: number, from: StartAt): PartitionReader {
    const count = view.partitions.length
    if (Number.isInteger(partition) && partition >= 0 && partition < count) {
      return new PartitionReader(this.#host.readerHost, view.name, partition, view.topicId, from)
    }
    // It may have been added just now: the next try will know.
    this.#host.metadata.requestRefresh()
    throw errorOf('UNKNOWN_PARTITION', `topic ${view.name} has partitions 0 to ${count - 1}, not ${partition}`,
      { topic: view.name, partition })
  }

  /** A topic that is read whole may have been given partitions: all of what is in them is new. */
  grow (): void {
    for (const [topic, before] of this.#whole) {
      const view = this.#host.metadata.topic(topic)
      const count = view?.partitions.length ?? before
      if (view === undefined || count <= before) continue
      this.#whole.set(topic, count)
      const added = Array.from({ length: count - before }, (_, index) => this.#reader(view, before + index, 'start'))
      this.#add(added, { timeoutMs: limits.operationTimeoutMs }).catch((error: unknown) => {
        if (!this.#closed) this.#host.failed(toMillraceError(error, { topic }))
      })
    }
  }

  async #add (found: readonly PartitionReader[], patience: Patience): Promise<void> {
    await this.#findCommitted(found, patience)
    if (this.#closed) throw errorOf('CLOSED', 'the consumer is closed')
    this.add(found.filter(reader => !this.#readers.has(keyOf(reader))))
  }

  /** Begins to read what is not read yet. */
  add (readers: readonly PartitionReader[]): void {
    if (this.#readers.size + readers.length > limits.partitionsAssignedMax) {
      throw errorOf('INVALID_REQUEST', `more than ${limits.partitionsAssignedMax} partitions assigned`)
    }
    for (const reader of readers) this.#readers.set(keyOf(reader), reader)
    this.#share()
    for (const reader of readers) this.#host.begin(reader)
  }

  remove (reader: PartitionReader): void {
    reader.stop()
    if (this.#readers.get(keyOf(reader)) !== reader) return
    this.#readers.delete(keyOf(reader))
    this.#share()
  }

  /** What one may buffer: a change counts from the next subscription on. */
  #share (): void {
    const all = this.#options.maxBufferedBytes ?? limits.consumerBufferedBytesMax
    const share = Math.floor(all / Math.max(1, this.#readers.size))
    const wanted = this.#options.prefetchBytes ?? limits.prefetchBytes
    this.#prefetchBytes = Math.max(PREFETCH_BYTES_MIN, Math.min(share, wanted))
  }

  async #findCommitted (readers: readonly PartitionReader[], patience: Patience): Promise<void> {
    const { group } = this.#options
    if (group === undefined || readers.length === 0) return
    const committed = await this.#host.offsets.committed(group, readers.map(partitionOf), patience)
    const places = new Map(committed.map(each => [`${each.topicId}/${each.partition}`, each]))
    for (const reader of readers) {
      const place = places.get(`${reader.topicId}/${reader.partition}`)
      if (place === undefined) continue
      reader.from = place.offset
      wentOn(reader, place)
    }
  }

  stop (): void {
    this.#closed = true
    for (const reader of this.#readers.values()) reader.stop()
  }

  untrack (): void {
    for (const topic of this.#tracked) this.#host.metadata.untrack(topic)
    this.#tracked.clear()
  }
}
