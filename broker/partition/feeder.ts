// The leader's side of one Replicate stream: sends to one follower broker what is new in the partitions
// that it follows, before the leader's own fsync ends, in turns, within bounds.
import * as limits from '../limits.ts'
import { batchSizeBytes, parseBatchHeader } from '../../wire/record-batch.ts'
import { WireError } from '../../wire/errors.ts'
import type {
  ReplicateRequest, ReplicateRequest_Ack, ReplicateRequest_Subscribe, ReplicateResponse, Sent
} from '../../wire/messages.ts'
import type { Clock, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { PartitionRow, ReplicaIdentity } from '../row.ts'
import type { ColdReads } from './cold-reads.ts'
import type { EpochEnd } from './epochs.ts'
import { InFlight } from './feed-queue.ts'
import type { Feed, Leader } from './leader.ts'
import type { LearnerThrottle, Throttled } from './learner-throttle.ts'
import type { Progress } from './progress.ts'
import type { Replica } from './replica.ts'
import type { PartitionStats } from './stats.ts'

/** What feeders need of the host. */
export interface FeederHost {
  readonly clock: Clock
  readonly stats: PartitionStats
  readonly coldReads: ColdReads
  readonly learnerThrottle: LearnerThrottle
  replica (topicId: string, partition: number): Replica | undefined
  /** The newest row known here, for a partition without a replica too. */
  row (topicId: string, partition: number): PartitionRow | undefined
  feederClosed (feeder: Feeder): void
}

/** The offset after the last batch of `records`, which are whole batches. */
export function offsetAfter (records: Uint8Array): number {
  let last = 0
  for (let at = 0; at < records.length; at += batchSizeBytes(records, at)) last = at
  return parseBatchHeader(records, last).lastOffset + 1
}

/** Messages sent in one turn of the event loop before others get theirs. */
const messagesPerTurnMax = 16
/** Messages to counted followers, while learners wait, before a learner gets one. */
const messagesBeforeLearner = 4

export class Feeder implements StreamHandlers<ReplicateRequest> {
  readonly host: FeederHost
  readonly #stream: Stream<ReplicateResponse>
  readonly #feeds = new Map<number, FollowerFeed>()
  /** Feeds with something to send, in turn; those that nothing waits for after the others. */
  #ready: FollowerFeed[] = []
  #learnersReady: FollowerFeed[] = []
  #passedOver = 0
  #scheduled = false
  #blocked = false
  #closed = false
  /** Bytes sent and not durable at the follower, all feeds. */
  inFlightBytes = 0

  constructor (host: FeederHost, stream: Stream<ReplicateResponse>) {
    this.host = host
    this.#stream = stream
  }

  message (request: ReplicateRequest): void {
    if (this.#closed) return
    if (request.subscribe !== undefined) this.#subscribe(request.subscribe)
    else if (request.acks !== undefined) for (const ack of request.acks.acks) this.#acknowledge(ack)
    else if (request.unsubscribe !== undefined) this.#feeds.get(request.unsubscribe.subscriptionId)?.end()
    else this.#break('a request of an unknown kind')
  }

  drain (): void {
    this.#blocked = false
    this.#turn()
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    for (const feed of [...this.#feeds.values()]) feed.end()
    this.#ready = []
    this.#learnersReady = []
    this.#stream.end()
    this.host.feederClosed(this)
  }

  /** Ends the stream from this side. */
  destroy (error?: WireError): void {
    this.#stream.destroy(error)
    this.close()
  }

  #break (reason: string): void {
    this.destroy(new WireError('INVALID_REQUEST', reason))
  }

  #subscribe (request: ReplicateRequest_Subscribe): void {
    const { subscriptionId, topicId, partition, identity } = request
    if (identity === undefined || this.#feeds.has(subscriptionId)) {
      this.#break('a subscription without an identity, or with an id in use')
      return
    }
    if (this.#feeds.size >= limits.subscriptionsPerStreamMax) {
      this.#break('too many subscriptions on one stream')
      return
    }
    const leader = this.host.replica(topicId, partition)?.leader
    const row = this.host.row(topicId, partition)
    const feed = new FollowerFeed(this, request, identity, leader)
    this.#feeds.set(subscriptionId, feed)
    if (leader === undefined) feed.refuse(new WireError('NOT_LEADER'), row)
    else if (request.leaderEpoch < leader.epoch) feed.refuse(new WireError('FENCED_EPOCH'), leader.row)
    else if (request.leaderEpoch > leader.epoch) feed.refuse(new WireError('UNKNOWN_EPOCH'), undefined)
    else leader.subscribe(feed, this.host.clock.now())
  }

  #acknowledge (ack: ReplicateRequest_Ack): void {
    // A subscription that ended, or one in another leader epoch: its ends do not count any more.
    const feed = this.#feeds.get(ack.subscriptionId)
    if (feed === undefined || ack.leaderEpoch !== feed.leaderEpoch) return
    if (!feed.acknowledge(ack.durableEnd)) this.#break('an acknowledgement beyond what was sent')
  }

  // For FollowerFeed

  send (message: Sent<ReplicateResponse>): void {
    if (this.#closed) return
    if (!this.#stream.send(message)) this.#blocked = true
  }

  forget (feed: FollowerFeed): void {
    this.#feeds.delete(feed.subscriptionId)
  }

  /** The feed gets its turn after what is already queued: what comes meanwhile goes in one message. */
  queue (feed: FollowerFeed): void {
    if (feed.isLearner) this.#learnersReady.push(feed)
    else this.#ready.push(feed)
    if (!this.#blocked) this.#schedule()
  }

  /** What producers wait for goes first, but a learner is never put off for ever. */
  #next (): FollowerFeed | undefined {
    const learnersTurn = this.#ready.length === 0 || this.#passedOver >= messagesBeforeLearner
    if (learnersTurn && this.#learnersReady.length > 0) {
      this.#passedOver = 0
      return this.#learnersReady.shift()
    }
    if (this.#learnersReady.length > 0) this.#passedOver++
    return this.#ready.shift()
  }

  #schedule (): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.host.clock.defer(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn (): void {
    if (this.#closed) return
    for (let sent = 0; this.#ready.length + this.#learnersReady.length > 0 && !this.#blocked; sent++) {
      if (sent >= messagesPerTurnMax) {
        this.#schedule()
        return
      }
      this.#next()?.send()
    }
  }
}

/** One subscription: a partition led here, followed by the broker at the other end. */
class FollowerFeed implements Feed, Throttled {
  readonly subscriptionId: number
  readonly leaderEpoch: number
  readonly identity: ReplicaIdentity
  readonly brokerEpoch: number
  readonly fetchOffset: number
  readonly lastEpoch: number
  readonly durableEnd: number
  readonly #feeder: Feeder
  readonly #leader: Leader | undefined
  readonly #inFlight = new InFlight()
  #progress: Progress | undefined
  /** The next offset to send. */
  #next = 0
  /** The marks as last sent. */
  #sentHighWatermark = -1
  #sentLogStart = -1
  #queued = false
  #reading = false
  /** As a learner: waits for a turn of the throttle; has one that it has not settled. */
  #waiting = false
  #turn = false
  #ended = false

  constructor (feeder: Feeder, request: ReplicateRequest_Subscribe, identity: ReplicaIdentity,
    leader: Leader | undefined) {
    this.#feeder = feeder
    this.#leader = leader
    this.identity = identity
    this.subscriptionId = request.subscriptionId
    this.leaderEpoch = request.leaderEpoch
    this.brokerEpoch = request.brokerEpoch
    this.fetchOffset = request.fetchOffset
    this.lastEpoch = request.lastEpoch
    this.durableEnd = request.durableEnd
  }

  // Feed

  begin (progress: Progress, offset: number): void {
    this.#progress = progress
    this.#next = offset
    this.wake()
  }

  /** Nothing waits for its end. */
  get isLearner (): boolean {
    return this.#progress !== undefined && this.#leader?.inSync.counts(this.#progress) === false
  }

  wake (appendedBytes = 0): void {
    if (appendedBytes > 0 && this.isLearner) this.#throttle.appended(appendedBytes)
    if (this.#queued || this.#reading || this.#waiting || this.#ended || this.#progress === undefined) return
    this.#queued = true
    this.#feeder.queue(this)
  }

  // Throttled

  admitted (): void {
    this.#waiting = false
    this.#turn = true
    this.wake()
  }

  get #throttle (): LearnerThrottle { return this.#feeder.host.learnerThrottle }

  /** True when it may send now; else it waits for `admitted`. One that counts meanwhile needs no turn any more. */
  #hasTurn (): boolean {
    if (this.#turn || !this.isLearner) return true
    const { log } = this.#leader!.state
    if (log.bytesFrom(this.#next) <= this.#throttle.nearBytes) return true
    this.#turn = this.#throttle.enter(this)
    this.#waiting = !this.#turn
    return this.#turn
  }

  #settle (bytes: number): void {
    if (this.#turn) this.#throttle.settle(bytes)
    else if (this.isLearner) this.#throttle.take(bytes)
    this.#turn = false
  }

  diverged (end: EpochEnd): void {
    this.#send({ response: 'diverged', diverged: end })
    this.end()
  }

  row (row: PartitionRow): void {
    this.#send({ response: 'row', row })
  }

  refuse (error: WireError, row: PartitionRow | undefined): void {
    this.#send({ response: 'refused', refused: { error: error.toDetail(), row } })
    this.#finish()
  }

  /** Ends it from the follower's side, or with the stream. */
  end (): void {
    if (this.#ended) return
    this.#finish()
    this.#leader?.unsubscribe(this)
  }

  #finish (): void {
    this.#ended = true
    if (this.#waiting) this.#throttle.leave(this)
    this.#settle(0)
    this.#feeder.inFlightBytes -= this.#inFlight.bytes
    this.#inFlight.bytes = 0
    this.#feeder.forget(this)
  }

  /** False for an offset that was never sent. */
  acknowledge (durableEnd: number): boolean {
    if (this.#progress === undefined || this.#leader === undefined) return true
    if (durableEnd > this.#next) return false
    this.#feeder.inFlightBytes -= this.#inFlight.acknowledge(durableEnd)
    this.#leader.acknowledge(this.#progress, durableEnd, this.#feeder.host.clock.now())
    // Records may have waited for this; marks alone need no message of their own so soon.
    if (this.#next < this.#leader.state.log.logEnd) this.wake()
    return true
  }

  /** Its turn: sends one message, and queues again when there is more. */
  send (): void {
    this.#queued = false
    if (this.#ended || this.#reading) return
    const { log } = this.#leader!.state
    if (this.#next >= log.logEnd) {
      this.#settle(0)
      this.#sendMarks()
      return
    }
    if (!this.#mayFly()) {
      this.#settle(0)
      return
    }
    if (this.#next < log.logStart) this.#next = log.logStart
    if (!this.#hasTurn()) return
    const records = log.readTail(this.#next, log.logEnd, this.#messageBytes)
    if (records === undefined) this.#readCold()
    else this.#sendRecords(records)
  }

  get #messageBytes (): number {
    return this.#turn ? this.#throttle.messageBytes : limits.fetchBytesPerMessageMax
  }

  /** Learners leave half of the stream's room to those that producers wait for. */
  #mayFly (): boolean {
    if (this.#inFlight.bytes === 0) return true
    const streamBytesMax = limits.replicateInFlightBytesPerStreamMax / (this.isLearner ? 2 : 1)
    return this.#inFlight.bytes < limits.replicateInFlightBytesMax && this.#feeder.inFlightBytes < streamBytesMax
  }

  /** The rest waits for the disk; the other feeds of the stream do not. */
  #readCold (): void {
    const { log } = this.#leader!.state
    const offset = this.#next
    this.#reading = true
    this.#feeder.host.coldReads.run(() => log.read(offset, log.logEnd, this.#messageBytes))
      .then(records => {
        this.#reading = false
        if (this.#ended) return
        if (records.length > 0) {
          this.#sendRecords(records)
          return
        }
        this.#settle(0)
        this.wake()
      }, (error: unknown) => {
        this.#reading = false
        if (this.#ended) return
        this.#settle(0)
        // Retention has overtaken the follower: it goes on at the log start.
        if (error instanceof WireError && error.code === 'OFFSET_OUT_OF_RANGE' && offset < log.logStart) this.wake()
        else this.#fail(error)
      })
  }

  #fail (error: unknown): void {
    const wireError = error instanceof WireError ? error : new WireError('INTERNAL', String(error))
    this.refuse(wireError, undefined)
    this.#leader?.unsubscribe(this)
  }

  #sendRecords (records: Uint8Array): void {
    this.#settle(records.length)
    this.#next = offsetAfter(records)
    this.#inFlight.add(this.#next, records.length)
    this.#feeder.inFlightBytes += records.length
    this.#feeder.host.stats.replicatedOutBytes += records.length
    this.#sendBatch(records)
    if (this.#next < this.#leader!.state.log.logEnd) this.wake()
  }

  #sendMarks (): void {
    const { highWatermark, log } = this.#leader!.state
    if (highWatermark !== this.#sentHighWatermark || log.logStart !== this.#sentLogStart) this.#sendBatch(noRecords)
  }

  #sendBatch (records: Uint8Array): void {
    const { highWatermark, log } = this.#leader!.state
    this.#sentHighWatermark = highWatermark
    this.#sentLogStart = log.logStart
    this.#send({ response: 'records', records: { records, highWatermark, logStart: log.logStart } })
  }

  #send (message: Sent<ReplicateResponse>): void {
    if (this.#ended) return
    this.#feeder.send({ ...message, subscriptionId: this.subscriptionId, leaderEpoch: this.leaderEpoch })
  }
}

const noRecords = new Uint8Array(0)
