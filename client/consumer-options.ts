// What a consumer can be told, and what it gives.
import type { Header } from '../wire/batch-builder.ts'
import type { DeserializationError, MillraceError } from './errors.ts'
import type { Deserializer } from './serde.ts'

/**
 * 'start', 'end', an offset, -n: the last n records, or the first record at or after a time (ms since 1970). Where
 * that one lies in a compressed batch, reading begins at the batch's first record, which may be older.
 */
export type StartAt = 'start' | 'end' | number | { readonly timestamp: number }

/** What `assign` is to read of a topic. */
export interface Assignment {
  /** Name of the topic. */
  readonly topic: string
  /** Every one, those that the topic is given later too, or these. */
  readonly partitions: 'all' | readonly number[]
  /** Where reading begins; with a group, only where the group has committed nothing. Default 'start'. */
  readonly from?: StartAt | undefined
}

/** What to do with an offset that is not in the partition: begin at its start, its end, the nearer one, or fail. */
export type Reset = 'earliest' | 'latest' | 'nearest' | 'none'

/** That a reader had to begin elsewhere: `wanted` was not in the partition. */
export interface OffsetReset extends TopicPartition {
  /** The next offset to read, which is not there. */
  readonly wanted: number
  /** The first offset that is there; -1: not known. */
  readonly logStart: number
  /** One beyond the last committed record; -1: not known. */
  readonly highWatermark: number
  /** Where reading goes on: at logStart, or at highWatermark. */
  readonly to: 'start' | 'end'
}

/** What `client.consumer()` can be told; all of it may be left out. */
export interface ConsumerOptions<K = Uint8Array, V = Uint8Array> {
  /** Makes keys of bytes; without one they are bytes. */
  readonly key?: Deserializer<K> | undefined
  /** Makes values of bytes; without one they are bytes. */
  readonly value?: Deserializer<V> | undefined
  /**
   * Told of a record that cannot be deserialized, which is passed over when the promise resolves (send it
   * elsewhere, count it). Without it reading fails there with a DeserializationError, until it is sought past.
   */
  readonly onUndecodable?: ((error: DeserializationError) => void | Promise<void>) | undefined
  /** Offsets are committed under this name; with `subscribe`, the group whose members share the partitions. */
  readonly group?: string | undefined
  /** How the group shares them ('uniform'); the group does what most of its members say. */
  readonly assignor?: 'uniform' | 'range' | undefined
  /** A name that this member has again after a restart: it keeps its partitions for `instanceGraceMs`. */
  readonly instanceId?: string | undefined
  /** How long a member with an instanceId may be away (60,000). */
  readonly instanceGraceMs?: number | undefined
  /**
   * Where it runs, as `topologyKey` of the Cluster names it (a zone). Reads from a replica in sync there, from the
   * leader at once when that fails. A member of a group is given partitions whose leader is there, where balance
   * allows.
   */
  readonly rack?: string | undefined
  /** What people see in `millrace group describe`. */
  readonly clientId?: string | undefined
  /** A member that is silent for so long loses its partitions (10,000). */
  readonly sessionTimeoutMs?: number | undefined
  /** A member that does not ask for the next record for so long gives its partitions up (300,000). */
  readonly maxPollIntervalMs?: number | undefined
  /** Told of partitions that this member reads from now on. */
  readonly onAssigned?: ((partitions: readonly TopicPartition[]) => void) | undefined
  /**
   * Told of partitions that go to another member, when what was handed out of them is finished; they go when
   * the promise resolves. What was finished is committed after it, unless autoCommitIntervalMs is 0.
   */
  readonly onRevoked?: ((partitions: readonly TopicPartition[]) => void | Promise<void>) | undefined
  /** Told of partitions that another member has already: what was not committed of them is read again there. */
  readonly onLost?: ((partitions: readonly TopicPartition[], why: MillraceError) => void) | undefined
  /** Commits what was handed out and finished, every so many ms and at close (1,000); 0: never. */
  readonly autoCommitIntervalMs?: number | undefined
  /**
   * What to do when the next offset is not in the partition ('earliest'), and where a member begins that finds
   * nothing committed. 'nearest': from the start when it is
   * gone, from the end when it is yet to come; 'none': fail.
   */
  readonly reset?: Reset | undefined
  /** Told of every reset: `wanted` is not in [logStart, highWatermark]. */
  readonly onReset?: ((reset: OffsetReset) => void) | undefined
  /** Bytes that brokers may send ahead, per partition (1 MiB). */
  readonly prefetchBytes?: number | undefined
  /** Bytes received and not yet handed out, all partitions together (64 MiB). */
  readonly maxBufferedBytes?: number | undefined
  /** What one compressed batch may open to; a larger one fails with RECORD_TOO_LARGE (64 MiB). */
  readonly decompressedBytesMax?: number | undefined
  /** Fails the iteration when a partition cannot be read for so long; default: waits for ever. */
  readonly waitTimeoutMs?: number | undefined
}

/** A record as read. Bytes are views of what was received: copy what is kept for long. */
export interface ConsumerRecord<K = Uint8Array, V = Uint8Array> {
  /** Name of the topic. */
  readonly topic: string
  /** Number of the partition, from 0. */
  readonly partition: number
  /** Its place in the partition. Later records have larger ones; there may be gaps. */
  readonly offset: number
  /** ms since 1970, as the producer said. */
  readonly timestamp: number
  /** Null: it has none. */
  readonly key: K | null
  /** Null: it has none. */
  readonly value: V | null
  /** In the order in which the producer gave them; a key may be there more than once. */
  readonly headers: readonly Header[]
  /** Epoch of the leader that took the record in: it tells whether an offset still means the same record. */
  readonly leaderEpoch: number
}

/** One partition of a topic. */
export interface TopicPartition {
  /** Name of the topic. */
  readonly topic: string
  /** Number of the partition, from 0. */
  readonly partition: number
}

/** The next offset to read of a partition. */
export interface OffsetToCommit extends TopicPartition {
  /** Of the first record that is not finished: one beyond the last that is. */
  readonly offset: number
  /** Kept beside the offset and given back with it (4 KiB at most). */
  readonly metadata?: string | undefined
}
