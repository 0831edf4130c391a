// One partition of a consumer: a subscription at its leader, what has come and is not handed out yet, and
// where it stands. It goes on at the next offset after every failure and at every new leader.
import { batches, hasValidCrc } from '../wire/record-batch.ts'
import { WireError } from '../wire/errors.ts'
import type { FetchResponse } from '../wire/messages.ts'
import type { Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import { ConsumedBatch } from './consumed-batch.ts'
import type { Opening, Received } from './consumed-batch.ts'
import type { OffsetReset, Reset, StartAt } from './consumer-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { FetchChannel, Subscriber } from './fetch-channel.ts'
import { corruptFetchesMax, doubtMs, nearRetryMs } from './limits.ts'
import type { ClientPorts, Leader, Metadata } from './metadata.ts'
import { unknownTopic } from './metadata.ts'

/** What a reader needs of its consumer. */
export interface ReaderHost {
  readonly ports: ClientPorts
  readonly metadata: Metadata
  readonly reset: Reset
  /** Where replicas are preferred; empty: leaders are read from. */
  readonly rack: string
  /** What is read is the word of a group's coordinator. */
  readonly isMember: boolean
  readonly onReset: ((reset: OffsetReset) => void) | undefined
  /** Bytes that the broker may send ahead to one partition. */
  readonly prefetchBytes: number
  readonly opening: Opening
  channel (address: string): FetchChannel
  /** Its start is to be found: `reader.startAt` of the offset follows. */
  unresolved (reader: PartitionReader): void
  /** It has something to hand out. */
  ready (reader: PartitionReader): void
  failed (error: MillraceError): void
}

export class PartitionReader implements Subscriber {
  readonly topic: string
  readonly partition: number
  readonly #host: ReaderHost
  topicId: string
  /** Where it is to begin; resolved by the consumer. */
  from: StartAt
  /** The next offset to hand out; -1 while the start is being found. */
  position = -1
  /** The next offset of which the caller has finished everything before. */
  finished = -1
  committed = -1
  /** The lowest offset that was ever begun at: nothing before it was handed out by this reader. -1: not begun. */
  first = -1
  paused = false
  /** Counts seeks: what was handed out before one is not finished by it. */
  generation = 0
  /** A batch of it is in the caller's hands. */
  isInHand = false
  /** Counts records that the caller was done with, for who watches its pace. */
  progress = 0
  highWatermark = -1
  #fetchOffset = -1
  leaderEpoch = -1 // the newest that is known: a leader of an older one cannot say what is there
  /** Everything before it was handed out or has been removed: what the next start must not lie before. */
  #startMin = 0
  readonly #received: Received[] = []
  #receivedBytes = 0
  #owedBytes = 0
  #channel: FetchChannel | undefined
  #subscription = -1
  /** Subscribed at a follower, and not before when again. */
  #isNear = false
  #nearAgainAt = -1
  /** The broker said something to the subscription; it does at once, even if there is nothing to read. */
  #answered = false
  #heardAt: number
  #troubleSince = -1
  #trouble: MillraceError | undefined
  #corrupt = 0
  #timer: Timer | undefined
  readonly #backoff: Backoff
  #stopped = false
  #revoked = false

  constructor (host: ReaderHost, topic: string, partition: number, topicId: string, from: StartAt) {
    this.#host = host
    this.topic = topic
    this.partition = partition
    this.topicId = topicId
    this.from = from
    this.#heardAt = host.ports.clock.now()
    this.#backoff = new Backoff(host.ports.rng)
  }

  /** What lies before it, from the position on, is here already. */
  get fetched (): number { return this.#fetchOffset }

  get hasReceived (): boolean { return this.#received.length > 0 }
  get place (): { topic: string, partition: number } { return { topic: this.topic, partition: this.partition } }
  /** A group's coordinator has given it: it exists, whatever others know. */
  get isMember (): boolean { return this.#host.isMember }

  /** It is to go to another member: nothing more of it is handed out. */
  get isRevoked (): boolean { return this.#revoked }

  revoke (): void {
    this.#revoked = true
    this.stop()
    this.#received.length = 0
    this.#receivedBytes = 0
  }

  /** It went to another member without a word: what is in hand is not finished by it. */
  lose (): void {
    this.revoke()
    this.generation++
  }

  /** Goes on at `offset`; what was received and not handed out is dropped. */
  startAt (offset: number): void {
    this.unsubscribe()
    this.#received.length = 0
    this.#receivedBytes = 0
    this.generation++
    this.position = Math.max(offset, this.#startMin)
    this.first = this.first < 0 ? this.position : Math.min(this.first, this.position)
    this.finished = this.position
    this.#fetchOffset = this.position
    this.pump()
  }

  /** A follower in sync near the reader, unless one has just failed it. */
  #near (): Leader | undefined {
    const { metadata, rack, ports } = this.#host
    if (rack === '' || ports.clock.now() < this.#nearAgainAt) return undefined
    return metadata.near(this.topic, this.partition, rack)
  }

  /** The leader serves what a follower does not. */
  #leaveNear (forMs = nearRetryMs): void {
    this.#nearAgainAt = this.#host.ports.clock.now() + forMs
    this.unsubscribe()
    this.pump()
  }

  /** Subscribes where the leader is, or a follower that is near, if it is not subscribed there. */
  pump (): void {
    if (this.#stopped || this.position < 0) return
    const { metadata } = this.#host
    if (metadata.isGone(this.topic)) {
      this.#host.failed(unknownTopic(this.topic))
      return
    }
    const view = metadata.topic(this.topic)
    if (view !== undefined && view.topicId !== this.topicId) {
      this.#recreated(view.topicId)
      return
    }
    const near = this.#near()
    const leader = near ?? metadata.leader(this.topic, this.partition)
    if (this.#subscription >= 0) {
      if (leader === undefined || leader.address === this.#channel?.address) return
      this.unsubscribe()
      this.#timer?.cancel()
      this.#timer = undefined
    }
    if (this.#timer !== undefined && (leader === undefined || leader.leaderEpoch <= this.leaderEpoch)) return
    if (leader === undefined) {
      this.#retryLater(new WireError('LEADER_NOT_AVAILABLE', `${this.topic}/${this.partition} has no leader now`))
      return
    }
    this.#timer?.cancel()
    this.#timer = undefined
    const creditBytes = this.#host.prefetchBytes - this.#receivedBytes
    if (creditBytes <= 0) return
    this.leaderEpoch = Math.max(this.leaderEpoch, leader.leaderEpoch)
    this.#owedBytes = 0
    this.#answered = false
    this.#heardAt = this.#host.ports.clock.now()
    if (this.#troubleSince < 0) this.#troubleSince = this.#heardAt
    this.#channel = this.#host.channel(leader.address)
    this.#isNear = near !== undefined
    this.#subscription = this.#channel.subscribe(this, {
      topic: this.topic,
      partition: this.partition,
      topicId: this.topicId,
      offset: this.#fetchOffset,
      leaderEpoch: this.leaderEpoch,
      creditBytes,
      fromFollower: this.#isNear
    })
  }

  /** The name is another topic now: its offsets mean something else. */
  #recreated (topicId: string): void {
    if (this.#host.isMember) {
      // The coordinator says which topic is to be read.
      this.unsubscribe()
      return
    }
    if (this.#host.reset === 'none') {
      this.#host.failed(errorOf('UNKNOWN_TOPIC_ID', `topic ${this.topic} was deleted and made again`, this.place))
      return
    }
    this.topicId = topicId
    this.leaderEpoch = -1
    this.highWatermark = -1
    this.seek('start')
  }

  /** Begins anew at a place that the consumer finds. */
  seek (from: StartAt): void {
    this.unsubscribe()
    this.#received.length = 0
    this.#receivedBytes = 0
    this.generation++
    this.position = -1
    this.#startMin = 0
    this.from = from
    this.#host.unresolved(this)
  }

  received (response: FetchResponse): void {
    this.#heardAt = this.#host.ports.clock.now()
    this.#answered = true
    this.#troubleSince = -1
    this.#trouble = undefined
    this.#backoff.reset()
    this.leaderEpoch = Math.max(this.leaderEpoch, response.leaderEpoch)
    this.heardOfEnd(response.highWatermark)
    if (response.records.length === 0) return
    try {
      this.#take(response.records)
      this.#corrupt = 0
    } catch (error) {
      this.#isCorrupt(error)
    }
    if (this.#received.length > 0) this.#host.ready(this)
  }

  /** Whoever leads now may not know yet what the leader before had told. */
  heardOfEnd (highWatermark: number): void {
    this.highWatermark = Math.max(this.highWatermark, highWatermark)
  }

  #take (records: Uint8Array): void {
    let count = 0
    for (const header of batches(records)) {
      if (!hasValidCrc(records, header)) {
        throw new WireError('CORRUPT_BATCH',
          `${this.topic}/${this.partition}: the batch at ${header.baseOffset} came with a wrong CRC`)
      }
      // After a new subscription a batch may begin before the offset wanted, never end before it.
      if (header.lastOffset < this.#fetchOffset) {
        this.#owe(header.sizeBytes)
        continue
      }
      this.#received.push({ bytes: records, header })
      this.#receivedBytes += header.sizeBytes
      this.#fetchOffset = header.lastOffset + 1
      count += header.recordsCount
    }
    this.#host.ports.tell('records.received', { ...this.place, records: count, bytes: records.length })
  }

  #isCorrupt (error: unknown): void {
    if (this.#isNear) {
      this.#leaveNear()
      return
    }
    this.unsubscribe()
    this.#corrupt++
    const failure = toMillraceError(error, this.place)
    if (this.#corrupt >= corruptFetchesMax) this.#host.failed(failure)
    else this.#retryLater(new WireError('UNAVAILABLE', failure.message))
  }

  /** Returns credit in large pieces. */
  #owe (bytes: number): void {
    this.#owedBytes += bytes
    if (this.#subscription < 0 || this.#owedBytes * 2 < this.#host.prefetchBytes) return
    this.#channel?.credit(this.#subscription, this.#owedBytes)
    this.#owedBytes = 0
  }

  /** The next batch to hand out; `position` moves behind it. */
  next (): ConsumedBatch<unknown, unknown> | undefined {
    const received = this.#received.shift()
    if (received === undefined) return undefined
    const { header } = received
    this.#receivedBytes -= header.sizeBytes
    this.#owe(header.sizeBytes)
    if (this.#subscription < 0) this.pump()
    const batch = new ConsumedBatch<unknown, unknown>(this.topic, this.topicId, this.partition, this.position,
      this.highWatermark, received, this.#host.opening)
    this.position = header.lastOffset + 1
    return batch
  }

  /** Takes back a batch that was handed out in part: it goes on at `position`. */
  putBack (batch: ConsumedBatch<unknown, unknown>): void {
    if (this.position > batch.lastOffset) return
    this.#received.unshift(batch.received)
    this.#receivedBytes += batch.received.header.sizeBytes
    this.#owedBytes -= batch.received.header.sizeBytes
    this.#host.ready(this)
  }

  ended (error: WireError): void {
    this.#subscription = -1
    const { metadata, reset } = this.#host
    if (this.#isNear) {
      // Whatever it is, the leader can tell.
      metadata.hint(this.topic, this.partition, error.detail)
      this.#leaveNear()
      return
    }
    if (error.code === 'OFFSET_OUT_OF_RANGE') {
      if (reset === 'none') this.#host.failed(toMillraceError(error, this.place))
      else this.#reset(reset, error)
    } else if (!error.retriable && error.code !== 'VOLUME_FAILED' && error.code !== 'CORRUPT_BATCH') {
      this.#host.failed(toMillraceError(error, this.place))
    } else if (metadata.hint(this.topic, this.partition, error.detail)) {
      this.#inTrouble(error)
      this.pump()
    } else {
      this.#retryLater(error)
    }
  }

  #reset (reset: Exclude<Reset, 'none'>, error: WireError): void {
    const { logStart = -1, highWatermark = -1 } = error.detail
    const wanted = this.#fetchOffset
    const isAhead = highWatermark >= 0 && wanted > highWatermark
    const to = reset === 'latest' || (reset === 'nearest' && isAhead) ? 'end' : 'start'
    this.#host.onReset?.({ ...this.place, wanted, logStart, highWatermark, to })
    this.#host.ports.tell('offset.reset', { ...this.place, wanted, to })
    const { position } = this
    this.seek(to)
    // Each broker removes old segments by itself: another leader may have kept what was read long ago.
    if (!isAhead) this.#startMin = position
  }

  #inTrouble (error: WireError): void {
    this.#trouble = toMillraceError(error, this.place)
    if (this.#troubleSince < 0) this.#troubleSince = this.#host.ports.clock.now()
    this.#host.ports.onWaiting(`${this.topic}/${this.partition} (${error.message})`)
  }

  #retryLater (error: WireError): void {
    if (this.#stopped) return
    this.#inTrouble(error)
    const { clock } = this.#host.ports
    this.#host.metadata.requestRefresh()
    const pause = Math.max(this.#backoff.next(), error.detail.retryAfterMs ?? 0)
    this.#timer ??= clock.setTimer(pause, () => {
      this.#timer = undefined
      this.pump()
    })
  }

  /** Its start could not be found yet, because of `error`. */
  startFailed (error: WireError): void {
    this.#inTrouble(error)
  }

  /** Nothing has come for so long that the leader may be another one by now. */
  isQuiet (now: number, quietMs: number): boolean {
    if (this.#subscription < 0 || this.#owedBytes >= this.#host.prefetchBytes) return false
    const silentMs = now - this.#heardAt
    if (!this.#answered && silentMs > doubtMs) this.#host.ports.onWaiting(this.#silence)
    const expecting = !this.#answered || (this.#fetchOffset < this.highWatermark && this.#receivedBytes === 0)
    if (this.#isNear && silentMs >= doubtMs) {
      if (expecting || this.#channel?.isHanging(doubtMs) === true) this.#leaveNear()
      // With nothing to say it says nothing, as if it hung; a subscription it answers. One asks for all readers.
      else if (this.#receivedBytes === 0 && this.#channel?.isQuiet(doubtMs) === true) this.#leaveNear(0)
    }
    return silentMs > (expecting ? doubtMs : quietMs)
  }

  get #silence (): string {
    return `${this.topic}/${this.partition} (${this.#channel?.address ?? 'the leader'} does not answer)`
  }

  /** Why it could not be read for `ms`; undefined when it could. */
  stuckFor (now: number, ms: number): MillraceError | undefined {
    if (this.#troubleSince < 0 || now - this.#troubleSince < ms) return undefined
    return this.#trouble ?? errorOf('UNAVAILABLE', this.#silence, this.place)
  }

  unsubscribe (): void {
    if (this.#subscription >= 0) this.#channel?.unsubscribe(this.#subscription)
    this.#subscription = -1
  }

  stop (): void {
    this.#stopped = true
    this.unsubscribe()
    this.#timer?.cancel()
  }
}
