// A replica that follows, in one leader epoch: takes in what its leader sends, truncates where it differs.
// replication.md: "Follower: fetch and truncation". No clock, net or promise.
import { batches, hasValidCrc } from '../../wire/record-batch.ts'
import { WireError } from '../../wire/errors.ts'
import type {
  ReplicateRequest_Subscribe, ReplicateResponse, ReplicateResponse_Diverged, ReplicateResponse_Records,
  ReplicateResponse_Refused, Sent
} from '../../wire/messages.ts'
import type { PartitionRow } from '../row.ts'
import { hasEmptyEpoch, lastEpoch, truncationOffset } from './epochs.ts'
import type { ReplicaState } from './state.ts'
import type { PartitionStats } from './stats.ts'

/**
 * What the caller has to do after a message: nothing; subscribe again at once, or after a pause; take the
 * row that came into account; stop this replica for good.
 */
export type FollowerNext = 'go-on' | 'resubscribe' | 'retry' | 'row' | 'damaged'

export class Follower {
  readonly leader: number
  readonly epoch: number
  /** Why the replica is damaged, or the leader's message was not taken; for the log. */
  reason = ''
  /** It is this replica that has lost what was committed; else it may be the leader. */
  lost = false
  readonly #state: ReplicaState
  readonly #stats: PartitionStats
  readonly #changed: () => void
  #isCurrent = false
  /** No records of the current subscription have come: what the log holds is not from this leader. */
  #fresh = false

  /** @param changed readers may have something new to get, or must look elsewhere */
  constructor (state: ReplicaState, row: PartitionRow, stats: PartitionStats, changed: () => void = () => {}) {
    this.leader = row.leader
    this.epoch = row.leaderEpoch
    this.#state = state
    this.#stats = stats
    this.#changed = changed
    // An epoch that this replica led without writing anything would bar older batches of the new leader.
    if (hasEmptyEpoch(state.log)) state.log.truncate(state.log.logEnd)
  }

  get state (): ReplicaState { return this.#state }
  /** The leader is heard: it has found this log to be like its own, and says what is committed. */
  get isCurrent (): boolean { return this.#isCurrent }

  /** There is no subscription at the leader now. */
  unheard (): void {
    if (!this.#isCurrent) return
    this.#isCurrent = false
    this.#changed()
  }

  subscribe (subscriptionId: number, brokerEpoch: number): Sent<ReplicateRequest_Subscribe> {
    const { log, identity } = this.#state
    this.#fresh = true
    return {
      subscriptionId,
      topicId: log.topicId,
      partition: log.partition,
      leaderEpoch: this.epoch,
      identity,
      brokerEpoch,
      fetchOffset: log.logEnd,
      lastEpoch: lastEpoch(log),
      durableEnd: this.#state.durableEnd
    }
  }

  /** A message of the current subscription; those of earlier ones must not come here. */
  receive (message: ReplicateResponse, nowMs: number): FollowerNext {
    // KAFKA-18991: an answer in another epoch says nothing about this log.
    if (message.leaderEpoch !== this.epoch && message.response !== 'refused') return 'go-on'
    switch (message.response) {
      case 'records': return this.#records(message.records!, nowMs)
      case 'diverged': return this.#diverged(message.diverged!)
      case 'refused': return this.#refused(message.refused!)
      case 'row': return 'row'
      default: return this.#refuse('a message of an unknown kind')
    }
  }

  #refused ({ error }: ReplicateResponse_Refused): FollowerNext {
    if (error?.code !== 'VOLUME_ROLLED_BACK') return 'retry'
    this.reason = error.message
    this.lost = true
    return 'damaged'
  }

  #refuse (reason: string): FollowerNext {
    this.reason = reason
    return 'retry'
  }

  #records ({ records, highWatermark, logStart }: ReplicateResponse_Records, nowMs: number): FollowerNext {
    if (records.length > 0) {
      const refusal = this.#append(records, logStart, nowMs)
      if (refusal !== '') return this.#refuse(refusal)
    } else if (logStart > this.#state.log.logEnd || this.#isIncomparable(logStart)) {
      this.#reset(logStart)
    }
    this.#fresh = false
    const state = this.#state
    const { log } = state
    const before = state.highWatermark
    state.commit(Math.min(highWatermark, log.logEnd))
    const start = Math.min(logStart, state.highWatermark)
    if (start > log.logStart) log.advanceLogStart(start)
    this.#isCurrent = true
    if (state.highWatermark > before) this.#changed()
    return 'go-on'
  }

