// One partition of a producer: its batches in order, with sequences that let the broker recognise repeats.
//
// Order and exactness (G1), whatever fails:
// - Up to inFlightMax batches are on their way, on one stream, in the order of their sequences.
// - After a failure nothing is sent until every batch on its way is answered (or its stream broke, or its
//   leader was replaced). Then the rest is sent again from the first one, same bytes, same sequences.
// - Until the first acknowledgement only one batch is on its way: a broker that knows nothing of a producer
//   accepts any sequence, so a second batch could be written although the first was refused.
// - A batch that will not be sent again leaves a gap. When it is certain that it was not written, the batches
//   behind it were not either, and get new sequences under the next producer epoch. When it is not certain,
//   those behind it that may have been written fail with it, since a late copy of it could still let late
//   copies of them in; the others go on under the next epoch, which shuts all late copies out. The next epoch
//   begins when every batch before the gap is settled.
import type { Packing } from '../wire/batch-builder.ts'
import type { ErrorCode, WireError } from '../wire/errors.ts'
import type { Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import type { BufferPool } from './buffer-pool.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { producerEpochMax, producerIdleMsMax, recordsPerBatchMax } from './limits.ts'
import type { ClientPorts, Leader, Metadata } from './metadata.ts'
import { unknownTopic } from './metadata.ts'
import { ProduceBatch } from './produce-batch.ts'
import type { BatchOwner, ProduceChannel } from './produce-channel.ts'

const SEQUENCES = 2 ** 31
const CAPACITY_BYTES_MIN = 1_024

/**
 * Refusals after which the batch is certainly not in the log. NOT_LEADER is none: a leader may have appended
 * it before it stepped down.
 */
const notWritten: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'RECORD_TOO_LARGE', 'CORRUPT_BATCH', 'UNSUPPORTED_BATCH', 'INVALID_TIMESTAMP', 'INVALID_REQUEST', 'UNIMPLEMENTED',
  'NOT_ENOUGH_REPLICAS', 'BROKER_BUSY', 'DISK_FULL', 'OUT_OF_ORDER_SEQUENCE', 'CONNECTION_REFUSED'
])

export interface LaneSettings {
  readonly batchBytes: number
  readonly batchBytesMax: number
  readonly lingerMs: number
  readonly inFlightMax: number
  readonly deliveryTimeoutMs: number
  readonly packing: Packing | undefined
}

/** What a lane needs of its producer. */
export interface LaneHost {
  readonly ports: ClientPorts
  readonly metadata: Metadata
  readonly settings: LaneSettings
  /** True while flushing or closing: nothing lingers. */
  readonly hurried: boolean
  readonly pool: BufferPool
  newProducerId (): number
  channel (address: string): ProduceChannel
  /** The lane has something to send: pump it at the end of this turn of the loop. */
  touched (lane: ProduceLane): void
  /** The batch has left the lane. */
  settled (lane: ProduceLane, batch: ProduceBatch, error: MillraceError | undefined, baseOffset: number): void
  sent (lane: ProduceLane): void
}

export class ProduceLane implements BatchOwner {
  readonly topic: string
  readonly partition: number
  readonly #host: LaneHost
  readonly #queue: ProduceBatch[] = []
  #open: ProduceBatch | undefined
  #inFlight = 0
  #channel: ProduceChannel | undefined
  #leaderEpoch = -1
  #producerId: number
  #epoch = 0
  #nextSequence = 0
  /** Batches that were given a sequence. */
  #sent = 0
  /** The broker knows the sequences of this producer epoch. */
  #primed = false
  #acknowledgedAt = 0
  #draining = false
  /** The next batch that has no sequence begins a new epoch. */
  #bump = false
  #retryAt = 0
  #retryTimer: Timer | undefined
  #lingerTimer: Timer | undefined
  readonly #backoff: Backoff
  #lastError: WireError | undefined
  #pumping = false
  #lastBatchBytes = CAPACITY_BYTES_MIN

