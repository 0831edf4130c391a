// Reads partitions in offset order, and keeps the place of a group.
import type { Timer } from '../wire/ports.ts'
import { BatchIterator, RecordIterator } from './consumer-iterators.ts'
import type { BatchOfReader, BatchSource } from './consumer-iterators.ts'
import type { ConsumedBatch } from './consumed-batch.ts'
import type {
  Assignment, ConsumerOptions, ConsumerRecord, OffsetToCommit, StartAt, TopicPartition
} from './consumer-options.ts'
import { Commits } from './commits.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { FetchChannel } from './fetch-channel.ts'
import * as limits from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { GROUPS_TOPIC, Offsets } from './offsets.ts'
import type { ListedOffset, PartitionOffset, Patience } from './offsets.ts'
import type { PartitionReader, ReaderHost } from './partition-reader.ts'
import { partitionOf, ReaderSet } from './reader-set.ts'
import { Starts } from './starts.ts'
import { retry } from './waiting.ts'

export interface CallOptions {
  /** How long brokers and leaders are waited for (30,000). */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

function patience (options: CallOptions): Patience {
  return { timeoutMs: options.timeoutMs ?? limits.operationTimeoutMs, signal: options.signal }
}

export class Consumer implements AsyncIterable<ConsumerRecord>, BatchSource {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #options: ConsumerOptions
  readonly #offsets: Offsets
  readonly #starts: Starts
  readonly #commits: Commits | undefined
  readonly #readers: ReaderSet
  readonly #channels = new Map<string, FetchChannel>()
  /** Readers with something to hand out, each in turn, so that none holds up another. */
  readonly #ready = new Set<PartitionReader>()
  #wake: (() => void) | undefined
  #failure: MillraceError | undefined
  #tick: Timer | undefined
  #closed = false
  readonly #stopListening: () => void
  readonly #onClosed: () => void

  /** Made by Millrace.consumer(). */
  constructor (ports: ClientPorts, metadata: Metadata, options: ConsumerOptions, onClosed: () => void) {
    this.#ports = ports
    this.#metadata = metadata
    this.#options = options
    this.#onClosed = onClosed
    this.#offsets = new Offsets(ports, metadata)
    this.#starts = new Starts(ports, this.#offsets, error => { this.#fail(error) })
    this.#readers = new ReaderSet({
      metadata,
      offsets: this.#offsets,
      readerHost: this.#readerHost(),
      begin: reader => { this.#starts.add(reader) },
      failed: error => { this.#fail(error) }
    }, options)
    this.#stopListening = metadata.onChange(() => {
      for (const reader of this.#readers.all()) reader.pump()
      this.#readers.grow()
      this.#forgetChannels()
    })
    const { group, autoCommitIntervalMs = limits.autoCommitMs } = options
    if (group === undefined) return
    this.#commits = new Commits(ports, this.#offsets, group)
    this.#readers.track(GROUPS_TOPIC)
    if (autoCommitIntervalMs > 0) {
      this.#commits.every(autoCommitIntervalMs, () => this.#commitFinished({}), error => { this.#fail(error) })
    }
  }

  /**
   * Begins to read these partitions, beside those assigned before; 'all' includes those that the topic is
   * given later. Resolves when the topics are known and what the group committed has been found; a partition
   * without a leader is waited for later.
   * @throws MillraceError UNKNOWN_TOPIC, UNKNOWN_PARTITION, TIMED_OUT, CANCELLED, CLOSED.
   */
  async assign (assignments: readonly Assignment[], options: CallOptions = {}): Promise<void> {
    this.#check()
    await this.#readers.assign(assignments, patience(options))
    this.#tick ??= this.#startTick()
  }