  /**
   * The whole log lies below the leader's log start. Where epochs ended there the leader may have forgotten:
   * this tail may be one that was never committed. Its records are not needed, its producers' would do harm.
   */
  #isIncomparable (logStart: number): boolean {
    const { log } = this.#state
    return this.#fresh && logStart >= log.logEnd && log.logEnd > log.logStart
  }

  /** Empty when the batches were appended, otherwise why none was. */
  #append (records: Uint8Array, logStart: number, nowMs: number): string {
    const { log, producers } = this.#state
    const found = this.#check(records, logStart)
    if (typeof found === 'string') return found
    const first = found[0]!
    if (first.baseOffset !== log.logEnd || this.#isIncomparable(logStart)) this.#reset(first.baseOffset)
    log.append(records)
    for (const header of found) producers.update(header, header.baseOffset, nowMs)
    this.#stats.replicatedInBytes += records.length
    return ''
  }

  /** The headers, when all of it may be appended as it is. */
  #check (records: Uint8Array, logStart: number) {
    const { log } = this.#state
    const found = []
    const anew = this.#isIncomparable(logStart)
    let offset = log.logEnd
    let epoch = anew ? -1 : log.epochs.at(-1)?.epoch ?? -1
    try {
      for (const header of batches(records)) {
        const jumps = anew || (header.baseOffset > offset && logStart > offset)
        if (found.length === 0 && jumps) offset = header.baseOffset
        if (header.baseOffset !== offset) return `a batch at ${header.baseOffset}, expected at ${offset}`
        // KAFKA-18723: what a later leader wrote is for the subscription in its epoch.
        if (header.leaderEpoch > this.epoch) return `a batch of epoch ${header.leaderEpoch} in epoch ${this.epoch}`
        if (header.leaderEpoch < epoch) return `a batch of epoch ${header.leaderEpoch} after one of ${epoch}`
        if (!hasValidCrc(records, header)) return `the batch at ${offset} has a wrong CRC`
        found.push(header)
        epoch = header.leaderEpoch
        offset = header.lastOffset + 1
      }
    } catch (error) {
      if (error instanceof WireError) return error.message
      throw error
    }
    return found
  }

  /** The leader's log begins past this one's end: nothing here is needed any more. */
  #reset (offset: number): void {
    const { log } = this.#state
    this.#stats.truncations++
    this.#stats.truncatedOffsets += log.logEnd - log.logStart
    this.#state.reset(offset)
  }

  #diverged ({ epoch, endOffset }: ReplicateResponse_Diverged): FollowerNext {
    const { log, highWatermark } = this.#state
    const offset = truncationOffset(log, { epoch, endOffset })
    if (offset < highWatermark) {
      // Committed records would go: this log or the leader's is not what it should be. A person decides.
      this.reason = `the leader's log of epoch ${epoch} ends at ${endOffset}, ` +
        `which would truncate to ${offset}, below the high watermark ${highWatermark}`
      return 'damaged'
    }
    if (offset >= log.logEnd) return this.#refuse(`diverged at ${endOffset}, but nothing to truncate`)
    this.#stats.truncations++
    this.#stats.truncatedOffsets += log.logEnd - offset
    this.#state.truncate(offset)
    return 'resubscribe'
  }
}