  constructor (host: LaneHost, topic: string, partition: number) {
    this.#host = host
    this.topic = topic
    this.partition = partition
    this.#producerId = host.newProducerId()
    this.#backoff = new Backoff(host.ports.rng)
  }

  get isIdle (): boolean { return this.#queue.length === 0 }
  /** Bytes of the batch that records are added to. */
  get openBytes (): number { return this.#open?.sizeBytes ?? 0 }
  batches (): readonly ProduceBatch[] { return this.#queue }

  /**
   * Adds a record; ranges as in BatchBuilder.appendRange. Returns its batch, where it is the last record.
   * @throws MillraceError RECORD_TOO_LARGE.
   */
  append (timestamp: number, key: Uint8Array, keyStart: number, keyEnd: number, value: Uint8Array,
    valueStart: number, valueEnd: number, headers: Uint8Array): ProduceBatch {
    const { settings, ports } = this.#host
    const keyBytes = keyStart < 0 ? 0 : keyEnd - keyStart
    const valueBytes = valueStart < 0 ? 0 : valueEnd - valueStart
    let batch = this.#open
    if (batch !== undefined && (batch.count >= recordsPerBatchMax ||
      batch.builder.sizeWith(keyBytes, valueBytes, headers.length) > settings.batchBytes)) {
      this.#seal(batch)
      this.#host.touched(this)
      batch = undefined
    }
    if (batch === undefined) {
      batch = new ProduceBatch(ports.clock.now(), this.#host.pool.take(this.#lastBatchBytes))
      const size = batch.builder.sizeWith(keyBytes, valueBytes, headers.length)
      if (size > settings.batchBytesMax) throw this.#tooLarge(keyBytes + valueBytes + headers.length)
      this.#open = batch
      this.#queue.push(batch)
      this.#host.touched(this)
    }
    batch.builder.appendRange(timestamp, key, keyStart, keyEnd, value, valueStart, valueEnd, headers)
    return batch
  }

  #tooLarge (bytes: number): MillraceError {
    return errorOf('RECORD_TOO_LARGE', `a record of ${bytes} bytes does not fit in a batch of ` +
      `${this.#host.settings.batchBytesMax} bytes`, this)
  }

  #seal (batch: ProduceBatch): void {
    batch.sealed = true
    if (this.#open === batch) this.#open = undefined
    // Room for the next one like this one, so that most batches are written without growing.
    this.#lastBatchBytes = Math.max(CAPACITY_BYTES_MIN, batch.sizeBytes)
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
  }

  /** Sends what may be sent now. */
  pump (): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (this.#step()) { /* one batch at a time */ }
    } finally {
      this.#pumping = false
    }
  }

  /** Sends one batch; false when there is none that may go now. */
  #step (): boolean {
    const { metadata, ports } = this.#host
    const leader = metadata.leader(this.topic, this.partition)
    this.#followLeader(leader)
    if (this.#draining && !this.#drained()) return false
    const batch = this.#nextUnsent()
    if (batch === undefined || !this.#isRipe(batch)) return false
    if (ports.clock.now() < this.#retryAt) {
      this.#pumpLater(this.#retryAt - ports.clock.now())
      return false
    }
    if (leader === undefined) {
      this.#waitForLeader()
      return false
    }
    const channel = this.#host.channel(leader.address)
    if (!channel.isWritable(this)) return false
    this.#send(batch, channel)
    return true
  }

  #nextUnsent (): ProduceBatch | undefined {
    const { inFlightMax } = this.#host.settings
    const now = this.#host.ports.clock.now()
    if (this.#inFlight === 0 && now - this.#acknowledgedAt > producerIdleMsMax) this.#primed = false
    if (this.#inFlight >= (this.#primed ? inFlightMax : 1)) return undefined
    // Brokers know the last batches of a producer only: none may run further ahead of one without an answer.
    const next = this.#queue[this.#inFlight]
    const first = this.#queue[0]
    if (next === undefined || first === undefined || next.wasSent) return next
    if (this.#bump && next !== first) return undefined
    if (this.#bump) this.#nextEpoch()
    return next === first || this.#sent - first.number < inFlightMax ? next : undefined
  }

  /** An open batch goes at once when nothing of its partition is on its way, else after lingerMs. */
  #isRipe (batch: ProduceBatch): boolean {
    if (batch.sealed || this.#inFlight === 0 || this.#host.hurried) return true
    const { clock } = this.#host.ports
    const left = batch.createdAt + this.#host.settings.lingerMs - clock.now()
    if (left <= 0) return true
    this.#lingerTimer ??= clock.setTimer(left, () => {
      this.#lingerTimer = undefined
      this.pump()
    })
    return false
  }

  #send (batch: ProduceBatch, channel: ProduceChannel): void {
    if (!batch.sealed) this.#seal(batch)
    if (!batch.wasSent) {
      batch.number = this.#sent++
      batch.stamp(this.#producerId, this.#epoch, this.#nextSequence, this.#host.settings.packing)
      this.#nextSequence = (this.#nextSequence + batch.count) % SEQUENCES
    }
    batch.inFlight = true
    batch.attempts++
    batch.topicId = this.#host.metadata.topic(this.topic)?.topicId ?? ''
    this.#inFlight++
    this.#channel = channel
    this.#host.sent(this)
    channel.send(this, batch, {
      topic: this.topic,
      partition: this.partition,
      topicId: batch.topicId,
      batch: batch.bytes!
    })
  }

  /** Another broker leads now: what is on its way to the old one will not be answered truthfully. */
  #followLeader (leader: Leader | undefined): void {
    if (leader === undefined) return
    if (leader.leaderEpoch !== this.#leaderEpoch) {
      this.#leaderEpoch = leader.leaderEpoch
      this.#retryAt = 0
    }
    if (this.#inFlight === 0 || leader.address === this.#channel?.address) return
    this.#abandon()
    this.#draining = true
  }

  #abandon (): void {
    for (const batch of this.#queue) {
      if (!batch.inFlight) continue
      this.#channel?.abandon(batch)
      batch.inFlight = false
      batch.uncertain = true
    }
    this.#inFlight = 0
  }

  #waitForLeader (): void {
    const { metadata, ports } = this.#host
    ports.onWaiting(`the leader of ${this.topic}/${this.partition}` +
      (this.#lastError === undefined ? '' : ` (${this.#lastError.message})`))
    // Every answer pumps this lane again.
    metadata.requestRefresh()
  }

  #pumpLater (afterMs: number): void {
    this.#retryTimer ??= this.#host.ports.clock.setTimer(afterMs, () => {
      this.#retryTimer = undefined
      this.pump()
    })
  }

  acknowledged (batch: ProduceBatch, baseOffset: number): void {
    batch.inFlight = false
    this.#inFlight--
    this.#primed = true
    this.#acknowledgedAt = this.#host.ports.clock.now()
    this.#backoff.reset()
    this.#lastError = undefined
    this.#settle(batch, undefined, baseOffset)
    // The only copy that was sent has arrived, so no transport holds these bytes any more (compare CVE-2026-35554).
    if (batch.attempts === 1) this.#host.pool.give(batch.builder.room)
    this.pump()
  }

  refused (batch: ProduceBatch, error: WireError): void {
    const first = !this.#draining
    this.#draining = true
    batch.inFlight = false
    this.#inFlight--
    this.#lastError = error
    if (!notWritten.has(error.code)) batch.uncertain = true
    if (error.code === 'OUT_OF_ORDER_SEQUENCE') {
      // Behind a failed batch it only means that one is missing. Of the first: the log lost its predecessor.
      if (first && this.#queue[0] === batch) this.#leaveGap(-1, batch.uncertain ? 'unknown' : 'rejected')
      if (first) this.#pause(0)
    } else if (error.retriable || error.code === 'VOLUME_FAILED') {
      this.#retryLater(error, first)
    } else {
      this.#leaveGap(this.#queue.indexOf(batch), batch.uncertain ? 'unknown' : 'rejected')
      this.#settle(batch, toMillraceError(error, this))
    }
    this.pump()
  }

  /** What was sent behind the batch at this place of the queue cannot keep its sequences. */
  #leaveGap (at: number, gap: 'rejected' | 'unknown'): void {
    this.#bump = true
    for (const batch of this.#queue.slice(at + 1)) {
      if (batch.wasSent && batch.behind !== 'unknown') batch.behind = gap
    }
  }

  #retryLater (error: WireError, first: boolean): void {
    const { metadata, ports } = this.#host
    const news = metadata.hint(this.topic, this.partition, error.detail)
    if (!first) return
    ports.onWaiting(`${this.topic}/${this.partition} (${error.message})`)
    if (news) return
    metadata.requestRefresh()
    this.#pause(error.detail.retryAfterMs ?? 0)
  }

