import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { customResourceDefinition } from '../../../operator/schema/crd.ts'
import type { Schema } from '../../../operator/schema/json-schema.ts'
import { resources } from '../../../operator/schema/resources.ts'
import * as limits from '../../../broker/limits.ts'
import * as cluster from '../../../operator/schema/cluster.ts'
import { listenersMax } from '../../../operator/schema/listeners.ts'
import * as topic from '../../../operator/schema/topic.ts'
import { changesAccepted, changesRefused, minimal, refused } from './refusals.ts'

interface Node {
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[]
  readonly type?: string
  readonly properties?: Record<string, Node>
  readonly additionalProperties?: Node
  readonly items?: Node
  readonly enum?: unknown
  readonly format?: string
  readonly maxLength?: number
  readonly maxItems?: number
  readonly maxProperties?: number
}

function walk (node: Node, path: string, visit: (node: Node, path: string) => void): void {
  visit(node, path)
  for (const [name, child] of Object.entries(node.properties ?? {})) walk(child, `${path}.${name}`, visit)
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit)
  if (node.additionalProperties !== undefined) walk(node.additionalProperties, `${path}{}`, visit)
}

/** Whether there is something at a path of `walk`. */
function reaches (value: unknown, [step, ...rest]: readonly string[]): boolean {
  if (value === undefined) return false
  if (step === undefined) return true
  const [, name = '', many] = /^(\w+)(\[\])?$/.exec(step)!
  const next = (value as Record<string, unknown>)[name]
  return many === undefined ? reaches(next, rest) : Array.isArray(next) && next.some(each => reaches(each, rest))
}

it('has current files in crds/', () => {
  const script = join(import.meta.dirname, '../../../scripts/generate-crds.ts')
  expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8', stdio: 'pipe' })).toBe('')
})

it('has the limits of the brokers', () => {
  expect(topic.partitionsPerTopicMax).toBe(limits.partitionsPerTopicMax)
  expect(topic.replicasMax).toBe(limits.replicasMax)
  expect(topic.topicNameLengthMax).toBe(limits.topicNameLengthMax)
  expect(cluster.brokersMax).toBe(limits.brokersMax)
  expect(listenersMax).toBe(limits.listenersMax)
})

it('describes every field that people set or read', () => {
  const bare: string[] = []
  const visit = (schema: Schema, path: string): void => {
    if ('items' in schema) visit(schema.items, `${path}[]`)
    if (!('properties' in schema)) return
    for (const [name, child] of Object.entries(schema.properties)) {
      if ((child.description ?? '') === '') bare.push(`${path}.${name}`)
      visit(child, `${path}.${name}`)
    }
  }
  for (const { kind, spec, status } of resources.filter(({ kind }) => kind !== 'PartitionTable')) {
    visit(spec, `${kind}.spec`)
    visit(status!, `${kind}.status`)
  }
  expect(bare).toEqual([])
})

describe.each(resources)('$kind', resource => {
  it('is structural and bounded everywhere', () => {
    for (const schema of [resource.spec, resource.status ?? { type: 'object' }]) {
      walk(schema as Node, resource.kind, (node, path) => {
        expect(node.type, path).toBeDefined()
        expect(node.properties !== undefined && node.additionalProperties !== undefined, path).toBe(false)
        if (node.type === 'string') {
          const isBounded = node.maxLength !== undefined || node.enum !== undefined || node.format === 'date-time'
          expect(isBounded, path).toBe(true)
        }
        if (node.type === 'array') expect(node.maxItems, path).toBeGreaterThan(0)
        if (node.additionalProperties !== undefined) expect(node.maxProperties, path).toBeGreaterThan(0)
      })
    }
  })

  it('has a refusal and an acceptance in the suite for each of its rules', () => {
    const { spec: { versions: [version] } } = customResourceDefinition(resource) as
      { spec: { versions: { schema: { openAPIV3Schema: Node } }[] } }
    const said = [...refused.map(([kind, , , message]) => [kind, message] as const),
      ...changesRefused.map(([kind, , , , message]) => [kind, message] as const)]
      .filter(([kind]) => kind === resource.kind)
    const taken = changesAccepted.filter(([kind]) => kind === resource.kind)
      .flatMap(([kind, , before, after]) => [before, after].map(spec => ({ spec: { ...minimal[kind], ...spec } })))
    const [unbroken, unkept]: [string[], string[]] = [[], []]
    walk(version!.schema.openAPIV3Schema, '', (node, path) => {
      for (const { message } of node['x-kubernetes-validations'] ?? []) {
        if (!said.some(([, text]) => message.includes(text))) unbroken.push(`${path}: ${message}`)
        if (!taken.some(object => reaches(object, path.split('.').slice(1)))) unkept.push(`${path}: ${message}`)
      }
    })
    expect(unbroken, 'no object breaks the rule').toEqual([])
    expect(unkept, 'no object keeps the rule').toEqual([])
  })

  it('is in the category millrace and has a short name', () => {
    const { spec } = customResourceDefinition(resource) as { spec: { names: { categories: string[] } } }
    expect(spec.names.categories).toEqual(['millrace'])
    expect(resource.shortNames).toEqual([{ Cluster: 'mrc', Topic: 'mrt', PartitionTable: 'mrpt' }[resource.kind]])
  })
})
