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
