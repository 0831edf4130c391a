// Sets of field paths, as metadata.managedFields keeps them (FieldsV1): a tree whose keys are
// `f:name` (field or map key), `k:{...}` (list item by keys), `v:...` (item of a set).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
import type { Json, JsonObject } from '../object.ts'
import { isObject } from '../object.ts'
import { fieldSchema, itemSchema } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'

export interface FieldSet {
  /** The path that leads here is in the set. */
  member: boolean
  children: Map<string, FieldSet>
}

export function emptySet (): FieldSet {
  return { member: false, children: new Map() }
}

export function isEmptySet (set: FieldSet): boolean {
  return !set.member && set.children.size === 0
}

export function childOf (set: FieldSet, element: string): FieldSet {
  let node = set.children.get(element)
  if (node === undefined) set.children.set(element, node = emptySet())
  return node
}

/** Combines two trees; nodes that end up empty are left out. */
function combine (left: FieldSet | undefined, right: FieldSet | undefined,
  member: (left: boolean, right: boolean) => boolean): FieldSet {
  const result = emptySet()
  result.member = member(left?.member ?? false, right?.member ?? false)
  const elements = new Set([...left?.children.keys() ?? [], ...right?.children.keys() ?? []])
  for (const element of elements) {
    const node = combine(left?.children.get(element), right?.children.get(element), member)
    if (!isEmptySet(node)) result.children.set(element, node)
  }
  return result
}

export function union (left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (a, b) => a || b)
}

export function difference (left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (a, b) => a && !b)
}

export function intersection (left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (a, b) => a && b)
}

/** Takes away the subtrees at `paths`. */
export function without (set: FieldSet, paths: readonly (readonly string[])[]): FieldSet {
  const result: FieldSet = { member: set.member, children: new Map() }
  for (const [element, node] of set.children) {
    const inside = paths.filter(path => path[0] === element).map(path => path.slice(1))
    if (inside.some(path => path.length === 0)) continue
    const kept = inside.length === 0 ? node : without(node, inside)
    if (!isEmptySet(kept)) result.children.set(element, kept)
  }
  return result
}

/** Keeps only the subtree at `element`. */
export function only (set: FieldSet, element: string): FieldSet {
  const node = set.children.get(element)
  return { member: false, children: node === undefined ? new Map() : new Map([[element, node]]) }
}

/** Adds the struct fields on the way to members, which sets normally leave out. */
export function withNamedFields (set: FieldSet, schema: Schema | undefined): FieldSet {
  const result: FieldSet = { member: set.member, children: new Map() }
  for (const [element, node] of set.children) {
    const isField = element.startsWith('f:')
    const name = element.slice(2)
    const inner = schema === undefined
      ? undefined
      : isField ? fieldSchema(schema, name) : itemSchema(schema)
    const next = withNamedFields(node, inner)
    const isNamed = isField && schema?.properties !== undefined && Object.hasOwn(schema.properties, name)
    if (isNamed && node.children.size > 0) next.member = true
    result.children.set(element, next)
  }
  return result
}

/** All member paths, each as its elements. */
export function * paths (set: FieldSet, prefix: readonly string[] = []): Generator<readonly string[]> {
  for (const element of [...set.children.keys()].toSorted()) {
    const node = set.children.get(element)
    if (node === undefined) continue
    const path = [...prefix, element]
    if (node.member) yield path
    yield * paths(node, path)
  }
}

/** `.spec.containers[name="x"].image` */
export function pathText (path: readonly string[]): string {
  return path.map(element => {
    const text = element.slice(2)
    if (element.startsWith('f:')) return `.${text}`
    if (!element.startsWith('k:')) return `[${element.startsWith('v:') ? '=' : ''}${text}]`
    const keys = Object.entries(JSON.parse(text) as JsonObject)
    return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`
  }).join('')
}

export function toFieldsV1 (set: FieldSet): JsonObject {
  const result: JsonObject = {}
  if (set.member && set.children.size > 0) result['.'] = {}
  for (const element of [...set.children.keys()].toSorted()) {
    const node = set.children.get(element)
    if (node !== undefined) result[element] = toFieldsV1(node)
  }
  return result
}

export function fromFieldsV1 (fields: Json): FieldSet {
  const root = parseFields(fields)
  root.member = false
  return root
}

function parseFields (fields: Json): FieldSet {
  const set = emptySet()
  if (!isObject(fields)) return set
  const entries = Object.entries(fields)
  set.member = entries.length === 0
  for (const [element, value] of entries) {
    if (element === '.') set.member = true
    else set.children.set(element, parseFields(value))
  }
  return set
}
