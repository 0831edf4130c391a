// A schema's types as CEL knows them, so that a rule that names a field wrongly is refused when the
// CRD is loaded, and values as CEL computes with them (integers are bigint).
import type { Environment } from '@marcbachmann/cel-js'
import { parse } from '@marcbachmann/cel-js'
import type { Json } from '../object.ts'
import { equal, getOwn, isObject } from '../object.ts'
import { isIntOrString } from './schema.ts'
import type { Schema } from './schema.ts'

/** How values of one schema are typed and converted. */
export interface CelType {
  readonly name: string
  convert (value: Json): unknown
}

const reserved = new Set(['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for',
  'function', 'if', 'import', 'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'])
const escapes: Record<string, string> =
  { '.': '__dot__', '-': '__dash__', '/': '__slash__', __: '__underscores__' }

/** Field names as rules write them: `self.__namespace__`, `self.x__dash__y`. */
export function escapeName (name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`
  const escaped = name.replaceAll(/__|[.\-/]/g, part => escapes[part] ?? part)
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined
}

const parseDuration = parse('duration(text)')

/** The library's own durations; `22 ns`, which a schema's format allows, is not Go's. */
function duration (text: string): unknown {
  return parseDuration({ text: text.replaceAll(' ', '') }) as unknown
}

/** Any value without a declared type: whole numbers are integers. */
function dynamic (value: Json): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(dynamic)
  if (isObject(value)) {
    return new Map(Object.entries(value).map(([name, item]) => [name, dynamic(item)]))
  }
  return value
}

const dyn: CelType = { name: 'dyn', convert: dynamic }

const formats: Record<string, CelType> = {
  'date-time': { name: 'google.protobuf.Timestamp', convert: value => new Date(String(value)) },
  datetime: { name: 'google.protobuf.Timestamp', convert: value => new Date(String(value)) },
  date: { name: 'google.protobuf.Timestamp', convert: value => new Date(String(value)) },
  duration: { name: 'google.protobuf.Duration', convert: value => duration(String(value)) },
  byte: { name: 'bytes', convert: value => Uint8Array.from(Buffer.from(String(value), 'base64')) }
}

const metadataSchema: Schema = {
  type: 'object',
  properties: { name: { type: 'string' }, generateName: { type: 'string' } }
}

/** Makes the types of one schema in one environment. */
export class CelTypes {
  readonly #env: Environment
  readonly #types = new Map<Schema, CelType>()
  #count = 0

  constructor (env: Environment) {
    this.#env = env
  }

  /** `isRoot`: apiVersion, kind and metadata (name and generateName) can be seen. */
  of (schema: Schema, isRoot = false): CelType {
    let type = this.#types.get(schema)
    if (type === undefined) this.#types.set(schema, type = this.#make(schema, isRoot))
    return type
  }

  #make (schema: Schema, isRoot: boolean): CelType {
    if (isIntOrString(schema) || (schema.nullable === true && !isRoot)) return dyn
    const isEmbedded = isRoot || schema['x-kubernetes-embedded-resource'] === true
    switch (schema.type) {
      case 'string':
        return formats[schema.format ?? ''] ?? { name: 'string', convert: value => value }
      case 'integer':
        return { name: 'int', convert: value => typeof value === 'number' ? BigInt(value) : value }
      case 'number': return { name: 'double', convert: value => value }
      case 'boolean': return { name: 'bool', convert: value => value }
      case 'array': return this.#list(schema)
      case 'object':
        if (schema.properties !== undefined || isEmbedded) return this.#object(schema, isEmbedded)
        if (typeof schema.additionalProperties === 'object') {
          return this.#map(schema.additionalProperties)
        }
        return dyn
      default: return dyn
    }
  }

  #list (schema: Schema): CelType {
    const items = schema.items === undefined ? dyn : this.of(schema.items)
    return {
      name: `list<${items.name}>`,
      convert: value => Array.isArray(value) ? value.map(item => items.convert(item)) : value
    }
  }

  #map (values: Schema): CelType {
    const type = this.of(values)
    return {
      name: `map<string, ${type.name}>`,
      convert: value => isObject(value)
        ? new Map(Object.entries(value).map(([name, item]) => [name, type.convert(item)]))
        : value
    }
  }

  #object (schema: Schema, isEmbedded: boolean): CelType {
    const name = `Object${this.#count++}`
    const fields: Record<string, string> = {}
    const converters: { name: string, as: string, type: CelType }[] = []
    const properties: Record<string, Schema> = isEmbedded
      ? {
          ...schema.properties, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: metadataSchema
        }
      : schema.properties ?? {}
    for (const [field, property] of Object.entries(properties)) {
      const as = escapeName(field)
      if (as === undefined) continue
      const type = this.of(property)
      fields[as] = type.name
      converters.push({ name: field, as, type })
    }
    const Value = class { readonly raw: Json; constructor (raw: Json) { this.raw = raw } }
    // Not a field of the CEL type, so rules cannot see it; equality compares it.
    this.#env.registerType(name, { ctor: Value, fields })
    this.#env.registerOperator(`${name} == ${name}`,
      (left: { raw: Json }, right: { raw: Json }) => equal(left.raw, right.raw))
    const convert = (value: Json): unknown => {
      if (!isObject(value)) return value
      const result = new Value(value) as unknown as Record<string, unknown>
      for (const { name: field, as, type } of converters) {
        const held = getOwn(value, field) as Json | undefined
        if (held !== undefined) result[as] = type.convert(held)
      }
      return result
    }
    return { name, convert }
  }
}
