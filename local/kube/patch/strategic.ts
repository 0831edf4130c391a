// Strategic merge patch: what `kubectl apply` and `kubectl edit` send for built-in kinds. Lists are
// merged by the merge keys that the OpenAPI definitions name, with the directives $patch,
// $deleteFromPrimitiveList, $setElementOrder and $retainKeys.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
import type { Json, JsonObject } from '../object.ts'
import { equal, getOwn, isObject, setOwn } from '../object.ts'
import { fieldSchema, itemSchema } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'
import { badRequest } from '../status.ts'

const deleteFrom = '$deleteFromPrimitiveList/'
const setOrder = '$setElementOrder/'

function strategies (schema: Schema | undefined): string[] {
  return schema?.['x-kubernetes-patch-strategy']?.split(',') ?? []
}

/** `target` with `patch` merged in; neither is changed. */
export function strategicMerge (target: Json | undefined, patch: Json, schema: Schema | undefined): Json {
  if (!isObject(patch)) return patch
  const directive = patch.$patch
  if (directive === 'replace') return withoutDirectives(patch)
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') {
    throw badRequest(`invalid value for $patch: ${String(directive)}`)
  }
  const base = isObject(target) ? retained(target, patch) : {}
  const result: JsonObject = { ...base }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$')) continue
    const declared = schema === undefined ? undefined : fieldSchema(schema, name)
    const held = getOwn(result, name) as Json | undefined
    if (value === null) Reflect.deleteProperty(result, name)
    else if (Array.isArray(value)) {
      setOwn(result, name, mergeList(held, value, declared, patch[setOrder + name]))
    } else if (isObject(value) && strategies(declared).includes('replace')) {
      setOwn(result, name, withoutDirectives(value))
    } else {
      setOwn(result, name, strategicMerge(held, value, declared))
    }
  }
  listDirectives(result, patch, schema)
  return result
}

/** $retainKeys: of a union, only the named fields stay. */
function retained (target: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch.$retainKeys
  if (!Array.isArray(keys)) return target
  return Object.fromEntries(Object.entries(target).filter(([name]) => keys.includes(name)))
}

/** Deletions from lists of scalars, and orders of lists that the patch does not otherwise touch. */
function listDirectives (result: JsonObject, patch: JsonObject, schema: Schema | undefined): void {
  for (const [name, value] of Object.entries(patch)) {
    if (!Array.isArray(value)) continue
    if (name.startsWith(deleteFrom)) {
      const field = name.slice(deleteFrom.length)
      const held = getOwn(result, field)
      if (Array.isArray(held)) {
        setOwn(result, field, held.filter((item: Json) => !value.some(gone => equal(gone, item))))
      }
    } else if (name.startsWith(setOrder)) {
      const field = name.slice(setOrder.length)
      const held = getOwn(result, field)
      if (Array.isArray(held) && !Object.hasOwn(patch, field)) {
        const declared = schema === undefined ? undefined : fieldSchema(schema, field)
        setOwn(result, field, inOrder(held, value, held, declared?.['x-kubernetes-patch-merge-key']))
      }
    }
  }
}

function withoutDirectives (value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutDirectives)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith('$'))
    .map(([name, item]) => [name, withoutDirectives(item)]))
}

function keyOf (item: Json, mergeKey: string): Json {
  const key = isObject(item) ? getOwn(item, mergeKey) as Json | undefined : undefined
  if (key === undefined) {
    throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`)
  }
  return key
}

function mergeList (held: Json | undefined, patch: Json[], schema: Schema | undefined,
  order: Json | undefined): Json {
  if (!strategies(schema).includes('merge')) return patch.map(withoutDirectives)
  const base = Array.isArray(held) ? held : []
  const wanted = Array.isArray(order) ? order : undefined
  const mergeKey = schema?.['x-kubernetes-patch-merge-key']
  if (mergeKey === undefined || !patch.every(isObject)) {
    const merged = [...base, ...patch.filter(item => !base.some(one => equal(one, item)))]
    return inOrder(merged, wanted ?? patch, base, undefined)
  }
  if (patch.some(item => isObject(item) && item.$patch === 'replace' && Object.keys(item).length === 1)) {
    return patch.filter(item => !(isObject(item) && item.$patch === 'replace')).map(withoutDirectives)
  }
  const merged = mergeItems(base, patch, mergeKey, schema === undefined ? undefined : itemSchema(schema))
  return inOrder(merged, wanted ?? patch, base, mergeKey)
}

function mergeItems (base: readonly Json[], patch: readonly Json[], mergeKey: string,
  items: Schema | undefined): Json[] {
  let merged = [...base]
  for (const item of patch) {
    const key = keyOf(item, mergeKey)
    const at = merged.findIndex(one => equal(keyOf(one, mergeKey), key))
    if (isObject(item) && item.$patch === 'delete') {
      merged = merged.filter(one => !equal(keyOf(one, mergeKey), key))
    } else if (at < 0) {
      merged.push(strategicMerge(undefined, item, items))
    } else {
      merged[at] = strategicMerge(merged[at], item, items)
    }
  }
  return merged
}

/**
 * Items that `order` names in its order, the others in that of the old list; between the two the old
 * list decides, and where it cannot (a new item) the named one comes first.
 */
function inOrder (merged: readonly Json[], order: readonly Json[], old: readonly Json[],
  mergeKey: string | undefined): Json[] {
  const rankIn = (list: readonly Json[], item: Json): number => list.findIndex(one => mergeKey === undefined
    ? equal(one, item)
    : equal(keyOf(one, mergeKey), keyOf(item, mergeKey)))
  const sorted = (items: readonly Json[], list: readonly Json[]): Json[] =>
    items.toSorted((a, b) => rankIn(list, a) - rankIn(list, b))
  const named = sorted(merged.filter(item => rankIn(order, item) >= 0), order)
  const others = sorted(merged.filter(item => rankIn(order, item) < 0), old)
  const result: Json[] = []
  while (named.length > 0 || others.length > 0) {
    const [one, other] = [named[0], others[0]]
    const isOtherFirst = one === undefined ||
      (other !== undefined && rankIn(old, one) >= 0 && rankIn(old, other) < rankIn(old, one))
    result.push((isOtherFirst ? others : named).shift() ?? null)
  }
  return result
}
