// What the replicas of a broker count; metrics.ts exports it. Counters only grow while the process lives;
// gauges are set by the host's tick.
import type { ErrorCode } from '../../wire/errors.ts'
import { LatencyHistogram } from '../histogram.ts'
import { TopicCounters } from './topic-loads.ts'

export interface PartitionStats {
  /** Counters: batches, records and bytes appended by producers here (as leader; repeats not counted). */
  appends: number
  appendedRecords: number
  appendedBytes: number
  /** Counter: batches of producers that were repeats of one that the log held. */
  duplicates: number
  /** Counters: batches refused, or not known to be committed, by what the producer was told. */
  readonly appendErrors: Map<ErrorCode, number>
  /** Counters: bytes given to consumers; reads for them that had to go to disk; reads that followers served. */
  fetchedBytes: number
  coldFetches: number
  followerFetches: number
  /** Counters: bytes sent to followers, and received from leaders. */
  replicatedOutBytes: number
  replicatedInBytes: number
  /** Counters: in-sync changes that took effect at leaders here. */
  inSyncShrinks: number
  inSyncExpands: number
  /** Counters: logs cut back because they parted from the leader's, and the offsets that went. */
  truncations: number
  truncatedOffsets: number
  /** Counter: replicas found damaged, by recovery or by a read since. */
  damagedFound: number
  /** Counters: leaderships begun and ended here. */
  leadershipsBegun: number
  leadershipsEnded: number
  /** Gauges. */
  replicas: number
  leaders: number
  /** Led here with fewer in-sync members than replicas. */
  underReplicated: number
  /** Led here with fewer live in-sync members than minInSync: they refuse appends. */
  underMinInSync: number
  /** Led or followed here, but no leader is known. */
  offline: number
  /** Replicas that must not be counted, see the log. */
  damaged: number
  /** Gauges: appended and not yet committed. */
  pendingAppends: number
  pendingBytes: number
  readonly topics: TopicCounters
  /** From append to commit. */
  readonly commitLatency: LatencyHistogram
}

const watchedErrors = ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'DISK_FULL', 'BROKER_BUSY'] as const

export function makeStats (): PartitionStats {
  return {
    appends: 0,
    appendedRecords: 0,
    appendedBytes: 0,
    duplicates: 0,
    // Those that an operator should hear of are there from the first scrape: their first one is then an increase.
    appendErrors: new Map(watchedErrors.map(code => [code, 0])),
    fetchedBytes: 0,
    coldFetches: 0,
    followerFetches: 0,
    replicatedOutBytes: 0,
    replicatedInBytes: 0,
    inSyncShrinks: 0,
    inSyncExpands: 0,
    truncations: 0,
    truncatedOffsets: 0,
    damagedFound: 0,
    leadershipsBegun: 0,
    leadershipsEnded: 0,
    replicas: 0,
    leaders: 0,
    underReplicated: 0,
    underMinInSync: 0,
    offline: 0,
    damaged: 0,
    pendingAppends: 0,
    pendingBytes: 0,
    topics: new TopicCounters(),
    commitLatency: new LatencyHistogram()
  }
}

export function countError (stats: PartitionStats, code: ErrorCode): void {
  stats.appendErrors.set(code, (stats.appendErrors.get(code) ?? 0) + 1)
}
