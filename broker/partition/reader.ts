// What consumers may read of a partition: below the high watermark, nothing else. Of its leader, or of a follower that
// is in sync and hears its leader (KIP-392): what it knows to be committed is committed in every later epoch too.
import { WireError } from '../../wire/errors.ts'
import type { BrokerInfo } from '../../wire/messages.ts'
import { hasIdentity } from '../row.ts'
import type { PartitionRow } from '../row.ts'
import type { FetchResult, ListedOffset } from './contract.ts'
import type { ColdReads } from './cold-reads.ts'
import type { Replica } from './replica.ts'
import type { PartitionStats } from './stats.ts'

export interface ReaderHost {
  readonly stats: PartitionStats
  readonly coldReads: ColdReads
  broker (brokerId: number): BrokerInfo | undefined
  notLeader (row: PartitionRow | undefined): WireError
}

const noRecords = new Uint8Array(0)

export class Reader {
  readonly #host: ReaderHost

  constructor (host: ReaderHost) {
    this.#host = host
  }

  /** @see Partitions.fetch; `replica` leads, or is one that readers may be served from. */
  async fetch (replica: Replica, offset: number, leaderEpoch: number, bytesMax: number): Promise<FetchResult> {
    const { leader } = replica
    if (leader === undefined && !this.#mayServe(replica)) throw this.#host.notLeader(replica.row)
    const epoch = leader?.epoch ?? replica.follower!.epoch
    checkEpoch(replica, epoch, leaderEpoch)
    const { log, highWatermark } = replica.state
    if (offset < log.logStart || offset > log.logEnd) throw outOfRange(replica)
    // Between the high watermark and the end readers wait: it may just not have been counted yet.
    if (offset >= highWatermark || leader?.ready === false) return result(replica, epoch, noRecords)
    let records = log.readTail(offset, highWatermark, bytesMax)
    if (records === undefined) {
      this.#host.stats.coldFetches++
      records = await this.#host.coldReads.run(() => log.read(offset, highWatermark, bytesMax))
        .catch((error: unknown) => {
          throw error instanceof WireError && error.code === 'OFFSET_OUT_OF_RANGE' ? outOfRange(replica) : error
        })
    }
    const { stats } = this.#host
    if (leader === undefined) stats.followerFetches++
    stats.fetchedBytes += records.length
    stats.topics.of(log.topic).fetchedBytes += records.length
    return result(replica, epoch, records)
  }

  /** A follower that hears nothing, or that the in-sync set goes on without, would keep its readers waiting. */
  #mayServe ({ follower, row, identity, damaged }: Replica): boolean {
    return follower?.isCurrent === true && damaged === '' && row !== undefined && hasIdentity(row.inSync, identity) &&
      this.#host.broker(identity.brokerId)?.fenced === false
  }

  earliest (replica: Replica): ListedOffset {
    return { offset: replica.log.logStart, timestamp: -1, leaderEpoch: replica.leader!.epoch }
  }

  latest (replica: Replica): ListedOffset {
    const leader = replica.leader!
    // A new leader's high watermark may be older than what its predecessor has shown (KIP-207).
    if (!leader.endKnown) throw new WireError('OFFSET_NOT_AVAILABLE')
    return { offset: replica.state.highWatermark, timestamp: -1, leaderEpoch: leader.epoch }
  }

  async atTime (replica: Replica, timestamp: number): Promise<ListedOffset> {
    const leader = replica.leader!
    if (!leader.endKnown) throw new WireError('OFFSET_NOT_AVAILABLE')
    const { highWatermark } = replica.state
    const found = await this.#host.coldReads.run(() => replica.log.offsetForTimestamp(timestamp, highWatermark))
    return { offset: found?.offset ?? highWatermark, timestamp: found?.timestamp ?? -1, leaderEpoch: leader.epoch }
  }
}

function checkEpoch (replica: Replica, leaderEpoch: number, known: number): void {
  if (known < 0 || known === leaderEpoch) return
  const detail = { leaderEpoch }
  if (known > leaderEpoch) throw new WireError('UNKNOWN_EPOCH', undefined, detail)
  throw new WireError('FENCED_EPOCH', undefined, { ...detail, leader: replica.row?.leader ?? -1 })
}

function outOfRange (replica: Replica): WireError {
  const { log, highWatermark } = replica.state
  // Each replica removes old segments by itself, and a follower may be behind: the leader can tell.
  if (replica.leader === undefined) {
    return new WireError('OFFSET_NOT_AVAILABLE', `this follower has the offsets ${log.logStart} to ${highWatermark}`)
  }
  return new WireError('OFFSET_OUT_OF_RANGE', undefined, { logStart: log.logStart, highWatermark })
}

function result (replica: Replica, leaderEpoch: number, records: Uint8Array): FetchResult {
  const { log, highWatermark } = replica.state
  return { records, highWatermark, logStart: log.logStart, leaderEpoch }
}
