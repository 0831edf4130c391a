// Consumers go forward, one offset after the other: poll skip and non-monotonic poll. Offsets of a
// partition are dense (no transactions, no compaction), so that every gap is a skip unless retention
// made it.
import type { Anomaly, AnomalyKind } from './anomaly.ts'
import type { Key, Operation, PollOperation } from './history.ts'
import type { RemovedBelow } from './sends.ts'

interface Position {
  /** The offset that must come next; undefined: any. */
  next: number | undefined
  /** The poll that led here, undefined for an assign. */
  poll: PollOperation | undefined
}

export function findPollAnomalies (history: readonly Operation[], removedBelow: RemovedBelow): Anomaly[] {
  const found: Anomaly[] = []
  const positions = new Map<string, Map<Key, Position>>()
  for (const operation of history) {
    if (operation.kind === 'assign') {
      const assigned = positions.get(operation.process) ?? new Map<Key, Position>()
      for (const { key, offset } of operation.positions) assigned.set(key, { next: offset, poll: undefined })
      positions.set(operation.process, assigned)
    } else if (operation.kind === 'poll') {
      let assigned = positions.get(operation.process)
      if (assigned === undefined) positions.set(operation.process, assigned = new Map())
      checkPoll(operation, assigned, removedBelow, found)
    }
  }
  return found
}

function checkPoll (poll: PollOperation, positions: Map<Key, Position>, removedBelow: RemovedBelow,
  found: Anomaly[]): void {
  for (const { key, offset } of poll.records) {
    const { next, poll: before } = positions.get(key) ?? { next: undefined, poll: undefined }
    if (next !== undefined && offset !== next && !(offset > next && offset <= removedBelow(key))) {
      const name = offset > next ? 'poll skip' : 'non-monotonic poll'
      const kind: AnomalyKind = before === poll ? `${name} in batch` : name
      found.push({ kind, key, message: `${poll.process} got offset ${offset} where ${next} was next` })
    }
    positions.set(key, { next: offset + 1, poll })
  }
}
