// Who owns which field: metadata.managedFields after an update, and the whole of server-side apply.
import type { Json, JsonObject, KubeObject, ManagedFieldsEntry } from '../object.ts'
import { clone, isObject } from '../object.ts'
import { apiVersionOf } from '../registry/resource.ts'
import type { ResourceType } from '../registry/resource.ts'
import { formatTime } from '../schema/time.ts'
import type { Schema } from '../schema/schema.ts'
import { objectMetaSchema, resolve } from '../schema/schema.ts'
import { ApiError, badRequest } from '../status.ts'
import {
  difference, emptySet, fromFieldsV1, intersection, isEmptySet, only, pathText, paths, toFieldsV1, union,
  withNamedFields, without
} from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { typingErrors } from './typing.ts'
import { compare, fieldSetOf, merge, removeFields } from './typed.ts'

interface Manager {
  readonly entry: Omit<ManagedFieldsEntry, 'fieldsV1'>
  set: FieldSet
}

/** Fields that nobody owns: they say which object it is, or only the server writes them. */
const unowned = [['f:apiVersion'], ['f:kind'], ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid',
  'clusterName', 'generation', 'managedFields', 'resourceVersion', 'deletionTimestamp',
  'deletionGracePeriodSeconds'].map(name => ['f:metadata', `f:${name}`])]

/** The schema with the metadata that every object has; a CRD says nothing of it. */
const typedSchemas = new WeakMap<ResourceType, Schema>()

function typedSchema (type: ResourceType): Schema {
  if (!type.custom) return type.schema
  let schema = typedSchemas.get(type)
  if (schema === undefined) {
    const text = { type: 'string' }
    schema = {
      ...type.schema,
      properties: { ...type.schema.properties, apiVersion: text, kind: text, metadata: objectMetaSchema() }
    }
    typedSchemas.set(type, schema)
  }
  return schema
}

/** What a request through this path may own: the status through its subresource, all else not. */
function filtered (type: ResourceType, set: FieldSet, subresource: string | undefined): FieldSet {
  if (subresource === 'status') return only(set, 'f:status')
  const owned = without(set, unowned)
  owned.member = false
  return type.hasStatus ? without(owned, [['f:status']]) : owned
}

function idOf (entry: Omit<ManagedFieldsEntry, 'fieldsV1'>): string {
  return JSON.stringify([entry.manager, entry.operation, entry.subresource ?? '',
    entry.operation === 'Update' ? entry.apiVersion : ''])
}

function load (entries: readonly ManagedFieldsEntry[] | undefined): Map<string, Manager> {
  const managers = new Map<string, Manager>()
  for (const { fieldsV1, ...entry } of entries ?? []) {
    managers.set(idOf(entry), { entry, set: fromFieldsV1(fieldsV1) })
  }
  return managers
}

function save (managers: Map<string, Manager>): ManagedFieldsEntry[] {
  const entries = [...managers.values()].filter(({ set }) => !isEmptySet(set))
    .map(({ entry, set }): ManagedFieldsEntry => ({ ...entry, fieldsV1: toFieldsV1(set) }))
  // Applies first, then by time and name: as a real server sorts them.
  return entries.toSorted((a, b) => a.operation !== b.operation
    ? (a.operation < b.operation ? -1 : 1)
    : (a.time ?? '') !== (b.time ?? '')
        ? ((a.time ?? '') < (b.time ?? '') ? -1 : 1)
        : a.manager < b.manager ? -1 : a.manager > b.manager ? 1 : 0)
}

/** What Go has of an object of a built-in kind before anything is set: its empty structs. */
function emptyOf (schema: Schema): JsonObject {
  const empty: JsonObject = {}
  for (const [name, declared] of Object.entries(schema.properties ?? {})) {
    const property = resolve(declared)
    if (property['x-go-struct'] === true && property['x-go-type'] === undefined) empty[name] = emptyOf(property)
    else if (property.type === 'array' && schema.required?.includes(name) === true) empty[name] = []
  }
  return empty
}

function bare (object: KubeObject | undefined, type: ResourceType): Json {
  if (object === undefined) return type.custom ? { metadata: {} } : emptyOf(type.schema)
  const { managedFields: _managedFields, ...metadata } = object.metadata
  return { ...object, metadata } as unknown as Json
}

/** The writer may edit the entries themselves (kubectl does, to take over from old applies). */
function entriesOf (next: KubeObject, live: KubeObject | undefined): readonly ManagedFieldsEntry[] | undefined {
  const given = next.metadata.managedFields
  if (given === undefined || given.length === 0) return live?.metadata.managedFields
  const isReset = given.length === 1 && given[0]?.manager === undefined
  return isReset ? undefined : given
}

/** managedFields after an update or create: the writer owns what it changed, nobody else does. */
export function trackUpdate (type: ResourceType, live: KubeObject | undefined, next: KubeObject,
  manager: string, subresource: string | undefined, now: number): ManagedFieldsEntry[] {
  const managers = load(entriesOf(next, live))
  const change = compare(bare(live, type), bare(next, type), typedSchema(type))
  const taken = union(change.added, change.modified)
  for (const other of managers.values()) {
    other.set = difference(difference(other.set, taken), change.removed)
  }
  const mine = filtered(type, taken, subresource)
  if (!isEmptySet(mine)) {
    const entry: Manager['entry'] = {
      manager,
      operation: 'Update',
      apiVersion: apiVersionOf(type),
      time: formatTime(now),
      fieldsType: 'FieldsV1',
      ...subresource !== undefined && { subresource }
    }
    const before = managers.get(idOf(entry))
    managers.set(idOf(entry), { entry, set: before === undefined ? mine : union(before.set, mine) })
  }
  return save(managers)
}

