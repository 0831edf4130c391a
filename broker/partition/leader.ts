// A replica that leads, in one leader epoch: appends, counts its followers' durable ends, commits.
// replication.md: "Append and commit". No clock, net or promise: `nowMs` comes with each call.
import { assert } from '../assert.ts'
import * as limits from '../limits.ts'
import { stampBaseOffset, stampLeaderEpoch, validateBatch } from '../../wire/record-batch.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'
import { WireError } from '../../wire/errors.ts'
import { hasIdentity, nobody } from '../row.ts'
import type { PartitionRow, ReplicaIdentity } from '../row.ts'
import type { InSyncRequest } from '../session/contract.ts'
import type { AppendDone } from './contract.ts'
import { divergence } from './epochs.ts'
import type { EpochEnd } from './epochs.ts'
import { InSync, addedMembers, isReplica, liveMembers } from './in-sync.ts'
import type { FindBroker, WantedSet } from './in-sync.ts'
import type { PendingAppends } from './pending-appends.ts'
import type { Progress } from './progress.ts'
import type { ProducerBatch } from './producer-state.ts'
import type { ReplicaState } from './state.ts'
import type { PartitionStats } from './stats.ts'

/** What a leader does to the world. */
export interface LeaderEffects {
  readonly stats: PartitionStats
  readonly broker: FindBroker
  /** Sends the request; its outcome comes back through Leader.refused or a row. */
  changeInSync (request: InSyncRequest): void
  /** The high watermark moved, or the leader began to serve: readers may go on. */
  moved (): void
}

/** A follower's subscription, as its leader sees it. Implemented by feeder.ts. */
export interface Feed {
  readonly identity: ReplicaIdentity
  readonly brokerEpoch: number
  readonly fetchOffset: number
  readonly lastEpoch: number
  readonly durableEnd: number
  /** The leader takes it on: batches from `offset` on are to be sent. */
  begin (progress: Progress, offset: number): void
  /** There is something to send; so many bytes of it were appended just now. */
  wake (appendedBytes?: number): void
  diverged (end: EpochEnd): void
  row (row: PartitionRow): void
  /** Ends the subscription. */
  refuse (error: WireError, row: PartitionRow | undefined): void
}

export class Leader {
  readonly epoch: number
  /** The log end when this leader began. */
  readonly epochStart: number
  readonly inSync: InSync
  readonly #state: ReplicaState
  readonly #pending: PendingAppends
  readonly #effects: LeaderEffects
  readonly #feeds = new Map<Progress, Feed>()
  /** Followers that came before this leader was ready. */
  #waiting: Feed[] = []
  /** False until the epoch's start is durable (KAFKA-7415). */
  #ready = false
  #live = 0
  #starvedSinceMs = -1

  /** Begins the epoch of `row` in the log. The caller calls `serve` when that is durable. */
  constructor (state: ReplicaState, row: PartitionRow, pending: PendingAppends, effects: LeaderEffects, nowMs: number) {
    assert(hasIdentity(row.inSync, state.identity), 'a leader is a member of its set')
    this.epoch = row.leaderEpoch
    this.#state = state
    this.#pending = pending
    this.#effects = effects
    this.inSync = new InSync(state.identity, row, nowMs)
    state.log.beginEpoch(row.leaderEpoch)
    this.epochStart = state.log.logEnd
    this.#live = liveMembers(row, effects.broker)
  }

