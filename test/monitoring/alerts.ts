// The rules of the chart as data, for the tests here.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const root = join(import.meta.dirname, '../..')
export const rulesPath = join(root, 'charts/millrace/files/alerts.yaml')

export interface Alert {
  readonly alert: string
  expr: string
  for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface Rules {
  readonly groups: { readonly name: string, readonly rules: Alert[] }[]
}

export function readRules (): Rules {
  return parse(readFileSync(rulesPath, 'utf8')) as Rules
}

export function alertsOf (rules: Rules): Alert[] {
  return rules.groups.flatMap(group => group.rules)
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }
const secondsOf = (text: string): number => Number(text.slice(0, -1)) * seconds[text.at(-1)!]!
const shorter = (text: string, divisor: number): string => `${Math.max(1, Math.ceil(secondsOf(text) / divisor))}s`

/** For a test that cannot wait for an hour: one minute of `for` is one second, of what is looked back over three. */
export function shortened (rules: Rules): Rules {
  const copy = structuredClone(rules)
  for (const alert of alertsOf(copy)) {
    if (alert.for !== undefined) alert.for = shorter(alert.for, 60)
    alert.expr = alert.expr.replaceAll(/(?<=[[:])[0-9]+[smh]/g, text => shorter(text, 20))
      // What brokers look at every five seconds must have moved between two windows.
      .replaceAll(/(?<=offset )[0-9]+[smh]/g, text => shorter(text, 15))
      // Silence is told in seconds; the embedded API sends a bookmark every ten.
      .replace(/(?<=silence_seconds\) > )300/, '20')
      .replace(/(?<=oldest_record_seconds\) > )900/, '15')
  }
  return copy
}
