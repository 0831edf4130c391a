// The client's errors: a closed set of classes over the codes of wire/errors.ts.
import { errorTable, WireError } from '../wire/errors.ts'
import type { ErrorCode } from '../wire/errors.ts'
import type { ConsumerRecord } from './consumer-options.ts'

/** Which partition an error is about, where it is about one. */
export interface ErrorPlace {
  readonly topic?: string | undefined
  readonly partition?: number | undefined
}

/** Every error that the client gives. `help` says what a person can do about it. */
export class MillraceError extends Error {
  override readonly name: string = 'MillraceError'
  readonly code: ErrorCode
  readonly topic: string | undefined
  readonly partition: number | undefined

  /** @param message more precise than the table's line, which stands in when it is left out. */
  constructor (code: ErrorCode, message?: string, place: ErrorPlace = {}, options?: ErrorOptions) {
    super(message ?? errorTable[code].message, options)
    this.code = code
    this.topic = place.topic
    this.partition = place.partition
  }

  /** May the same call succeed later without anybody changing it? */
  get retriable (): boolean { return errorTable[this.code].retriable }
  /** What a person can do, in a sentence or two; empty when there is nothing. */
  get help (): string { return errorTable[this.code].help }
}

/** No answer in time. Of a record: whether it was written is not known unless the message says so. */
export class TimeoutError extends MillraceError { override readonly name = 'TimeoutError' }
/** No broker, no leader, too few replicas, a full queue: it may pass by itself. */
export class UnavailableError extends MillraceError { override readonly name = 'UnavailableError' }
/** The topic or partition does not exist. */
export class UnknownTopicError extends MillraceError { override readonly name = 'UnknownTopicError' }
/** The request itself is refused: too large, malformed, not allowed. Nothing was done. */
export class RefusedError extends MillraceError { override readonly name = 'RefusedError' }
/** The client, producer or consumer is closed, or its signal was aborted. */
export class ClosedError extends MillraceError { override readonly name = 'ClosedError' }

/** The offset is not, or no longer, in the partition; the readable ones are [logStart, highWatermark]. */
export class OffsetOutOfRangeError extends MillraceError {
  override readonly name = 'OffsetOutOfRangeError'
  readonly logStart: number
  readonly highWatermark: number

  constructor (message: string, place: ErrorPlace, logStart: number, highWatermark: number, options?: ErrorOptions) {
    super('OFFSET_OUT_OF_RANGE', message, place, options)
    this.logStart = logStart
    this.highWatermark = highWatermark
  }
}

/** A record whose key or value the consumer's deserializer did not take. `seek(error, error.offset + 1)` passes it. */
export class DeserializationError extends MillraceError {
  override readonly name = 'DeserializationError'
  declare readonly topic: string
  declare readonly partition: number
  /** Which part of the record. */
  readonly part: 'key' | 'value'
  /** The record as bytes. */
  readonly record: ConsumerRecord

  constructor (record: ConsumerRecord, part: 'key' | 'value', cause: unknown) {
    const { topic, partition, offset } = record
    const why = cause instanceof Error ? cause.message : String(cause)
    super('DESERIALIZATION_FAILED', `the ${part} of ${topic}/${partition} at ${offset}: ${why}`, record, { cause })
    this.part = part
    this.record = record
  }

  /** Of the record. */
  get offset (): number { return this.record.offset }
}

/** The error of the class that its code belongs to. */
export function errorOf (code: ErrorCode, message?: string, place: ErrorPlace = {},
  options?: ErrorOptions): MillraceError {
  switch (code) {
    case 'TIMED_OUT': return new TimeoutError(code, message, place, options)
    case 'CLOSED':
    case 'CANCELLED': return new ClosedError(code, message, place, options)
    case 'UNKNOWN_TOPIC':
    case 'UNKNOWN_TOPIC_ID':
    case 'UNKNOWN_PARTITION': return new UnknownTopicError(code, message, place, options)
    default: return errorTable[code].retriable
      ? new UnavailableError(code, message, place, options)
      : new RefusedError(code, message, place, options)
  }
}

/** What came from the wire, as the client's error. Anything else is a fault of the program: INTERNAL. */
export function toMillraceError (cause: unknown, place: ErrorPlace = {}): MillraceError {
  if (cause instanceof MillraceError) return cause
  if (!(cause instanceof WireError)) {
    return errorOf('INTERNAL', `the client failed: ${String(cause)}`, place, { cause })
  }
  if (cause.code === 'OFFSET_OUT_OF_RANGE') {
    const { logStart = -1, highWatermark = -1 } = cause.detail
    return new OffsetOutOfRangeError(cause.message, place, logStart, highWatermark, { cause })
  }
  return errorOf(cause.code, cause.message, place, { cause })
}
