// Reads partitions in offset order, and keeps the place of a group.
import type { Decompress } from '../wire/batch-reader.ts'
import { openBlock } from '../wire/compression.ts'
import { BatchIterator, RecordIterator } from './consumer-iterators.ts'
import type { BatchOfReader, BatchSource } from './consumer-iterators.ts'
import type { ConsumedBatch } from './consumed-batch.ts'
import type {
  Assignment, ConsumerOptions, ConsumerRecord, OffsetToCommit, StartAt, TopicPartition
} from './consumer-options.ts'
import { patience } from './call-options.ts'
import type { CallOptions, SubscribeOptions } from './call-options.ts'
import { Commits } from './commits.ts'
import { Choice } from './committable.ts'
import type { Committable } from './committable.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { FetchChannels } from './fetch-channels.ts'
import { GroupReading } from './group-reading.ts'
import { HandOut } from './hand-out.ts'
import * as limits from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import type { Lag } from './metrics.ts'
import { GROUPS_TOPIC, Offsets } from './offsets.ts'
import type { ListedOffset, PartitionOffset } from './offsets.ts'
import type { PartitionReader, ReaderHost } from './partition-reader.ts'
import { processed } from './processing.ts'
import { commitOf, partitionOf, ReaderSet } from './reader-set.ts'
import { runSource } from './run-source.ts'
import { Runner } from './runner.ts'
import type { RecordHandler, RunOptions } from './runner.ts'
import { Starts } from './starts.ts'
import { retry, within } from './waiting.ts'
import { Watch } from './watch.ts'

/** Reads partitions: those that it is told to (`assign`), or its share as a member of a group (`subscribe`). */
export class Consumer<K = Uint8Array, V = Uint8Array> implements AsyncIterable<ConsumerRecord<K, V>>, BatchSource {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #options: ConsumerOptions<K, V>
  readonly #offsets: Offsets
  readonly #starts: Starts
  readonly #commits: Commits | undefined
  readonly #readers: ReaderSet
  readonly #channels: FetchChannels
  readonly #handOut = new HandOut()
  #group: GroupReading | undefined
  #running: Promise<void> | undefined
  readonly #watch: Watch
  #closed = false
  readonly #stopListening: () => void
  readonly #onClosed: () => void
  /** Undefined: it commits nothing. */
  readonly group: string | undefined

