// Where logs part: leader epochs and the offsets at which they begin (KIP-101, KIP-279).
import type { EpochEntry } from '../log/contract.ts'

/** The part of a log that divergence is decided from. */
export interface EpochLog {
  readonly epochs: readonly EpochEntry[]
  readonly logStart: number
  readonly logEnd: number
}

/** `epoch` ends at `endOffset`: the offset after its last record. */
export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

/** The epoch of the record at `offset`, -1 when the log does not hold it. */
export function epochAt (log: EpochLog, offset: number): number {
  if (offset < log.logStart || offset >= log.logEnd) return -1
  let epoch = -1
  for (const entry of log.epochs) {
    if (entry.startOffset > offset) break
    epoch = entry.epoch
  }
  return epoch
}

/** The epoch of the last batch, -1 for an empty log. An epoch that began and wrote nothing is not it. */
export function lastEpoch (log: EpochLog): number {
  return epochAt(log, log.logEnd - 1)
}

/** True when the last epoch entries have no record: an epoch that this replica led without writing. */
export function hasEmptyEpoch (log: EpochLog): boolean {
  const last = log.epochs.at(-1)
  return last !== undefined && last.startOffset >= log.logEnd
}

/**
 * The largest epoch not above `epoch` and where it ends here. Below the first known epoch: `epoch` itself,
 * ending where the first known one begins (Kafka: LeaderEpochFileCache.endOffsetFor).
 */
export function endOffsetFor (log: EpochLog, epoch: number): EpochEnd {
  let floor: EpochEntry | undefined
  for (const entry of log.epochs) {
    if (entry.epoch > epoch) return { epoch: floor?.epoch ?? epoch, endOffset: entry.startOffset }
    floor = entry
  }
  return { epoch: floor?.epoch ?? epoch, endOffset: log.logEnd }
}

/**
 * The leader's answer to a follower whose log ends at `fetchOffset` with a batch of `epoch` (-1: empty
 * log): undefined when the leader's log goes on from there, otherwise where the leader's epoch ends.
 */
export function divergence (leader: EpochLog, fetchOffset: number, epoch: number): EpochEnd | undefined {
  if (epoch < 0) {
    if (fetchOffset <= leader.logEnd) return undefined
    return { epoch: leader.epochs.at(-1)?.epoch ?? -1, endOffset: leader.logEnd }
  }
  const end = endOffsetFor(leader, epoch)
  return end.epoch < epoch || end.endOffset < fetchOffset ? end : undefined
}

/**
 * Where a follower truncates after such an answer: the lower of the leader's end and its own end of that
 * epoch. When its own floor epoch is another one, its own end: it must ask again from there (KIP-279).
 */
export function truncationOffset (follower: EpochLog, leader: EpochEnd): number {
  const own = endOffsetFor(follower, leader.epoch)
  if (own.epoch !== leader.epoch) return Math.min(own.endOffset, follower.logEnd)
  return Math.min(leader.endOffset, own.endOffset, follower.logEnd)
}