export interface ApplyOptions {
  readonly manager: string
  readonly force: boolean
  readonly now: number
  readonly subresource: string | undefined
}

function checkConfig (type: ResourceType, config: unknown): JsonObject {
  if (!isObject(config)) throw badRequest('the applied configuration is no object')
  const apiVersion = apiVersionOf(type)
  if (config.apiVersion !== apiVersion) {
    throw badRequest('Incorrect version specified in apply patch. Specified patch version: ' +
      `${String(config.apiVersion)}, expected: ${apiVersion}`)
  }
  const { metadata } = config
  if (isObject(metadata) && metadata.managedFields !== undefined && metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const wrong = typingErrors(config, typedSchema(type))[0]
  if (wrong !== undefined) {
    const own = isObject(metadata) ? metadata : {}
    const name = [own.namespace ?? '', own.name ?? ''].map(String).join('/')
    const which = `${name}; ${apiVersion}, Kind=${type.kind}`
    throw new ApiError(500, '', `failed to create typed patch object (${which}): ${wrong}`)
  }
  return config
}

function conflictError (conflicts: Map<Manager, FieldSet>): ApiError {
  const causes = [...conflicts].toSorted(([a], [b]) => a.entry.manager < b.entry.manager ? -1 : 1)
    .flatMap(([{ entry }, set]) => [...paths(set)].map(path => {
      const through = entry.subresource === undefined ? '' : ` with subresource "${entry.subresource}"`
      const using = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : ''
      return {
        reason: 'FieldManagerConflict',
        message: `conflict with "${entry.manager}"${through}${using}`,
        field: pathText(path)
      }
    }))
  const count = causes.length
  const first = causes[0]
  const message = count === 1 && first !== undefined
    ? `Apply failed with 1 conflict: ${first.message}: ${first.field}`
    : `Apply failed with ${count} conflicts: ${groupedByManager(causes)}`
  return new ApiError(409, 'Conflict', message, { causes })
}

function groupedByManager (causes: readonly { message: string, field: string }[]): string {
  const groups = new Map<string, string[]>()
  for (const { message, field } of causes) {
    groups.set(message, [...groups.get(message) ?? [], `- ${field}`])
  }
  return [...groups].map(([message, fields]) =>
    `${message.replace('conflict', 'conflicts')}:\n${fields.join('\n')}`).join('\n')
}

/** What the manager applied last time, does not apply now, and nobody else owns, goes. */
function pruned (merged: Json, last: FieldSet, managers: Map<string, Manager>, schema: Schema): Json {
  if (isEmptySet(last)) return merged
  const named = (set: FieldSet): FieldSet => withNamedFields(set, schema)
  const mergedSet = named(fieldSetOf(merged, schema))
  const lastNamed = named(last)
  let result = removeFields(merged, lastNamed, schema)
  let owned = emptySet()
  for (const { set } of managers.values()) owned = union(owned, set)
  result = removeFields(merged,
    difference(mergedSet, union(named(fieldSetOf(result, schema)), named(owned))), schema)
  const left = named(fieldSetOf(result, schema))
  return removeFields(merged, intersection(difference(mergedSet, left), lastNamed), schema)
}

/** Server-side apply: the object that results, and who owns what then. Throws 409 on conflicts. */
export function trackApply (type: ResourceType, live: KubeObject | undefined, rawConfig: unknown,
  options: ApplyOptions): { object: JsonObject, managedFields: ManagedFieldsEntry[] } {
  const config = checkConfig(type, rawConfig)
  const schema = typedSchema(type)
  const managers = load(live?.metadata.managedFields)
  const entry: Manager['entry'] = {
    manager: options.manager,
    operation: 'Apply',
    apiVersion: apiVersionOf(type),
    time: formatTime(options.now),
    fieldsType: 'FieldsV1',
    ...options.subresource !== undefined && { subresource: options.subresource }
  }
  const id = idOf(entry)
  const last = managers.get(id)?.set ?? emptySet()
  managers.set(id, { entry, set: filtered(type, fieldSetOf(config, schema), options.subresource) })
  const before = live === undefined ? {} : bare(live, type)
  const object = pruned(merge(before, config, schema), last, managers, schema)
  const change = compare(before, object, schema)
  const taken = union(change.added, change.modified)
  const conflicts = new Map<Manager, FieldSet>()
  for (const [otherId, other] of managers) {
    if (otherId === id) continue
    const contested = intersection(other.set, taken)
    if (!isEmptySet(contested)) conflicts.set(other, contested)
  }
  if (!options.force && conflicts.size > 0) throw conflictError(conflicts)
  for (const [otherId, other] of managers) {
    if (otherId === id) continue
    other.set = difference(difference(other.set, conflicts.get(other) ?? emptySet()), change.removed)
  }
  return { object: clone(object) as JsonObject, managedFields: save(managers) }
}
