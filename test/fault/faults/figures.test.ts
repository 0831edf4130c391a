import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { replaceFigures, withRun } from './figures.ts'
import type { RunFigures } from './figures.ts'
import { faultKinds } from './kinds.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/proof.md'), 'utf8')
const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'figures.json'), 'utf8')) as RunFigures[]

it('docs/proof.md tells of the runs that are kept', () => {
  expect(replaceFigures(page, kept, faultKinds)).toBe(page)
})

it('a kind that a later run of the same size and workload has is told of that one', () => {
  const row = { lasted: 3_000, gap: 1_400, gapMedian: 1_300, whole: 4_600 }
  const run: RunFigures = {
    brokers: 3, workload: 'records', seed: 1, day: '2026-11-28', cores: 2, load: [1, 2, 3], acknowledged: 1_234_567,
    failed: 0, read: 5, replicas: 18, anomalies: 0, rows: { kill: row, pause: row }
  }
  const later = { ...run, seed: 2, rows: { kill: { ...row, gap: 900 } } }
  const groups: RunFigures = { ...run, workload: 'groups', rows: { kill: row } }
  const runs = withRun(withRun([groups], run), later)
  expect(runs.map(({ workload, seed, rows }) => [workload, seed, Object.keys(rows)]))
    .toEqual([['records', 1, ['pause']], ['records', 2, ['kill']], ['groups', 1, ['kill']]])
  const text = replaceFigures(page, runs, faultKinds)
  expect(text).toContain('| `kill` | `kill -9` of a broker | 3.0 | 0.9, 1.3, 4.6 | 1.4, 1.3, 4.6 |')
  expect(text).toContain('| 1,234,567 |')
  expect(withRun(withRun([], run), { ...later, rows: run.rows }).map(({ seed }) => seed)).toEqual([2])
})
