// What rpc/ and group/ know of the replicas of a broker. Implemented by host.ts.
import type { WireError } from '../../wire/errors.ts'
import type { LocalReplicas } from '../session/contract.ts'

/** Called once: when the batch is committed (error undefined), or with the reason why it is not known to be. */
export type AppendDone = (error: WireError | undefined, baseOffset: number, leaderEpoch: number) => void

export interface FetchResult {
  /** Whole batches, committed; empty at the high watermark. */
  readonly records: Uint8Array
  readonly highWatermark: number
  readonly logStart: number
  readonly leaderEpoch: number
}

export interface ListedOffset {
  readonly offset: number
  /** -1 where no record is meant. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** Refers to a partition as clients do. topicId empty: whichever topic has the name now. */
export interface PartitionRef {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

export interface Partitions extends LocalReplicas {
  /**
   * Appends one record batch if this broker leads. Keeps `batch` and stamps it: the caller gives it away.
   * `done` may be called before append returns (a refusal), and always is in the end.
   */
  append (ref: PartitionRef, batch: Uint8Array, done: AppendDone): void
  /**
   * Committed batches from `offset` on; resolves with empty records at the end. Rejects with NOT_LEADER,
   * OFFSET_OUT_OF_RANGE, ... `leaderEpoch` -1 or what the client knows (FENCED_EPOCH, UNKNOWN_EPOCH).
   * `fromFollower`: a replica that follows may serve it, as far as it knows what is committed.
   */
  fetch (ref: PartitionRef, offset: number, leaderEpoch: number, bytesMax: number,
    fromFollower?: boolean): Promise<FetchResult>
  /** `callback` runs once when the high watermark, the leadership or the log start changes. Returns its cancel. */
  whenChanged (ref: PartitionRef, callback: () => void): () => void
  earliest (ref: PartitionRef): ListedOffset
  /** Throws OFFSET_NOT_AVAILABLE while the high watermark is below the start of this leader's epoch. */
  latest (ref: PartitionRef): ListedOffset
  atTime (ref: PartitionRef, timestamp: number): Promise<ListedOffset>
  /** Calls `listener` when this broker begins or ceases to lead a partition of the topic named; for coordinators. */
  onLeadership (topic: string, listener: (partition: number, leading: boolean) => void): void
  /** Retention by the owner of an internal topic: nothing below `offset` is needed any more. Leaders only. */
  deleteRecordsBefore (ref: PartitionRef, offset: number): void
}
