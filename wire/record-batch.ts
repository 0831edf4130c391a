// Kafka's RecordBatch v2 (Kafka protocol guide, "Record Batch"), big-endian. The same bytes are on the
// wire, in the journal, in segments and in the client; the broker reads the header only.
//
//   offset size field                              offset size field
//        0    8 baseOffset (broker sets)               27    8 baseTimestamp
//        8    4 batchLength = total - 12               35    8 maxTimestamp
//       12    4 partitionLeaderEpoch (broker sets)     43    8 producerId (-1: none)
//       16    1 magic = 2                              51    2 producerEpoch
//       17    4 CRC-32C of bytes 21..end               53    4 baseSequence
//       21    2 attributes                             57    4 recordsCount
//       23    4 lastOffsetDelta                        61   .. records, or one compressed block
//
// attributes: bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.
import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from './bytes.ts'
import { crc32c } from './crc32c.ts'
import { WireError } from './errors.ts'

export const BATCH_HEADER_BYTES = 61
/** baseOffset and batchLength: what batchLength does not count. */
export const BATCH_LENGTH_OVERHEAD = 12
/** length, attributes, two deltas, two lengths and the header count, one byte each. */
export const RECORD_BYTES_MIN = 7
export const CODEC_MASK = 0x07

const MAGIC = 2
const CODEC_MAX = 4
export const TIMESTAMP_TYPE_BIT = 0x08
const TRANSACTIONAL_BIT = 0x10
const CONTROL_BIT = 0x20
const CRC_FROM = 21

/** A header as read; `position` is where the batch begins in the bytes it was read from. */
export interface BatchHeader {
  readonly position: number
  /** The whole batch, header included. */
  readonly sizeBytes: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly attributes: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordsCount: number
}

export interface BatchLimits {
  /** Largest batch, header included. */
  readonly batchBytesMax: number
  readonly recordsMax: number
  /** Largest timestamp, ms since 1970. */
  readonly timestampMax: number
}

function corrupt (message: string): WireError {
  return new WireError('CORRUPT_BATCH', `record batch: ${message}`)
}

/** The size in bytes that the batch at `position` claims; needs its first 12 bytes. */
export function batchSizeBytes (bytes: Uint8Array, position: number): number {
  if (position < 0 || position + BATCH_LENGTH_OVERHEAD > bytes.length) throw corrupt('cut off')
  const size = readInt32(bytes, position + 8) + BATCH_LENGTH_OVERHEAD
  if (size < BATCH_HEADER_BYTES) throw corrupt(`a length of ${size} is shorter than a header`)
  return size
}

function safe (value: number, field: string): number {
  if (Number.isSafeInteger(value)) return value
  throw corrupt(`${field} is beyond 2^53`)
}

/**
 * Reads the header of the batch at `position`; the records need not be there, the CRC is not checked.
 * @throws WireError CORRUPT_BATCH, or UNSUPPORTED_BATCH for another magic.
 */
export function parseBatchHeader (bytes: Uint8Array, position = 0): BatchHeader {
  if (position < 0 || position + BATCH_HEADER_BYTES > bytes.length) throw corrupt('cut off')
  const sizeBytes = batchSizeBytes(bytes, position)
  const magic = bytes[position + 16]!
  if (magic !== MAGIC) throw new WireError('UNSUPPORTED_BATCH', `record batch with magic ${magic}, not 2`)
  const baseOffset = safe(readInt64(bytes, position), 'the base offset')
  const lastOffsetDelta = readInt32(bytes, position + 23)
  if (baseOffset < 0 || lastOffsetDelta < 0) throw corrupt('negative offsets')
  return {
    position,
    sizeBytes,
    baseOffset,
    lastOffset: safe(baseOffset + lastOffsetDelta, 'the last offset'),
    leaderEpoch: readInt32(bytes, position + 12),
    attributes: readInt16(bytes, position + 21),
    baseTimestamp: safe(readInt64(bytes, position + 27), 'the base timestamp'),
    maxTimestamp: safe(readInt64(bytes, position + 35), 'the largest timestamp'),
    producerId: safe(readInt64(bytes, position + 43), 'the producer id'),
    producerEpoch: readInt16(bytes, position + 51),
    baseSequence: readInt32(bytes, position + 53),
    recordsCount: readInt32(bytes, position + 57)
  }
}

/** True when the CRC-32C of the batch, whose bytes are all there, is right. */
export function hasValidCrc (bytes: Uint8Array, header: BatchHeader): boolean {
  const end = header.position + header.sizeBytes
  if (end > bytes.length) return false
  const stated = readInt32(bytes, header.position + 17) >>> 0
  return crc32c(bytes, header.position + CRC_FROM, end) === stated
}

/**
 * What a broker checks before it appends: `bytes` is exactly one batch as a client may send it. The
 * records themselves are not decoded, only counted by their lengths (not inside a compressed block):
 * rubbish under a right CRC would otherwise stand in the way of every reader.
 * @throws WireError RECORD_TOO_LARGE, CORRUPT_BATCH, UNSUPPORTED_BATCH or INVALID_TIMESTAMP.
 */
