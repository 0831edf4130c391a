// What the replicas of a broker count; metrics.ts exports it. Counters only grow while the process lives;
// gauges are set by the host's tick.

/** Upper bounds of the buckets of commit latency, in ms; one more bucket holds what is slower. */
export const commitLatencyBucketsMs =
  [0.5, 1, 2, 3, 5, 7.5, 10, 15, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const

export interface PartitionStats {
  /** Counters: batches, records and bytes appended by producers here (as leader; repeats not counted). */
  appends: number
  appendedRecords: number
  appendedBytes: number
  /** Counter: batches of producers that were repeats of one that the log held. */
  duplicates: number
  /** Counter: batches refused, or not known to be committed, for any reason. */
  appendErrors: number
  /** Counters: bytes given to consumers; reads for them that had to go to disk. */
  fetchedBytes: number
  coldFetches: number
  /** Counters: bytes sent to followers, and received from leaders. */
  replicatedOutBytes: number
  replicatedInBytes: number
  /** Counters: in-sync changes that took effect at leaders here. */
  inSyncShrinks: number
  inSyncExpands: number
  /** Counters: logs cut back because they parted from the leader's, and the offsets that went. */
  truncations: number
  truncatedOffsets: number
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
  /** Histogram of ms from append to commit: counts per bucket of commitLatencyBucketsMs, then slower. */
  readonly commitLatency: number[]
  commitLatencySumMs: number
  commitLatencyCount: number
}

export function makeStats (): PartitionStats {
  return {
    appends: 0,
    appendedRecords: 0,
    appendedBytes: 0,
    duplicates: 0,
    appendErrors: 0,
    fetchedBytes: 0,
    coldFetches: 0,
    replicatedOutBytes: 0,
    replicatedInBytes: 0,
    inSyncShrinks: 0,
    inSyncExpands: 0,
    truncations: 0,
    truncatedOffsets: 0,
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
    commitLatency: new Array<number>(commitLatencyBucketsMs.length + 1).fill(0),
    commitLatencySumMs: 0,
    commitLatencyCount: 0
  }
}

export function countCommit (stats: PartitionStats, latencyMs: number): void {
  let bucket = 0
  while (bucket < commitLatencyBucketsMs.length && latencyMs > commitLatencyBucketsMs[bucket]!) bucket++
  stats.commitLatency[bucket]!++
  stats.commitLatencySumMs += latencyMs
  stats.commitLatencyCount++
}
