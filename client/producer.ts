// Sends records, exactly once and in order per partition, in batches, within a bounded buffer.
import { WireError } from '../wire/errors.ts'
import type { Timer } from '../wire/ports.ts'
import { BufferPool } from './buffer-pool.ts'
import type { CloseOptions } from './call-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { doubtMs, operationTimeoutMs, poolBytesMax, producerTickMs, sendsWaitingMax } from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { unknownTopic } from './metadata.ts'
import { encodeRecord, headerBytes, headersOf } from './outgoing.ts'
import type { Bytes, OutgoingRecord } from './outgoing.ts'
import { Countdown } from './produce-batch.ts'
import type { ProduceBatch, RecordMetadata } from './produce-batch.ts'
import { ProduceChannel } from './produce-channel.ts'
import type { LaneHost, ProduceLane } from './produce-lane.ts'
import { Lost } from './lost.ts'
import { producerSettings } from './producer-options.ts'
import type { LostRecords, ProducerOptions, ProducerSettings } from './producer-options.ts'
import { ProducerTopic } from './producer-topic.ts'
import type { WaitingSend } from './producer-topic.ts'
import { TopicWriter } from './topic-writer.ts'
import type { TopicWriterOptions, WriterHost } from './topic-writer.ts'
import { cancelled, within } from './waiting.ts'

const PRODUCER_IDS = 2 ** 53

/** Sends records: each once and in order in its partition, whatever fails. Made by `client.producer()`. */
export class Producer<K = Bytes, V = Bytes> {
  readonly #ports: ClientPorts
  readonly #metadata: Metadata
  readonly #settings: ProducerSettings
  readonly #host: LaneHost
  readonly #topics = new Map<string, ProducerTopic>()
  /** Lanes with batches in them. */
  readonly #active = new Set<ProduceLane>()
  readonly #touched = new Set<ProduceLane>()
  readonly #channels = new Map<string, ProduceChannel>()
  readonly #roomWaiters: (() => void)[] = []
  #bufferedBytes = 0
  #hurried = 0
  #deferred = false
  #tick: Timer | undefined
  #closing = false
  #closed = false
  readonly #stopListening: () => void
  readonly #onClosed: () => void

  /** Made by Millrace.producer(). */
  constructor (ports: ClientPorts, metadata: Metadata, options: ProducerOptions<K, V>,
    onClosed: () => void) {
    this.#ports = ports
    this.#metadata = metadata
    this.#settings = producerSettings(options, ports.codecs)
    this.#host = this.#laneHost()
    this.#stopListening = metadata.onChange(() => { this.#metadataChanged() })
    this.#onClosed = onClosed
  }

