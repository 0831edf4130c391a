// The public face of the client library, and the only place where it meets the real world.
import { GrpcNet } from '../wire/adapters/grpc-net.ts'
import { NodeClock } from '../wire/adapters/node-clock.ts'
import { nodeCodec } from '../wire/adapters/node-compression.ts'
import { NodeRng } from '../wire/adapters/node-rng.ts'
import { publish } from './adapters/diagnostics.ts'
import type { CloseOptions } from './call-options.ts'
import { tracing } from './adapters/open-telemetry.ts'
import { MillraceClient } from './millrace.ts'
import type { ClientOptions } from './millrace.ts'
import type { LostRecords } from './producer-options.ts'

/**
 * A client of one cluster.
 *
 *     const client = new Millrace({ bootstrap: '127.0.0.1:9090' })
 *     const producer = client.producer()
 *     await producer.send({ topic: 'orders', key: 'k', value: 'v' })
 *     await client.close()
 */
export class Millrace extends MillraceClient {
  /** An open client keeps the process alive: without a broker nothing else would, and a send would end unheard. */
  readonly #alive: NodeJS.Timeout

  constructor (options: ClientOptions) {
    super(options,
      { net: new GrpcNet(), clock: new NodeClock(), rng: new NodeRng(), codecs: nodeCodec, publish, tracing })
    this.#alive = setInterval(() => {}, 2 ** 30)
  }

  override async close (options: CloseOptions = {}): Promise<readonly LostRecords[]> {
    try {
      return await super.close(options)
    } finally {
      clearInterval(this.#alive)
    }
  }
}

export type { ClientOptions } from './millrace.ts'
export type { Admin } from './admin.ts'
export type { Committable } from './committable.ts'
export type { ConsumedBatch } from './consumed-batch.ts'
export type { CallOptions, CloseOptions, SubscribeOptions } from './call-options.ts'
export type { Consumer } from './consumer.ts'
export type {
  Assignment, ConsumerOptions, ConsumerRecord, OffsetReset, OffsetToCommit, Reset, StartAt, TopicPartition
} from './consumer-options.ts'
export * from './errors.ts'
export type { ErrorCode } from '../wire/errors.ts'
export type { ClientEventName, ClientEvents } from './events.ts'
export type { ClientLog } from './log.ts'
export type { Lag, MetricsRegistry } from './metrics.ts'
export type { ListedOffset, OffsetQuery, PartitionOffset } from './offsets.ts'
export type { Bytes, OutgoingRecord } from './outgoing.ts'
export type { Partitionable, Partitioner } from './partitioner.ts'
export type { RecordMetadata } from './produce-batch.ts'
export type { Producer } from './producer.ts'
export type { Delivery, LostRecords, ProducerOptions } from './producer-options.ts'
export type { Queue } from './queue.ts'
export type { QueueHandler, QueueOptions, QueueRecord, QueueRunOptions, ReleaseOptions } from './queue-options.ts'
export type { RecordHandler, RunOptions } from './runner.ts'
export { serdes } from './serde.ts'
export type { Deserializer, Serde, Serdes, SerdeContext, Serializer } from './serde.ts'
export type { TopicWriter, TopicWriterOptions } from './topic-writer.ts'
export type { Header } from '../wire/batch-builder.ts'
export type { Codec, Compression } from '../wire/compression.ts'
