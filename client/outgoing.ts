// Records as callers give them, and as the producer keeps them.
import { encodeHeaders, NO_HEADERS } from '../wire/batch-builder.ts'
import type { Header } from '../wire/batch-builder.ts'
import { utf8 } from '../wire/bytes.ts'
import { errorOf } from './errors.ts'
import type { Partitionable } from './partitioner.ts'
import type { Serializer } from './serde.ts'

/** What a producer without serializers takes: text becomes UTF-8. */
export type Bytes = string | Uint8Array

/** A record to send. Only topic and value are needed; a value of null is a tombstone. */
export interface OutgoingRecord<K = Bytes, V = Bytes> {
  readonly topic: string
  readonly key?: K | null | undefined
  readonly value: V | null
  readonly headers?: readonly Header[] | Readonly<Record<string, string | Uint8Array>> | undefined
  /** Overrides the partitioner. */
  readonly partition?: number | undefined
  /** ms since 1970; now when left out. */
  readonly timestamp?: number | undefined
}

export interface EncodedRecord extends Partitionable {
  readonly headers: Uint8Array
  /** -1: by the partitioner. */
  readonly partition: number
  readonly timestamp: number
}

export function headersOf (headers: NonNullable<OutgoingRecord['headers']>): readonly Header[] {
  if (Array.isArray(headers)) return headers as readonly Header[]
  return Object.entries(headers as Record<string, string | Uint8Array>)
    .map(([key, value]) => ({ key, value: typeof value === 'string' ? utf8(value) : value }))
}

export function headerBytes (headers: OutgoingRecord['headers']): Uint8Array {
  return headers === undefined ? NO_HEADERS : encodeHeaders(headersOf(headers))
}

/** What makes bytes of keys and values; without one they are bytes or text already. */
export interface Serializers {
  readonly key: Serializer<unknown> | undefined
  readonly value: Serializer<unknown> | undefined
}

function partOf (record: OutgoingRecord<unknown, unknown>, part: 'key' | 'value',
  { [part]: serializer }: Serializers): Uint8Array | null {
  const { topic, [part]: value } = record
  if (value === undefined || value === null) return null
  let made: unknown = value
  try {
    if (serializer !== undefined) {
      const headers = record.headers === undefined ? [] : headersOf(record.headers)
      made = serializer.serialize(value, { topic, part, headers })
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw errorOf('SERIALIZATION_FAILED', `the ${part} of a record for ${topic}: ${why}`, { topic }, { cause })
  }
  if (made instanceof Uint8Array) return made
  if (typeof made === 'string') return utf8(made)
  throw errorOf('SERIALIZATION_FAILED', `the ${part} of a record for ${topic} is ${typeof made}, not text or bytes; ` +
    'the producer needs a serializer', { topic })
}

/** @throws MillraceError UNKNOWN_PARTITION, INVALID_TIMESTAMP, SERIALIZATION_FAILED. */
export function encodeRecord (record: OutgoingRecord<unknown, unknown>, now: number,
  serializers: Serializers): EncodedRecord {
  const { topic, partition = -1, timestamp = now } = record
  if (!Number.isSafeInteger(partition) || (partition < 0 && record.partition !== undefined)) {
    throw errorOf('UNKNOWN_PARTITION', `there is no partition ${partition}`, { topic })
  }
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw errorOf('INVALID_TIMESTAMP', `${timestamp} is not a time in ms since 1970`, { topic })
  }
  const headers = headerBytes(record.headers)
  const key = partOf(record, 'key', serializers)
  return { topic, key, value: partOf(record, 'value', serializers), headers, partition, timestamp }
}
