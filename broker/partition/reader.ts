// What consumers may read of a partition that is led here: below the high watermark, nothing else.
import { WireError } from '../../wire/errors.ts'
import type { FetchResult, ListedOffset } from './contract.ts'
import type { ColdReads } from './cold-reads.ts'
import type { Leader } from './leader.ts'
import type { Replica } from './replica.ts'
import type { PartitionStats } from './stats.ts'

export interface ReaderHost {
  readonly stats: PartitionStats
  readonly coldReads: ColdReads
}

const noRecords = new Uint8Array(0)

export class Reader {
  readonly #host: ReaderHost

  constructor (host: ReaderHost) {
    this.#host = host
  }

  /** @see Partitions.fetch; `replica` leads. */
  async fetch (replica: Replica, offset: number, leaderEpoch: number, bytesMax: number): Promise<FetchResult> {
    const leader = replica.leader!
    checkEpoch(leader, leaderEpoch)
    const { log, highWatermark } = replica.state
    if (offset < log.logStart || offset > log.logEnd) throw outOfRange(replica)
    // Between the high watermark and the end readers wait: it may just not have been counted yet.
    if (offset >= highWatermark || !leader.ready) return result(replica, leader, noRecords)
    let records = log.readTail(offset, highWatermark, bytesMax)
    if (records === undefined) {
      this.#host.stats.coldFetches++
      records = await this.#host.coldReads.run(() => log.read(offset, highWatermark, bytesMax))
        .catch((error: unknown) => {
          throw error instanceof WireError && error.code === 'OFFSET_OUT_OF_RANGE' ? outOfRange(replica) : error
        })
    }
    const { stats } = this.#host
    stats.fetchedBytes += records.length
    stats.topics.of(log.topic).fetchedBytes += records.length
    return result(replica, leader, records)
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

function checkEpoch (leader: Leader, known: number): void {
  if (known < 0 || known === leader.epoch) return
  const detail = { leaderEpoch: leader.epoch }
  if (known < leader.epoch) throw new WireError('FENCED_EPOCH', undefined, { ...detail, leader: leader.row.leader })
  throw new WireError('UNKNOWN_EPOCH', undefined, detail)
}

function outOfRange (replica: Replica): WireError {
  const { log, highWatermark } = replica.state
  return new WireError('OFFSET_OUT_OF_RANGE', undefined, { logStart: log.logStart, highWatermark })
}

function result (replica: Replica, leader: Leader, records: Uint8Array): FetchResult {
  const { log, highWatermark } = replica.state
  return { records, highWatermark, logStart: log.logStart, leaderEpoch: leader.epoch }
}
