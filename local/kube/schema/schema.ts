// The schema language that built-in kinds (OpenAPI) and custom resources (structural schemas) share.
import { readFileSync } from 'node:fs'
import type { Json } from '../object.ts'
import { getOwn } from '../object.ts'

export interface ValidationRule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  fieldPath?: string
  optionalOldSelf?: boolean
}

/** Types that Go decodes by code of their own; set by builtin/generate.ts. */
export type GoType = 'time' | 'microtime' | 'quantity' | 'intstr' | 'raw' |
  'schemaOrBool' | 'schemaOrArray' | 'schemaOrStrings'

export interface Schema {
  $ref?: string
  type?: string
  format?: string
  description?: string
  title?: string
  default?: Json
  example?: Json
  enum?: Json[]
  nullable?: boolean
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  required?: string[]
  pattern?: string
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  multipleOf?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  minProperties?: number
  maxProperties?: number
  allOf?: Schema[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  not?: Schema
  'x-go-type'?: GoType
  /** Name of the definition that a reference was resolved to. */
  'x-go-name'?: string
  /** A struct that is there even when empty; see generate.ts. */
  'x-go-struct'?: boolean
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'granular' | 'atomic'
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-validations'?: ValidationRule[]
  'x-kubernetes-group-version-kind'?: { group: string, version: string, kind: string }[]
}

let builtin: Record<string, Schema> | undefined

/** The definitions of the built-in kinds, by name; read once. */
export function definitions (): Record<string, Schema> {
  return builtin ??= JSON.parse(
    readFileSync(new URL('../builtin/schema.json', import.meta.url), 'utf8')) as Record<string, Schema>
}

export function definition (name: string): Schema {
  const schema = definitions()[name]
  if (schema === undefined) throw new Error(`no definition of ${name} in builtin/schema.json`)
  return schema
}

const resolved = new WeakMap<Schema, Schema>()

/** The schema that a `$ref` stands for, with what the reference itself adds (merge keys, default). */
export function resolve (schema: Schema): Schema {
  if (schema.$ref === undefined) return schema
  const known = resolved.get(schema)
  if (known !== undefined) return known
  const { $ref, ...own } = schema
  const target = { ...definition($ref), ...own, 'x-go-name': $ref }
  resolved.set(schema, target)
  return target
}

/** The schema of a field or map value; undefined when the schema does not declare it. */
export function fieldSchema (schema: Schema, name: string): Schema | undefined {
  const own = schema.properties === undefined ? undefined : getOwn(schema.properties, name)
  if (own !== undefined) return resolve(own as Schema)
  if (typeof schema.additionalProperties === 'object') return resolve(schema.additionalProperties)
  return undefined
}

export function itemSchema (schema: Schema): Schema | undefined {
  return schema.items === undefined ? undefined : resolve(schema.items)
}

const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

/** metadata of every kind. */
export function objectMetaSchema (): Schema {
  return definition(objectMetaName)
}

export function isIntOrString (schema: Schema): boolean {
  return schema['x-kubernetes-int-or-string'] === true || schema['x-go-type'] === 'intstr'
}

/** `spec.a` or `a`. */
export function child (path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

export function index (path: string, at: number | string): string {
  return `${path}[${at}]`
}
