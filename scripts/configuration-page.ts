// The text of docs/configuration.md, from the schemas of the resources and of the chart.
import * as names from '../operator/objects/names.ts'
import type { Schema } from '../operator/schema/json-schema.ts'
import { bytesOrUnlimitedPattern, bytesPattern, cpuPattern, durationPattern } from '../operator/schema/quantities.ts'
import { clusterResource } from '../operator/schema/cluster.ts'
import type { Resource } from '../operator/schema/crd.ts'
import { topicResource } from '../operator/schema/topic.ts'
import { chartValues, type ValueSchema } from './chart-values.ts'
import {
  chartChanges, clusterChanges, clusterConditions, effectWords, topicChanges, topicConditions, type Change,
  type ConditionWords
} from './configuration-words.ts'

/** Patterns that have a name. */
const quantities: Readonly<Record<string, string>> = {
  [durationPattern]: 'duration, or `unlimited`',
  [bytesPattern]: 'bytes',
  [bytesOrUnlimitedPattern]: 'bytes, or `unlimited`',
  [cpuPattern]: 'CPU'
}

export interface Field {
  /** `spec.listeners[].port` */
  readonly path: string
  readonly schema: Schema
  readonly required: boolean
}

/** Every field with a description of its own, parents first. */
export function fieldsOf (schema: Schema, path: string, required = false): Field[] {
  const own = schema.description === undefined ? [] : [{ path, schema, required }]
  if ('properties' in schema) {
    return [...own, ...Object.entries(schema.properties).flatMap(([name, child]) =>
      fieldsOf(child, `${path}.${name}`, schema.required?.includes(name)))]
  }
  return 'items' in schema ? [...own, ...fieldsOf(schema.items, `${path}[]`)] : own
}

/** What a change of the field does: of the longest path that it lies under. */
export function changeOf (path: string, changes: Readonly<Record<string, Change>>): Change {
  const fits = Object.keys(changes).filter(each => path === each || path.startsWith(`${each}.`) ||
    path.startsWith(`${each}[`))
  const longest = fits.sort((a, b) => b.length - a.length)[0]
  if (longest === undefined) throw new Error(`${path}: what a change does is not in configuration-words.ts`)
  return changes[longest]!
}

function typeOf (schema: Schema): string {
  if ('items' in schema) return 'properties' in schema.items ? 'list of objects' : `list of ${typeOf(schema.items)}s`
  if ('additionalProperties' in schema) return `map of ${typeOf(schema.additionalProperties)}s`
  if ('pattern' in schema && schema.pattern !== undefined) return quantities[schema.pattern] ?? 'text'
  return { string: 'text', integer: 'integer', boolean: 'boolean', object: 'object' }[schema.type]
}

function limitsOf (schema: Schema): string {
  const limits: string[] = []
  if ('enum' in schema && schema.enum !== undefined) limits.push(schema.enum.map(each => `\`${each}\``).join(', '))
  if (schema.type === 'integer') limits.push(range(schema.minimum, schema.maximum))
  if ('pattern' in schema && schema.pattern !== undefined && quantities[schema.pattern] === undefined) {
    limits.push(code(schema.pattern))
  }
  if ('maxLength' in schema && schema.maxLength !== undefined) limits.push(`${schema.maxLength} characters`)
  if ('maxItems' in schema && schema.maxItems !== undefined) limits.push(`${schema.maxItems} entries`)
  if ('maxProperties' in schema && schema.maxProperties !== undefined) limits.push(`${schema.maxProperties} entries`)
  return limits.filter(text => text !== '').join('; ')
}

function range (from: number | undefined, to: number | undefined): string {
  if (from !== undefined && to !== undefined) return `${from} to ${to}`
  return from === undefined ? '' : `from ${from}`
}

function code (text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``
}

