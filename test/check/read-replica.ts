// Reads what one replica holds, through its log.
import { batches } from '../../wire/record-batch.ts'
import { WireError } from '../../wire/errors.ts'
import type { ReplicaLog } from '../../broker/log/contract.ts'
import type { ReplicaBatch, ReplicaContents } from './replicas.ts'

const readBytes = 256 * 1024

/** Everything below `end`, or as far as the log goes. Begins again where retention has overtaken the reading. */
export async function readAll (name: string, log: ReplicaLog, end: number): Promise<ReplicaContents> {
  for (;;) {
    const { logStart } = log
    try {
      const found = await readFrom(log, logStart, end)
      return { name, key: `${log.topic}-${log.partition}`, logStart, highWatermark: end, batches: found }
    } catch (error) {
      const outOfRange = error instanceof WireError && error.code === 'OFFSET_OUT_OF_RANGE'
      if (log.logStart === logStart || !outOfRange) throw error
    }
  }
}

async function readFrom (log: ReplicaLog, logStart: number, end: number): Promise<ReplicaBatch[]> {
  const found: ReplicaBatch[] = []
  for (let offset = logStart; offset < Math.min(end, log.logEnd);) {
    const bytes = await log.read(offset, Math.min(end, log.logEnd), readBytes)
    if (bytes.length === 0) break
    for (const header of batches(bytes)) {
      found.push({
        baseOffset: header.baseOffset, lastOffset: header.lastOffset,
        bytes: bytes.slice(header.position, header.position + header.sizeBytes)
      })
      offset = header.lastOffset + 1
    }
  }
  return found
}
