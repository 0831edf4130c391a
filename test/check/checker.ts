// Judges a history. Linear in its length, so that it serves runs of millions of records.
import type { Anomaly } from './anomaly.ts'
import { findCommitAnomalies } from './commits.ts'
import { findFallenEnds } from './ends.ts'
import type { Key, Operation } from './history.ts'
import { LogView } from './log-view.ts'
import { findPollAnomalies } from './polls.ts'
import { findMissing, findReorderedSends } from './sends.ts'

export interface CheckOptions {
  /** A last reader has read every partition from its beginning to its end: what is missing is lost. */
  readonly drained: boolean
  /** Retention: offsets below this may be gone. Default: none are. */
  readonly removedBelow?: (key: Key) => number
}

export interface Report {
  readonly anomalies: Anomaly[]
  readonly sends: { readonly ok: number, readonly failed: number, readonly unknown: number }
  readonly recordsPolled: number
}

export function checkHistory (history: readonly Operation[], options: CheckOptions): Report {
  const removedBelow = options.removedBelow ?? (() => 0)
  const view = new LogView(history)
  const anomalies = [
    ...view.anomalies(),
    ...findMissing(history, view, options.drained, removedBelow),
    ...findReorderedSends(history, view),
    ...findPollAnomalies(history, removedBelow),
    ...findCommitAnomalies(history),
    ...findFallenEnds(history)
  ]
  const sends = { ok: 0, failed: 0, unknown: 0 }
  let recordsPolled = 0
  for (const operation of history) {
    if (operation.kind === 'send') sends[operation.outcome]++
    else if (operation.kind === 'poll') recordsPolled += operation.records.length
  }
  return { anomalies, sends, recordsPolled }
}
