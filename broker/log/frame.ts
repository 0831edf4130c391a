// A frame: what one group commit writes. It begins at a multiple of 4096 bytes and is padded with zeros to
// the next one, so that no write touches a page that holds an acknowledged frame. Big-endian:
//
//   offset size field                        offset size field
//        0    4 magic "MRJF"                     28    4 bytes of the body
//        4    1 version = 1                      32    4 CRC-32C of the directory
//        5    3 zero                             36    4 CRC-32C of the body
//        8    8 journal uid                      40    4 CRC-32C of bytes 0..40
//       16    8 sequence                         44    4 zero
//       24    4 bytes of the directory           48   .. directory (entry.ts), then body (batches)
//
// Three checksums instead of one, so that damage in a body still tells which replicas it touched.
import { readInt32, readInt64, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { crc32c } from '../../wire/crc32c.ts'
import { EntryWriter } from './entry.ts'

export const FRAME_HEADER_BYTES = 48
export const FRAME_ALIGNMENT = 4096
const MAGIC = 0x4d524a46
export const FRAME_VERSION = 1
const CRC_AT = 40
// Smaller batches are copied: a part of their own costs more (a checksum call, an entry of the writev).
const COPY_BYTES_MAX = 2048
const COPY_BUFFER_BYTES = 128 * 1024

const zeros = new Uint8Array(FRAME_ALIGNMENT)

export interface FrameHeader {
  readonly version: number
  /** 16 hex characters. */
  readonly uid: string
  readonly sequence: number
  readonly directoryBytes: number
  readonly bodyBytes: number
  readonly directoryCrc: number
  readonly bodyCrc: number
}

/** Bytes on disk with this much content. */
export function frameBytes (directoryBytes: number, bodyBytes: number): number {
  const bytes = FRAME_HEADER_BYTES + directoryBytes + bodyBytes
  return Math.ceil(bytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT
}

/** The header at `position`; undefined when there is none or its checksum is wrong. */
export function readFrameHeader (bytes: Uint8Array, position: number): FrameHeader | undefined {
  if (position + FRAME_HEADER_BYTES > bytes.length || readInt32(bytes, position) !== MAGIC) return undefined
  if (readInt32(bytes, position + CRC_AT) >>> 0 !== crc32c(bytes, position, position + CRC_AT)) return undefined
  return {
    version: bytes[position + 4] ?? 0,
    uid: Buffer.from(bytes.buffer, bytes.byteOffset + position + 8, 8).toString('hex'),
    sequence: readInt64(bytes, position + 16),
    directoryBytes: readInt32(bytes, position + 24) >>> 0,
    bodyBytes: readInt32(bytes, position + 28) >>> 0,
    directoryCrc: readInt32(bytes, position + 32) >>> 0,
    bodyCrc: readInt32(bytes, position + 36) >>> 0
  }
}

/** A replica's log as frames see it. */
export interface FrameMember {
  readonly logEnd: number
  /** Counts truncations and resets: ends of before mean nothing after one. */
  readonly truncations: number
  /** The frame that gathers and holds this member, and where; for FrameBuilder alone. */
  frameSequence: number
  frameIndex: number
}

/** Gathers one frame. Batches are referred to, not copied, but for small ones. */
export class FrameBuilder {
  sequence = 0
  /** Holds more than marks: a later frame shall show that this one was durable. */
  needsWitness = false
  readonly entries = new EntryWriter(4096)
  /** Members, and their log end and truncation count after the last entry of this frame. */
  readonly members: FrameMember[] = []
  readonly ends: number[] = []
  readonly truncations: number[] = []
  readonly callbacks: (() => void)[] = []
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES)
  #body: Uint8Array[] = []
  #bodyBytes = 0
  #bodyCrc = 0
  #copies: Uint8Array | undefined
  #copied = 0
  /** Where in #copies the bytes begin that are not yet a part of the body. */
  #copiedFrom = 0

  get empty (): boolean { return this.entries.length === 0 && this.callbacks.length === 0 }
  get bytes (): number { return frameBytes(this.entries.length, this.#bodyBytes) }

  clear (sequence: number): void {
    this.sequence = sequence
    this.needsWitness = false
    this.entries.clear()
    this.members.length = this.ends.length = this.truncations.length = this.callbacks.length = 0
    this.#body = []
    this.#bodyBytes = this.#bodyCrc = this.#copied = this.#copiedFrom = 0
  }

  /** The log end of `member` is durable with this frame. */
  touch (member: FrameMember): void {
    if (member.frameSequence !== this.sequence) {
      member.frameSequence = this.sequence
      member.frameIndex = this.members.length
      this.members.push(member)
    }
    this.ends[member.frameIndex] = member.logEnd
    this.truncations[member.frameIndex] = member.truncations
  }

  /** The bytes of a batch, after its entry; they must not change any more. */
  body (bytes: Uint8Array): void {
    this.#bodyBytes += bytes.length
    if (bytes.length <= COPY_BYTES_MAX && this.#copied + bytes.length <= COPY_BUFFER_BYTES) {
      this.#copies ??= new Uint8Array(COPY_BUFFER_BYTES)
      this.#copies.set(bytes, this.#copied)
      this.#copied += bytes.length
      return
    }
    this.#flushCopies()
    this.#addPart(bytes)
  }

  /** All that is to be written; valid until clear(). */
  finish (uid: Uint8Array): Uint8Array[] {
    this.#flushCopies()
    const header = this.#header
    const directory = this.entries.bytes
    writeInt32(header, 0, MAGIC)
    header[4] = FRAME_VERSION
    header.set(uid, 8)
    writeInt64(header, 16, this.sequence)
    writeInt32(header, 24, directory.length)
    writeInt32(header, 28, this.#bodyBytes)
    writeInt32(header, 32, crc32c(directory))
    writeInt32(header, 36, this.#bodyCrc)
    writeInt32(header, CRC_AT, crc32c(header, 0, CRC_AT))
    const content = FRAME_HEADER_BYTES + directory.length + this.#bodyBytes
    const parts: Uint8Array[] = [header]
    if (directory.length > 0) parts.push(directory)
    parts.push(...this.#body)
    if (this.bytes > content) parts.push(zeros.subarray(0, this.bytes - content))
    return parts
  }

  #flushCopies (): void {
    if (this.#copies === undefined || this.#copied === this.#copiedFrom) return
    this.#addPart(this.#copies.subarray(this.#copiedFrom, this.#copied))
    this.#copiedFrom = this.#copied
  }

  #addPart (bytes: Uint8Array): void {
    this.#body.push(bytes)
    this.#bodyCrc = crc32c(bytes, 0, bytes.length, this.#bodyCrc)
  }
}
