// Value validation of custom resources, in the words of kube-openapi's validator.
import type { Json, JsonObject } from '../object.ts'
import { equal, getOwn, isObject } from '../object.ts'
import { duplicate, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { isValidFormat } from './formats.ts'
import { re2 } from './re2.ts'
import { child, fieldSchema, index, isIntOrString, itemSchema } from './schema.ts'
import type { Schema } from './schema.ts'

function typeOf (value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function inBody (path: string): string {
  return `${path} in body`
}

function typeError (path: string, expected: string, actual: string): FieldError {
  return {
    reason: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: "${actual}": ${inBody(path)} must be of type ${expected}: "${actual}"`
  }
}

function matchesType (value: Json, schema: Schema): boolean {
  const actual = typeOf(value)
  if (isIntOrString(schema)) return actual === 'integer' || actual === 'string'
  return schema.type === undefined || schema.type === actual ||
    (schema.type === 'number' && actual === 'integer')
}

function tooMany (path: string, actual: number, max: number): FieldError {
  return {
    reason: 'FieldValueTooMany',
    field: path,
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`
  }
}

/** The first of length, pattern and format that does not fit. */
function stringErrors (value: string, schema: Schema, path: string): FieldError[] {
  // Length counts code points, as Go's utf8.RuneCountInString.
  const length = schema.maxLength === undefined && schema.minLength === undefined
    ? 0
    : [...value].length
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    return [{
      reason: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${schema.maxLength} ` +
        (schema.maxLength === 1 ? 'byte' : 'bytes')
    }]
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    return [invalidValue(path, value, `${inBody(path)} should be at least ${schema.minLength} chars long`)]
  }
  if (schema.pattern !== undefined && !re2(schema.pattern).test(value)) {
    return [invalidValue(path, value, `${inBody(path)} should match '${schema.pattern}'`)]
  }
  if (schema.format !== undefined && !isValidFormat(schema.format, value)) {
    return [{
      reason: 'FieldValueTypeInvalid',
      field: path,
      message: `Invalid value: ${JSON.stringify(value)}: ${inBody(path)} must be of type ` +
        `${schema.format}: ${JSON.stringify(value)}`
    }]
  }
  return []
}

function numberErrors (value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { maximum, minimum, multipleOf } = schema
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    const words = schema.exclusiveMaximum === true ? 'less than' : 'less than or equal to'
    errors.push(invalidValue(path, value, `${inBody(path)} should be ${words} ${maximum}`))
  }
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    const words = schema.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to'
    errors.push(invalidValue(path, value, `${inBody(path)} should be ${words} ${minimum}`))
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    errors.push(invalidValue(path, value, `${inBody(path)} should be a multiple of ${multipleOf}`))
  }
  if (schema.format === 'int32' && Math.abs(value) > 0x7fff_ffff && value !== -0x8000_0000) {
    errors.push(invalidValue(path, value,
      `Checked value must be of type integer with format int32 in ${path}`))
  }
  return errors
}

/** A key of a list of type map, or the item itself of a set; undefined when it is no object. */
function listKey (item: Json, schema: Schema): Json | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return item
  if (!isObject(item)) return undefined
  return Object.fromEntries((schema['x-kubernetes-list-map-keys'] ?? [])
    .filter(name => Object.hasOwn(item, name)).map(name => [name, item[name] ?? null]))
}

function uniqueErrors (value: Json[], schema: Schema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type']
  if (listType !== 'set' && listType !== 'map') return []
  const seen = new Map<string, number>()
  const errors: FieldError[] = []
  value.forEach((item, at) => {
    const key = listKey(item, schema)
    if (key === undefined) return
    const text = JSON.stringify(key)
    const times = (seen.get(text) ?? 0) + 1
    seen.set(text, times)
    if (times === 2) errors.push(duplicate(index(path, at), key))
  })
  return errors
}

/** Items of sets and map lists that are there twice, everywhere in `value`. */
export function listTypeErrors (value: Json, schema: Schema, path: string): FieldError[] {
  if (Array.isArray(value)) {
    const items = itemSchema(schema)
    const inside = items === undefined
      ? []
      : value.flatMap((item, at) => listTypeErrors(item, items, index(path, at)))
    return [...uniqueErrors(value, schema, path), ...inside]
  }
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, item]) => {
    const declared = fieldSchema(schema, name)
    return declared === undefined ? [] : listTypeErrors(item, declared, child(path, name))
  })
}

/** The old item that a new one continues: of the same keys, in a list of type map. */
export function correlated (schema: Schema, item: Json, old: Json | undefined): Json | undefined {
  const keys = schema['x-kubernetes-list-map-keys']
  if (schema['x-kubernetes-list-type'] !== 'map' || keys === undefined || !Array.isArray(old)) return undefined
  return old.find(candidate => isObject(candidate) && isObject(item) &&
    keys.every(key => equal(candidate[key], item[key])))
}

function arrayErrors (value: Json[], schema: Schema, path: string, old: Json | undefined): FieldError[] {
  const errors: FieldError[] = []
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(tooMany(path, value.length, schema.maxItems))
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalidValue(path, value.length,
      `${inBody(path)} should have at least ${schema.minItems} items`))
  }
  const items = itemSchema(schema)
  if (items !== undefined) {
    value.forEach((item, at) => {
      errors.push(...validate(item, items, index(path, at), correlated(schema, item, old)))
    })
  }
  return errors
}

function objectErrors (value: JsonObject, schema: Schema, path: string, old: Json | undefined): FieldError[] {
  const errors: FieldError[] = []
  const count = Object.keys(value).length
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push(tooMany(path, count, schema.maxProperties))
  }
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(invalidValue(path, count,
      `${inBody(path)} should have at least ${schema.minProperties} properties`))
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) errors.push(required(child(path, name)))
  }
  const before = isObject(old) ? old : {}
  for (const [name, item] of Object.entries(value)) {
    const declared = fieldSchema(schema, name)
    if (declared === undefined) continue
    errors.push(...validate(item, declared, child(path, name), getOwn(before, name) as Json | undefined))
  }
  return errors
}

function junctorErrors (value: Json, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const part of schema.allOf ?? []) errors.push(...validate(value, part, path))
  const holds = (part: Schema): boolean => validate(value, part, path).length === 0
  if (schema.anyOf !== undefined && !schema.anyOf.some(holds)) {
    errors.push(invalidValue(path, '',
      `"${path}" must validate at least one schema (anyOf)`))
  }
  if (schema.oneOf !== undefined) {
    const found = schema.oneOf.filter(holds).length
    if (found !== 1) {
      errors.push(invalidValue(path, '', `"${path}" must validate one and only one schema (oneOf). ` +
        `Found ${found === 0 ? 'none' : String(found)} valid`))
    }
  }
  if (schema.not !== undefined && holds(schema.not)) {
    errors.push(invalidValue(path, '', `"${path}" must not validate the schema (not)`))
  }
  return errors
}

/**
 * Everything wrong with `value` by the schema's types, bounds, patterns and required fields. What is
 * as it was in `old` is not looked at again, so that a stricter schema does not block every update
 * of what was valid before (ratcheting).
 */
export function validate (value: Json, schema: Schema, path: string, old?: Json): FieldError[] {
  if (old !== undefined && equal(value, old)) return []
  if (value === null && schema.nullable === true) return []
  if (!matchesType(value, schema)) {
    const expected = isIntOrString(schema) ? 'integer,string' : schema.type ?? ''
    return [typeError(path, expected, typeOf(value))]
  }
  const errors: FieldError[] = []
  if (schema.enum !== undefined && !schema.enum.some(item => equal(item, value))) {
    errors.push(notSupported(path, value, schema.enum))
  }
  if (typeof value === 'string') errors.push(...stringErrors(value, schema, path))
  else if (typeof value === 'number') errors.push(...numberErrors(value, schema, path))
  else if (Array.isArray(value)) errors.push(...arrayErrors(value, schema, path, old))
  else if (isObject(value)) errors.push(...objectErrors(value, schema, path, old))
  errors.push(...junctorErrors(value, schema, path))
  return errors
}
