// Reads batches from a segment file, checking each: nothing damaged leaves the broker, and where a batch
// begins is never guessed.
import { BATCH_HEADER_BYTES, batchSizeBytes, hasValidCrc, parseBatchHeader } from '../../wire/record-batch.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'
import { WireError } from '../../wire/errors.ts'
import * as limits from '../limits.ts'

const CHUNK_BYTES = 1024 * 1024

/** Bytes [position, position + length) of a file; fewer only at its end. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>

/** The header of the batch at `at` in `bytes`, whole and right; undefined otherwise. */
export function goodBatch (bytes: Uint8Array, at: number): BatchHeader | undefined {
  try {
    const header = parseBatchHeader(bytes, at)
    return hasValidCrc(bytes, header) ? header : undefined
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

/** The size that a batch at `at` claims, 0 when its head is not there or makes no sense. */
export function claimedBytes (bytes: Uint8Array, at: number): number {
  if (at + BATCH_HEADER_BYTES > bytes.length) return 0
  try {
    const size = batchSizeBytes(bytes, at)
    return size <= limits.batchBytesMax ? size : 0
  } catch (error) {
    if (error instanceof WireError) return 0
    throw error
  }
}

export interface ScanStart {
  readonly position: number
  /** Of the batch at `position`. */
  readonly offset: number
}

/**
 * Walks over good, contiguous batches in [start, bytesEnd) until `visit` returns false; resolves to where
 * it stopped: that batch, the first bad one, or the end. `position` in the header is that in the file.
 */
export async function scanBatches (read: ReadAt, start: ScanStart, bytesEnd: number,
  visit: (header: BatchHeader) => boolean): Promise<ScanStart & { complete: boolean }> {
  let { position, offset } = start
  while (position < bytesEnd) {
    let chunk = await read(position, Math.min(CHUNK_BYTES, bytesEnd - position))
    const claimed = claimedBytes(chunk, 0)
    if (claimed > chunk.length && position + claimed <= bytesEnd) chunk = await read(position, claimed)
    let at = 0
    for (;;) {
      const header = goodBatch(chunk, at)
      if (header === undefined) break
      if (header.baseOffset !== offset) return { position, offset, complete: false }
      if (!visit({ ...header, position })) return { position, offset, complete: true }
      at += header.sizeBytes
      position += header.sizeBytes
      offset = header.lastOffset + 1
    }
    if (at === 0) return { position, offset, complete: false }
  }
  return { position, offset, complete: true }
}
