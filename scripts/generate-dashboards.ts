// Writes charts/millrace/files/dashboards/*.json from dashboards.ts. With --check it fails when one is not current.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dashboards, type Dashboard, type Panel } from './dashboards.ts'

const folder = join(import.meta.dirname, '../charts/millrace/files/dashboards')
/** What Grafana 10 and later read. */
const schemaVersion = 39
const columns = 24
const datasource = { type: 'prometheus', uid: '${datasource}' }

function thresholds ({ redFrom, redBelow }: Panel): object {
  const green = { color: 'green', value: null }
  if (redFrom !== undefined) return { mode: 'absolute', steps: [green, { color: 'red', value: redFrom }] }
  if (redBelow === undefined) return { mode: 'absolute', steps: [green] }
  return { mode: 'absolute', steps: [{ color: 'red', value: null }, { color: 'green', value: redBelow }] }
}

const types = { stat: 'stat', graph: 'timeseries', table: 'table' } as const
const options = {
  stat: { colorMode: 'value', graphMode: 'area', reduceOptions: { calcs: ['lastNotNull'] } },
  graph: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
  table: { sortBy: [{ displayName: 'Value', desc: true }] }
} as const

function panelOf (panel: Panel, id: number, gridPos: object): object {
  const { title, about, kind, unit, queries } = panel
  return {
    id,
    type: types[kind],
    title,
    description: about,
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit, thresholds: thresholds(panel) }, overrides: [] },
    options: options[kind],
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      datasource,
      expr,
      legendFormat: legend,
      ...kind === 'table' && { format: 'table', instant: true }
    }))
  }
}

function panelsOf ({ rows }: Dashboard): object[] {
  const panels: object[] = []
  let y = 0
  for (const { title, panels: inRow } of rows) {
    panels.push({
      id: panels.length + 1, type: 'row', title, collapsed: false, panels: [], gridPos: { x: 0, y, w: columns, h: 1 }
    })
    y++
    const isStats = inRow.every(({ kind }) => kind === 'stat')
    const perLine = isStats ? inRow.length : Math.min(2, inRow.length)
    const [w, h] = [columns / perLine, isStats ? 4 : 8]
    for (const [index, panel] of inRow.entries()) {
      const place = { x: index % perLine * w, y: y + Math.floor(index / perLine) * h, w, h }
      panels.push(panelOf(panel, panels.length + 1, place))
    }
    y += Math.ceil(inRow.length / perLine) * h
  }
  return panels
}

function variablesOf ({ variables }: Dashboard): object[] {
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
    ...variables.map(({ name, label, query }) => ({
      name,
      label,
      type: 'query',
      datasource,
      query: { query, refId: name },
      refresh: 2,
      multi: true,
      includeAll: true,
      allValue: '.*',
      current: { text: 'All', value: '$__all' },
      sort: 1
    }))
  ]
}

function grafana (dashboard: Dashboard): object {
  return {
    uid: `millrace-${dashboard.file}`,
    title: dashboard.title,
    tags: ['millrace'],
    schemaVersion,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    links: [{ type: 'dashboards', tags: ['millrace'], title: 'millrace', asDropdown: true, includeVars: true }],
    templating: { list: variablesOf(dashboard) },
    panels: panelsOf(dashboard)
  }
}

mkdirSync(folder, { recursive: true })
const wanted = new Map(dashboards.map(each => [`${each.file}.json`, `${JSON.stringify(grafana(each), null, 2)}\n`]))
const isCheck = process.argv.includes('--check')
const stale = readdirSync(folder).filter(name => !wanted.has(name))
for (const [name, text] of wanted) {
  const path = join(folder, name)
  if (!isCheck) writeFileSync(path, text)
  else if (!readdirSync(folder).includes(name) || readFileSync(path, 'utf8') !== text) stale.push(name)
}
for (const name of stale) console.error(`${name} is not current: run node scripts/generate-dashboards.ts, or delete it`)
process.exit(stale.length > 0 ? 1 : 0)
