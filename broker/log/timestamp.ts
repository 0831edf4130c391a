// The first record at or after a time, for consumers that begin at one.
import { RecordCursor } from '../../wire/batch-reader.ts'
import { CODEC_MASK, batches } from '../../wire/record-batch.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'

export interface FoundTimestamp {
  readonly offset: number
  readonly timestamp: number
}

interface Readable {
  read (offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array>
}

const READ_BYTES = 256 * 1024

/** Reads on from `from` to the first record of at least `timestamp` below offsetEnd. */
export async function findTimestamp (log: Readable, timestamp: number, from: number,
  offsetEnd: number): Promise<FoundTimestamp | undefined> {
  for (let offset = from; offset < offsetEnd;) {
    const bytes = await log.read(offset, offsetEnd, READ_BYTES)
    if (bytes.length === 0) return undefined
    for (const header of batches(bytes)) {
      const found = header.maxTimestamp < timestamp ? undefined : inBatch(bytes, header, timestamp, from)
      if (found !== undefined) return found.offset < offsetEnd ? found : undefined
      offset = header.lastOffset + 1
    }
  }
  return undefined
}

/** A compressed batch is not opened: its first record stands for the one that is meant, never a later one. */
function inBatch (bytes: Uint8Array, header: BatchHeader, timestamp: number, from: number):
FoundTimestamp | undefined {
  if ((header.attributes & CODEC_MASK) !== 0) {
    return { offset: Math.max(header.baseOffset, from), timestamp: header.baseTimestamp }
  }
  const cursor = new RecordCursor(bytes, header)
  while (cursor.next()) {
    if (cursor.timestamp >= timestamp && cursor.offset >= from) {
      return { offset: cursor.offset, timestamp: cursor.timestamp }
    }
  }
  return undefined
}
