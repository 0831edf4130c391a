// Compression of record batches, as Kafka has it: one block in place of the records, its codec in the attributes.
//   1 gzip    RFC 1952
//   2 snappy  xerial's framing: 82 'SNAPPY' 00, int32 version 1, int32 compatible 1, [int32 length, block]...;
//             a block alone is read as well (librdkafka writes it so)
//   3 lz4     LZ4 frame format
//   4 zstd    RFC 8878
import { WireError } from './errors.ts'

/** How the records of a batch are compressed. */
export type Compression = 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** The codec in the attributes of a batch. */
export const codecIds: Readonly<Record<Compression, number>> = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

const names: readonly (Compression | undefined)[] = [undefined, 'gzip', 'snappy', 'lz4', 'zstd']

/** One way to compress. What it gives and takes is the block as it lies in the batch. */
export interface Codec {
  /** The records of a batch as one block. */
  compress (bytes: Uint8Array): Uint8Array
  /** Throws a RangeError rather than make more than `bytesMax`; any other error for a broken block. */
  decompress (block: Uint8Array, bytesMax: number): Uint8Array
}

/** Finds the codec; throws WireError UNSUPPORTED_COMPRESSION when what it needs is not installed. */
export type FindCodec = (name: Compression) => Codec

/** For whoever has no codec at all. */
export function noCodec (name: Compression): Codec {
  throw new WireError('UNSUPPORTED_COMPRESSION', `${name}: no codec is there`)
}

export function isCompression (name: string): name is Compression {
  return Object.hasOwn(codecIds, name)
}

/**
 * Opens the block of a batch into `bytesMax` bytes at most.
 * @throws WireError UNSUPPORTED_COMPRESSION, RECORD_TOO_LARGE (it would be more), CORRUPT_BATCH.
 */
export function openBlock (find: FindCodec, codecId: number, block: Uint8Array, bytesMax: number): Uint8Array {
  const name = names[codecId]
  if (name === undefined) throw new WireError('UNSUPPORTED_BATCH', `record batch with codec ${codecId}`)
  const codec = find(name)
  try {
    const opened = codec.decompress(block, bytesMax)
    if (opened.length <= bytesMax) return opened
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw new WireError('CORRUPT_BATCH', `record batch: the ${name} block is broken (${(error as Error).message})`)
    }
  }
  throw new WireError('RECORD_TOO_LARGE', `a ${name} block of ${block.length} bytes opens to more than ${bytesMax}`)
}
