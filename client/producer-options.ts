// What a producer can be told, and what it says when it is not.
import type { Packing } from '../wire/batch-builder.ts'
import { codecIds } from '../wire/compression.ts'
import type { Compression, FindCodec } from '../wire/compression.ts'
import { toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import * as limits from './limits.ts'
import type { Bytes, Serializers } from './outgoing.ts'
import type { Partitioner } from './partitioner.ts'
import type { Serializer } from './serde.ts'

/** What `client.producer()` can be told; all of it may be left out. */
export interface ProducerOptions<K = Bytes, V = Bytes> {
  /** Makes bytes of keys; without one they are text or bytes. */
  readonly key?: Serializer<K> | undefined
  /** Makes bytes of values; without one they are text or bytes. */
  readonly value?: Serializer<V> | undefined
  /** Default: murmur2 of the key as Kafka does, sticky without a key. */
  readonly partitioner?: Partitioner | undefined
  /** Bytes at which a batch is sent without waiting (512 KiB). */
  readonly batchBytes?: number | undefined
  /** Largest batch, and so the largest record (1 MiB, as topics accept). */
  readonly batchBytesMax?: number | undefined
  /** Batches that it makes smaller are sent compressed (none); gzip needs nothing besides Node. */
  readonly compression?: Compression | 'none' | undefined
  /** How long a batch gathers records while others of its partition are on their way (5 ms). */
  readonly lingerMs?: number | undefined
  /** Batches on their way per partition, 1 to 5 (5). */
  readonly inFlightMax?: number | undefined
  /** Bytes accepted and not yet acknowledged; beyond it `send` waits (64 MiB). */
  readonly maxBufferedBytes?: number | undefined
  /** From acceptance to acknowledgement, retries included (120,000). */
  readonly deliveryTimeoutMs?: number | undefined
  /** A batch unanswered for so long: its stream is opened anew (30,000). */
  readonly requestTimeoutMs?: number | undefined
  /** Called once for every batch, acknowledged or failed. Must not throw. */
  readonly onDelivery?: ((delivery: Delivery) => void) | undefined
}

/** Records of a producer that were not acknowledged when it was closed. */
export interface LostRecords {
  /** Name of the topic that they were for. */
  readonly topic: string
  /** Undefined: no partition had been chosen for them. */
  readonly partition: number | undefined
  /** How many. */
  readonly records: number
  /** 'no': certainly not written. 'unknown': sent, and the answer did not come. */
  readonly written: 'no' | 'unknown'
}

/** The fate of one batch of records. */
export interface Delivery {
  /** Name of the topic. */
  readonly topic: string
  /** Number of the partition, from 0. */
  readonly partition: number
  /** How many the batch has. */
  readonly records: number
  /** Of the first record; the others follow. -1 when the batch failed. */
  readonly baseOffset: number
  /** Why it failed; undefined: it was acknowledged. */
  readonly error: MillraceError | undefined
}

export interface ProducerSettings {
  readonly partitioner: Partitioner
  readonly batchBytes: number
  readonly batchBytesMax: number
  readonly lingerMs: number
  readonly inFlightMax: number
  readonly maxBufferedBytes: number
  readonly deliveryTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly packing: Packing | undefined
  readonly serializers: Serializers
  readonly onDelivery: ((delivery: Delivery) => void) | undefined
}

/** @throws MillraceError UNSUPPORTED_COMPRESSION. */
function packingOf (name: Compression | 'none', find: FindCodec): Packing | undefined {
  if (name === 'none') return undefined
  try {
    const codec = find(name)
    return { codecId: codecIds[name], compress: records => codec.compress(records) }
  } catch (error) {
    throw toMillraceError(error)
  }
}

/** @throws MillraceError UNSUPPORTED_COMPRESSION. */
export function producerSettings<K, V> (options: ProducerOptions<K, V>, find: FindCodec): ProducerSettings {
  const batchBytesMax = options.batchBytesMax ?? limits.batchBytesMax
  return {
    partitioner: options.partitioner ?? 'default',
    batchBytes: Math.min(options.batchBytes ?? limits.batchBytes, batchBytesMax),
    batchBytesMax,
    lingerMs: options.lingerMs ?? limits.lingerMs,
    inFlightMax: Math.max(1, Math.min(options.inFlightMax ?? limits.inFlightMax, limits.inFlightMax)),
    maxBufferedBytes: options.maxBufferedBytes ?? limits.producerBufferedBytesMax,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? limits.deliveryTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs ?? limits.requestTimeoutMs,
    packing: packingOf(options.compression ?? 'none', find),
    serializers: { key: options.key as Serializer<unknown>, value: options.value as Serializer<unknown> },
    onDelivery: options.onDelivery
  }
}
