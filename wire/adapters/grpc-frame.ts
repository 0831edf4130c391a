// gRPC's framing of messages in a stream of bytes.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
//
// | offset | size | field                              |
// |      0 |    1 | compressed: 0, nothing else here   |
// |      1 |    4 | length of the message, big-endian  |
// |      5 |   .. | message                            |
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { Codec } from './codec.ts'

const headerBytes = 5

/** One frame. Throws WireError RECORD_TOO_LARGE, or INVALID_REQUEST as Codec.encode. */
export function frame<T extends object> (codec: Codec<T>, message: Sent<T>, bytesMax: number): Buffer {
  const buffer = codec.encode(message, headerBytes)
  const length = buffer.length - headerBytes
  if (length > bytesMax) {
    throw new WireError('RECORD_TOO_LARGE', `a message of ${length} bytes; the limit is ${bytesMax}`)
  }
  buffer[0] = 0
  buffer.writeUInt32BE(length, 1)
  return buffer
}

/** Cuts a stream of bytes into messages. Holds what has arrived of one that is not whole, and no more. */
export class Deframer {
  readonly #bytesMax: number
  readonly #deliver: (message: Buffer) => void
  #parts: Buffer[] = []
  #held = 0
  /** Bytes of the frame that has begun, -1 while its header is not whole. */
  #wanted = -1

  constructor (bytesMax: number, deliver: (message: Buffer) => void) {
    this.#bytesMax = bytesMax
    this.#deliver = deliver
  }

  /** Bytes of a message that has begun. */
  get held (): number { return this.#held }

  /** Calls `deliver` for each message that is whole now. Answers what is wrong with what came. */
  push (chunk: Buffer): WireError | undefined {
    let rest = chunk
    while (rest.length > 0) {
      if (this.#held === 0 && rest.length >= headerBytes) {
        const length = this.#length(rest)
        if (length instanceof WireError) return length
        const end = headerBytes + length
        if (rest.length >= end) {
          // Most messages come whole: no copy.
          this.#deliver(rest.subarray(headerBytes, end))
          rest = rest.subarray(end)
          continue
        }
        this.#wanted = end
      }
      const missing = (this.#wanted < 0 ? headerBytes : this.#wanted) - this.#held
      this.#parts.push(rest.subarray(0, missing))
      this.#held += Math.min(missing, rest.length)
      const problem = rest.length >= missing ? this.#complete() : undefined
      if (problem !== undefined) return problem
      rest = rest.subarray(missing)
    }
    return undefined
  }

  /** As many bytes as wanted are held: a whole header or a whole frame. */
  #complete (): WireError | undefined {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.#held)
    if (this.#wanted < 0) {
      const length = this.#length(whole)
      if (length instanceof WireError) return length
      if (length > 0) {
        this.#parts = [whole]
        this.#wanted = headerBytes + length
        return undefined
      }
    }
    this.#parts = []
    this.#held = 0
    this.#wanted = -1
    this.#deliver(whole.subarray(headerBytes))
    return undefined
  }

  #length (header: Buffer): number | WireError {
    if (header[0] !== 0) return new WireError('INVALID_REQUEST', 'compressed messages are not accepted')
    const length = header.readUInt32BE(1)
    if (length <= this.#bytesMax) return length
    return new WireError('RECORD_TOO_LARGE', `a message of ${length} bytes; the limit is ${this.#bytesMax}`)
  }
}
