// Custom resources: fields that the schema does not declare are dropped (and named), nulls that it
// does not allow give way to defaults.
import type { Json, JsonObject } from '../object.ts'
import { clone, getOwn, isObject, setOwn } from '../object.ts'
import { child, fieldSchema, index, itemSchema, resolve } from './schema.ts'
import type { Schema } from './schema.ts'

/** Drops undeclared fields in place; their paths are added to `unknown`. */
export function prune (value: Json, schema: Schema, path: string, unknown: string[],
  isRoot = false): void {
  if (Array.isArray(value)) {
    const items = itemSchema(schema)
    value.forEach((item, at) => { prune(item, items ?? {}, index(path, at), unknown) })
    return
  }
  if (!isObject(value)) return
  const isEmbedded = isRoot || schema['x-kubernetes-embedded-resource'] === true
  for (const name of Object.keys(value)) {
    // These belong to every object; they are checked by their own schema, not by this one.
    if (isEmbedded && ['apiVersion', 'kind', 'metadata'].includes(name)) continue
    const declared = fieldSchema(schema, name)
    if (declared !== undefined) {
      prune(value[name] ?? null, declared, child(path, name), unknown)
    } else if (schema['x-kubernetes-preserve-unknown-fields'] !== true &&
        schema.additionalProperties !== true) {
      unknown.push(child(path, name))
      delete value[name]
    }
  }
}

/** Fills in defaults, in place; a null where the schema allows none counts as absent. */
export function applyDefaults (value: Json, schema: Schema): void {
  if (Array.isArray(value)) {
    const items = itemSchema(schema)
    if (items === undefined) return
    value.forEach((item, at) => {
      if (item === null && items.nullable !== true && items.default !== undefined) {
        value[at] = clone(items.default)
      }
      applyDefaults(value[at] ?? null, items)
    })
    return
  }
  if (!isObject(value)) return
  for (const [name, declared] of Object.entries(schema.properties ?? {})) {
    const property = resolve(declared)
    const held = getOwn(value, name) as Json | undefined
    if (held === null && property.nullable !== true) delete value[name]
    if (!Object.hasOwn(value, name) && property.default !== undefined) {
      setOwn(value, name, clone(property.default))
    }
    if (Object.hasOwn(value, name)) applyDefaults(value[name] ?? null, property)
  }
  if (typeof schema.additionalProperties !== 'object') return
  const { additionalProperties } = schema
  for (const [name, held] of Object.entries(value)) {
    if (Object.hasOwn(schema.properties ?? {}, name)) continue
    if (held === null && additionalProperties.nullable !== true &&
        additionalProperties.default !== undefined) {
      setOwn(value, name, clone(additionalProperties.default))
    }
    applyDefaults((value as JsonObject)[name] ?? null, additionalProperties)
  }
}
