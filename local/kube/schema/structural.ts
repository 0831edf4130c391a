// What a CRD's schema must be like (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/
// custom-resource-definitions/#specifying-a-structural-schema), checked when the CRD is written.
import { clone } from '../object.ts'
import type { Json } from '../object.ts'
import { forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import type { FieldError } from '../status.ts'
import { applyDefaults, prune } from './prune.ts'
import { re2 } from './re2.ts'
import { child, index } from './schema.ts'
import type { Schema } from './schema.ts'
import { validate } from './validate.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

class Checker {
  readonly errors: FieldError[] = []

  #add (...errors: FieldError[]): void {
    this.errors.push(...errors)
  }

  schema (schema: Schema, path: string, isRoot: boolean): void {
    this.#type(schema, path)
    this.#forbidden(schema, path, isRoot)
    this.#lists(schema, path)
    this.#pattern(schema, path)
    this.#default(schema, path)
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      this.schema(property, `${path}.properties[${name}]`, false)
    }
    if (typeof schema.additionalProperties === 'object') {
      this.schema(schema.additionalProperties, child(path, 'additionalProperties'), false)
    }
    if (Array.isArray(schema.items)) {
      this.#add(forbiddenField(child(path, 'items'), 'items must be a schema object and not an array'))
    } else if (schema.items !== undefined) {
      this.schema(schema.items, child(path, 'items'), false)
    } else if (schema.type === 'array') {
      this.#add(required(child(path, 'items'), 'must be specified'))
    }
    for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
      schema[junctor]?.forEach((part, at) => {
        this.#nested(part, schema, index(child(path, junctor), at))
      })
    }
    if (schema.not !== undefined) this.#nested(schema.not, schema, child(path, 'not'))
  }

  #type (schema: Schema, path: string): void {
    const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true ||
      schema['x-kubernetes-int-or-string'] === true
    if (schema.type === undefined || schema.type === '') {
      if (!isOpen) {
        this.#add(required(child(path, 'type'), 'must not be empty for specified object fields'))
      }
    } else if (!types.includes(schema.type)) {
      this.#add(notSupported(child(path, 'type'), schema.type, types))
    }
  }

  #forbidden (schema: Schema, path: string, isRoot: boolean): void {
    if (schema.$ref !== undefined) this.#add(forbiddenField(child(path, '$ref'), '$ref is not supported'))
    if (schema.uniqueItems === true) {
      this.#add(forbiddenField(child(path, 'uniqueItems'),
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
    }
    if (schema.additionalProperties !== undefined) this.#additional(schema, child(path, 'additionalProperties'), isRoot)
    for (const name of ['id', 'definitions', 'dependencies', 'patternProperties', 'additionalItems']) {
      if (Object.hasOwn(schema, name)) this.#add(forbiddenField(child(path, name), `${name} is not supported`))
    }
    if (isRoot && schema.nullable === true) {
      this.#add(forbiddenField(child(path, 'nullable'), 'nullable cannot be true at the root'))
    }
    const metadata = isRoot ? schema.properties?.metadata : undefined
    const own = Object.keys(metadata?.properties ?? {})
    if (own.some(name => name !== 'name' && name !== 'generateName')) {
      this.#add(forbiddenField(`${path}.properties[metadata]`, 'must not specify anything other than name and ' +
        'generateName, but metadata is implicitly specified'))
    }
    if (isRoot && schema.type !== undefined && schema.type !== 'object') {
      this.#add(invalidValue(child(path, 'type'), schema.type, 'must be object at the root'))
    }
    if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
      this.#add(invalidValue(child(path, 'x-kubernetes-preserve-unknown-fields'), false,
        'must be true or undefined'))
    }
  }

  #additional (schema: Schema, path: string, isRoot: boolean): void {
    if (isRoot) this.#add(forbiddenField(path, 'must not be used at the root'))
    else if (schema.properties !== undefined) {
      this.#add(forbiddenField(path, 'additionalProperties and properties are mutual exclusive'))
    }
  }

  #lists (schema: Schema, path: string): void {
    const listType = schema['x-kubernetes-list-type']
    const keys = schema['x-kubernetes-list-map-keys']
    const typePath = child(path, 'x-kubernetes-list-type')
    if (listType === undefined) {
      if (keys !== undefined) {
        this.#add(required(typePath, 'must be map if x-kubernetes-list-map-keys is non-empty'))
      }
      return
    }
    if (schema.type !== 'array') {
      this.#add(invalidValue(child(path, 'type'), schema.type ?? '',
        'must be array if x-kubernetes-list-type is specified'))
    }
    if (!['atomic', 'set', 'map'].includes(listType)) {
      this.#add(notSupported(typePath, listType, ['atomic', 'set', 'map']))
    }
    if (listType !== 'map') return
    if (keys === undefined || keys.length === 0) {
      this.#add(required(child(path, 'x-kubernetes-list-map-keys'),
        'must not be empty if x-kubernetes-list-type is map'))
    }
    const items = schema.items
    keys?.forEach(key => {
      const property = items?.properties?.[key]
      if (property === undefined) {
        this.#add(invalidValue(child(path, 'x-kubernetes-list-map-keys'), keys,
          'entries must all be names of item properties'))
      } else if (items?.required?.includes(key) !== true && property.default === undefined) {
        this.#add(required(`${path}.items.properties[${key}].default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a ' +
          'required property'))
      }
    })
  }

  #pattern (schema: Schema, path: string): void {
    if (schema.pattern === undefined) return
    try {
      re2(schema.pattern)
    } catch (error) {
      this.#add(invalidValue(child(path, 'pattern'), schema.pattern,
        `must be a valid regular expression, but isn't: ${(error as Error).message}`))
    }
  }

  /** A default must be valid by the schema that it stands in. */
  #default (schema: Schema, path: string): void {
    if (schema.default === undefined) return
    const value: Json = clone(schema.default)
    applyDefaults(value, schema)
    const field = child(path, 'default')
    for (const error of validate(value, schema, '')) {
      this.#add({ ...error, field: error.field === '' ? field : `${field}.${error.field}` })
    }
    const unknown: string[] = []
    prune(value, schema, '', unknown)
    if (unknown.length > 0) this.#add(invalidValue(field, schema.default, 'must not have unknown fields'))
  }

  /** Inside allOf, anyOf, oneOf and not: only value validation, of fields declared outside. */
  #nested (schema: Schema, outside: Schema, path: string): void {
    for (const name of ['description', 'default', 'nullable', 'type', 'additionalProperties'] as const) {
      if (schema[name] === undefined) continue
      // The one exception: anyOf [{type: integer}, {type: string}] beside int-or-string.
      if (name === 'type' && outside['x-kubernetes-int-or-string'] === true) continue
      this.#add(forbiddenField(child(path, name), 'must be empty to be structural'))
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      this.#nested(property, outside.properties?.[name] ?? {}, `${path}.properties[${name}]`)
    }
    if (schema.items !== undefined) this.#nested(schema.items, outside.items ?? {}, child(path, 'items'))
    this.#pattern(schema, path)
    for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
      schema[junctor]?.forEach((part, at) => {
        this.#nested(part, outside, index(child(path, junctor), at))
      })
    }
    if (schema.not !== undefined) this.#nested(schema.not, outside, child(path, 'not'))
  }
}

/** What keeps `schema` from being structural; `path` is where it stands in the CRD. */
export function structuralErrors (schema: Schema, path: string): FieldError[] {
  const checker = new Checker()
  checker.schema(schema, path, true)
  return checker.errors
}
