// A member of a queue group: the members share the records of their topics, one by one, however many partitions there
// are; each record is acknowledged, released or rejected by itself.
import type { Decompress } from '../wire/batch-reader.ts'
import { openBlock } from '../wire/compression.ts'
import type { QueueResponse } from '../wire/messages.ts'
import { patience } from './call-options.ts'
import type { CallOptions } from './call-options.ts'
import { deserialized } from './consumed-batch.ts'
import { DeserializationError, errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { FetchChannels } from './fetch-channels.ts'
import { Membership } from './group-membership.ts'
import * as limits from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { GROUPS_TOPIC, Offsets } from './offsets.ts'
import type { PartitionReader } from './partition-reader.ts'
import { processed } from './processing.ts'
import { Burials } from './queue-burials.ts'
import { Hand } from './queue-hand.ts'
import { HeldRecord } from './queue-record.ts'
import type { QueueHandler, QueueOptions, QueueRecord, QueueRunOptions } from './queue-options.ts'
import { QueuePlace } from './queue-place.ts'
import type { FeedPlace } from './offset-feed.ts'
import { ignoreUnsettled, QueueRun } from './queue-run.ts'
import { Settlements } from './queue-settlements.ts'
import type { Timer } from '../wire/ports.ts'
import { sleep, within } from './waiting.ts'
import { Watch } from './watch.ts'

/** Records of topics shared one by one with the other members of a queue group. Made by `client.queue()`. */
export class Queue<K = Uint8Array, V = Uint8Array> implements AsyncIterable<QueueRecord<K, V>> {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #options: QueueOptions<K, V>
  readonly #offsets: Offsets
  readonly #channels: FetchChannels
  readonly #hand: Hand
  readonly #settlements: Settlements
  readonly #burials: Burials
  readonly #watch: Watch
  readonly #places = new Map<string, QueuePlace>()
  readonly #tracked: string[] = [GROUPS_TOPIC]
  readonly #stopListening: () => void
  readonly #onClosed: () => void
  #membership: Membership | undefined
  /** The stream to the coordinator that knows what this member wants. */
  #attempt = -1
  #tickTimer: Timer | undefined
  #renewedAt = 0
  #isRead = false
  #running: Promise<void> | undefined
  #failure: MillraceError | undefined
  #closed = false
  readonly group: string

  /** Made by Millrace.queue(). */
  constructor (ports: ClientPorts, metadata: Metadata, options: QueueOptions<K, V>, onClosed: () => void) {
    this.#ports = ports
    this.#metadata = metadata
    this.#options = options
    this.#onClosed = onClosed
    this.group = options.group
    if (this.group === '') throw errorOf('INVALID_REQUEST', 'a group has a name')
    this.#offsets = new Offsets(ports, metadata)
    this.#channels = new FetchChannels(ports, metadata)
    const say: Membership['say'] = request => { this.#membership?.say(request) }
    this.#settlements = new Settlements(ports, say)
    this.#burials = new Burials(ports, metadata, this.group, () => this.#hand)
    this.#hand = new Hand({
      ports, settlements: this.#settlements, say, bury: (holding, burial) => { this.#burials.bury(holding, burial) }
    }, options.processingTimeoutMs ?? limits.queueProcessingMs)
    this.#watch = new Watch({
      ports, metadata, waitTimeoutMs: options.waitTimeoutMs, readers: () => this.#readers(),
      failed: error => { this.#fail(error) }
    })
    metadata.track(GROUPS_TOPIC)
    this.#stopListening = metadata.onChange(() => {
      for (const reader of this.#readers()) reader.pump()
      this.#membership?.pump()
      this.#channels.forget()
    })
  }

  * #readers (): Generator<PartitionReader> {
    for (const place of this.#places.values()) yield * place.readers
  }

  /**
   * Joins the group. Resolves when the coordinator has taken this member in; records come when they are asked for.
   * @throws MillraceError INCONSISTENT_GROUP (its members have another mode or order), UNKNOWN_TOPIC, TIMED_OUT ...
   */
  async subscribe (topics: readonly string[], options: CallOptions = {}): Promise<void> {
    this.#check()
    if (this.#membership !== undefined || topics.length === 0) {
      throw errorOf('INVALID_REQUEST', 'a queue subscribes once, to a topic at least')
    }
    const { timeoutMs, signal } = patience(options)
    const deadline = this.#ports.clock.now() + timeoutMs
    for (const topic of topics) {
      this.#metadata.track(topic)
      this.#tracked.push(topic)
      await this.#metadata.waitForTopic(topic, timeoutMs, signal)
    }
    this.#check()
    const membership = this.#member(topics)
    this.#membership = membership
    membership.join()
    this.#watch.start()
    this.#tickLater()
    while (!membership.isAssigned) {
      this.#check()
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ports.clock.now() >= deadline) {
        throw errorOf('TIMED_OUT', `group ${this.group}: no answer of its coordinator within ${timeoutMs / 1000} s`)
      }
      await sleep(this.#ports.clock, 10, signal)
    }
  }

  #member (topics: readonly string[]): Membership {
    const options = this.#options
    const { sessionTimeoutMs = limits.sessionTimeoutMs, leaseMs = limits.queueLeaseMs } = options
    return new Membership(this.#ports, this.#metadata, {
      group: this.group,
      topics,
      assignor: 'GROUP_ASSIGNOR_UNSPECIFIED',
      instanceId: '',
      rack: '',
      client: options.clientId ?? '',
      sessionTimeoutMs,
      instanceGraceMs: 0,
      releaseTimeoutMs: sessionTimeoutMs,
      queue: {
        order: options.orderedBy === 'key' ? 'QUEUE_ORDER_KEY' : 'QUEUE_ORDER_UNSPECIFIED',
        maxDeliveries: options.maxDeliveries ?? limits.queueDeliveriesMax,
        deadLetterTopic: options.deadLetterTopic ?? '',
        leaseMs,
        start: options.reset === 'latest' ? 'QUEUE_START_LATEST' : 'QUEUE_START_UNSPECIFIED'
      }
    }, () => this.#offsets.partitionOfGroup(this.group), {
      assigned: () => { this.#joined() },
      revoked: () => {},
      lost: () => {},
      suspended: is => { this.#hand.hold(is) },
      failed: error => { this.#fail(error) },
      queue: { heard: response => { this.#heard(response) }, fenced: why => { this.#fenced(why) } }
    })
  }

  /** The coordinator, this one or another, has taken this member in. */
  #joined (): void {
    const { attempt } = this.#membership!
    if (this.#attempt === attempt) return
    this.#attempt = attempt
    for (const place of this.#places.values()) place.forgetScan()
    this.#settlements.sayAgain()
    this.#hand.begin()
  }

  #fenced (why: MillraceError): void {
    this.#hand.loseAll()
    this.#settlements.fenced(why)
  }

  #heard ({ scan, halt, grant, settled, lapsed }: QueueResponse): void {
    if (scan !== undefined) this.#place(scan).scan(scan)
    else if (halt !== undefined) this.#places.get(`${halt.topicId}/${halt.partition}`)?.halt(halt.scan)
    else if (grant !== undefined) this.#hand.grant(this.#place(grant), grant)
    else if (settled !== undefined) this.#settlements.answered(settled.sequence, settled.error)
    else if (lapsed !== undefined) this.#hand.lapsed(lapsed.lease)
  }

  #place (where: FeedPlace): QueuePlace {
    const key = `${where.topicId}/${where.partition}`
    let place = this.#places.get(key)
    if (place === undefined) {
      place = new QueuePlace(this.#placeHost(), where)
      this.#places.set(key, place)
    }
    return place
  }

  #placeHost (): ConstructorParameters<typeof QueuePlace>[0] {
    const { decompressedBytesMax = limits.decompressedBytesMax, reset } = this.#options
    const decompress: Decompress = (codecId, block) =>
      openBlock(this.#ports.codecs, codecId, block, decompressedBytesMax)
    return {
      ports: this.#ports,
      metadata: this.#metadata,
      prefetchBytes: limits.queuePrefetchBytes,
      decompress,
      channel: address => this.#channels.get(address),
      failed: error => { this.#fail(error) },
      start: async ({ topic, partition }) => {
        const query = { topic, partition, at: reset === 'latest' ? 'end' as const : 'start' as const }
        const [listed] = await this.#offsets.list([query], { timeoutMs: limits.operationTimeoutMs })
        return listed!.offset
      },
      found: found => { this.#membership?.say({ found }) },
      arrived: (place, record) => { this.#hand.arrived(place, record) },
      gone: (place, offset) => { this.#hand.gone(place, offset) }
    }
  }

  #tickLater (): void {
    const { clock } = this.#ports
    const everyMs = (this.#options.leaseMs ?? limits.queueLeaseMs) / 3
    this.#tickTimer = clock.setTimer(Math.min(everyMs, limits.queueWaitMs / 2), () => {
      this.#tickLater()
      this.#hand.tick()
      if (clock.now() - this.#renewedAt < everyMs) return
      this.#renewedAt = clock.now()
      this.#hand.renew()
    })
  }

  #fail (error: MillraceError): void {
    this.#failure ??= error
    this.#hand.wake()
  }

  #check (): void {
    if (this.#closed) throw errorOf('CLOSED', 'the queue is closed')
  }

  // Records

  /** The records that are this member's, until each is settled. */
  [Symbol.asyncIterator] (): AsyncIterableIterator<QueueRecord<K, V>> {
    return this.records()
  }

  /**
   * Records of all topics, until the signal aborts or the queue closes. Each has to be settled: `acknowledge`,
   * `release` or `reject`; asking for the next one does not. Leaving the loop gives back what was not handed out.
   */
  records (options: { readonly signal?: AbortSignal } = {}): AsyncIterableIterator<QueueRecord<K, V>> {
    const iterate = async function * (queue: Queue<K, V>): AsyncGenerator<QueueRecord<K, V>, undefined> {
      queue.#begin(queue.#options.maxInFlight ?? limits.queueInFlight)
      try {
        for (;;) {
          const record = await queue.#next(options.signal)
          if (record === undefined) return undefined
          yield record
        }
      } finally {
        queue.#end()
      }
    }
    return iterate(this)
  }

  #begin (capacity: number): void {
    this.#check()
    if (this.#membership === undefined) throw errorOf('INVALID_REQUEST', 'a queue subscribes before it is read')
    if (this.#isRead) throw errorOf('INVALID_REQUEST', 'a queue is read by one loop at a time')
    this.#isRead = true
    this.#hand.ask(Math.max(1, capacity))
  }

  #end (): void {
    this.#isRead = false
    this.#hand.ask(0)
  }

  async #next (signal: AbortSignal | undefined): Promise<HeldRecord<K, V> | undefined> {
    while (!this.#closed && signal?.aborted !== true) {
      if (this.#failure !== undefined) throw this.#failure
      const holding = this.#hand.take()
      if (holding === undefined) {
        await this.#hand.changed(signal)
        continue
      }
      try {
        const record = deserialized<K, V>(holding.record!, this.#options)
        return new HeldRecord<K, V>(this.#hand, this.#ports, holding, record)
      } catch (error) {
        if (!(error instanceof DeserializationError)) throw error
        await this.#undecodable(new HeldRecord(this.#hand, this.#ports, holding, holding.record!), error)
      }
    }
    return undefined
  }

  /** Nobody can handle it: to the dead letters, where there are some. */
  async #undecodable (record: QueueRecord, error: DeserializationError): Promise<void> {
    if (this.#options.deadLetterTopic === undefined) {
      const release = { reason: error.message, delayMs: limits.queueRetryMs }
      await record.release(release).catch((failure: unknown) => { ignoreUnsettled(failure) })
      throw error
    }
    await record.reject(error.message).catch((failure: unknown) => { ignoreUnsettled(failure) })
  }

  /**
   * Hands each record to `handler`, and acknowledges it when the promise resolves, unless the handler has settled it
   * itself. One whose handler rejects is released, and comes again after a while (`retryDelayMs`), to any member.
   * Resolves when the signal aborts or the queue closes, and what has been begun is finished.
   * @throws DeserializationError without a dead-letter topic, MillraceError.
   */
  async run (handler: QueueHandler<K, V>, options: QueueRunOptions = {}): Promise<void> {
    const concurrency = Math.max(1, Math.floor(options.concurrency ?? 1))
    this.#begin(this.#options.maxInFlight ?? 2 * concurrency)
    const run = new QueueRun<K, V>({
      next: signal => this.#next(signal),
      process: record => this.process(record, handler),
      retryDelayMs: this.#options.retryDelayMs
    }, concurrency, options.signal)
    this.#running = run.run()
    try {
      await this.#running
    } finally {
      this.#running = undefined
      this.#end()
    }
  }

  /** Runs `handler` as the processing of a record of a loop: in its span, and with its time told. */
  process<T> (record: QueueRecord<K, V>, handler: (record: QueueRecord<K, V>) => T | Promise<T>): Promise<T> {
    return processed(this.#ports, this.group, record, handler)
  }

  /**
   * Lets a run finish what it has begun (30 s at most) and waits for what was settled; what was not is for the other
   * members at once. Then leaves the group.
   */
  async close (options: CallOptions = {}): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const { clock } = this.#ports
    const { timeoutMs, signal } = patience(options)
    this.#hand.wake()
    await within(clock, { timeoutMs, signal }, this.#running)
    this.#hand.ask(0)
    await within(clock, { timeoutMs: Math.min(timeoutMs, limits.revokeCommitMs), signal }, this.#settlements.idle())
    await this.#burials.close(limits.leaveTimeoutMs)
    this.#tickTimer?.cancel()
    this.#watch.stop()
    await this.#membership?.leave(true)
    this.#hand.close(errorOf('CLOSED', 'the queue is closed'))
    for (const place of this.#places.values()) place.stop()
    this.#channels.end()
    this.#stopListening()
    for (const topic of this.#tracked) this.#metadata.untrack(topic)
    this.#onClosed()
  }

  /** For `await using`: close. */
  async [Symbol.asyncDispose] (): Promise<void> {
    await this.close()
  }
}

