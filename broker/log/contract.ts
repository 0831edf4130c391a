// What the rest of the broker knows of storage. Implemented by volume.ts and replica-log.ts.
import type { PartitionRow } from '../../wire/messages.ts'
import type { LatencyHistogram } from '../histogram.ts'
import type { DiskSpace } from '../io/ports.ts'

/** `epoch` begins at `startOffset`; entries ascend in both. */
export interface EpochEntry {
  readonly epoch: number
  readonly startOffset: number
}

export interface VolumeMeta {
  readonly clusterUid: string
  readonly brokerId: number
  /** 16 hex characters, random, made with the volume (and anew when the volume was rolled back). */
  readonly volumeId: string
  /** Raised and fsynced at each opening, before anything else happens. */
  readonly bootCount: number
  /** This opening and those before it, limits.bootsKept at most, the newest first. */
  readonly boots: readonly Boot[]
}

/** One opening of a volume. */
export interface Boot {
  /** The boot count. */
  readonly brokerEpoch: number
  /** 16 hex characters, random: two copies of a volume that are opened equally often differ in it. */
  readonly incarnation: string
}

/** A broker's disk: meta.json, the journal that all partitions share, a folder for each replica. */
export interface Volume {
  readonly meta: VolumeMeta
  /** The highest controller epoch that was recorded. */
  readonly controllerEpoch: number
  /** Journals it; pushes of lower ones are dropped for ever. */
  setControllerEpoch (epoch: number): void
  /** Every replica found at opening or made since, in order of topicId and partition. */
  replicas (): ReplicaLog[]
  get (topicId: string, partition: number): ReplicaLog | undefined
  /** True when this volume has ever held the replica, even if its data was removed or moved since. */
  knew (topicId: string, partition: number): boolean
  /** Makes an empty replica; usable at once, durable with the journal. */
  create (replica: { topic: string, topicId: string, partition: number, replicaGen: number }): ReplicaLog
  /** Deletes the data in the background; only on an order for a confirmed removal. */
  remove (log: ReplicaLog): Promise<void>
  /** Renames the data into stray/: no row names it. Kept for 7 days at least. */
  moveToStray (log: ReplicaLog): Promise<void>
  /** Renames the data into damaged/, for a person to look at: it is not to be trusted. Kept for 7 days at least. */
  moveToDamaged (log: ReplicaLog): Promise<void>
  /** `callback` runs when everything that was journaled before this call is durable. */
  whenDurable (callback: () => void): void
  /** Age of the oldest fsync that has not returned, 0 when none is pending. */
  fsyncAgeMs (): number
  /** Bytes that wait for the journal. Beyond limits.journalQueueBytesMax appends are to be refused. */
  readonly queuedBytes: number
  /** Of the disk, as of the last look: at opening and whenever `maintain` ran. */
  readonly space: DiskSpace
  /** How long each fsync of the journal took. */
  readonly syncLatency: LatencyHistogram
  /** True below the second free-space watermark: appends are to be refused with DISK_FULL. */
  readonly full: boolean
  /** True below the first one: segments of topics with a retention roll early, so that what is too old can go. */
  readonly low: boolean
  /** For how long it has been low, in milliseconds; 0: it is not. */
  lowMs (): number
  /**
   * Another volumeId, durable when it resolves: the volume was found to be an older copy of itself. The process ends
   * then: whatever it holds in memory speaks for the old identity. Rejects with WireError VOLUME_FAILED.
   */
  renewVolumeId (): Promise<void>
  /** Runs retention and checkpoints; called regularly by the owner. */
  maintain (): Promise<void>
  /** Counters for metrics: fsyncs, frames, bytes written to journal and segments ... */
  readonly counters: Readonly<Record<VolumeCounter, number>>
  /** Drains, fsyncs, checkpoints, closes. After a failure: closes only. */
  close (): Promise<void>
}

