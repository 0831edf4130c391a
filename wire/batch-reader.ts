// Reads the records of a batch one by one, without an object per record: ranges of the batch's bytes.
import type { Header } from './batch-builder.ts'
import { WireError } from './errors.ts'
import { BATCH_HEADER_BYTES, CODEC_MASK, RECORD_BYTES_MIN, TIMESTAMP_TYPE_BIT } from './record-batch.ts'
import type { BatchHeader } from './record-batch.ts'
import { VarintReader } from './varint.ts'

/** Opens a compressed block (codec 1 gzip, 2 snappy, 3 lz4, 4 zstd), bounded by itself. */
export type Decompress = (codec: number, block: Uint8Array) => Uint8Array

const decoder = new TextDecoder()

function corrupt (message: string): WireError {
  return new WireError('CORRUPT_BATCH', `record batch: ${message}`)
}

/** The records' bytes of a batch, opened where they are compressed. */
function readerOf (bytes: Uint8Array, header: BatchHeader, decompress?: Decompress): VarintReader {
  const start = header.position + BATCH_HEADER_BYTES
  const end = header.position + header.sizeBytes
  if (end > bytes.length) throw corrupt('cut off')
  const codec = header.attributes & CODEC_MASK
  if (codec === 0) return new VarintReader(bytes, start, end)
  if (decompress === undefined) {
    throw new WireError('UNSUPPORTED_BATCH', `a batch compressed with codec ${codec} cannot be opened here`)
  }
  const opened = decompress(codec, bytes.subarray(start, end))
  return new VarintReader(opened, 0, opened.length)
}

/**
 * Walks over the records of one batch: `next()`, then the fields say where the record is in `bytes`.
 * Broken records throw CORRUPT_BATCH; nothing outside the batch is read.
 */
export class RecordCursor {
  readonly header: BatchHeader
  /** What the ranges below point into: the batch's bytes, or the opened block. */
  readonly bytes: Uint8Array
  offset: number
  timestamp = -1
  /** -1: null. */
  keyStart = -1
  keyEnd = -1
  /** -1: null. */
  valueStart = -1
  valueEnd = -1
  headersCount = 0
  #headersStart = 0
  #recordEnd: number
  #read = 0
  readonly #reader: VarintReader
  readonly #blockEnd: number

  constructor (bytes: Uint8Array, header: BatchHeader, decompress?: Decompress) {
    this.header = header
    this.#reader = readerOf(bytes, header, decompress)
    this.#blockEnd = this.#reader.end
    this.#recordEnd = this.#reader.position
    this.bytes = this.#reader.bytes
    this.offset = header.baseOffset - 1
    const available = this.#blockEnd - this.#recordEnd
    if (header.recordsCount < 0 || header.recordsCount * RECORD_BYTES_MIN > available) {
      throw corrupt(`${header.recordsCount} records do not fit in ${available} bytes`)
    }
  }

  /** Moves to the next record; false after the last. */
  next (): boolean {
    if (this.#read === this.header.recordsCount) {
      if (this.#recordEnd !== this.#blockEnd) throw corrupt('bytes after its last record')
      return false
    }
    this.#read++
    const reader = this.#reader
    reader.position = this.#recordEnd
    reader.end = this.#blockEnd
    const length = reader.varint()
    this.#recordEnd = reader.position + length
    if (length < RECORD_BYTES_MIN - 1 || this.#recordEnd > this.#blockEnd) {
      throw corrupt(`a record of ${length} bytes`)
    }
    reader.end = this.#recordEnd
    reader.position++ // attributes, unused
    this.#place(reader.varlong(), reader.varint())
    this.keyStart = this.#range()
    this.keyEnd = reader.position
    this.valueStart = this.#range()
    this.valueEnd = reader.position
    this.headersCount = reader.varint()
    this.#headersStart = reader.position
    const left = this.#recordEnd - reader.position
    if (this.headersCount < 0 || this.headersCount * 2 > left || (this.headersCount === 0 && left > 0)) {
      throw corrupt(`${this.headersCount} headers in ${left} bytes`)
    }
    return true
  }

  #place (timestampDelta: number, offsetDelta: number): void {
    const { header } = this
    const offset = header.baseOffset + offsetDelta
    if (offset <= this.offset || offset > header.lastOffset) throw corrupt('a record offset out of place')
    this.offset = offset
    const appendTime = (header.attributes & TIMESTAMP_TYPE_BIT) !== 0
    this.timestamp = appendTime ? header.maxTimestamp : header.baseTimestamp + timestampDelta
    if (!Number.isSafeInteger(this.timestamp)) throw corrupt('a timestamp beyond 2^53')
  }

  /** Reads a length and steps over that many bytes; where they begin, -1 for null. */
  #range (): number {
    const reader = this.#reader
    const length = reader.varint()
    if (length === -1) return -1
    const start = reader.position
    if (length < 0 || length > reader.end - start) throw corrupt(`${length} bytes do not fit in a record`)
    reader.position = start + length
    return start
  }

  /** A view of the key; null for none. */
  key (): Uint8Array | null {
    return this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd)
  }

  /** A view of the value; null for none. */
  value (): Uint8Array | null {
    return this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd)
  }

  /** The record's headers, in their order; names may repeat. */
  headers (): Header[] {
    const headers: Header[] = []
    const reader = this.#reader
    reader.position = this.#headersStart
    reader.end = this.#recordEnd
    for (let index = 0; index < this.headersCount; index++) {
      const keyStart = this.#range()
      if (keyStart < 0) throw corrupt('a header without a name')
      const key = decoder.decode(this.bytes.subarray(keyStart, reader.position))
      const valueStart = this.#range()
      const value = valueStart < 0 ? null : this.bytes.subarray(valueStart, reader.position)
      headers.push({ key, value })
    }
    if (reader.position !== this.#recordEnd) throw corrupt('bytes after the headers of a record')
    return headers
  }
}

export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

/** Every record of one batch; keys and values are views of its bytes. */
export function decodeRecords (bytes: Uint8Array, header: BatchHeader, decompress?: Decompress): DecodedRecord[] {
  const cursor = new RecordCursor(bytes, header, decompress)
  const records: DecodedRecord[] = []
  while (cursor.next()) {
    records.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headersCount === 0 ? [] : cursor.headers()
    })
  }
  return records
}