  /** Made by Millrace.consumer(). */
  constructor (ports: ClientPorts, metadata: Metadata, options: ConsumerOptions<K, V>,
    onClosed: () => void) {
    this.#ports = ports
    this.#metadata = metadata
    this.#options = options
    this.#onClosed = onClosed
    this.group = options.group
    this.#offsets = new Offsets(ports, metadata)
    this.#channels = new FetchChannels(ports, metadata)
    this.#starts = new Starts(ports, this.#offsets, error => { this.#fail(error) })
    this.#readers = new ReaderSet({
      metadata,
      offsets: this.#offsets,
      readerHost: this.#readerHost(),
      begin: reader => { this.#starts.add(reader) },
      failed: error => { this.#fail(error) }
    }, options)
    this.#watch = new Watch({
      ports,
      metadata,
      waitTimeoutMs: options.waitTimeoutMs,
      readers: () => this.#readers.all(),
      failed: error => { this.#fail(error) }
    })
    this.#stopListening = metadata.onChange(() => {
      for (const reader of this.#readers.all()) reader.pump()
      this.#readers.grow()
      this.#group?.pump()
      this.#channels.forget()
    })
    const { group, autoCommitIntervalMs = limits.autoCommitMs } = options
    if (group === undefined) return
    this.#commits = new Commits(ports, this.#offsets, group, () => this.#group?.membership.committer())
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
    if (this.#group !== undefined) throw errorOf('INVALID_REQUEST', 'its group assigns a consumer that subscribed')
    await this.#readers.assign(assignments, patience(options))
    this.#watch.start()
  }

  /**
   * Joins the group: the topics' partitions are shared with its other members, come and go one by one, and go on
   * where the group stands. Resolves when the first assignment is here, be it empty.
   * @throws MillraceError INVALID_REQUEST without a group, UNKNOWN_TOPIC, GROUP_TOO_LARGE, TIMED_OUT, CANCELLED ...
   */
  async subscribe (topics: readonly string[], options: SubscribeOptions = {}): Promise<void> {
    this.#check()
    if (this.#commits === undefined) throw errorOf('INVALID_REQUEST', 'subscribe is for members of a group')
    if (this.#group !== undefined || !this.#readers.isEmpty || topics.length === 0) {
      throw errorOf('INVALID_REQUEST', 'a consumer subscribes once, to a topic at least, and is not assigned beside it')
    }
    const { timeoutMs, signal } = patience(options)
    for (const topic of topics) {
      this.#readers.track(topic)
      await this.#metadata.waitForTopic(topic, timeoutMs, signal)
    }
    this.#check()
    const group = new GroupReading({
      ports: this.#ports,
      metadata: this.#metadata,
      offsets: this.#offsets,
      readers: this.#readers,
      readerHost: this.#readerHost(true),
      commits: this.#commits,
      forget: reader => { this.#forget(reader) },
      handOut: this.#handOut,
      failed: error => { this.#fail(error) }
    }, this.#options, topics, options.from)
    this.#group = group
    this.#watch.start()
    try {
      await group.assigned({ timeoutMs, signal })
    } catch (error) {
      // It may be tried again.
      this.#group = undefined
      await group.leave()
      throw error
    }
    if (this.#handOut.failure !== undefined) throw this.#handOut.failure
  }

  #forget (reader: PartitionReader): void {
    this.#handOut.remove(reader)
    this.#starts.remove(reader)
  }

  #readerHost (isMember = false): ReaderHost {
    const prefetchBytes = (): number => this.#readers.prefetchBytes
    const { decompressedBytesMax = limits.decompressedBytesMax, key, value } = this.#options
    const decompress: Decompress = (codecId, block) =>
      openBlock(this.#ports.codecs, codecId, block, decompressedBytesMax)
    return {
      isMember,
      ports: this.#ports,
      metadata: this.#metadata,
      reset: this.#options.reset ?? 'earliest',
      rack: this.#options.rack ?? '',
      onReset: this.#options.onReset,
      get prefetchBytes () { return prefetchBytes() },
      opening: { decompress, key, value },
      channel: address => this.#channels.get(address),
      unresolved: reader => { this.#starts.add(reader) },
      ready: reader => { this.#handOut.add(reader) },
      failed: error => { this.#fail(error) }
    }
  }

  #fail (error: MillraceError): void { this.#handOut.fail(error) }

  /** For the iterators: the next batch of whichever partition has one, in turn; undefined when closed. */
  async nextBatch (signal: AbortSignal | undefined): Promise<BatchOfReader | undefined> {
    while (!this.#closed && signal?.aborted !== true) {
      this.#group?.asked()
      const taken = this.#handOut.take()
      if (taken !== undefined) return taken
      await this.#handOut.changed(signal)
    }
    return undefined
  }

  /** For the iterators. */
  handedBack (reader: PartitionReader): void {
    reader.isInHand = false
    this.#group?.handedBack(reader)
  }

  /**
   * The records of all partitions; those of one partition in their order. A record counts as finished when
   * the next one is asked for.
   */
  [Symbol.asyncIterator] (): AsyncIterableIterator<ConsumerRecord<K, V>> { return this.records() }

  /** The same with a signal, which ends the loop. */
  records (options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ConsumerRecord<K, V>> {
    return new RecordIterator<K, V>(this, options.signal, this.#options.onUndecodable)
  }

  /** The same by batch, for callers with very many records. */
  batches (options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<ConsumedBatch<K, V>> {
    return new BatchIterator<K, V>(this, options.signal)
  }

  /**
   * Hands each record to `handler`; it is finished when the promise resolves, and commits cover no record that is
   * not. Resolves when the signal aborts or the consumer closes. A handler that rejects ends the run with its error,
   * when the other ones are through; its record, and what was not begun, is for the next loop.
   * @throws what a handler threw, DeserializationError, MillraceError.
   */
  async run (handler: RecordHandler<K, V>, options: RunOptions = {}): Promise<void> {
    this.#check()
    if (this.#running !== undefined || this.#handOut.isAwaited) {
      throw errorOf('INVALID_REQUEST', 'a consumer is read by one loop at a time')
    }
    const source = runSource(this.#handOut, this.#readers, this.#options.onUndecodable, {
      asked: () => { this.#group?.asked() },
      handedBack: reader => { this.handedBack(reader) }
    })
    const work = (record: ConsumerRecord<unknown, unknown>): Promise<unknown> =>
      this.process(record as ConsumerRecord<K, V>, handler)
    this.#running = new Runner(source, work, options).run()
    try {
      await this.#running
    } finally {
      this.#running = undefined
    }
  }

  /**
   * Runs `handler` as the processing of a record of a loop: in its span, and with its time told. `run` does it by
   * itself.
   */
  process<T> (record: ConsumerRecord<K, V>, handler: (record: ConsumerRecord<K, V>) => T | Promise<T>): Promise<T> {
    return processed(this.#ports, this.#options.group, record, handler)
  }

  /** What is read now. */
  assignment (): TopicPartition[] { return [...this.#readers.all()].map(({ place }) => place) }

  /** True while partitions come to this member of a group, or go from it. */
  get isSettling (): boolean { return this.#group?.isSettling === true }

  /** Resolves when it is known where every assigned partition begins. Partitions without a leader are waited for. */
  located (options: CallOptions = {}): Promise<void> {
    const { clock, rng } = this.#ports
    return retry({ clock, rng, ...patience(options), what: 'where to begin' }, () => {
      const { failure } = this.#handOut
      if (failure !== undefined) return Promise.reject(failure)
      const open = [...this.#readers.all()].find(reader => reader.position < 0)
      if (open === undefined) return Promise.resolve()
      const { topic, partition } = open.place
      return Promise.reject(errorOf('LEADER_NOT_AVAILABLE', `${topic}/${partition} does not answer`, open.place))
    }, error => error === this.#handOut.failure)
  }

  /** The next offset that will be handed out; undefined while the start is being found. */
  position (partition: TopicPartition): number | undefined {
    const { position } = this.#reader(partition)
    return position < 0 ? undefined : position
  }

  /** Records between the position and the end that the last answer told of; undefined while one is not known. */
  lag (partition: TopicPartition): number | undefined {
    const { position, highWatermark } = this.#reader(partition)
    return position < 0 || highWatermark < 0 ? undefined : Math.max(0, highWatermark - position)
  }

  /** The same of everything assigned, as far as it is known. */
  lags (): Lag[] {
    const { group } = this
    return this.assignment().flatMap(place => {
      const lag = this.lag(place)
      return lag === undefined ? [] : [{ group, ...place, lag }]
    })
  }

  /** What the group has committed of everything assigned; partitions without a commit are left out. */
  async committed (options: CallOptions = {}): Promise<OffsetToCommit[]> {
    if (this.#commits === undefined) throw errorOf('INVALID_REQUEST', 'a consumer without a group commits nothing')
    const places = [...this.#readers.all()].map(partitionOf)
    const by = this.#group?.membership.committer()
    const found = await this.#offsets.committed(this.#commits.group, places, patience(options), by)
    return found.map(({ topic, partition, offset, metadata }) => ({ topic, partition, offset, metadata }))
  }

  /** Goes on at another place; what was received ahead is dropped. */
  seek (partition: TopicPartition, to: StartAt): void {
    const reader = this.#reader(partition)
    this.#forget(reader)
    reader.seek(to)
  }

  /** Hands out nothing of these partitions until `resume`. */
  pause (partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#reader(partition).paused = true
  }

  /** Hands out what `pause` held back. */
  resume (partitions: readonly TopicPartition[]): void {
    for (const reader of partitions.map(each => this.#reader(each))) {
      reader.paused = false
      if (reader.hasReceived) this.#handOut.add(reader)
    }
  }

  /** The high watermarks of everything assigned, asked now. A partition without a leader is waited for. */
  async endOffsets (options: CallOptions = {}): Promise<ListedOffset[]> {
    const listed = await this.#offsets.list(this.#readers.ends(), patience(options))
    for (const place of listed) this.#readers.get(place)?.heardOfEnd(place.offset)
    return listed
  }

  #reader (partition: TopicPartition): PartitionReader {
    this.#check()
    const reader = this.#readers.get(partition)
    if (reader !== undefined) return reader
    if (this.#group !== undefined) {
      throw errorOf('FENCED_MEMBER', `${partition.topic}/${partition.partition} is not this member's`, partition)
    }
    throw errorOf('UNKNOWN_PARTITION', `${partition.topic}/${partition.partition} is not assigned`, partition)
  }

  #check (): void {
    if (this.#closed) throw errorOf('CLOSED', 'the consumer is closed')
  }

  /**
   * Commits a record or a batch (and so everything before it in its partition), what was handed out of a partition,
   * these offsets, or everything that was handed out; in a run, what is finished. Resolves when it is durable.
   * @throws MillraceError INVALID_REQUEST without a group, FENCED_MEMBER (another member's now), TIMED_OUT ...
   */
  async commit (what?: Committable, options: CallOptions = {}): Promise<void> {
    const choice = what === undefined ? undefined
      : new Choice(what, this.#group !== undefined, place => this.#reader(place))
    let places: readonly PartitionOffset[] = []
    await this.#commit(() => {
      places = choice?.offsets(place => this.#readers.get(place)) ?? this.#places(reader => reader.position)
      // The caller's word: automatic commits go on from here.
      for (const place of places) {
        const reader = this.#readers.get(place)
        if (reader !== undefined) reader.finished = place.offset
      }
      return places
    }, options)
    choice?.check(places)
  }

  #commitFinished (options: CallOptions): Promise<void> {
    return this.#commit(() => this.#places(reader => reader.finished), options)
  }

  /** Where the readers stand that have moved since their last commit. */
  #places (placeOf: (reader: PartitionReader) => number): PartitionOffset[] {
    return [...this.#readers.all()]
      .filter(reader => placeOf(reader) >= 0 && placeOf(reader) !== reader.committed)
      .map(reader => commitOf(reader, placeOf(reader)))
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

  /** Lets a run finish what it has begun (30 s at most), commits what was finished, then stops. */
  async close (options: CallOptions = {}): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#handOut.close()
    this.#commits?.stop()
    this.#watch.stop()
    this.#starts.stop()
    this.#readers.stop()
    this.#channels.end()
    try {
      await within(this.#ports.clock, patience(options), this.#running)
      if (this.#commits !== undefined && this.#options.autoCommitIntervalMs !== 0) await this.#commitFinished(options)
    } finally {
      await this.#group?.leave()
      this.#stopListening()
      this.#readers.untrack()
      this.#onClosed()
    }
  }

  /** For `await using`: close. */
  [Symbol.asyncDispose] (): Promise<void> { return this.close() }
}
