// A producer snapshot file, %020d.snapshot, big-endian: what the partition wants back to go on from `offset`.
//
//   offset size field
//        0    4 magic "MRPS"
//        4    4 CRC-32C of bytes 8..end
//        8    8 offset
//       16   .. the partition's bytes
import { readInt32, readInt64, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { crc32c } from '../../wire/crc32c.ts'

const MAGIC = 0x4d525053
const HEADER = 16

export function encodeSnapshot (offset: number, state: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + state.length)
  writeInt32(bytes, 0, MAGIC)
  writeInt64(bytes, 8, offset)
  bytes.set(state, HEADER)
  writeInt32(bytes, 4, crc32c(bytes, 8))
  return bytes
}

/** Undefined when it is broken or another offset's. */
export function decodeSnapshot (bytes: Uint8Array, offset: number): Uint8Array | undefined {
  if (bytes.length < HEADER || readInt32(bytes, 0) !== MAGIC) return undefined
  if (readInt32(bytes, 4) >>> 0 !== crc32c(bytes, 8) || readInt64(bytes, 8) !== offset) return undefined
  return bytes.subarray(HEADER)
}
