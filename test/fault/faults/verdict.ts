// What a run has shown: the checker's findings over the histories and the volumes, and the table.
import type { Anomaly } from '../../check/anomaly.ts'
import { checkHistory } from '../../check/checker.ts'
import { checkGroups } from '../../check/groups.ts'
import type { Report } from '../../check/checker.ts'
import type { Key, Operation } from '../../check/history.ts'
import { findStuck } from '../../check/liveness.ts'
import { findDivergedReplicas } from '../../check/replicas.ts'
import type { ReplicaContents } from '../../check/replicas.ts'
import { Acknowledgements } from './gaps.ts'
import type { Measured } from './gaps.ts'
import type { Round } from './rounds.ts'

/** After healing: every partition takes writes, everything acknowledged has been read. */
export const healMsMax = 10_000

export interface Verdict {
  readonly report: Report
  readonly anomalies: readonly Anomaly[]
  readonly measured: ReadonlyMap<Round, Measured>
}

/** Everything that was acknowledged or read lies below these offsets. */
export function committedEnds (history: readonly Operation[]): Map<Key, number> {
  const ends = new Map<Key, number>()
  const see = (key: Key, offset: number): void => { ends.set(key, Math.max(ends.get(key) ?? 0, offset + 1)) }
  for (const operation of history) {
    if (operation.kind === 'send' && operation.offset !== undefined) see(operation.key, operation.offset)
    else if (operation.kind === 'poll') for (const { key, offset } of operation.records) see(key, offset)
  }
  return ends
}

export function judge (history: readonly Operation[], rounds: readonly Round[], keys: readonly Key[],
  replicas: readonly ReplicaContents[], drained: boolean): Verdict {
  const report = checkHistory(history, { drained })
  const acknowledgements = new Acknowledgements(history, keys)
  const measured = new Map(rounds.map(round => [round, acknowledgements.measure(round)]))
  const anomalies = [
    ...report.anomalies, ...checkGroups(history).anomalies, ...findDivergedReplicas(replicas)
  ]
  for (const [{ name }, { writesBackMs }] of measured) {
    if (writesBackMs <= healMsMax) continue
    const message = `after ${name} not every partition took a write within ${healMsMax} ms: ${shown(writesBackMs)} ms`
    anomalies.push({ kind: 'stuck write', key: '*', message })
  }
  const last = rounds.at(-1)
  if (last !== undefined) {
    anomalies.push(...findStuck(history, { healedAtMs: last.healedAtMs, boundMs: healMsMax, keys })
      .filter(({ kind }) => kind === 'stuck read'))
  }
  return { report, anomalies, measured }
}

function shown (ms: number): string {
  return Number.isFinite(ms) ? String(Math.round(ms)) : 'never'
}

/** In milliseconds, one line for each round. */
export function table (rounds: readonly Round[], measured: ReadonlyMap<Round, Measured>): string {
  const width = Math.max(5, ...rounds.map(({ name }) => name.length))
  const line = (name: string, ...columns: string[]): string =>
    `${name.padEnd(width)} ${columns.map(column => column.padStart(10)).join(' ')}`
  return [
    line('fault', 'lasted', 'gap', 'gap', 'writes', 'whole'),
    line('', 's', 'longest', 'median', 'back after', 'after'),
    ...rounds.map(round => {
      const { gapMs, gapMedianMs, writesBackMs, wholeMs } = measured.get(round)!
      const lastedS = ((round.healedAtMs - round.startedAtMs) / 1000).toFixed(1)
      return line(round.name, lastedS, ...[gapMs, gapMedianMs, writesBackMs, wholeMs].map(shown))
    })
  ].join('\n')
}
