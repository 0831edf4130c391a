// Writes records straight into the bytes of one record batch: no object, closure or copy per record
// but the bytes themselves.
//
// Record: length varint, attributes int8, timestampDelta varlong, offsetDelta varint,
//   keyLength varint (-1 null), key, valueLength varint (-1 null), value,
//   headerCount varint, [keyLength varint, key utf8, valueLength varint (-1 null), value]...
import { copyBytes, utf8, writeInt16, writeInt32, writeInt64 } from './bytes.ts'
import { BATCH_HEADER_BYTES, BATCH_LENGTH_OVERHEAD, stampProducer } from './record-batch.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

/** A header of a record. Names may repeat; their order stays. */
export interface Header {
  readonly key: string
  readonly value: Uint8Array | null
}

/** How a finished batch is compressed. */
export interface Packing {
  readonly codecId: number
  compress (records: Uint8Array): Uint8Array
}

/** A record's headers as its bytes say it when there are none: a count of zero. */
export const NO_HEADERS: Uint8Array = new Uint8Array([0])

const EMPTY = new Uint8Array(0)

/** The bytes of a record's headers, count included. */
export function encodeHeaders (headers: readonly Header[]): Uint8Array {
  if (headers.length === 0) return NO_HEADERS
  const keys = headers.map(header => utf8(header.key))
  let size = varintSize(headers.length)
  for (const [index, header] of headers.entries()) {
    const keyBytes = keys[index]!.length
    const valueBytes = header.value?.length ?? -1
    size += varintSize(keyBytes) + keyBytes + varintSize(valueBytes) + Math.max(0, valueBytes)
  }
  const out = new Uint8Array(size)
  let position = writeVarint(out, 0, headers.length)
  for (const [index, header] of headers.entries()) {
    position = writeNullable(out, position, keys[index]!, 0, keys[index]!.length)
    position = header.value === null
      ? writeVarint(out, position, -1)
      : writeNullable(out, position, header.value, 0, header.value.length)
  }
  return out
}

/** Writes a length and source[start, end); a start below 0 is null. */
function writeNullable (target: Uint8Array, position: number, source: Uint8Array, start: number,
  end: number): number {
  if (start < 0) {
    target[position] = 1 // zig-zag -1
    return position + 1
  }
  const at = writeVarint(target, position, end - start)
  copyBytes(source, start, end, target, at)
  return at + end - start
}

/** Room of its own, not zeroed: every byte up to the end of the batch is written. */
function allocate (bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)
}

/** Most bytes that a record can take besides its key, value and headers: five varints, attributes. */
export const RECORD_OVERHEAD_MAX = 5 + 1 + 8 + 5 + 5 + 5

export class BatchBuilder {
  #bytes: Uint8Array
  #position = BATCH_HEADER_BYTES
  #count = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  /** @param room bytes to write into, or how many to begin with; grows by doubling. */
  constructor (room: number | Uint8Array) {
    const enough = typeof room === 'object' && room.length >= BATCH_HEADER_BYTES
    this.#bytes = enough ? room : allocate(Math.max(typeof room === 'number' ? room : 0, BATCH_HEADER_BYTES))
  }

  get count (): number { return this.#count }
  /** The size of the batch if it were finished now. */
  get sizeBytes (): number { return this.#position }
  /** What it writes into now, as a whole. */
  get room (): Uint8Array { return this.#bytes }
  get baseTimestamp (): number { return this.#baseTimestamp }
  get maxTimestamp (): number { return this.#maxTimestamp }

  /** The batch's size after one more record of these sizes, at most. */
  sizeWith (keyBytes: number, valueBytes: number, headersBytes: number): number {
    return this.#position + RECORD_OVERHEAD_MAX + keyBytes + valueBytes + headersBytes
  }

  append (timestamp: number, key: Uint8Array | null, value: Uint8Array | null,
    headers: Uint8Array = NO_HEADERS): void {
    this.appendRange(timestamp, key ?? EMPTY, key === null ? -1 : 0, key?.length ?? -1,
      value ?? EMPTY, value === null ? -1 : 0, value?.length ?? -1, headers)
  }

  /**
   * Appends a record whose key and value are ranges of larger arrays. A start below 0 means null.
   * @param timestamp ms since 1970, not negative.
   * @param headers as encodeHeaders gives them.
   */
  appendRange (timestamp: number, key: Uint8Array, keyStart: number, keyEnd: number,
    value: Uint8Array, valueStart: number, valueEnd: number, headers: Uint8Array): void {
    if (this.#count === 0) {
      this.#baseTimestamp = timestamp
      this.#maxTimestamp = timestamp
    }
    const keyBytes = keyStart < 0 ? -1 : keyEnd - keyStart
    const valueBytes = valueStart < 0 ? -1 : valueEnd - valueStart
    const timestampDelta = timestamp - this.#baseTimestamp
    const body = 1 + varlongSize(timestampDelta) + varintSize(this.#count) +
      varintSize(keyBytes) + (keyBytes < 0 ? 0 : keyBytes) +
      varintSize(valueBytes) + (valueBytes < 0 ? 0 : valueBytes) + headers.length
    this.#reserve(5 + body)
    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#position, body)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, timestampDelta)
    at = writeVarint(bytes, at, this.#count)
    at = writeNullable(bytes, at, key, keyStart, keyEnd)
    at = writeNullable(bytes, at, value, valueStart, valueEnd)
    copyBytes(headers, 0, headers.length, bytes, at)
    this.#position = at + headers.length
    this.#count++
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  #reserve (more: number): void {
    const needed = this.#position + more
    if (needed <= this.#bytes.length) return
    const larger = allocate(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#position))
    this.#bytes = larger
  }

  /**
   * The finished batch: a view of this builder's bytes, which must not be appended to any more, or bytes of its
   * own where compression makes it smaller. Base offset 0 and leader epoch 0 are the broker's to set.
   */
  finish (producerId = -1, producerEpoch = -1, baseSequence = -1, packing?: Packing): Uint8Array {
    let bytes = this.#bytes.subarray(0, this.#position)
    let codecId = 0
    const block = packing?.compress(bytes.subarray(BATCH_HEADER_BYTES))
    if (packing !== undefined && block !== undefined && BATCH_HEADER_BYTES + block.length < bytes.length) {
      bytes = allocate(BATCH_HEADER_BYTES + block.length)
      bytes.set(block, BATCH_HEADER_BYTES)
      codecId = packing.codecId
    }
    writeInt64(bytes, 0, 0)
    writeInt32(bytes, 8, bytes.length - BATCH_LENGTH_OVERHEAD)
    writeInt32(bytes, 12, 0)
    bytes[16] = 2
    writeInt16(bytes, 21, codecId)
    writeInt32(bytes, 23, this.#count - 1)
    writeInt64(bytes, 27, this.#baseTimestamp)
    writeInt64(bytes, 35, this.#maxTimestamp)
    writeInt32(bytes, 57, this.#count)
    stampProducer(bytes, producerId, producerEpoch, baseSequence)
    return bytes
  }
}
