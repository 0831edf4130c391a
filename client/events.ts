// What a client tells of its work: to diagnostics channels, metrics and the log.
import type { TopicPartition } from './consumer-options.ts'
import type { MillraceError } from './errors.ts'

/** Times in ms, sizes in bytes. */
export interface ClientEvents {
  /** A batch of a producer is acknowledged, or given up. */
  readonly 'batch.delivered': {
    readonly topic: string
    readonly partition: number
    readonly records: number
    /** As sent, compressed if it was. */
    readonly bytes: number
    /** -1 when it failed. */
    readonly baseOffset: number
    /** Times that it was sent. */
    readonly attempts: number
    /** From its first record on. */
    readonly durationMs: number
    readonly error: MillraceError | undefined
  }
  /** Batches of a partition have come. */
  readonly 'records.received': {
    readonly topic: string
    readonly partition: number
    readonly records: number
    readonly bytes: number
  }
  /** A handler of `consumer.run` or `consumer.process` is through with a record. */
  readonly 'record.processed': {
    readonly topic: string
    readonly partition: number
    readonly offset: number
    readonly group: string | undefined
    readonly durationMs: number
    readonly error: unknown
  }
  readonly 'offsets.committed': {
    readonly group: string
    readonly partitions: number
    readonly durationMs: number
    readonly error: MillraceError | undefined
  }
  /** The offset wanted is not in the partition: reading goes on at one of its ends. */
  readonly 'offset.reset': TopicPartition & { readonly wanted: number, readonly to: 'start' | 'end' }
  readonly 'group.assigned': { readonly group: string, readonly partitions: readonly TopicPartition[] }
  readonly 'group.revoked': { readonly group: string, readonly partitions: readonly TopicPartition[] }
  readonly 'group.lost': {
    readonly group: string
    readonly partitions: readonly TopicPartition[]
    readonly error: MillraceError
  }
  /** Something is waited for; told again while it lasts. */
  readonly 'waiting': { readonly what: string }
}

/** Names of what the client tells; `millrace:` goes before it in diagnostics channels. */
export type ClientEventName = keyof ClientEvents
export type Tell = <N extends ClientEventName>(name: N, event: ClientEvents[N]) => void
