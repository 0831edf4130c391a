// Objects as the schema types them: which lists and maps are merged item by item (granular) and
// which are one value (atomic), and from that the set of an object's fields, the difference of two
// objects, their merge and the removal of fields. The rules are those of
// sigs.k8s.io/structured-merge-diff, so that ownership is told as a real server tells it.
import type { Json, JsonObject } from '../object.ts'
import { equal, getOwn, isObject, setOwn } from '../object.ts'
import { fieldSchema, itemSchema } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'
import { childOf, emptySet } from './field-set.ts'
import type { FieldSet } from './field-set.ts'

type Shape = 'leaf' | 'map' | 'list'

/** Maps without a schema are granular, lists without one atomic. */
function shapeOf (schema: Schema | undefined, value: Json | undefined): Shape {
  if (schema?.['x-go-type'] !== undefined) return 'leaf'
  if (isObject(value)) return schema?.['x-kubernetes-map-type'] === 'atomic' || isBlob(schema) ? 'leaf' : 'map'
  return Array.isArray(value) && schema !== undefined && isAssociative(schema) ? 'list' : 'leaf'
}

/** An object of a built-in kind that no definition describes. */
export function isBlob (schema: Schema | undefined): boolean {
  return schema?.type === 'object' && schema.properties === undefined &&
    schema.additionalProperties === undefined && schema['x-kubernetes-preserve-unknown-fields'] !== true
}

export function isAssociative (schema: Schema): boolean {
  const listType = schema['x-kubernetes-list-type']
  if (listType !== undefined) return listType === 'map' || listType === 'set'
  return schema['x-kubernetes-patch-strategy']?.startsWith('merge') === true
}

export function keyNames (schema: Schema): string[] | undefined {
  const names = schema['x-kubernetes-list-map-keys']
  if (schema['x-kubernetes-list-type'] === 'map') return names ?? []
  const mergeKey = schema['x-kubernetes-patch-merge-key']
  return schema['x-kubernetes-list-type'] === undefined && mergeKey !== undefined ? [mergeKey] : undefined
}

function ordered (value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.keys(value).toSorted().map(key => [key, ordered(value[key] ?? null)]))
}

/** The path element of a list's item: `k:{"name":"x"}` or `v:"x"`. */
export function itemElement (schema: Schema, item: Json): string {
  const names = keyNames(schema)
  if (names === undefined) return `v:${JSON.stringify(ordered(item))}`
  const items = itemSchema(schema)
  const keys: JsonObject = {}
  for (const name of names.toSorted()) {
    const held = isObject(item) ? getOwn(item, name) as Json | undefined : undefined
    const value = held ?? (items === undefined ? undefined : fieldSchema(items, name)?.default)
    if (value !== undefined) keys[name] = value
  }
  return `k:${JSON.stringify(keys)}`
}

function isNamedField (schema: Schema | undefined, name: string): boolean {
  return schema?.properties !== undefined && Object.hasOwn(schema.properties, name)
}

function isEmptyMap (value: Json): boolean {
  return value === null || (isObject(value) && Object.keys(value).length === 0)
}

/** The set of all fields of `value`. */
export function fieldSetOf (value: Json, schema: Schema | undefined): FieldSet {
  const set = emptySet()
  collect(value, schema, set)
  set.member = false
  return set
}

function collect (value: Json, schema: Schema | undefined, set: FieldSet): void {
  switch (shapeOf(schema, value)) {
    case 'leaf':
      set.member = true
      return
    case 'map':
      for (const [name, item] of Object.entries(value as JsonObject)) {
        const node = childOf(set, `f:${name}`)
        collect(item, schema === undefined ? undefined : fieldSchema(schema, name), node)
        if (isEmptyMap(item) || !isNamedField(schema, name)) node.member = true
        if (!node.member && node.children.size === 0) set.children.delete(`f:${name}`)
      }
      return
    case 'list':
      if (schema === undefined) return
      for (const item of value as Json[]) {
        const node = childOf(set, itemElement(schema, item))
        collect(item, itemSchema(schema), node)
        node.member = true
      }
  }
}

export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

/** What changed from `left` to `right`. */
export function compare (left: Json, right: Json, schema: Schema | undefined): Comparison {
  const result = { added: emptySet(), modified: emptySet(), removed: emptySet() }
  compareAt(left, right, schema, result, [])
  for (const set of Object.values(result)) set.member = false
  return result
}

function insert (set: FieldSet, path: readonly string[]): void {
  let node = set
  for (const element of path) node = childOf(node, element)
  node.member = true
}