export type VolumeCounter = 'journalFrames' | 'journalBytes' | 'fsyncs' | 'segmentBytes' | 'coldReads' | 'segments'

export interface ReplicaLogSettings {
  /** -1: no limit. */
  readonly retentionMs: number
  /** -1: no limit. */
  readonly retentionBytes: number
  readonly segmentBytes: number
}

/**
 * One replica's log: batches with ascending offsets, epochs, marks. Methods that change it return at
 * once: the change is visible to reads of this process, and durable when `onDurable` says so; the
 * order of durability is the order of calls, over all replicas of the volume.
 */
export interface ReplicaLog {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly replicaGen: number
  /** Empty, or what a read of this process found damaged; the next opening gives a new generation. */
  readonly damaged: string
  /** Empty, or why this opening found the replica damaged: its generation is a new one, it is a learner. */
  readonly renewed?: string
  readonly logStart: number
  /** The next offset. */
  readonly logEnd: number
  /** Everything below it is fsynced. */
  readonly durableEnd: number
  /** The last high watermark that was recorded: at most the true one. */
  readonly highWatermark: number
  readonly epochs: readonly EpochEntry[]
  /** The highest leader epoch recorded by setRow, beginEpoch or append. */
  readonly leaderEpochSeen: number
  /** The last row recorded. */
  readonly row: PartitionRow | undefined
  readonly sizeBytes: number
  /** About how many bytes lie from `offset` on; exact at the ends of segments. */
  bytesFrom (offset: number): number
  /** Set by the partition that owns the log: called after each fsync that moved durableEnd. */
  onDurable: ((durableEnd: number) => void) | undefined
  /** Set by the partition that owns the log: called once when a read found what was written damaged. */
  onDamaged: ((reason: string) => void) | undefined

  setRow (row: PartitionRow): void
  /** Records that `epoch` begins at logEnd. Its epoch is above every one before. */
  beginEpoch (epoch: number): void
  /**
   * Appends whole batches, one after the other; base offsets (continuing logEnd) and leader epochs are
   * stamped already. Keeps the bytes: the caller must not change them any more. A batch of a new epoch
   * begins that epoch.
   */
  append (batches: Uint8Array): void
  /** Recorded with the next frame, or soon. Never lowers what is recorded. */
  setHighWatermark (offset: number): void
  /** Removes everything at and above `offset`, epochs too, also when offset lies at or past the end. */
  truncate (offset: number): void
  /** Removes everything; the log is empty and begins at `offset`; the high watermark is `offset`. */
  reset (offset: number): void
  /** Retention, or news from the leader: nothing below `offset` is readable any more. */
  advanceLogStart (offset: number): void
  configure (settings: ReplicaLogSettings): void
  /** Batches in memory from `offset` on (the batch that holds it comes whole), undefined when it is not in the ring. */
  readTail (offset: number, offsetEnd: number, bytesMax: number): Uint8Array | undefined
  /**
   * Whole batches from the one that holds `offset`, all below `offsetEnd`, at least one, at most
   * bytesMax unless the first is larger; empty at the end. Rejects with OFFSET_OUT_OF_RANGE below logStart.
   */
  read (offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array>
  /** The first record at or after `timestamp` below `offsetEnd`; undefined when there is none. */
  offsetForTimestamp (timestamp: number, offsetEnd: number): Promise<{ offset: number, timestamp: number } | undefined>
  /**
   * The newest producer snapshot at or below `offset`, for rebuilding producer state by reading on from
   * there; undefined: read from logStart.
   */
  producerSnapshot (offset: number): Promise<{ offset: number, state: Uint8Array } | undefined>
  /**
   * Returns what producerSnapshot shall give back: producer state up to logEnd. Called between calls of this
   * log, never within one: after segment rolls, at checkpoints and at close, and not before the first append
   * of this process (until then the state may still be loading).
   */
  snapshotProducers: (() => Uint8Array) | undefined
}
