// Spans, as the client needs them; client/adapters/open-telemetry.ts is the real thing.
import type { Header } from '../wire/batch-builder.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import type { RecordMetadata } from './produce-batch.ts'

/** The span of one record on its way to a topic. */
export interface SendSpan {
  /** What carries its context; they go with the record. */
  readonly headers: readonly Header[]
  sent (metadata: RecordMetadata): void
  failed (error: unknown): void
}

export interface Tracing {
  /** Undefined: nobody records spans. */
  send (topic: string): SendSpan | undefined
  /** Runs `work` in the span of the record's processing, a child of the context that its headers carry. */
  process<T> (record: ConsumerRecord<unknown, unknown>, group: string | undefined, work: () => Promise<T>): Promise<T>
}