  get state (): ReplicaState { return this.#state }
  get ready (): boolean { return this.#ready }
  get row (): PartitionRow { return this.inSync.row }
  get feeds (): IterableIterator<Feed> { return this.#feeds.values() }
  /** False while this leader may not know of everything that is committed: `latest` would step back. */
  get endKnown (): boolean { return this.#ready && this.#state.highWatermark >= this.epochStart }
  /** True while appends are refused for lack of live members. */
  get belowFloor (): boolean { return this.#live < this.row.minInSync || this.row.inSync.length < this.row.minInSync }

  serve (nowMs: number): void {
    this.#ready = true
    const waiting = this.#waiting
    this.#waiting = []
    for (const feed of waiting) this.subscribe(feed, nowMs)
    this.advance(nowMs)
    this.#effects.moved()
  }

  /** Ends this leadership; subscriptions are refused with `row`. Pending appends are the caller's. */
  resign (error: WireError, row: PartitionRow | undefined): void {
    this.#ready = false
    for (const feed of [...this.#feeds.values(), ...this.#waiting]) feed.refuse(error, row)
    this.#feeds.clear()
    this.#waiting = []
  }

  // Producing

  /** @see Partitions.append */
  append (batch: Uint8Array, timestampMax: number, nowMs: number, done: AppendDone): void {
    const refusal = this.#pending.length >= limits.appendsPendingPerPartitionMax
      ? new WireError('BROKER_BUSY', 'too many batches of the partition wait for their commit')
      : this.#append(batch, timestampMax, nowMs, done)
    if (refusal !== undefined) this.#pending.refuse(refusal, done)
  }

  #append (batch: Uint8Array, timestampMax: number, nowMs: number, done: AppendDone): WireError | undefined {
    const { log, producers } = this.#state
    let header: BatchHeader
    try {
      header = validateBatch(batch, {
        batchBytesMax: limits.batchBytesDefault,
        recordsMax: limits.recordsPerBatchMax,
        timestampMax: Number.MAX_SAFE_INTEGER
      })
    } catch (error) {
      if (error instanceof WireError) return error
      throw error
    }
    if (header.producerId >= 0) {
      const check = producers.check(header)
      if (check === 'old-epoch') return new WireError('INVALID_PRODUCER_EPOCH')
      if (check === 'out-of-order') return new WireError('OUT_OF_ORDER_SEQUENCE')
      if (check !== 'next') return this.#repeat(check, nowMs, done)
    }
    // After the repeats: the clock may have gone back since the first copy was taken, which counts.
    if (header.maxTimestamp > timestampMax) {
      return new WireError('INVALID_TIMESTAMP',
        `a timestamp of ${header.maxTimestamp}; the largest allowed is ${timestampMax}`)
    }
    if (this.belowFloor) return new WireError('NOT_ENOUGH_REPLICAS')
    const baseOffset = log.logEnd
    stampBaseOffset(batch, baseOffset)
    stampLeaderEpoch(batch, this.epoch)
    log.append(batch)
    assert(log.logEnd === baseOffset + header.recordsCount, 'the log grew by the records of the batch')
    producers.update(header, baseOffset, nowMs)
    const { stats } = this.#effects
    stats.appends++
    stats.appendedRecords += header.recordsCount
    stats.appendedBytes += batch.length
    const counts = stats.topics.of(log.topic)
    counts.records += header.recordsCount
    counts.bytes += batch.length
    this.#pending.add(log.logEnd, baseOffset, this.epoch, batch.length, nowMs, done)
    // Followers get it before the own fsync ends: both run at the same time.
    for (const feed of this.#feeds.values()) feed.wake(batch.length)
    return undefined
  }

  /** A repeat is answered with the offset of the first, but not before that is committed. */
  #repeat (batch: ProducerBatch, nowMs: number, done: AppendDone): WireError | undefined {
    this.#effects.stats.duplicates++
    const end = batch.lastOffset + 1
    if (end > this.#state.highWatermark && this.belowFloor) return new WireError('NOT_ENOUGH_REPLICAS_AFTER_APPEND')
    this.#pending.add(end, batch.baseOffset, this.epoch, 0, nowMs, done)
    this.#pending.committed(this.#state.highWatermark, nowMs)
    return undefined
  }

  // Committing

  /** The own fsync, a follower's or a row moved something: raises the high watermark if it can. */
  advance (nowMs: number): void {
    if (!this.#ready) return
    const state = this.#state
    const end = this.inSync.lowestEnd(state.durableEnd)
    if (end <= state.highWatermark) return
    assert(end <= state.log.logEnd, 'the high watermark is not above the log end')
    state.commit(end)
    this.#pending.committed(end, nowMs)
    this.#effects.moved()
  }

  // Followers

  subscribe (feed: Feed, nowMs: number): void {
    if (!this.#ready) {
      this.#waiting.push(feed)
      return
    }
    if (!isReplica(this.row, feed.identity.brokerId) && !this.row.removing.includes(feed.identity.brokerId)) {
      feed.refuse(new WireError('INELIGIBLE_REPLICA', 'the broker is no replica of the partition'), this.row)
      return
    }
    const { log, highWatermark } = this.#state
    if (feed.fetchOffset < highWatermark && hasIdentity(this.row.inSync, feed.identity)) {
      // A member has everything that is committed, durable: unless its volume is an older copy of itself.
      feed.refuse(new WireError('VOLUME_ROLLED_BACK', `a member of the in-sync set ends at ${feed.fetchOffset}, ` +
        `below the high watermark ${highWatermark}`), undefined)
      return
    }
    const end = divergence(log, feed.fetchOffset, feed.lastEpoch)
    if (end !== undefined) {
      // No word of its ends counts, and no state changes, until it comes back truncated (KAFKA-14704).
      feed.diverged(end)
      return
    }
    if (feed.durableEnd > feed.fetchOffset) {
      feed.refuse(new WireError('INVALID_REQUEST', 'a durable end beyond the log end'), undefined)
      return
    }
    for (const other of this.#feeds.values()) {
      if (other.identity.brokerId !== feed.identity.brokerId || other.brokerEpoch <= feed.brokerEpoch) continue
      feed.refuse(new WireError('FENCED_EPOCH', 'a newer process of the broker has subscribed'), undefined)
      return
    }
    this.#replace(feed)
    const progress = this.inSync.follower(feed.identity)
    this.#feeds.set(progress, feed)
    progress.streaming = true
    progress.brokerEpoch = feed.brokerEpoch
    feed.begin(progress, Math.max(feed.fetchOffset, log.logStart))
    // A log that ends below this one's start may hold what was never committed: the follower drops it, and its end
    // counts when that is durable. A crash before would bring it back.
    const isIncomparable = feed.lastEpoch >= 0 && feed.fetchOffset <= log.logStart
    if (!isIncomparable) this.acknowledge(progress, feed.durableEnd, nowMs)
  }

  /** A broker holds one replica of the partition: an older subscription of it is over. */
  #replace (feed: Feed): void {
    for (const [other, old] of this.#feeds) {
      if (other.identity.brokerId !== feed.identity.brokerId) continue
      old.refuse(new WireError('FENCED_EPOCH', 'the broker subscribed again'), undefined)
      this.#feeds.delete(other)
      this.inSync.left(other)
    }
  }

  /** The feed is over, from the follower's side. */
  unsubscribe (feed: Feed): void {
    this.#waiting = this.#waiting.filter(other => other !== feed)
    for (const [progress, other] of this.#feeds) {
      if (other !== feed) continue
      this.#feeds.delete(progress)
      this.inSync.left(progress)
    }
  }

  /** Everything below `end` is durable at the follower; said in this leader epoch, by a subscription. */
  acknowledge (progress: Progress, end: number, nowMs: number): void {
    const { log } = this.#state
    progress.acknowledge(end, log.logEnd, nowMs)
    this.advance(nowMs)
    if (!this.inSync.changing && !this.inSync.isMember(progress)) this.#consider(nowMs)
  }

  // The in-sync set

  /** A newer row of this leader epoch; `durable` follows when it is journaled. */
  adopt (row: PartitionRow, nowMs: number): void {
    assert(row.leaderEpoch === this.epoch, 'a row of this leader epoch')
    const { stats } = this.#effects
    const before = this.row.inSync.length
    if (row.inSync.length < before) stats.inSyncShrinks++
    if (row.inSync.length > before) stats.inSyncExpands++
    this.inSync.adopt(row)
    for (const feed of this.#feeds.values()) feed.row(row)
    this.brokersChanged(nowMs)
  }

  durable (row: PartitionRow, nowMs: number): void {
    this.inSync.durable(row)
    this.advance(nowMs)
    this.#consider(nowMs)
  }

  /** The view of the brokers, or the row, changed: are there enough live members still? */
  brokersChanged (nowMs: number): void {
    this.#live = liveMembers(this.row, this.#effects.broker)
    if (this.belowFloor) this.#pending.fail(new WireError('NOT_ENOUGH_REPLICAS_AFTER_APPEND'))
    this.#consider(nowMs)
  }

  /** The controller answered a request with an error. */
  refused (nowMs: number): void {
    this.inSync.refused(nowMs)
  }

  tick (nowMs: number): void {
    const { logEnd } = this.#state.log
    for (const progress of this.inSync.followers) progress.tick(logEnd, nowMs)
    this.#consider(nowMs)
    this.#starvedSinceMs = this.#streams(nowMs) >= this.row.minInSync
      ? -1
      : this.#starvedSinceMs < 0 ? nowMs : this.#starvedSinceMs
  }

  /** True when streams from minInSync members (this one counts) are missing for starvedMs. */
  starved (nowMs: number): boolean {
    return this.#starvedSinceMs >= 0 && nowMs - this.#starvedSinceMs >= limits.starvedMs
  }

  #streams (nowMs: number): number {
    let count = 1
    for (const progress of this.#feeds.keys()) {
      if (this.inSync.isMember(progress) && progress.active(this.#state.log.logEnd, nowMs, limits.starvedMs)) count++
    }
    return count
  }

  #consider (nowMs: number): void {
    if (!this.#ready) return
    const { epochStart } = this
    const { highWatermark, log } = this.#state
    const ends = { epochStart, highWatermark, logEnd: log.logEnd }
    const wanted = this.inSync.wanted(ends, nowMs, this.#effects.broker)
    const ask = this.inSync.ask(wanted, nowMs)
    if (ask !== undefined) this.#ask(ask)
  }

  #ask (set: WantedSet): void {
    const { topicId, partition, leaderEpoch, version, leader } = this.row
    assert(leader !== nobody, 'a leader asks')
    this.#effects.changeInSync({
      topicId,
      partition,
      leaderEpoch,
      version,
      inSync: set.inSync,
      added: addedMembers(set.added)
    })
  }
}