/** Cells of one row. */
function row (...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function table (head: readonly string[], rows: readonly string[]): string {
  return [row(...head), `|${'---|'.repeat(head.length)}`, ...rows].join('\n')
}

function fallbackOf ({ schema, required }: Field): string {
  if (required) return 'required'
  if (!('default' in schema) || schema.default === undefined) return ''
  return code(typeof schema.default === 'string' ? schema.default : JSON.stringify(schema.default))
}

function specTable (resource: Resource, changes: Readonly<Record<string, Change>>): string {
  return table(['field', 'type', 'default', 'limits', 'a change', 'meaning'],
    fieldsOf(resource.spec, 'spec').map(field => {
      const { effect, words = effectWords[effect] } = changeOf(field.path, changes)
      const { path, schema } = field
      return row(code(path), typeOf(schema), fallbackOf(field), limitsOf(schema), words, schema.description!)
    }))
}

function statusTable (resource: Resource): string {
  return table(['field', 'type', 'limits', 'meaning'], fieldsOf(resource.status!, 'status').map(({ path, schema }) =>
    row(code(path), typeOf(schema), limitsOf(schema), schema.description!)))
}

/** What the API server refuses beyond types and limits, in the words that it says. */
function rules (resource: Resource): string {
  const found: string[] = []
  const visit = (schema: Schema, path: string): void => {
    for (const { message } of schema['x-kubernetes-validations'] ?? []) found.push(`- \`${path}\`: ${message}`)
    if ('properties' in schema) {
      for (const [name, child] of Object.entries(schema.properties)) visit(child, `${path}.${name}`)
    }
    if ('items' in schema) visit(schema.items, `${path}[]`)
  }
  for (const { message } of resource.rules ?? []) found.push(`- ${message}`)
  visit(resource.spec, 'spec')
  return found.join('\n')
}

function conditions (list: readonly ConditionWords[]): string {
  return table(['condition', 'reason', 'meaning'], list.flatMap(({ type, meaning, reasons }) => [
    row(`**${type}**`, '', `${meaning}`),
    ...Object.entries(reasons).map(([reason, words]) => row('', code(reason), words))
  ]))
}

function section (resource: Resource, changes: Readonly<Record<string, Change>>,
  words: readonly ConditionWords[], more: string): string {
  const { kind, description, shortNames } = resource
  return `## ${kind}\n\n${description} \`kubectl get ${shortNames[0]}\`; the definition is ` +
    `\`crds/millrace.dev_${resource.plural}.yaml\`.\n\n${specTable(resource, changes)}\n\n${more}` +
    `Refused by the API server, in these words:\n\n${rules(resource)}\n\n### Status of a ${kind}\n\n` +
    `${statusTable(resource)}\n\n${conditions(words)}\n`
}

function chartLimits (schema: ValueSchema): string {
  const { minimum, maximum, pattern, maxLength, maxItems } = schema
  return [
    (schema.enum ?? []).map(each => `\`${each}\``).join(', '), range(minimum, maximum),
    pattern === undefined ? '' : code(pattern), maxLength === undefined ? '' : `${maxLength} characters`,
    maxItems === undefined ? '' : `${maxItems} entries`
  ].filter(text => text !== '').join('; ')
}

export function chartChange (path: string): string {
  const parts = path.split('.')
  for (let length = parts.length; length > 0; length--) {
    const words = chartChanges[parts.slice(0, length).join('.')]
    if (words !== undefined) return words
  }
  throw new Error(`${path}: what a change does is not in configuration-words.ts`)
}

function chartSection (): string {
  const types: Readonly<Record<string, string>> = { array: 'list', string: 'text' }
  const rows = chartValues().map(({ path, fallback, meaning, schema }) => {
    const type = schema.type ?? 'string'
    return row(code(path), types[type] ?? type, code(fallback), chartLimits(schema), chartChange(path), meaning)
  })
  return '## Values of the chart\n\nFor `helm install` and `helm upgrade`; what is in no row is refused. Only ' +
    `\`image\` concerns brokers.\n\n${table(['value', 'type', 'default', 'limits', 'a change', 'meaning'], rows)}\n`
}

const annotations = [
  [names.pausedAnnotation, 'Cluster, Topic', '`"true"`: the operator changes nothing but the status ' +
    '([pausing](operations/pause.md))'],
  [names.adoptVolumesAnnotation, 'Cluster', 'the uid of another cluster: its volumes are taken over ' +
    '([a Cluster made again](operations/adopt.md))']
] as const

export function configurationPage (): string {
  const durations = 'Durations are text such as `30m`, `168h`, `7d`, `1h30m`; bytes are Kubernetes quantities such ' +
    'as `512Mi`, `10Gi`, `500M`;\nCPU is `2` or `500m`.'
  const spread = 'Beyond the schema the operator refuses values that cannot be, such as a `groupExpiry` below `60s`: ' +
    'the conditions say\n`InvalidSpec`, nothing is changed, and `millrace plan` says so beforehand.\n\n'
  return '# Configuration\n\nEverything that can be set, made from the schemas by `scripts/generate-docs.ts`.\n' +
    '[`millrace plan`](operations/plan.md) says what a change would do before it is applied. Settings of clients ' +
    `are\nin [their reference](api/README.md), limits that cannot be set in [limits](limits.md).\n\n${durations}\n\n` +
    `${section(clusterResource, clusterChanges, clusterConditions, spread)}\n` +
    `${section(topicResource, topicChanges, topicConditions, '')}\n` +
    `## Annotations\n\n${table(['annotation', 'on', 'meaning'], annotations.map(([name, on, meaning]) =>
      row(code(name), on, meaning)))}\n\n${chartSection()}`
}
