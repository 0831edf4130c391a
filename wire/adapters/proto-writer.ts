// Writes the Protocol Buffers format for codec.ts: a message is measured, one buffer of
// exactly that size is made, and filled from front to back.
// https://protobuf.dev/programming-guides/encoding
import { WireError } from '../errors.ts'

function outOfRange (value: number): WireError {
  return new WireError('INVALID_REQUEST', `${value} is not an integer that the wire can carry`)
}

export function sizeOfUint32 (value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}

/** Negative numbers are written as 64-bit two's complement: ten bytes. */
export function sizeOfInt (value: number): number {
  if (!Number.isSafeInteger(value)) throw outOfRange(value)
  if (value < 0) return 10
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

/** Bytes of a length-delimited field's length and contents. */
export function sizeOfDelimited (length: number): number {
  return sizeOfUint32(length) + length
}

export function sizeOfString (value: string): number {
  return sizeOfDelimited(Buffer.byteLength(value))
}

export class ProtoWriter {
  readonly #buffer: Buffer
  readonly #sizes: readonly number[]
  #position: number
  #sized = 0

  /**
   * @param size of the whole message, in bytes. @param room to leave in front of it.
   * @param sizes of the messages within, in the order of writing: each was measured once
   */
  constructor (size: number, room = 0, sizes: readonly number[] = []) {
    this.#buffer = Buffer.allocUnsafe(room + size)
    this.#position = room
    this.#sizes = sizes
  }

  /** The length of the next message within. */
  nextSize (): void {
    this.uint32(this.#sizes[this.#sized++] ?? NaN)
  }

  /** Throws RangeError unless exactly the measured size was written: a faulty codec. */
  finish (): Buffer {
    if (this.#position !== this.#buffer.length) throw new RangeError('the message was measured wrongly')
    return this.#buffer
  }

  uint32 (value: number): void {
    if (!(value >= 0 && value <= 0xffff_ffff && Number.isInteger(value))) throw outOfRange(value)
    this.#varint(value)
  }

  int32 (value: number): void {
    if ((value | 0) !== value) throw outOfRange(value)
    this.int64(value)
  }

  int64 (value: number): void {
    if (!Number.isSafeInteger(value)) throw outOfRange(value)
    if (value >= 0) {
      this.#varint(value)
      return
    }
    let rest = BigInt.asUintN(64, BigInt(value))
    for (let index = 0; index < 9; index++) {
      this.#buffer[this.#position++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#buffer[this.#position++] = Number(rest)
  }

  bool (value: boolean): void {
    this.#buffer[this.#position++] = value ? 1 : 0
  }

  string (value: string): void {
    const length = Buffer.byteLength(value)
    this.#varint(length)
    this.#position += this.#buffer.write(value, this.#position, length)
  }

  bytes (value: Uint8Array): void {
    this.#varint(value.length)
    this.#buffer.set(value, this.#position)
    this.#position += value.length
  }

  #varint (value: number): void {
    let rest = value
    while (rest > 0x7fff_ffff) {
      this.#buffer[this.#position++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      this.#buffer[this.#position++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#position++] = rest
  }
}
