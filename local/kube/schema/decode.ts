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

function mismatch (value: Json, path: string, goType: string): DecodeError {
  return new DecodeError(`json: cannot unmarshal ${goKind(value)} into Go struct field .${path} ` +
    `of type ${goType}`)
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

class Decoder {
  /** Paths of fields that no schema declares. */
  readonly unknown: string[] = []

  value (value: Json, schema: Schema, path: string): Json {
    if (schema['x-go-type'] !== undefined) return this.#special(value, schema, path)
    switch (schema.type) {
      case 'object': return this.#object(value, schema, path)
      case 'array': return this.#array(value, schema, path)
      case 'string': return this.#string(value, schema, path)
      case 'integer':
        return this.#integer(value, schema.format ?? 'int64', path)
      case 'number':
        if (typeof value !== 'number') throw mismatch(value, path, 'float64')
        return value
      case 'boolean':
        if (typeof value !== 'boolean') throw mismatch(value, path, 'bool')
        return value
      default: return value
    }
  }

  #special (value: Json, schema: Schema, path: string): Json {
    switch (schema['x-go-type']) {
      case 'time': return this.#time(value, path, normalTime)
      case 'microtime': return this.#time(value, path, normalMicroTime)
      case 'quantity': {
        if (typeof value !== 'string' && typeof value !== 'number') {
          throw mismatch(value, path, 'resource.Quantity')
        }
        const quantity = parseQuantity(String(value))
        if (quantity === undefined) throw new DecodeError(quantityError)
        return canonicalQuantity(quantity)
      }
      case 'intstr':
        if (typeof value === 'string' || Number.isInteger(value)) return value
        throw mismatch(value, path, 'int32')
      case 'schemaOrBool':
        return typeof value === 'boolean' ? value : this.#schemaProps(value, path)
      case 'schemaOrArray':
        return Array.isArray(value)
          ? value.map((item, at) => this.#schemaProps(item, index(path, at)))
          : this.#schemaProps(value, path)
      default: return value
    }
  }

  #schemaProps (value: Json, path: string): Json {
    return this.value(value, resolve(jsonSchemaProps), path)
  }

  #time (value: Json, path: string,
    normal: (text: string) => { value: string } | { error: string }): Json {
    if (typeof value !== 'string') throw mismatch(value, path, 'string')
    const result = normal(value)
    if ('error' in result) throw new DecodeError(result.error)
    return result.value
  }

  #string (value: Json, schema: Schema, path: string): Json {
    if (typeof value !== 'string') throw mismatch(value, path, 'string')
    if (schema.format === 'byte' && !base64.test(value.replaceAll(/[\r\n]/g, ''))) {
      const at = value.search(/[^A-Za-z0-9+/]/)
      throw new DecodeError(`illegal base64 data at input byte ${at < 0 ? value.length : at}`)
    }
    return value
  }

  #integer (value: Json, format: string, path: string): Json {
    if (typeof value !== 'number') throw mismatch(value, path, format)
    const fits = Number.isInteger(value) && (format !== 'int32' ||
      (value >= -0x8000_0000 && value <= 0x7fff_ffff))
    if (!fits) {
      throw new DecodeError(`json: cannot unmarshal number ${value} into Go struct field .${path} ` +
        `of type ${format}`)
    }
    return value
  }

  #array (value: Json, schema: Schema, path: string): Json {
    const items = itemSchema(schema)
    if (!Array.isArray(value)) throw mismatch(value, path, 'array')
    if (items === undefined) return value
    return value.map((item, at) => item === null && items.type === 'string'
      ? '' // Go leaves the zero value.
      : this.value(item ?? {}, items, index(path, at)))
  }

  #object (value: Json, schema: Schema, path: string): Json {
    if (!isObject(value)) throw mismatch(value, path, 'object')
    if (schema.properties === undefined && schema.additionalProperties === undefined) return value
    const result = {}
    for (const [name, item] of Object.entries(value)) {
      const declared = fieldSchema(schema, name)
      if (declared === undefined) {
        this.unknown.push(child(path, name))
      } else if (item !== null || isOpaque(declared)) {
        setOwn(result, name, this.value(item, declared, child(path, name)))
      } else if (schema.properties === undefined && declared.type === 'string') {
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
 * declares them. Throws a DecodeError when a type does not fit.
 */
export function decode (value: Json, schema: Schema, path = ''): { value: Json, unknown: string[] } {
  const decoder = new Decoder()
  return { value: decoder.value(value, schema, path), unknown: decoder.unknown }
}