  #laneHost (): LaneHost {
    const hurried = (): boolean => this.#hurried > 0
    return {
      ports: this.#ports,
      metadata: this.#metadata,
      settings: this.#settings,
      get hurried () { return hurried() },
      pool: new BufferPool(poolBytesMax),
      newProducerId: () => this.#ports.rng.integer(PRODUCER_IDS),
      channel: address => this.#channel(address),
      touched: lane => { this.#touch(lane) },
      sent: lane => { this.#topics.get(lane.topic)?.sent(lane.partition) },
      settled: (lane, batch, error, baseOffset) => { this.#settled(lane, batch, error, baseOffset) }
    }
  }

  /** Bytes accepted and not yet acknowledged or failed. */
  get bufferedBytes (): number { return this.#bufferedBytes }

  /**
   * Sends one record; resolves when it is durable on the in-sync replicas. Await it, or many of them
   * together: it resolves late when the buffer is full.
   * @throws MillraceError TIMED_OUT, UNKNOWN_TOPIC, RECORD_TOO_LARGE, CLOSED, CANCELLED ...
   */
  send (record: OutgoingRecord<K, V>, options: { readonly signal?: AbortSignal } = {}): Promise<RecordMetadata> {
    const span = this.#ports.tracing?.send(record.topic)
    if (span === undefined) return this.#send(record, options.signal)
    const headers = [...record.headers === undefined ? [] : headersOf(record.headers), ...span.headers]
    const sent = this.#send({ ...record, headers }, options.signal)
    sent.then(metadata => { span.sent(metadata) }, (error: unknown) => { span.failed(error) })
    return sent
  }

  #send (record: OutgoingRecord<K, V>, signal: AbortSignal | undefined): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw cancelled()
      const { clock } = this.#ports
      const topic = this.#topic(record.topic)
      const deadline = clock.now() + this.#settings.deliveryTimeoutMs
      const encoded = encodeRecord(record, clock.wallTime(), this.#settings.serializers)
      const send = { record: encoded, deadline, countdowns: [], resolve, reject }
      if (topic.waiting.length === 0 && this.#admit(topic, send)) return
      if (topic.waiting.length >= sendsWaitingMax) {
        throw errorOf('BUFFER_FULL', `${sendsWaitingMax} calls of send wait already; await their promises`, topic.place)
      }
      topic.wait(send, signal)
      this.#startTick()
      this.#metadata.lookAgain(topic.name)
    })
  }

  /** Sends several records; resolves when all of them are durable, in the order given. */
  sendBatch (records: readonly OutgoingRecord<K, V>[],
    options: { readonly signal?: AbortSignal } = {}): Promise<RecordMetadata[]> {
    return Promise.all(records.map(record => this.send(record, options)))
  }

  /**
   * For callers with very many records: no promise and no object per record. What becomes of them is told to
   * `onDelivery` of the producer's options, which must be there.
   * @throws MillraceError UNKNOWN_TOPIC, TIMED_OUT, CANCELLED.
   */
  async writer (topic: string, options: TopicWriterOptions = {}): Promise<TopicWriter> {
    if (this.#settings.onDelivery === undefined) {
      throw errorOf('INVALID_REQUEST', 'a writer needs the producer option onDelivery, or failures would be silent')
    }
    const known = this.#topic(topic)
    await this.#metadata.waitForTopic(topic, options.timeoutMs ?? operationTimeoutMs, options.signal)
    known.refresh()
    return new TopicWriter(this.#writerHost(), known, headerBytes(options.headers), options.partition)
  }

  #writerHost (): WriterHost {
    const isFull = (): boolean => this.#bufferedBytes >= this.#settings.maxBufferedBytes
    return {
      clock: this.#ports.clock,
      get isFull () { return isFull() },
      append: (lane, timestamp, key, keyStart, keyEnd, value, valueStart, valueEnd, headers) => {
        this.#append(lane, timestamp, key, keyStart, keyEnd, value, valueStart, valueEnd, headers)
      },
      ready: () => this.#ready()
    }
  }

  #topic (name: string): ProducerTopic {
    if (this.#closing) throw errorOf('CLOSED', 'the producer is closed', { topic: name })
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = new ProducerTopic(this.#host, this.#settings, name)
      this.#topics.set(name, topic)
      this.#metadata.track(name)
    }
    return topic
  }

  /** Puts the record into a batch, if the topic is known and there is room. */
  #admit (topic: ProducerTopic, send: WaitingSend): boolean {
    if (topic.partitions === 0 || this.#bufferedBytes >= this.#settings.maxBufferedBytes) return false
    const { record } = send
    const lane = topic.lane(topic.partitionOf(record))
    const key = record.key ?? record.headers
    const value = record.value ?? record.headers
    const batch = this.#append(lane, record.timestamp, key, record.key === null ? -1 : 0, key.length,
      value, record.value === null ? -1 : 0, value.length, record.headers)
    const { resolve, reject } = send
    batch.slots.push({ index: batch.count - 1, timestamp: record.timestamp, resolve, reject })
    batch.countdowns.push(...send.countdowns)
    return true
  }

  /** Appends to a lane and keeps account. */
  #append (lane: ProduceLane, timestamp: number, key: Uint8Array, keyStart: number, keyEnd: number,
    value: Uint8Array, valueStart: number, valueEnd: number, headers: Uint8Array): ProduceBatch {
    if (this.#closed) throw errorOf('CLOSED', 'the producer is closed', lane)
    const before = lane.openBytes
    const batch = lane.append(timestamp, key, keyStart, keyEnd, value, valueStart, valueEnd, headers)
    this.#bufferedBytes += batch.count === 1 ? batch.sizeBytes : batch.sizeBytes - before
    return batch
  }

  /** Room, or metadata, has come. */
  #admitWaiting (): void {
    for (const topic of this.#topics.values()) {
      if (topic.waiting.length === 0) continue
      topic.admitWaiting(send => this.#admit(topic, send), error => toMillraceError(error, topic.place))
    }
    if (this.#bufferedBytes * 2 > this.#settings.maxBufferedBytes) return
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  #ready (): Promise<void> {
    return new Promise(resolve => {
      if (this.#bufferedBytes * 2 <= this.#settings.maxBufferedBytes || this.#closed) resolve()
      else this.#roomWaiters.push(resolve)
    })
  }

  #touch (lane: ProduceLane): void {
    this.#active.add(lane)
    this.#touched.add(lane)
    this.#startTick()
    if (this.#deferred) return
    this.#deferred = true
    // At the end of this turn, so that records sent together travel together.
    this.#ports.clock.defer(() => {
      this.#deferred = false
      const touched = [...this.#touched]
      this.#touched.clear()
      for (const each of touched) each.pump()
    })
  }

  #channel (address: string): ProduceChannel {
    let channel = this.#channels.get(address)
    if (channel === undefined) {
      channel = new ProduceChannel(this.#ports.net, this.#ports.clock, this.#ports.rng, address)
      this.#channels.set(address, channel)
    }
    return channel
  }

  #settled (lane: ProduceLane, batch: ProduceBatch, error: MillraceError | undefined, baseOffset: number): void {
    const { topic, partition } = lane
    const { topicId } = batch
    this.#bufferedBytes -= batch.sizeBytes
    if (lane.isIdle) this.#active.delete(lane)
    for (const { index, timestamp, resolve, reject } of batch.slots) {
      if (error === undefined) resolve({ topic, topicId, partition, offset: baseOffset + index, timestamp })
      else reject(error)
    }
    this.#settings.onDelivery?.({ topic, partition, records: batch.count, baseOffset, error })
    const { tell, clock } = this.#ports
    tell('batch.delivered', {
      topic,
      partition,
      records: batch.count,
      bytes: batch.bytes?.length ?? batch.sizeBytes,
      baseOffset,
      attempts: batch.attempts,
      durationMs: clock.now() - batch.createdAt,
      error
    })
    for (const countdown of batch.countdowns) countdown.remove()
    if (!this.#closed) this.#admitWaiting()
  }

  #metadataChanged (): void {
    for (const topic of this.#topics.values()) {
      topic.refresh()
      if (this.#metadata.isGone(topic.name)) topic.failWaiting(unknownTopic(topic.name))
    }
    for (const lane of [...this.#active]) lane.pump()
    this.#admitWaiting()
    for (const [address, channel] of this.#channels) {
      if (!channel.isIdle || this.#metadata.isKnownAddress(address)) continue
      channel.end()
      this.#channels.delete(address)
    }
  }

  #startTick (): void {
    this.#tick ??= this.#ports.clock.setTimer(producerTickMs, () => {
      this.#tick = undefined
      this.#ticked(this.#ports.clock.now())
      const waiting = [...this.#topics.values()].some(topic => topic.waiting.length > 0)
      if (this.#active.size > 0 || waiting) this.#startTick()
    })
  }

  #ticked (now: number): void {
    for (const topic of this.#topics.values()) topic.expireWaiting(now, this.#metadata.failure)
    let doubt = false
    for (const lane of [...this.#active]) {
      lane.expire(now)
      lane.pump()
      doubt ||= lane.isInDoubt(now, doubtMs)
    }
    if (doubt) this.#metadata.requestRefresh()
    for (const channel of this.#channels.values()) {
      const sentAt = channel.oldestSentAt()
      if (sentAt === undefined || now - sentAt < this.#settings.requestTimeoutMs) continue
      channel.break(new WireError('TIMED_OUT',
        `broker ${channel.address} did not answer within ${this.#settings.requestTimeoutMs / 1000} s`))
    }
  }

  /**
   * Resolves when every record accepted so far is acknowledged or failed.
   * @throws MillraceError CANCELLED when the signal aborts first; they are still on their way then.
   */
  async flush (options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options
    const flushed = this.#flush()
    if (signal === undefined) return await flushed
    let isFlushed = false
    await within(this.#ports.clock, { signal }, flushed.then(() => { isFlushed = true }))
    if (!isFlushed) throw cancelled()
  }

  #flush (): Promise<void> {
    return new Promise(resolve => {
      this.#hurried++
      const countdown = new Countdown(() => {
        this.#hurried--
        resolve()
      })
      countdown.add()
      for (const topic of this.#topics.values()) {
        for (const waiting of topic.waiting) {
          countdown.add()
          waiting.countdowns.push(countdown)
        }
      }
      for (const lane of [...this.#active]) {
        for (const batch of lane.batches()) {
          countdown.add()
          batch.countdowns.push(countdown)
        }
        lane.pump()
      }
      countdown.remove()
    })
  }

  /**
   * Sends what was accepted, then closes. After it every promise of `send` is settled: those that were not
   * acknowledged within `timeoutMs`, or before the signal aborted, are rejected with CLOSED. Resolves with those,
   * counted by partition: with nothing, when nothing is lost.
   */
  async close (options: CloseOptions = {}): Promise<readonly LostRecords[]> {
    if (this.#closing) return []
    this.#closing = true
    // Every record is settled by its delivery timeout: without a timeout of one's own this ends too.
    await within(this.#ports.clock, options, this.#flush())
    return this.#shut()
  }

  #shut (): LostRecords[] {
    const lost = new Lost()
    this.#closed = true
    this.#stopListening()
    this.#tick?.cancel()
    for (const topic of this.#topics.values()) {
      lost.add(topic.name, undefined, topic.waiting.length, 'no')
      topic.failWaiting(errorOf('CLOSED', 'the producer was closed; not written', topic.place))
      this.#metadata.untrack(topic.name)
    }
    for (const lane of [...this.#active]) {
      lane.failAll(({ count, uncertain }) => {
        lost.add(lane.topic, lane.partition, count, uncertain ? 'unknown' : 'no')
        const written = uncertain ? 'whether it was written is not known' : 'not written'
        return errorOf('CLOSED', `the producer was closed; ${written}`, lane)
      })
    }
    for (const channel of this.#channels.values()) channel.end()
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
    this.#onClosed()
    return lost.all()
  }

  /** For `await using`: close. */
  async [Symbol.asyncDispose] (): Promise<void> {
    await this.close()
  }
}