function compareAt (left: Json | undefined, right: Json | undefined, schema: Schema | undefined,
  result: Comparison, path: string[]): void {
  const shape = shapeOf(schema, right ?? left)
  const isSameShape = left === undefined || right === undefined || shapeOf(schema, left) === shape
  if (shape === 'leaf' || !isSameShape) {
    if (left === undefined) insert(result.added, path)
    else if (right === undefined) insert(result.removed, path)
    else if (!equal(left, right)) insert(result.modified, path)
    return
  }
  if (shape === 'map') {
    const before = (left ?? {}) as JsonObject
    const after = (right ?? {}) as JsonObject
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compareAt(getOwn(before, name) as Json | undefined, getOwn(after, name) as Json | undefined,
        schema === undefined ? undefined : fieldSchema(schema, name), result, [...path, `f:${name}`])
    }
  } else if (schema !== undefined) {
    const before = indexed(schema, left as Json[] | undefined)
    const after = indexed(schema, right as Json[] | undefined)
    for (const element of new Set([...before.keys(), ...after.keys()])) {
      compareAt(before.get(element), after.get(element), itemSchema(schema), result, [...path, element])
    }
  }
  if (left === undefined) insert(result.added, path)
  else if (right === undefined) insert(result.removed, path)
}

function indexed (schema: Schema, list: readonly Json[] | undefined): Map<string, Json> {
  const items = new Map<string, Json>()
  for (const item of list ?? []) {
    const element = itemElement(schema, item)
    if (!items.has(element)) items.set(element, item)
  }
  return items
}

/** `live` with everything that `config` says; what config does not mention stays. */
export function merge (live: Json | undefined, config: Json | undefined, schema: Schema | undefined): Json {
  if (config === undefined) return live ?? null
  if (live === undefined) return config
  const shape = shapeOf(schema, config)
  if (shape === 'leaf' || shapeOf(schema, live) !== shape) return config
  if (shape === 'list' && schema !== undefined) {
    return mergeLists(live as Json[], config as Json[], schema)
  }
  const result: JsonObject = { ...live as JsonObject }
  for (const [name, value] of Object.entries(config as JsonObject)) {
    setOwn(result, name, merge(getOwn(live as JsonObject, name) as Json | undefined, value,
      schema === undefined ? undefined : fieldSchema(schema, name)))
  }
  return result
}

/** Shared items in the order of config; items of live alone stay, before those of config alone. */
function mergeLists (live: readonly Json[], config: readonly Json[], schema: Schema): Json[] {
  const liveItems = indexed(schema, live)
  const wanted = indexed(schema, config)
  const left = live.map(item => itemElement(schema, item))
  const right = [...wanted.keys()]
  const shared = right.filter(element => liveItems.has(element))
  const result: Json[] = []
  const done = new Set<string>()
  const take = (element: string): void => {
    done.add(element)
    result.push(merge(liveItems.get(element), wanted.get(element), itemSchema(schema)))
    if (shared[0] === element) shared.shift()
  }
  let [leftAt, rightAt] = [0, 0]
  while (leftAt < left.length || rightAt < right.length) {
    const [here, there] = [left[leftAt], right[rightAt]]
    if (here !== undefined && here === there) {
      take(here)
      leftAt++
      rightAt++
    } else if (here !== undefined && !wanted.has(here)) {
      result.push(live[leftAt++] ?? null)
    } else if (here !== undefined && (done.has(here) || (there !== undefined && shared[0] !== here))) {
      // Its place is given by config, and that is elsewhere.
      leftAt++
    } else if (there !== undefined) {
      take(there)
      rightAt++
    }
  }
  return result
}

/** `value` without the members of `set`. */
export function removeFields (value: Json, set: FieldSet, schema: Schema | undefined): Json {
  const shape = shapeOf(schema, value)
  if (shape === 'leaf') return value
  if (shape === 'list' && schema !== undefined) {
    const kept: Json[] = []
    for (const item of value as Json[]) {
      const node = set.children.get(itemElement(schema, item))
      if (node?.member === true) continue
      kept.push(node === undefined ? item : removeFields(item, node, itemSchema(schema)))
    }
    return kept
  }
  const result: JsonObject = {}
  for (const [name, item] of Object.entries(value as JsonObject)) {
    const node = set.children.get(`f:${name}`)
    if (node?.member === true) continue
    const kept = node === undefined
      ? item
      : removeFields(item, node, schema === undefined ? undefined : fieldSchema(schema, name))
    // A container of which nothing is left goes too.
    const isLeftover = node !== undefined && node.children.size > 0 &&
      ((Array.isArray(kept) && kept.length === 0) || (isObject(kept) && Object.keys(kept).length === 0))
    if (!isLeftover) setOwn(result, name, kept)
  }
  return result
}
