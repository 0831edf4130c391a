// What a queue can be told, and what it gives.
import type { CallOptions } from './call-options.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import type { Deserializer } from './serde.ts'

/** What `client.queue()` can be told; the group is enough. */
export interface QueueOptions<K = Uint8Array, V = Uint8Array> {
  /** The members of a group share the records of their topics. */
  readonly group: string
  /** Makes keys of bytes; without one they are bytes. */
  readonly key?: Deserializer<K> | undefined
  /** Makes values of bytes; without one they are bytes. */
  readonly value?: Deserializer<V> | undefined
  /**
   * 'key': a record waits until those of its key before it are finished, whichever member has them; records without
   * a key wait for nothing. All members of a group say the same.
   */
  readonly orderedBy?: 'key' | undefined
  /** Where rejected records go, and those delivered maxDeliveries times. Without one they are dropped or come again. */
  readonly deadLetterTopic?: string | undefined
  /** Deliveries of a record before it goes to the dead-letter topic (5); 0: no such end. */
  readonly maxDeliveries?: number | undefined
  /** Records in hand, those handed out and not settled included (16; in a run twice its concurrency). */
  readonly maxInFlight?: number | undefined
  /** A record whose member says nothing for so long is another's (30,000); renewed by itself. */
  readonly leaseMs?: number | undefined
  /** A record that was handed out and not settled for so long is given back (300,000). */
  readonly processingTimeoutMs?: number | undefined
  /** In a run: how long a record is held back whose handler failed; by default 1 s, then twice as long each time. */
  readonly retryDelayMs?: number | ((deliveries: number) => number) | undefined
  /** Where a group begins in a partition that it knows nothing of ('earliest'). */
  readonly reset?: 'earliest' | 'latest' | undefined
  /** What people see in `millrace group describe`. */
  readonly clientId?: string | undefined
  /** A member that is silent for so long loses its records (10,000). */
  readonly sessionTimeoutMs?: number | undefined
  /** What one compressed batch may open to (64 MiB). */
  readonly decompressedBytesMax?: number | undefined
  /** Fails the iteration when a partition cannot be read for so long; default: waits for ever. */
  readonly waitTimeoutMs?: number | undefined
}

export interface ReleaseOptions extends CallOptions {
  /** Not before this (0). */
  readonly delayMs?: number | undefined
  /** Why; it goes with the record to the dead-letter topic if this was its last delivery. */
  readonly reason?: string | undefined
}

/** A record that is this member's until it is settled, or its lease is over. */
export interface QueueRecord<K = Uint8Array, V = Uint8Array> extends ConsumerRecord<K, V> {
  /** How often it was delivered, this time included. */
  readonly deliveries: number
  /** Settled, or lost. */
  readonly isSettled: boolean
  /**
   * It is done: nobody gets it again. Resolves when that is durable on the quorum.
   * @throws MillraceError LEASE_LOST: it does not count, and the record may be delivered again; TIMED_OUT (also when
   * the group took this member for dead), CANCELLED, CLOSED: it is not known whether it counts.
   */
  acknowledge (options?: CallOptions): Promise<void>
  /** It is to be delivered again, to whichever member has room. @throws as acknowledge. */
  release (options?: ReleaseOptions): Promise<void>
  /** It is never to be delivered again: to the dead-letter topic, where there is one. @throws as acknowledge. */
  reject (reason?: string, options?: CallOptions): Promise<void>
  /** Begins its processingTimeoutMs anew. */
  renew (): void
}

/** How `run` of a queue hands out records. */
export interface QueueRunOptions {
  /** Records handled at once (1). */
  readonly concurrency?: number | undefined
  /** Ends the run: what has been begun is finished. */
  readonly signal?: AbortSignal | undefined
}

/** Works on a record: what it returns acknowledges it when it resolves, and gives it back when it rejects. */
export type QueueHandler<K, V> = (record: QueueRecord<K, V>) => unknown
