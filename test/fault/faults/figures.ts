// What faults cost, of the runs that were kept for docs/proof.md: figures.json, and the tables made of it. Pure.
import type { FaultKind } from './kind.ts'
import type { Measured } from './gaps.ts'
import type { Workload } from './options.ts'
import type { Round } from './rounds.ts'

/** One run of single kinds. */
export interface RunFigures {
  readonly brokers: number
  readonly workload: Workload
  readonly seed: number
  /** As in 2026-11-28. */
  readonly day: string
  readonly cores: number
  /** Of the machine, of a minute: lowest, median, highest while faults were struck. */
  readonly load: readonly [number, number, number]
  readonly acknowledged: number
  readonly failed: number
  readonly read: number
  readonly replicas: number
  readonly anomalies: number
  /** Milliseconds, by kind. */
  readonly rows: Readonly<Record<string, RowFigures>>
}

export interface RowFigures {
  readonly lasted: number
  readonly gap: number
  readonly gapMedian: number
  readonly whole: number
}

/** What struck nobody has no figures. */
export function rowsOf (rounds: readonly Round[], measured: ReadonlyMap<Round, Measured>): Record<string, RowFigures> {
  return Object.fromEntries(rounds.flatMap(round => {
    const found = measured.get(round)
    if (found === undefined || (round.missed ?? []).length > 0) return []
    const { gapMs, gapMedianMs, wholeMs } = found
    const row: RowFigures = {
      lasted: Math.round(round.healedAtMs - round.startedAtMs),
      gap: Math.round(gapMs),
      gapMedian: Math.round(gapMedianMs),
      whole: Math.round(wholeMs)
    }
    return [[round.name, row]]
  }))
}

/** Kinds that a later run of the same size and workload has too are told of that one. */
export function withRun (runs: readonly RunFigures[], run: RunFigures): RunFigures[] {
  const others = runs.map(other => {
    if (other.brokers !== run.brokers || other.workload !== run.workload) return other
    const rows = Object.fromEntries(Object.entries(other.rows).filter(([kind]) => run.rows[kind] === undefined))
    return { ...other, rows }
  })
  return [...others, run].filter(({ rows }) => Object.keys(rows).length > 0)
    .sort((a, b) => a.brokers - b.brokers || order.indexOf(a.workload) - order.indexOf(b.workload))
}

const order: readonly Workload[] = ['records', 'groups', 'queues']
const begin = '<!-- faults: written by npm run faults -- --single --figures -->'
const end = '<!-- end of faults -->'

export function replaceFigures (page: string, runs: readonly RunFigures[], kinds: readonly FaultKind[]): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error('docs/proof.md has no place for the figures')
  const sizes = [...new Set(runs.map(({ brokers }) => brokers))]
  const parts = runs.length === 0 ? [] : [runTable(runs), ...sizes.map(brokers => faultTable(brokers, runs, kinds))]
  return `${page.slice(0, from + begin.length)}\n${parts.map(part => `${part}\n`).join('\n')}${page.slice(to)}`
}

function tableOf (head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function runTable (runs: readonly RunFigures[]): string {
  return tableOf(
    ['brokers', 'workload', 'seed', 'day', 'kinds', 'acknowledged', 'failed', 'read', 'replicas compared', 'anomalies',
      'cores', 'load: lowest, median, highest'],
    runs.map(run => [run.brokers, run.workload, run.seed, run.day, Object.keys(run.rows).length,
      ...[run.acknowledged, run.failed, run.read, run.replicas, run.anomalies].map(grouped), run.cores,
      run.load.map(load => load.toFixed(0)).join(', ')].map(String)))
}

function grouped (count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

function faultTable (brokers: number, runs: readonly RunFigures[], kinds: readonly FaultKind[]): string {
  const mine = runs.filter(run => run.brokers === brokers)
  const workloads = order.filter(workload => mine.some(run => run.workload === workload))
  const rows = kinds.flatMap(({ name, about }) => {
    const found = workloads.map(workload => mine.find(run => run.workload === workload && name in run.rows)?.rows[name])
    const lasted = found.find(row => row !== undefined)?.lasted
    if (lasted === undefined) return []
    return [[`\`${name}\``, about, seconds(lasted), ...found.map(row => row === undefined
      ? ''
      : [row.gap, row.gapMedian, row.whole].map(seconds).join(', '))]]
  })
  return `### ${brokers} brokers\n\n${tableOf(['fault', 'what', 'lasted (s)', ...workloads], rows)}`
}

function seconds (ms: number): string { return (ms / 1000).toFixed(1) }