  #readerHost (): ReaderHost {
    const prefetchBytes = (): number => this.#readers.prefetchBytes
    return {
      ports: this.#ports,
      metadata: this.#metadata,
      reset: this.#options.reset ?? 'earliest',
      onReset: this.#options.onReset,
      get prefetchBytes () { return prefetchBytes() },
      channel: address => this.#channel(address),
      unresolved: reader => { this.#starts.add(reader) },
      ready: reader => {
        this.#ready.add(reader)
        this.#wakeUp()
      },
      failed: error => { this.#fail(error) }
    }
  }

  #channel (address: string): FetchChannel {
    let channel = this.#channels.get(address)
    if (channel === undefined) {
      channel = new FetchChannel(this.#ports.net, this.#ports.clock, address)
      this.#channels.set(address, channel)
    }
    return channel
  }

  #forgetChannels (): void {
    for (const [address, channel] of this.#channels) {
      if (!channel.isIdle || this.#metadata.isKnownAddress(address)) continue
      channel.end()
      this.#channels.delete(address)
    }
  }

  #startTick (): Timer {
    return this.#ports.clock.setTimer(limits.doubtMs, () => {
      this.#tick = this.#startTick()
      const now = this.#ports.clock.now()
      const { waitTimeoutMs } = this.#options
      let quiet = false
      for (const reader of this.#readers.all()) {
        quiet ||= reader.isQuiet(now, limits.quietMs)
        const stuck = waitTimeoutMs === undefined ? undefined : reader.stuckFor(now, waitTimeoutMs)
        if (stuck !== undefined) this.#fail(this.#waitedTooLong(stuck))
      }
      if (quiet) this.#metadata.requestRefresh()
    })
  }

  #waitedTooLong (cause: MillraceError): MillraceError {
    const { topic, partition } = cause
    return errorOf('TIMED_OUT', `${topic}/${partition} could not be read for ` +
      `${(this.#options.waitTimeoutMs ?? 0) / 1000} s: ${cause.message}`, { topic, partition }, { cause })
  }

  #wakeUp (): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #fail (error: MillraceError): void {
    this.#failure ??= error
    this.#wakeUp()
  }

  /** For the iterators: the next batch of whichever partition has one, in turn; undefined when closed. */
  async nextBatch (signal: AbortSignal | undefined): Promise<BatchOfReader | undefined> {
    for (;;) {
      if (this.#closed || signal?.aborted === true) return undefined
      if (this.#failure !== undefined) throw this.#failure
      for (const reader of this.#ready) {
        this.#ready.delete(reader)
        if (reader.paused) continue
        const batch = reader.next()
        if (reader.hasReceived) this.#ready.add(reader)
        if (batch !== undefined) return { reader, batch }
      }
      if (this.#wake !== undefined) throw errorOf('INVALID_REQUEST', 'a consumer is read by one loop at a time')
      await new Promise<void>(resolve => {
        const done = (): void => {
          signal?.removeEventListener('abort', done)
          this.#wake = undefined
          resolve()
        }
        this.#wake = done
        signal?.addEventListener('abort', done, { once: true })
      })
    }
  }

  /**
   * The records of all partitions; those of one partition in their order. A record counts as finished when
   * the next one is asked for.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<ConsumerRecord> {
    return this.records()
  }

  records (options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ConsumerRecord> {
    return new RecordIterator(this, options.signal)
  }

  /** The same by batch, for callers with very many records. */
  batches (options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ConsumedBatch> {
    return new BatchIterator(this, options.signal)
  }

  assignment (): TopicPartition[] {
    return [...this.#readers.all()].map(({ place }) => place)
  }

  /** Resolves when it is known where every assigned partition begins. Partitions without a leader are waited for. */
  located (options: CallOptions = {}): Promise<void> {
    const { clock, rng } = this.#ports
    return retry({ clock, rng, ...patience(options), what: 'where to begin' }, () => {
      if (this.#failure !== undefined) return Promise.reject(this.#failure)
      const open = [...this.#readers.all()].find(reader => reader.position < 0)
      if (open === undefined) return Promise.resolve()
      const { topic, partition } = open.place
      return Promise.reject(errorOf('LEADER_NOT_AVAILABLE', `${topic}/${partition} does not answer`, open.place))
    }, error => error === this.#failure)
  }

  /** The next offset that will be handed out; undefined while the start is being found. */
  position (partition: TopicPartition): number | undefined {
    const { position } = this.#reader(partition)
    return position < 0 ? undefined : position
  }

  /** Goes on at another place; what was received ahead is dropped. */
  seek (partition: TopicPartition, to: StartAt): void {
    const reader = this.#reader(partition)
    this.#ready.delete(reader)
    this.#starts.remove(reader)
    reader.seek(to)
  }

  /** Hands out nothing of these partitions until `resume`. */
  pause (partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#reader(partition).paused = true
  }

  resume (partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) {
      const reader = this.#reader(partition)
      reader.paused = false
      if (reader.hasReceived) this.#ready.add(reader)
    }
    this.#wakeUp()
  }

  /** The high watermarks of everything assigned, asked now. A partition without a leader is waited for. */
  endOffsets (options: CallOptions = {}): Promise<ListedOffset[]> {
    const queries = this.assignment().map(partition => ({ ...partition, at: 'end' as const }))
    return this.#offsets.list(queries, patience(options))
  }

  #reader (partition: TopicPartition): PartitionReader {
    this.#check()
    const reader = this.#readers.get(partition)
    if (reader !== undefined) return reader
    throw errorOf('UNKNOWN_PARTITION', `${partition.topic}/${partition.partition} is not assigned`, partition)
  }

  #check (): void {
    if (this.#closed) throw errorOf('CLOSED', 'the consumer is closed')
  }

  /**
   * Commits these offsets, or everything that was handed out. Resolves when they are durable.
   * @throws MillraceError INVALID_REQUEST without a group, TIMED_OUT, CANCELLED ...
   */
  async commit (offsets?: readonly OffsetToCommit[], options: CallOptions = {}): Promise<void> {
    const chosen = offsets?.map((each): PartitionOffset => ({ ...partitionOf(this.#reader(each)), ...each }))
    await this.#commit(() => {
      const places = chosen ?? this.#places(reader => reader.position)
      // The caller's word: automatic commits go on from here.
      for (const place of places) {
        const reader = this.#readers.get(place)
        if (reader !== undefined) reader.finished = place.offset
      }
      return places
    }, options)
  }

  #commitFinished (options: CallOptions): Promise<void> {
    return this.#commit(() => this.#places(reader => reader.finished), options)
  }

  /** Where the readers stand that have moved since their last commit. */
  #places (placeOf: (reader: PartitionReader) => number): PartitionOffset[] {
    return [...this.#readers.all()]
      .filter(reader => placeOf(reader) >= 0 && placeOf(reader) !== reader.committed)
      .map(reader => ({ ...partitionOf(reader), offset: placeOf(reader) }))
  }

  #commit (choose: () => readonly PartitionOffset[], options: CallOptions): Promise<void> {
    if (this.#commits === undefined) {
      return Promise.reject(errorOf('INVALID_REQUEST', 'a consumer without a group commits nothing'))
    }
    return this.#commits.commit(choose, committed => {
      for (const each of committed) {
        const reader = this.#readers.get(each)
        if (reader !== undefined) reader.committed = each.offset
      }
    }, patience(options))
  }

  /** Commits what was finished, then stops. */
  async close (options: CallOptions = {}): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#wakeUp()
    this.#commits?.stop()
    this.#tick?.cancel()
    this.#starts.stop()
    this.#readers.stop()
    for (const channel of this.#channels.values()) channel.end()
    try {
      if (this.#commits !== undefined && this.#options.autoCommitIntervalMs !== 0) await this.#commitFinished(options)
    } finally {
      this.#stopListening()
      this.#readers.untrack()
      this.#onClosed()
    }
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.close()
  }
}