export function validateBatch (bytes: Uint8Array, limits: BatchLimits): BatchHeader {
  if (bytes.length > limits.batchBytesMax) {
    throw new WireError('RECORD_TOO_LARGE',
      `a record batch of ${bytes.length} bytes; the limit is ${limits.batchBytesMax}`)
  }
  const header = parseBatchHeader(bytes, 0)
  if (header.sizeBytes !== bytes.length) {
    throw corrupt(`it claims ${header.sizeBytes} bytes, ${bytes.length} came`)
  }
  if (!hasValidCrc(bytes, header)) throw corrupt('the CRC is wrong')
  checkAttributes(header.attributes)
  checkCounts(header, limits)
  checkProducer(header)
  checkTimestamps(header, limits)
  if ((header.attributes & CODEC_MASK) === 0) checkLengths(bytes, header.recordsCount)
  return header
}

/** The records' lengths lead from the header to the end of the batch, in as many steps as there are records. */
function checkLengths (bytes: Uint8Array, recordsCount: number): void {
  let position = BATCH_HEADER_BYTES
  for (let index = 0; index < recordsCount; index++) {
    // A zig-zag varint of up to five bytes, inline: this runs for every record produced.
    let zigzag = 0
    let shift = 0
    let byte = 0x80
    while (byte >= 0x80 && shift < 35 && position < bytes.length) {
      byte = bytes[position++]!
      zigzag += (byte & 0x7f) * 2 ** shift
      shift += 7
    }
    const length = zigzag / 2
    if (byte >= 0x80 || zigzag % 2 !== 0 || length < RECORD_BYTES_MIN - 1 || length > bytes.length - position) {
      throw corrupt(`the length of record ${index} leads outside of the batch`)
    }
    position += length
  }
  if (position !== bytes.length) throw corrupt(`${bytes.length - position} bytes after its last record`)
}

function checkAttributes (attributes: number): void {
  if ((attributes & CODEC_MASK) > CODEC_MAX) {
    throw new WireError('UNSUPPORTED_BATCH', `record batch with codec ${attributes & CODEC_MASK}`)
  }
  if ((attributes & CONTROL_BIT) !== 0) {
    throw new WireError('UNSUPPORTED_BATCH', 'a control batch; clients may not send any')
  }
  if ((attributes & TRANSACTIONAL_BIT) !== 0) {
    throw new WireError('UNSUPPORTED_BATCH', 'a transactional batch; transactions are not supported')
  }
  // A producer may not set the append time (Kafka: LogValidator), nor the compactor's delete horizon.
  const other = attributes & ~CODEC_MASK
  if (other !== 0) {
    const flag = other === TIMESTAMP_TYPE_BIT ? 'timestamp type append time' : `attributes ${other}`
    throw new WireError('UNSUPPORTED_BATCH', `record batch with ${flag}`)
  }
}

function checkCounts (header: BatchHeader, limits: BatchLimits): void {
  const count = header.recordsCount
  if (count < 1 || count !== header.lastOffset - header.baseOffset + 1) {
    throw corrupt(`${count} records, last offset delta ${header.lastOffset - header.baseOffset}`)
  }
  if (count > limits.recordsMax) {
    throw new WireError('RECORD_TOO_LARGE', `${count} records in a batch; the limit is ${limits.recordsMax}`)
  }
  const compressed = (header.attributes & CODEC_MASK) !== 0
  if (!compressed && count * RECORD_BYTES_MIN > header.sizeBytes - BATCH_HEADER_BYTES) {
    throw corrupt(`${count} records do not fit in ${header.sizeBytes} bytes`)
  }
}

function checkProducer (header: BatchHeader): void {
  const { producerId, producerEpoch, baseSequence } = header
  const none = producerId === -1 && producerEpoch === -1 && baseSequence === -1
  if (!none && (producerId < 0 || producerEpoch < 0 || baseSequence < 0)) {
    throw corrupt(`producer ${producerId}, epoch ${producerEpoch}, sequence ${baseSequence}`)
  }
}

function checkTimestamps (header: BatchHeader, limits: BatchLimits): void {
  const { baseTimestamp, maxTimestamp } = header
  if (baseTimestamp < 0 || maxTimestamp < baseTimestamp || maxTimestamp > limits.timestampMax) {
    throw new WireError('INVALID_TIMESTAMP',
      `timestamps ${baseTimestamp} to ${maxTimestamp}; the largest allowed is ${limits.timestampMax}`)
  }
}

/** Sets the base offset in place; outside the CRC. */
export function stampBaseOffset (bytes: Uint8Array, offset: number, position = 0): void {
  writeInt64(bytes, position, offset)
}

/** Sets the leader epoch in place; outside the CRC. */
export function stampLeaderEpoch (bytes: Uint8Array, epoch: number, position = 0): void {
  writeInt32(bytes, position + 12, epoch)
}

/** Sets who produced the batch (position 0) and makes the CRC anew. */
export function stampProducer (bytes: Uint8Array, producerId: number, producerEpoch: number,
  baseSequence: number): void {
  writeInt64(bytes, 43, producerId)
  writeInt16(bytes, 51, producerEpoch)
  writeInt32(bytes, 53, baseSequence)
  stampCrc(bytes)
}

/** Makes the CRC of the one batch in `bytes` anew. */
export function stampCrc (bytes: Uint8Array): void {
  writeInt32(bytes, 17, crc32c(bytes, CRC_FROM, bytes.length))
}

/**
 * The headers of whole batches that lie one after the other in bytes[start, end).
 * @throws WireError CORRUPT_BATCH when the last one is cut off.
 */
export function * batches (bytes: Uint8Array, start = 0, end = bytes.length): Generator<BatchHeader> {
  let position = start
  while (position < end) {
    const header = parseBatchHeader(bytes, position)
    position += header.sizeBytes
    if (position > end) throw corrupt('the last one is cut off')
    yield header
  }
}
