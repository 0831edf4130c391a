// One function per verb on a resource: from the parts of a request to the answer's code and body.
import type { DeleteOptions } from '../contract.ts'
import type { Json, JsonObject, KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { mergePatch } from '../patch/merge-patch.ts'
import { strategicMerge } from '../patch/strategic.ts'
import type { FieldValidation, WriteContext } from '../registry/codec.ts'
import type { Deleter } from '../registry/deleter.ts'
import type { ListQuery, Reader } from '../registry/reader.ts'
import type { ResourceType } from '../registry/resource.ts'
import { scaleOf, withScale } from '../registry/scale.ts'
import { checkFieldManager } from '../registry/writer.ts'
import type { Target, Writer } from '../registry/writer.ts'
import {
  ApiError, badRequest, forbiddenField, invalid, methodNotAllowed, noSuchPath, notSupported, required, unsupportedMedia
} from '../status.ts'
import type { Parsed } from './body.ts'
import { parseBody } from './body.ts'
import type { KubeRequest, ResourcePath } from './request.ts'
import { integerParameter, isTrue } from './request.ts'

export interface Services {
  readonly reader: Reader
  readonly writer: Writer
  readonly deleter: Deleter
}

export interface Answer {
  readonly code: number
  /** A Kubernetes object (in the client's wanted form) or anything else, sent as it is. */
  readonly object?: KubeObject
  readonly body?: JsonObject
}

/** One request with all that the verbs need. */
export interface Call {
  readonly request: KubeRequest
  readonly path: ResourcePath
  readonly type: ResourceType
  readonly body: Buffer
  readonly services: Services
  readonly warnings: string[]
}

export function listQuery ({ query }: KubeRequest, path: ResourcePath): ListQuery {
  const byName = path.name === undefined ? '' : `metadata.name=${path.name}`
  const fields = [query.get('fieldSelector') ?? '', byName].filter(text => text !== '').join(',')
  return {
    namespace: path.namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: fields === '' ? undefined : fields,
    limit: integerParameter(query, 'limit'),
    continueToken: query.get('continue') ?? undefined,
    resourceVersion: query.get('resourceVersion') ?? undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined
  }
}

function mediaType (request: KubeRequest): string {
  return request.header('content-type').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** The manager's name: given, or the program's name in the User-Agent. */
function fieldManager (request: KubeRequest): string {
  const given = request.query.get('fieldManager')
  if (given !== null && given !== '') {
    checkFieldManager(given)
    return given
  }
  return request.header('user-agent').split('/', 1)[0]?.slice(0, 128) || 'unknown'
}

function isDryRun (query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter(value => value !== '')
  if (values.some(value => value !== 'All')) {
    throw invalid('meta.k8s.io', 'CreateOptions', '', [notSupported('dryRun', values, ['All'])])
  }
  return values.length > 0
}

function writeContext (call: Call, duplicates: readonly string[]): WriteContext {
  const { query } = call.request
  const validation = query.get('fieldValidation') || 'Warn'
  if (!['Strict', 'Warn', 'Ignore'].includes(validation)) {
    throw invalid('meta.k8s.io', 'CreateOptions', '',
      [notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn'])])
  }
  return {
    fieldManager: fieldManager(call.request),
    fieldValidation: validation as FieldValidation,
    dryRun: isDryRun(query),
    duplicates,
    warnings: call.warnings
  }
}

function targetOf ({ path, type }: Call): Target {
  if (path.name === undefined) throw methodNotAllowed()
  const { subresource: given } = path
  const subresource = given === 'status' || given === 'scale' ? given : undefined
  if (subresource === 'status' && !type.hasStatus) throw noSuchPath()
  if (subresource === 'scale' && type.scale === undefined) throw noSuchPath()
  return { type, namespace: path.namespace, name: path.name, subresource }
}

export function get (call: Call): Answer {
  const { path, type, services } = call
  const target = targetOf(call)
  const object = services.writer.live(target)
  if (path.subresource === 'scale') return { code: 200, body: scaleOf(type, object) }
  if (path.subresource !== undefined && path.subresource !== 'status') throw noSuchPath()
  return { code: 200, object }
}

export async function create (call: Call): Promise<Answer> {
  const { path, type, body, services, request } = call
  const isSubresource = path.subresource !== undefined || path.name !== undefined
  if (isSubresource && type.table !== 'pods') throw noSuchPath()
  const { value, duplicates } = await parseBody(body, mediaType(request))
  const context = writeContext(call, duplicates)
  if (isSubresource) return createSubresource(call, value, context)
  if (type.namespaced && path.namespace === undefined) throw methodNotAllowed()
  return { code: 201, object: services.writer.create(type, path.namespace, value, context) }
}

/** Subresources that are only created: a pod's binding to a node, and its eviction. */
function createSubresource (call: Call, value: Json, context: WriteContext): Answer {
  const { path, type, services } = call
  if (path.name === undefined) throw noSuchPath()
  const target: Target = { type, namespace: path.namespace, name: path.name }
  if (path.subresource === 'binding') {
    const node = isObject(value) && isObject(value.target) ? value.target.name : undefined
    if (typeof node !== 'string') throw badRequest('Binding in version "v1" names no target')
    services.writer.patch(target, live => ({ ...live, spec: { ...live.spec as JsonObject, nodeName: node } }), context)
  } else if (path.subresource === 'eviction') {
    const options = isObject(value) && isObject(value.deleteOptions) ? value.deleteOptions : {}
    services.deleter.delete(target, deleteOptions(options, new URLSearchParams()), context.dryRun)
  } else {
    throw noSuchPath()
  }
  return { code: 201, body: success() }
}

export async function update (call: Call): Promise<Answer> {
  const { path, type, body, services, request } = call
  const { value, duplicates } = await parseBody(body, mediaType(request))
  const context = writeContext(call, duplicates)
  const target = targetOf(call)
  if (path.subresource === 'scale') {
    const object = services.writer.patch(target, live => withScale(type, live, value), context)
    return { code: 200, body: scaleOf(type, object) }
  }
  if (path.subresource === 'finalize' && type.table === 'namespaces') {
    return { code: 200, object: services.writer.update(target, value, context) }
  }
  if (path.subresource !== undefined && path.subresource !== 'status') throw noSuchPath()
  return { code: 200, object: services.writer.update(target, value, context) }
}

type Change = (live: JsonObject) => Json

/** How a patch of this media type changes an object. */
function changeOf (media: string, patch: Json, type: ResourceType): Change {
  switch (media) {
    case 'application/json-patch+json': return live => applyJsonPatch(live, patch)
    case 'application/merge-patch+json': return live => mergePatch(live, patch)
    case 'application/strategic-merge-patch+json':
      // Custom resources have no merge keys; a real server refuses this too.
      if (!type.custom) return live => strategicMerge(live, patch, type.schema)
  }
  const media_ = ['application/json-patch+json', 'application/merge-patch+json',
    ...type.custom ? [] : ['application/strategic-merge-patch+json'], 'application/apply-patch+yaml']
  throw unsupportedMedia('the body of the request was in an unknown format - accepted media types ' +
    `include: ${media_.join(', ')}`)
}

async function parsePatch (body: Buffer, media: string): Promise<Parsed> {
  try {
    return await parseBody(body, media)
  } catch (error) {
    const isMalformed = error instanceof ApiError && error.code === 400
    throw isMalformed ? badRequest(error.message.replace(/^the object provided.*?: /, 'error decoding patch: ')) : error
  }
}

export async function patch (call: Call): Promise<Answer> {
  const { path, type, body, services, request } = call
  const media = mediaType(request)
  if (media === 'application/apply-patch+yaml') return await apply(call)
  const { value, duplicates } = await parsePatch(body, media)
  const context = { ...writeContext(call, duplicates), patch: body.toString('utf8') }
  const target = targetOf(call)
  if (isTrue(request.query.get('force'))) {
    throw invalid('meta.k8s.io', 'PatchOptions', '',
      [forbiddenField('force', 'may not be specified for non-apply patch')])
  }
  const change = changeOf(media, value, type)
  if (path.subresource === 'scale') {
    const object = services.writer.patch(target, live => {
      const scale = change(scaleOf(type, live as unknown as KubeObject))
      return withScale(type, live, scale)
    }, context)
    return { code: 200, body: scaleOf(type, object) }
  }
  if (path.subresource !== undefined && path.subresource !== 'status') throw noSuchPath()
  return { code: 200, object: services.writer.patch(target, change, context) }
}

async function apply (call: Call): Promise<Answer> {
  const { body, services, request } = call
  const { value, duplicates } = await parseBody(body, 'application/yaml')
  if ((request.query.get('fieldManager') ?? '') === '') {
    throw invalid('meta.k8s.io', 'PatchOptions', '', [required('fieldManager', 'is required for apply patch')])
  }
  if (call.path.subresource !== undefined && call.path.subresource !== 'status') throw noSuchPath()
  const target = targetOf(call)
  const isNew = services.writer.find(target) === undefined
  const object = services.writer.apply(target, value, isTrue(request.query.get('force')),
    writeContext(call, duplicates))
  return { code: isNew ? 201 : 200, object }
}

function success (details: JsonObject = {}): JsonObject {
  return {
    kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...Object.keys(details).length > 0 && { details }
  }
}

/** From the body, or for what it does not say from the query. */
function deleteOptions (body: JsonObject, query: URLSearchParams): DeleteOptions {
  const grace = body.gracePeriodSeconds ?? integerParameter(query, 'gracePeriodSeconds')
  if (grace !== undefined && (typeof grace !== 'number' || grace < 0 || !Number.isInteger(grace))) {
    throw badRequest('gracePeriodSeconds must be a whole number that is not negative')
  }
  const orphan = body.orphanDependents ??
    (query.has('orphanDependents') ? isTrue(query.get('orphanDependents')) : undefined)
  const policy = body.propagationPolicy ?? query.get('propagationPolicy') ??
    (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined)
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan') {
    throw invalid('meta.k8s.io', 'DeleteOptions', '',
      [notSupported('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil'])])
  }
  const preconditions = isObject(body.preconditions) ? body.preconditions : {}
  const { uid, resourceVersion } = preconditions
  return {
    ...grace !== undefined && { gracePeriodSeconds: grace },
    ...policy !== undefined && { propagationPolicy: policy },
    preconditions: {
      ...typeof uid === 'string' && { uid },
      ...typeof resourceVersion === 'string' && { resourceVersion }
    }
  }
}

async function deleteBody (call: Call): Promise<JsonObject> {
  if (call.body.length === 0) return {}
  const { value } = await parseBody(call.body, mediaType(call.request))
  if (!isObject(value)) throw badRequest('the body is no DeleteOptions')
  return value
}

export async function remove (call: Call): Promise<Answer> {
  const { type, services, request } = call
  const body = await deleteBody(call)
  const target = targetOf(call)
  if (target.subresource !== undefined) throw methodNotAllowed()
  const options = deleteOptions(body, request.query)
  const dryRun = isDryRun(request.query) || (Array.isArray(body.dryRun) && body.dryRun.length > 0)
  const { object, removed } = services.deleter.delete(target, options, dryRun)
  if (!removed || type.table === 'pods') return { code: 200, object }
  const { name, uid } = object.metadata
  return {
    code: 200,
    body: success({ name, ...type.group !== '' && { group: type.group }, kind: type.plural, uid: uid ?? '' })
  }
}

export async function removeCollection (call: Call): Promise<{ objects: KubeObject[], revision: number }> {
  const { path, type, services, request } = call
  const body = await deleteBody(call)
  const options = deleteOptions(body, request.query)
  const dryRun = isDryRun(request.query)
  const result = services.reader.list(type, listQuery(request, path))
  for (const { metadata } of result.objects) {
    services.deleter.delete({ type, namespace: metadata.namespace, name: metadata.name }, options, dryRun)
  }
  return result
}
