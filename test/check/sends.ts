// What became of the records that were sent: lost write, unseen, non-monotonic send.
import type { Anomaly } from './anomaly.ts'
import type { Key, Operation, SendOperation } from './history.ts'
import type { LogView } from './log-view.ts'

/** Retention: records below this offset of a partition may be gone. */
export type RemovedBelow = (key: Key) => number

/** Acknowledged sends that no poll gave: 'lost write' below what was read, 'unseen' above (once drained). */
export function findMissing (history: readonly Operation[], view: LogView, drained: boolean,
  removedBelow: RemovedBelow): Anomaly[] {
  const found: Anomaly[] = []
  for (const send of history) {
    if (send.kind !== 'send' || send.outcome !== 'ok' || send.offset === undefined) continue
    if (view.polledAtMs(send.value) !== undefined || send.offset < removedBelow(send.key)) continue
    const highest = view.highestPolled(send.key)
    const what = `${send.value}, acknowledged to ${send.process} at offset ${send.offset}`
    if (send.offset <= highest) {
      found.push({ kind: 'lost write', key: send.key, message: `${what}, was not read; offset ${highest} was` })
    } else if (drained) {
      found.push({ kind: 'unseen', key: send.key, message: `${what}, was not read; reading ended at ${highest}` })
    }
  }
  return found
}

/**
 * One producer's records lie in one partition in the order of sending (guarantee G1). Sends of unknown
 * outcome count where a poll has shown where they are.
 */
export function findReorderedSends (history: readonly Operation[], view: LogView): Anomaly[] {
  const found: Anomaly[] = []
  const last = new Map<string, { send: SendOperation, offset: number }>()
  for (const send of history) {
    if (send.kind !== 'send') continue
    const offset = send.offset ?? view.placeOf(send.value)?.offset
    if (offset === undefined) continue
    const id = `${send.process} ${send.key}`
    const before = last.get(id)
    if (before !== undefined && offset <= before.offset) {
      const inBatch = send.batch !== undefined && send.batch === before.send.batch
      found.push({
        kind: inBatch ? 'non-monotonic send in batch' : 'non-monotonic send',
        key: send.key,
        message: `${send.process} sent ${before.send.value}, then ${send.value}; ` +
          `they are at ${before.offset} and ${offset}`
      })
    }
    last.set(id, { send, offset })
  }
  return found
}
