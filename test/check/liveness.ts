// After healing everything comes back: writes to every partition succeed and everything acknowledged can
// be read, within a bound.
import type { Anomaly } from './anomaly.ts'
import type { Key, Operation } from './history.ts'
import { LogView } from './log-view.ts'
import type { RemovedBelow } from './sends.ts'

export interface LivenessBound {
  readonly healedAtMs: number
  readonly boundMs: number
  /** Partitions that must take writes. */
  readonly keys: readonly Key[]
  /** Retention: offsets below this may be gone unread. Default: none are. */
  readonly removedBelow?: RemovedBelow
}

export function findStuck (history: readonly Operation[], bound: LivenessBound): Anomaly[] {
  const { healedAtMs, boundMs, keys } = bound
  const found: Anomaly[] = []
  const until = healedAtMs + boundMs
  const written = new Set<Key>()
  const view = new LogView(history)
  for (const operation of history) {
    if (operation.kind !== 'send' || operation.outcome !== 'ok') continue
    if (operation.startMs >= healedAtMs && operation.endMs <= until) written.add(operation.key)
    const readAtMs = view.polledAtMs(operation.value) ?? Infinity
    const removed = (operation.offset ?? Infinity) < (bound.removedBelow?.(operation.key) ?? 0)
    if (operation.endMs <= healedAtMs && readAtMs > until && !removed) {
      found.push({
        kind: 'stuck read', key: operation.key,
        message: `${operation.value}, acknowledged before healing, was ` +
          (readAtMs === Infinity ? 'never read' : `read ${Math.round(readAtMs - healedAtMs)} ms after it`)
      })
    }
  }
  for (const key of keys) {
    if (!written.has(key)) {
      found.push({ kind: 'stuck write', key, message: `no write within ${boundMs} ms after healing` })
    }
  }
  return found
}
