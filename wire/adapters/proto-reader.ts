// Reads the Protocol Buffers format, as far as proto/millrace/v1 uses it, for codec.ts.
// Every length is checked before it is used; an int64 beyond 2^53 - 1 is refused, never rounded.
// https://protobuf.dev/programming-guides/encoding
import { WireError } from '../errors.ts'

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2
const wireFixed32 = 5

const varintBytesMax = 10
const noBytes = new Uint8Array(0)

function malformed (what: string): WireError {
  return new WireError('INVALID_REQUEST', `malformed message: ${what}`)
}

/** One pass over one message. Byte fields are views of `buffer`. Throws WireError INVALID_REQUEST. */
export class ProtoReader {
  readonly #buffer: Buffer
  #position = 0
  #end: number

  constructor (buffer: Buffer) {
    this.#buffer = buffer
    this.#end = buffer.length
  }

  /** Field number and wire type of the next field, 0 at the end of the message. */
  tag (): number {
    if (this.#position === this.#end) return 0
    const tag = this.uint32()
    if (tag < 8) throw malformed('field number 0')
    return tag
  }

  uint32 (): number {
    let value = 0
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.#byte()
      // A 32-bit field may come as a longer varint (negative int32 always does): its low bits count.
      if (index < 5) value |= (byte & 0x7f) << (7 * index)
      if (byte < 0x80) return value >>> 0
    }
    throw malformed('varint of more than 10 bytes')
  }

  int32 (): number {
    return this.uint32() | 0
  }

  bool (): boolean {
    return this.uint32() !== 0
  }

  int64 (): number {
    let low = 0
    let high = 0
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (index < 4) low |= bits << (7 * index)
      else if (index === 4) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (7 * index - 32)
      if (byte < 0x80) {
        const value = high * 0x1_0000_0000 + (low >>> 0)
        if (!Number.isSafeInteger(value)) throw malformed('an integer beyond 2^53 - 1')
        return value
      }
    }
    throw malformed('varint of more than 10 bytes')
  }

  bytes (): Uint8Array {
    const end = this.#lengthDelimited()
    if (end === this.#position) return noBytes
    const view = this.#buffer.subarray(this.#position, end)
    this.#position = end
    return view
  }

  string (): string {
    const end = this.#lengthDelimited()
    if (end === this.#position) return ''
    const text = this.#buffer.toString('utf8', this.#position, end)
    this.#position = end
    return text
  }

  /** Narrows the reader to an embedded message or packed field; the answer goes to `leave`. */
  enter (): number {
    const outer = this.#end
    this.#end = this.#lengthDelimited()
    return outer
  }

  leave (outer: number): void {
    this.#end = outer
  }

  /** Is there more of what `enter` began? */
  more (): boolean {
    return this.#position < this.#end
  }

  /** Passes over a field that this version does not know, or one of another type than it should be. */
  skip (tag: number): void {
    switch (tag & 7) {
      case wireVarint:
        for (let index = 0; this.#byte() >= 0x80; index++) {
          if (index === varintBytesMax - 1) throw malformed('varint of more than 10 bytes')
        }
        break
      case wireFixed64: this.#pass(8); break
      case wireBytes: this.#position = this.#lengthDelimited(); break
      case wireFixed32: this.#pass(4); break
      default: throw malformed(`wire type ${tag & 7}`)
    }
  }

  #byte (): number {
    if (this.#position >= this.#end) throw malformed('it ends in the middle of a field')
    return this.#buffer[this.#position++]!
  }

  #pass (length: number): void {
    if (length > this.#end - this.#position) throw malformed('it ends in the middle of a field')
    this.#position += length
  }

  /** Reads a length; answers where what it belongs to ends. */
  #lengthDelimited (): number {
    const length = this.uint32()
    if (length > this.#end - this.#position) throw malformed('it ends in the middle of a field')
    return this.#position + length
  }
}
