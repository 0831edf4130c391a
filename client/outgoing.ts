// Records as callers give them, and as the producer keeps them.
import { encodeHeaders, NO_HEADERS } from '../wire/batch-builder.ts'
import type { Header } from '../wire/batch-builder.ts'
import { utf8 } from '../wire/bytes.ts'
import { errorOf } from './errors.ts'
import type { Partitionable } from './partitioner.ts'

export interface OutgoingRecord {
  readonly topic: string
  readonly key?: string | Uint8Array | null | undefined
  readonly value: string | Uint8Array | null
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

function bytesOf (part: string | Uint8Array | null | undefined): Uint8Array | null {
  if (part === undefined || part === null) return null
  return typeof part === 'string' ? utf8(part) : part
}

export function headerBytes (headers: OutgoingRecord['headers']): Uint8Array {
  if (headers === undefined) return NO_HEADERS
  if (Array.isArray(headers)) return encodeHeaders(headers as readonly Header[])
  return encodeHeaders(Object.entries(headers).map(([key, value]) => ({ key, value: bytesOf(value) })))
}

/** @throws MillraceError UNKNOWN_PARTITION, INVALID_TIMESTAMP. */
export function encodeRecord (record: OutgoingRecord, now: number): EncodedRecord {
  const { topic, partition = -1, timestamp = now } = record
  if (!Number.isSafeInteger(partition) || (partition < 0 && record.partition !== undefined)) {
    throw errorOf('UNKNOWN_PARTITION', `there is no partition ${partition}`, { topic })
  }
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw errorOf('INVALID_TIMESTAMP', `${timestamp} is not a time in ms since 1970`, { topic })
  }
  const headers = headerBytes(record.headers)
  return { topic, key: bytesOf(record.key), value: bytesOf(record.value), headers, partition, timestamp }
}
