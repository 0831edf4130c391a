// Producer state at the start of a process: the newest snapshot, and the log from there on.
import * as limits from '../limits.ts'
import { batches } from '../../wire/record-batch.ts'
import type { ReplicaLog } from '../log/contract.ts'
import { decodeProducers } from './producer-snapshot.ts'
import type { ProducerStates } from './producer-state.ts'

export async function loadProducers (log: ReplicaLog, states: ProducerStates, now: () => number): Promise<void> {
  const snapshot = await log.producerSnapshot(log.logEnd)
  let offset = log.logStart
  if (snapshot !== undefined && decodeProducers(snapshot.state, states, now())) {
    // It is written behind the log, and may know of batches after its offset, some of them truncated since.
    states.truncate(snapshot.offset)
    offset = Math.max(offset, snapshot.offset)
  }
  while (offset < log.logEnd) {
    const bytes = await log.read(offset, log.logEnd, limits.coldReadBytesMax)
    for (const header of batches(bytes)) {
      states.update(header, header.baseOffset, now())
      offset = header.lastOffset + 1
    }
  }
}
