// The file `checkpoint`: the state of all replicas at a cut of the journal, and where to read on. Twice the
// same, the second copy in the second half, so that one broken sector does not cost the volume. Big-endian:
//
//   offset size field                        offset size field
//        0    4 magic "MRCP"                     24    4 ordinal of the journal file to read on in
//        4    1 version = 1                      28    4 position there
//        5    3 zero                             32    4 bytes of entries
//        8    8 journal uid                      36    4 CRC-32C of the entries
//       16    8 sequence of the next frame       40    4 CRC-32C of bytes 0..40
//                                                44   .. entries (entry.ts), zeros up to a multiple of 4096
import { readInt32, readInt64, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { crc32c } from '../../wire/crc32c.ts'
import { WireError } from '../../wire/errors.ts'
import type { Disk } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { writeAtomically } from './atomic-file.ts'
import type { JournalPlace } from './journal.ts'

export const checkpointPath = 'checkpoint'
const MAGIC = 0x4d524350
const VERSION = 1
const HEADER = 44
const CRC_AT = 40
const ALIGNMENT = 4096
/** 10,000 replicas with rows of 1 KiB, ten times over. */
const BYTES_MAX = 256 * 1024 * 1024

export interface Checkpoint {
  /** 16 hex characters. */
  readonly uid: string
  readonly place: JournalPlace
  readonly entries: Uint8Array
}

export async function writeCheckpoint (disk: Disk, checkpoint: Checkpoint): Promise<void> {
  const copy = encodeCheckpoint(checkpoint)
  await writeAtomically(disk, checkpointPath, [copy, copy])
}

/** One copy. */
export function encodeCheckpoint ({ uid, place, entries }: Checkpoint): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((HEADER + entries.length) / ALIGNMENT) * ALIGNMENT)
  writeInt32(bytes, 0, MAGIC)
  bytes[4] = VERSION
  bytes.set(Buffer.from(uid, 'hex'), 8)
  writeInt64(bytes, 16, place.sequence)
  writeInt32(bytes, 24, place.ordinal)
  writeInt32(bytes, 28, place.position)
  writeInt32(bytes, 32, entries.length)
  writeInt32(bytes, 36, crc32c(entries))
  writeInt32(bytes, CRC_AT, crc32c(bytes, 0, CRC_AT))
  bytes.set(entries, HEADER)
  return bytes
}

/** @throws WireError VOLUME_VERSION. */
export async function readCheckpoint (disk: Disk): Promise<Checkpoint | 'missing' | 'broken'> {
  let bytes: Uint8Array
  try {
    bytes = await disk.read(checkpointPath, BYTES_MAX)
  } catch (error) {
    if (error instanceof DiskError && error.kind === 'not-found') return 'missing'
    throw error
  }
  return decodeCopy(bytes, 0) ?? decodeCopy(bytes, Math.floor(bytes.length / 2)) ?? 'broken'
}

function decodeCopy (bytes: Uint8Array, at: number): Checkpoint | undefined {
  if (at + HEADER > bytes.length || readInt32(bytes, at) !== MAGIC) return undefined
  if (readInt32(bytes, at + CRC_AT) >>> 0 !== crc32c(bytes, at, at + CRC_AT)) return undefined
  if (bytes[at + 4] !== VERSION) {
    throw new WireError('VOLUME_VERSION', `the checkpoint has version ${bytes[at + 4]}, not ${VERSION}`)
  }
  const length = readInt32(bytes, at + 32) >>> 0
  const from = at + HEADER
  if (from + length > bytes.length) return undefined
  if (readInt32(bytes, at + 36) >>> 0 !== crc32c(bytes, from, from + length)) return undefined
  return {
    uid: Buffer.from(bytes.subarray(at + 8, at + 16)).toString('hex'),
    place: {
      sequence: readInt64(bytes, at + 16),
      ordinal: readInt32(bytes, at + 24),
      position: readInt32(bytes, at + 28) >>> 0
    },
    entries: bytes.subarray(from, from + length)
  }
}
