// What a request asks for, read from its method, path and query.
// https://kubernetes.io/docs/reference/using-api/api-concepts/
import { badRequest } from '../status.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** A path below /api/v1 or /apis/<group>/<version> that names a resource. */
export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
}

export interface KubeRequest {
  readonly method: string
  readonly path: string
  /** Path segments, decoded. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly resource: ResourcePath | undefined
  readonly verb: Verb | undefined
  readonly header: (name: string) => string
}

function decodeSegment (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw badRequest(`invalid URL escape in ${JSON.stringify(text)}`)
  }
}

function resourcePath (segments: readonly string[]): ResourcePath | undefined {
  const isCore = segments[0] === 'api'
  if (!isCore && segments[0] !== 'apis') return undefined
  const group = isCore ? '' : segments[1] ?? ''
  const [version, first, second, third, fourth, fifth, ...more] = segments.slice(isCore ? 1 : 2)
  if (version === undefined || first === undefined || more.length > 0) return undefined
  const isNamespaced = first === 'namespaces' && third !== undefined &&
    !(isCore && (third === 'status' || third === 'finalize') && fourth === undefined)
  if (isNamespaced) {
    return { group, version, plural: third, namespace: second, name: fourth, subresource: fifth }
  }
  if (fourth !== undefined) return undefined
  return { group, version, plural: first, namespace: undefined, name: second, subresource: third }
}

function verbOf (method: string, path: ResourcePath, query: URLSearchParams): Verb | undefined {
  const isOne = path.name !== undefined
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isOne) return 'get'
      return isTrue(query.get('watch')) ? 'watch' : 'list'
    case 'POST': return 'create'
    case 'PUT': return isOne ? 'update' : undefined
    case 'PATCH': return isOne ? 'patch' : undefined
    case 'DELETE': return isOne ? 'delete' : 'deletecollection'
    default: return undefined
  }
}

export function isTrue (value: string | null): boolean {
  return value !== null && ['1', 'true', 'True', 'TRUE', 't'].includes(value)
}

export function parseRequest (method: string, url: string, header: (name: string) => string): KubeRequest {
  const [path = '/', search = ''] = url.split('?', 2)
  const segments = path.split('/').filter(segment => segment !== '').map(decodeSegment)
  const query = new URLSearchParams(search)
  const resource = resourcePath(segments)
  return {
    method, path, segments, query, resource, verb: resource && verbOf(method, resource, query), header
  }
}

/** A whole number of the query, undefined when absent. Throws 400. */
export function integerParameter (query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^-?\d{1,15}$/.test(text)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return Number(text)
}
