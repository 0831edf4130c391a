// Zig-zag varints of record batches (protobuf's sint32 and sint64): 7 bits a byte, low bits first, the
// top bit says that more follow. int64 values are JavaScript numbers, exact within ±(2^53 - 1).
import { WireError } from './errors.ts'

const TWO_27 = 2 ** 27
const TWO_28 = 2 ** 28

/** Bytes that `value`, a signed 32-bit number, takes. */
export function varintSize (value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  if (zigzag < 0x4000) return 2
  if (zigzag < 0x200000) return 3
  return zigzag < 0x10000000 ? 4 : 5
}

/** Writes a signed 32-bit number; the position after it. */
export function writeVarint (bytes: Uint8Array, position: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  while (zigzag >= 0x80) {
    bytes[position++] = (zigzag & 0x7f) | 0x80
    zigzag >>>= 7
  }
  bytes[position++] = zigzag
  return position
}

function isInt32 (value: number): boolean {
  return (value | 0) === value
}

/** Bytes that `value`, a safe integer, takes. */
export function varlongSize (value: number): number {
  if (isInt32(value)) return varintSize(value)
  let rest = Math.floor((value < 0 ? -value - 1 : value) / TWO_27)
  let size = 4
  while (rest > 0) {
    rest = Math.floor(rest / 128)
    size++
  }
  return size
}

/** Writes a safe integer; the position after it. */
export function writeVarlong (bytes: Uint8Array, position: number, value: number): number {
  if (isInt32(value)) return writeVarint(bytes, position, value)
  // The zig-zag number may need 54 bits: its low 28 and its high ones are kept apart.
  const half = value < 0 ? -value - 1 : value
  const low = (half % TWO_27) * 2 + (value < 0 ? 1 : 0)
  let high = Math.floor(half / TWO_27)
  bytes[position++] = (low & 0x7f) | 0x80
  bytes[position++] = ((low >>> 7) & 0x7f) | 0x80
  bytes[position++] = ((low >>> 14) & 0x7f) | 0x80
  bytes[position++] = (low >>> 21) | (high > 0 ? 0x80 : 0)
  while (high > 0) {
    const next = high >>> 7
    bytes[position++] = (high & 0x7f) | (next > 0 ? 0x80 : 0)
    high = next
  }
  return position
}

/** Reads varints from bytes[position, end), never past it. Broken ones throw CORRUPT_BATCH. */
export class VarintReader {
  bytes: Uint8Array
  position: number
  end: number

  constructor (bytes: Uint8Array, position: number, end: number) {
    this.bytes = bytes
    this.position = position
    this.end = Math.min(end, bytes.length)
  }

  /** A signed 32-bit number. */
  varint (): number {
    const first = this.#byte()
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let zigzag = first & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.#byte()
      // The fifth byte has room for four bits.
      if (shift === 28 && byte > 0x0f) break
      zigzag |= (byte & 0x7f) << shift
      if (byte < 0x80) return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    throw new WireError('CORRUPT_BATCH', 'a varint in the record batch is longer than 32 bits')
  }

  /** A signed number within ±(2^53 - 1); larger ones are refused, never rounded. */
  varlong (): number {
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
    }
    let high = 0
    for (let scale = 1; scale < TWO_28; scale *= 128) {
      const byte = this.#byte()
      high += (byte & 0x7f) * scale
      if (byte < 0x80) return joined(low, high)
    }
    throw new WireError('CORRUPT_BATCH', 'a varlong in the record batch is beyond 2^53')
  }

  #byte (): number {
    if (this.position >= this.end) {
      throw new WireError('CORRUPT_BATCH', 'a record reaches past the end of its batch')
    }
    return this.bytes[this.position++]!
  }
}

function joined (low: number, high: number): number {
  const half = high * TWO_27 + (low >>> 1)
  const value = (low & 1) === 1 ? -half - 1 : half
  if (Number.isSafeInteger(value)) return value
  throw new WireError('CORRUPT_BATCH', 'a varlong in the record batch is beyond 2^53')
}