  #pause (atLeastMs: number): void {
    this.#retryAt = this.#host.ports.clock.now() + Math.max(this.#backoff.next(), atLeastMs)
  }

  /** True when every answer is in and the sequences are in order again. */
  #drained (): boolean {
    if (this.#inFlight > 0) return false
    this.#draining = false
    for (const batch of this.#queue.filter(each => each.behind !== 'none')) {
      if (batch.behind === 'unknown' && batch.uncertain) this.#failUnknown(batch, 'a batch before it failed')
      else batch.unstamp()
    }
    return true
  }

  /** Shuts out every copy of a batch that is still on its way. */
  #nextEpoch (): void {
    this.#bump = false
    this.#nextSequence = 0
    this.#primed = false
    this.#epoch++
    if (this.#epoch <= producerEpochMax) return
    this.#epoch = 0
    this.#producerId = this.#host.newProducerId()
  }

  #failUnknown (batch: ProduceBatch, why: string): void {
    this.#settle(batch, errorOf('TIMED_OUT', `${this.#name(batch)}: ${why}; whether it was written is not known`,
      this, { cause: this.#lastError }))
  }

  #name (batch: ProduceBatch): string {
    return `${batch.count} record${batch.count === 1 ? '' : 's'} for ${this.topic}/${this.partition}`
  }

  #settle (batch: ProduceBatch, error: MillraceError | undefined, baseOffset = -1): void {
    const at = this.#queue.indexOf(batch)
    if (at >= 0) this.#queue.splice(at, 1)
    if (this.#open === batch) this.#open = undefined
    this.#host.settled(this, batch, error, baseOffset)
  }

  /** Gives up on batches whose time is over, and on all of them when the topic is gone. */
  expire (now: number): void {
    const { metadata, settings } = this.#host
    if (metadata.isGone(this.topic)) {
      this.failAll(() => unknownTopic(this.topic))
      return
    }
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (now < head.createdAt + settings.deliveryTimeoutMs) return
      const reason = this.#lastError === undefined ? 'no answer' : this.#lastError.message
      const why = `not acknowledged within ${settings.deliveryTimeoutMs / 1000} s (${reason})`
      this.#abandon()
      const { uncertain, wasSent } = head
      if (wasSent) this.#leaveGap(0, uncertain ? 'unknown' : 'rejected')
      if (uncertain) {
        this.#failUnknown(head, why)
      } else {
        this.#settle(head, errorOf('TIMED_OUT', `${this.#name(head)}: ${why}; not written`, this,
          { cause: this.#lastError }))
      }
      this.#drained()
    }
  }

  /** True when a batch has been on its way for longer than `ms`. */
  isInDoubt (now: number, ms: number): boolean {
    const head = this.#queue[0]
    return head !== undefined && head.inFlight && now - head.sentAt > ms
  }

  failAll (errorOfBatch: (batch: ProduceBatch) => MillraceError): void {
    this.#abandon()
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
    this.#lingerTimer?.cancel()
    this.#lingerTimer = undefined
    if (this.#queue.some(batch => batch.wasSent)) this.#bump = true
    for (const batch of [...this.#queue]) this.#settle(batch, errorOfBatch(batch))
    this.#draining = false
  }
}
