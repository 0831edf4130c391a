// From the JSON of a request to an object of a kind: types, unknown fields, defaults. The kind's
// values are validated later (writer.ts), when the server's own fields are in place.
import type { Json, JsonObject, KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import { applyDefaults, prune } from '../schema/prune.ts'
import { DecodeError, decode } from '../schema/decode.ts'
import { objectMetaSchema } from '../schema/schema.ts'
import { badRequest, invalid, invalidValue } from '../status.ts'
import type { ResourceType } from './resource.ts'
import { apiVersionOf } from './resource.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** What one write request says besides its object. */
export interface WriteContext {
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
  readonly dryRun: boolean
  /** Duplicate fields that the parser found in the body, as `spec.a`. */
  readonly duplicates: readonly string[]
  /** Warning headers to send. */
  readonly warnings: string[]
  /** The patch of a PATCH as it came, to be shown in errors. */
  readonly patch?: string
}

export function writeContext (fieldManager: string): WriteContext {
  return { fieldManager, fieldValidation: 'Strict', dryRun: false, duplicates: [], warnings: [] }
}

function cannotBeHandled (type: ResourceType, why: string): Error {
  return badRequest(`${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: ${why}`)
}

/**
 * apiVersion and kind as the path wants them. Absent ones are an error for custom kinds; for built-in
 * ones the path says what they are.
 */
function checkKind (type: ResourceType, raw: JsonObject): void {
  if (!type.custom) {
    raw.kind ??= type.kind
    raw.apiVersion ??= apiVersionOf(type)
  }
  const { apiVersion, kind } = raw
  if (typeof kind !== 'string' || kind === '') {
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(raw).slice(0, 200)}'`)
  }
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    throw badRequest(`Object 'apiVersion' is missing in '${JSON.stringify(raw).slice(0, 200)}'`)
  }
  const wanted = apiVersionOf(type)
  if (type.custom && apiVersion !== wanted) {
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`)
  }
  if (type.custom && kind !== type.kind) {
    const name = isObject(raw.metadata) && typeof raw.metadata.name === 'string' ? raw.metadata.name : ''
    throw invalid(type.group, kind, name, [invalidValue('kind', kind, `must be ${type.kind}`)])
  }
  const subject = `${kind} in version "${apiVersion.split('/').at(-1)}" cannot be handled as a ${type.kind}`
  if (apiVersion !== wanted) {
    throw badRequest(`${subject}: no kind ${JSON.stringify(kind)} is registered for version ` +
      JSON.stringify(apiVersion))
  }
  if (kind !== type.kind) {
    throw badRequest(`${subject}: converting (${kind}) to (${type.kind}): unknown conversion`)
  }
}

/** Splits a custom resource: its metadata is typed like any object's, the rest by its schema. */
function decodeCustom (type: ResourceType, raw: JsonObject, unknown: string[]): Json {
  const { metadata, ...rest } = raw
  const meta = decode(metadata ?? {}, objectMetaSchema(), 'ObjectMeta')
  unknown.push(...meta.unknown.map(path => `metadata.${path}`))
  prune(rest, type.schema, '', unknown, true)
  const object: JsonObject = { apiVersion: raw.apiVersion ?? '', kind: raw.kind ?? '', metadata: meta.value }
  return { ...object, ...rest }
}

/** Unknown and duplicate fields: refused, warned of or ignored. */
function report (type: ResourceType, unknown: readonly string[], context: WriteContext,
  patchOf: string | undefined): void {
  const texts = [
    ...unknown.map(path => `unknown field "${path}"`),
    ...context.duplicates.map(path => `duplicate field "${path}"`)
  ]
  if (texts.length === 0 || context.fieldValidation === 'Ignore') return
  if (context.fieldValidation === 'Warn') {
    context.warnings.push(...texts)
    return
  }
  const all = `strict decoding error: ${texts.join(', ')}`
  if (patchOf === undefined) throw cannotBeHandled(type, all)
  throw invalid(type.group, type.kind, patchOf, [invalidValue('patch', context.patch ?? '', all)])
}

/**
 * The object of a request: typed, pruned, with defaults. `raw` may be changed. `patchOf` names the
 * object when this is the result of a patch, which words its errors differently.
 */
export function admit (type: ResourceType, raw: unknown, context: WriteContext,
  patchOf?: string): KubeObject {
  if (!isObject(raw)) throw badRequest('the body is no JSON object')
  checkKind(type, raw)
  const unknown: string[] = []
  let object: Json
  try {
    if (type.custom) {
      object = decodeCustom(type, raw, unknown)
    } else {
      const decoded = decode(raw, type.schema, type.kind)
      object = decoded.value
      unknown.push(...decoded.unknown)
    }
  } catch (error) {
    if (error instanceof DecodeError) throw cannotBeHandled(type, error.message)
    throw error
  }
  report(type, unknown, context, patchOf)
  if (!isObject(object)) throw badRequest('the body is no JSON object')
  if (!isObject(object.metadata)) object.metadata = {}
  const result = object as unknown as KubeObject
  fillDefaults(type, result)
  return result
}

export function fillDefaults (type: ResourceType, object: KubeObject): void {
  if (type.custom) applyDefaults(object as unknown as Json, type.schema)
  type.strategy.defaults?.(object)
}
