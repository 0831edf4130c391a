// The objects of YAML and JSON files, and what applying one would send.
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../operator/kube/types.ts'
import { apiVersion } from '../operator/schema/crd.ts'
import { CliError, exitCodes } from './exit.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** @param files paths; `-` is stdin. @returns Clusters before Topics; what is neither is left out. */
export function readObjects (files: readonly string[]): { objects: KubeObject[], others: string[] } {
  const all = files.flatMap(file => readFile(file))
  const isOurs = (object: KubeObject): boolean =>
    object.apiVersion === apiVersion && (object.kind === 'Cluster' || object.kind === 'Topic')
  const objects = all.filter(isOurs).sort((a, b) => a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : 0)
  const others = all.filter(object => !isOurs(object))
  return { objects, others: others.map(({ kind, metadata }) => `${kind} ${metadata.name}`) }
}

function readFile (file: string): KubeObject[] {
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}`, exitCodes.usage)
  }
  const documents = parseAllDocuments(text)
  return (Array.isArray(documents) ? documents : []).flatMap(document => {
    const [wrong] = document.errors
    if (wrong !== undefined) throw new CliError(`${file}: ${wrong.message.split('\n')[0]}`, exitCodes.usage)
    const value = document.toJS() as unknown
    if (value === null || value === undefined) return []
    const { items } = value as { items?: unknown[] }
    return (Array.isArray(items) ? items : [value]).map(item => objectOf(file, item))
  })
}

function objectOf (file: string, value: unknown): KubeObject {
  const { kind, apiVersion: version, metadata } = value as Partial<KubeObject> ?? {}
  if (typeof kind !== 'string' || typeof version !== 'string' || typeof metadata?.name !== 'string') {
    throw new CliError(`${file} holds something that is no Kubernetes object with a name`, exitCodes.usage)
  }
  return value as KubeObject
}

/**
 * The merge patch that `kubectl apply` sends for a custom resource: what the file says, and what an earlier file said
 * and this one does not, taken away.
 */
export function patchOf (live: KubeObject, wanted: KubeObject): object {
  const text = live.metadata.annotations?.[lastApplied]
  const before = text === undefined ? {} : JSON.parse(text) as object
  const { apiVersion: _version, kind: _kind, status: _status, metadata, ...rest } = wanted
  const { labels, annotations } = metadata
  return withRemovals(before, {
    ...rest,
    metadata: { ...labels !== undefined && { labels }, ...annotations !== undefined && { annotations } }
  })
}

function withRemovals (before: object, now: object): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...now }
  for (const [name, was] of Object.entries(before) as [string, unknown][]) {
    if (['apiVersion', 'kind', 'status', 'name', 'namespace'].includes(name)) continue
    const is = patch[name]
    if (is === undefined) {
      // Of the metadata only labels and annotations are a file's.
      patch[name] = isMap(was) && name === 'metadata' ? {} : null
    } else if (isMap(was) && isMap(is)) {
      patch[name] = withRemovals(was, is)
    }
  }
  return patch
}

function isMap (value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
