// What Go's JSON decoder does with an object of a built-in kind: checks types, brings times and
// quantities into their one form, drops unknown fields (and names them), drops nulls.
import type { Json } from '../object.ts'
import { isObject, setOwn } from '../object.ts'
import { canonicalQuantity, parseQuantity, quantityError } from './quantity.ts'
import { child, fieldSchema, index, isIntOrString, itemSchema, resolve } from './schema.ts'
import type { Schema } from './schema.ts'
import { normalMicroTime, normalTime } from './time.ts'

/** The text after `... cannot be handled as a Pod: `. */
export class DecodeError extends Error {}

function goKind (value: Json): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  return typeof value
}

/** Where the decoder is: the paths that clients and Go know it by. */
interface Place {
  /** `spec.containers[0].name` */
  readonly path: string
  /** `spec.containers.name`: without indexes and map keys. */
  readonly goPath: string
  /** The struct that holds the field: `Container`. */
  readonly struct: string
}

function shortName (definition: string): string {
  return definition.split('.').at(-1) ?? definition
}

/** As Go names the type: `int32`, `[]v1.ContainerPort`, `map[string]string`. */
function goTypeOf (schema: Schema): string {
  const name = schema['x-go-name']
  switch (schema.type) {
    case 'integer': return schema.format ?? 'int64'
    case 'number': return 'float64'
    case 'boolean': return 'bool'
    case 'array': return `[]${goTypeOf(itemSchema(schema) ?? {})}`
    case 'object':
      if (name !== undefined) return name.split('.').slice(-2).join('.')
      return `map[string]${goTypeOf(typeof schema.additionalProperties === 'object'
        ? resolve(schema.additionalProperties)
        : {})}`
    default: return 'string'
  }
}

function mismatch (value: Json, schema: Schema, place: Place, shown = goKind(value)): DecodeError {
  return new DecodeError(`json: cannot unmarshal ${shown} into Go struct field ` +
    `${place.struct}.${place.goPath} of type ${goTypeOf(schema)}`)
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

class Decoder {
  /** Paths of fields that no schema declares. */
  readonly unknown: string[] = []

  value (value: Json, schema: Schema, place: Place): Json {
    if (schema['x-go-type'] !== undefined) return this.#special(value, schema, place)
    switch (schema.type) {
      case 'object': return this.#object(value, schema, place)
      case 'array': return this.#array(value, schema, place)
      case 'string': return this.#string(value, schema, place)
      case 'integer': return this.#integer(value, schema, place)
      case 'number':
        if (typeof value !== 'number') throw mismatch(value, schema, place)
        return value
      case 'boolean':
        if (typeof value !== 'boolean') throw mismatch(value, schema, place)
        return value
      default: return value
    }
  }

  #special (value: Json, schema: Schema, place: Place): Json {
    switch (schema['x-go-type']) {
      case 'time': return this.#time(value, place, normalTime)
      case 'microtime': return this.#time(value, place, normalMicroTime)
      case 'quantity': {
        const quantity = typeof value === 'string' || typeof value === 'number'
          ? parseQuantity(String(value))
          : undefined
        if (quantity === undefined) throw new DecodeError(quantityError)
        return canonicalQuantity(quantity)
      }
      case 'intstr':
        if (typeof value === 'string' || Number.isInteger(value)) return value
        throw mismatch(value, { type: 'integer', format: 'int32' }, place)
      case 'schemaOrBool':
        return typeof value === 'boolean' ? value : this.#schemaProps(value, place)
      case 'schemaOrArray':
        return Array.isArray(value)
          ? value.map((item, at) => this.#schemaProps(item, { ...place, path: index(place.path, at) }))
          : this.#schemaProps(value, place)
      default: return value
    }
  }

  #schemaProps (value: Json, place: Place): Json {
    return this.value(value, resolve(jsonSchemaProps), place)
  }

  #time (value: Json, place: Place,
    normal: (text: string) => { value: string } | { error: string }): Json {
    if (typeof value !== 'string') throw mismatch(value, { type: 'string' }, place)
    const result = normal(value)
    if ('error' in result) throw new DecodeError(result.error)
    return result.value
  }

  #string (value: Json, schema: Schema, place: Place): Json {
    if (typeof value !== 'string') throw mismatch(value, schema, place)
    if (schema.format === 'byte' && !base64.test(value.replaceAll(/[\r\n]/g, ''))) {
      const at = value.search(/[^A-Za-z0-9+/]/)
      throw new DecodeError(`illegal base64 data at input byte ${at < 0 ? value.length : at}`)
    }
    return value
  }

  #integer (value: Json, schema: Schema, place: Place): Json {
    if (typeof value !== 'number') throw mismatch(value, schema, place)
    const fits = Number.isInteger(value) && (schema.format !== 'int32' ||
      (value >= -0x8000_0000 && value <= 0x7fff_ffff))
    if (!fits) throw mismatch(value, schema, place, `number ${value}`)
    return value
  }

  #array (value: Json, schema: Schema, place: Place): Json {
    const items = itemSchema(schema)
    if (!Array.isArray(value)) throw mismatch(value, schema, place)
    if (items === undefined) return value
    return value.map((item, at) => item === null && items.type === 'string'
      ? '' // Go leaves the zero value.
      : this.value(item ?? {}, items, { ...place, path: index(place.path, at) }))
  }

  #object (value: Json, schema: Schema, place: Place): Json {
    if (!isObject(value)) throw mismatch(value, schema, place)
    if (schema.properties === undefined && schema.additionalProperties === undefined) return value
    const result = {}
    const isStruct = schema.properties !== undefined
    const struct = schema['x-go-name'] === undefined ? place.struct : shortName(schema['x-go-name'])
    for (const [name, item] of Object.entries(value)) {
      const declared = fieldSchema(schema, name)
      const path = child(place.path, name)
      if (declared === undefined) {
        this.unknown.push(path)
      } else if (item !== null || isOpaque(declared)) {
        const inside = isStruct ? { path, goPath: child(place.goPath, name), struct } : { ...place, path }
        setOwn(result, name, this.value(item, declared, inside))
      } else if (!isStruct && declared.type === 'string') {
        setOwn(result, name, '')
      }
    }
    return result
  }
}

/** JSON values of custom resource schemas (default, enum, example) may be null. */
function isOpaque (schema: Schema): boolean {
  return schema['x-go-type'] === 'raw' && !isIntOrString(schema)
}

const jsonSchemaProps: Schema = {
  $ref: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'
}

/**
 * `value` as the schema has it, and the paths of the fields that were dropped because nothing
 * declares them. `struct` is the root's name in Go. Throws a DecodeError when a type does not fit.
 */
export function decode (value: Json, schema: Schema, struct: string): { value: Json, unknown: string[] } {
  const decoder = new Decoder()
  return { value: decoder.value(value, schema, { path: '', goPath: '', struct }), unknown: decoder.unknown }
}
