// The rules by themselves: what promtool says of them, and each one on series that fire it and that do not.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { run } from '../fault/harness.ts'
import { alertsOf, readRules, root, rulesPath } from './alerts.ts'
import type { Case } from './case.ts'
import { cases } from './cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-rules-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

const alerts = alertsOf(readRules())

it('passes promtool check rules', async () => {
  const { code, stdout, stderr } = await run('promtool', ['check', 'rules', rulesPath])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain(`${alerts.length} rules found`)
})

it.each(alerts.map(alert => [alert.alert, alert] as const))('%s says what a person needs', (name, alert) => {
  expect(alert.labels.severity).toMatch(/^(critical|warning)$/)
  expect(alert.annotations.summary).toBeTruthy()
  expect(alert.annotations.description).toMatch(/\.$/)
  expect(alert.annotations.runbook_url).toBe(`docs/operations/runbooks/${name}.md`)
  expect(existsSync(join(root, alert.annotations.runbook_url!)), alert.annotations.runbook_url).toBe(true)
})

it('has a case that fires and one that does not for each alert', () => {
  const names = alerts.map(({ alert }) => alert).sort()
  const named = (which: readonly Case[]): string[] => [...new Set(which.map(({ alert }) => alert))].sort()
  expect(named(cases.filter(({ firesAt }) => firesAt !== undefined))).toEqual(names)
  expect(named(cases.filter(({ firesAt }) => firesAt === undefined))).toEqual(names)
})

/** Firing alerts of this name at that minute, without what every alert has. */
function query ({ alert }: Case, minute: number, expected: readonly Record<string, string>[]): object {
  return {
    expr: `ALERTS{alertname="${alert}",alertstate="firing"}`,
    eval_time: `${minute}m`,
    exp_samples: expected.map(labels => ({
      labels: `ALERTS{${Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(',')}}`, value: 1
    }))
  }
}

it.each(cases.map(each => [each.alert, each.what, each] as const))('%s: %s', async (name, what, each) => {
  const severity = alerts.find(({ alert }) => alert === name)!.labels.severity!
  const labels = { alertname: name, alertstate: 'firing', severity, ...each.labels }
  const file = join(folder, `${name}-${what.replaceAll(/\W+/g, '-')}.yaml`)
  writeFileSync(file, stringify({
    rule_files: [rulesPath],
    evaluation_interval: '1m',
    tests: [{
      interval: '1m',
      input_series: Object.entries(each.series).map(([series, values]) => ({ series, values })),
      promql_expr_test: [
        ...each.quietAt.map(minute => query(each, minute, [])),
        ...each.firesAt === undefined ? [] : [query(each, each.firesAt, [labels])]
      ]
    }]
  }))
  const { code, stdout, stderr } = await run('promtool', ['test', 'rules', file])
  expect(code, stdout + stderr).toBe(0)
})
