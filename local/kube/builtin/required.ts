// Fields that the definitions of built-in kinds require. Numbers and booleans are left to the kinds:
// their zero value may be meant, and a real server cannot tell it from an absent one.
import type { Json } from '../object.ts'
import { getOwn, isObject } from '../object.ts'
import { child, fieldSchema, index, itemSchema, resolve } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'
import { required } from '../status.ts'
import type { FieldError } from '../status.ts'

/** Said to be required, yet accepted empty by a real server. */
const lenient = new Set(['endpoints', 'eventTime', 'metadata', 'jsonPath', 'rule', 'versions', 'verbs'])

function isMissing (value: Json | undefined, schema: Schema): boolean {
  if (schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean') return false
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
}

/** What is missing in `value`; the status is the controllers' own affair. */
export function requiredErrors (value: Json, schema: Schema, path = ''): FieldError[] {
  if (Array.isArray(value)) {
    const items = itemSchema(schema)
    return items === undefined ? [] : value.flatMap((item, at) => requiredErrors(item, items, index(path, at)))
  }
  if (!isObject(value) || schema['x-go-type'] !== undefined) return []
  const errors: FieldError[] = []
  for (const name of schema.required ?? []) {
    const declared = schema.properties?.[name]
    if (declared === undefined || lenient.has(name)) continue
    if (isMissing(getOwn(value, name) as Json | undefined, resolve(declared))) errors.push(required(child(path, name)))
  }
  for (const [name, item] of Object.entries(value)) {
    if (name === 'status' || (path === '' && name === 'metadata')) continue
    const declared = fieldSchema(schema, name)
    if (declared !== undefined) errors.push(...requiredErrors(item, declared, child(path, name)))
  }
  return errors
}
