// Whether an applied configuration fits the schema's types: an apply that does not is refused before
// anything is merged.
import type { Json } from '../object.ts'
import { isObject } from '../object.ts'
import { fieldSchema, isIntOrString, itemSchema } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'
import { pathText } from './field-set.ts'
import { isAssociative, isBlob, itemElement, keyNames } from './typed.ts'

function goType (value: Json): string {
  if (Array.isArray(value)) return 'list'
  if (isObject(value)) return 'map'
  return typeof value
}

/** `expected numeric (int or float), got string`, or undefined when the type fits. */
function mismatch (value: Json, schema: Schema): string | undefined {
  if (isIntOrString(schema) || schema['x-go-type'] !== undefined) return undefined
  const actual = typeof value
  switch (schema.type) {
    case 'integer':
    case 'number':
      return actual === 'number' ? undefined : `expected numeric (int or float), got ${goType(value)}`
    case 'string': return actual === 'string' ? undefined : `expected string, got &value.${goType(value)}`
    case 'boolean': return actual === 'boolean' ? undefined : `expected boolean, got ${goType(value)}`
    case 'array': return Array.isArray(value) ? undefined : `expected list, got &{${JSON.stringify(value)}}`
    case 'object': return isObject(value) ? undefined : `expected map, got &{${JSON.stringify(value)}}`
    default: return undefined
  }
}

function itemErrors (list: readonly Json[], schema: Schema, path: string): string[] {
  const items = itemSchema(schema)
  if (!isAssociative(schema)) {
    return items === undefined ? [] : list.flatMap((item, at) => typingErrors(item, items, `${path}[${at}]`))
  }
  const seen = new Set<string>()
  return list.flatMap((item, at): string[] => {
    const element = itemElement(schema, item)
    if (element === 'k:{}') {
      return [`${path}: element ${at}: associative list with keys has an element that omits all key fields ` +
        `${JSON.stringify(keyNames(schema))} (and doesn't have default values for any key fields)`]
    }
    if (seen.has(element)) return [`${path}: duplicate entries for key ${pathText([element])}`]
    seen.add(element)
    return items === undefined ? [] : typingErrors(item, items, path + pathText([element]))
  })
}

/** What is wrong, in the words of structured-merge-diff: `.spec.a: field not declared in schema`. */
export function typingErrors (value: Json, schema: Schema, path = ''): string[] {
  if (value === null) return []
  const wrong = mismatch(value, schema)
  if (wrong !== undefined) return [`${path}: ${wrong}`]
  if (Array.isArray(value)) return itemErrors(value, schema, path)
  if (!isObject(value) || schema['x-go-type'] !== undefined) return []
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true || isBlob(schema)
  return Object.entries(value).flatMap(([name, item]) => {
    const declared = fieldSchema(schema, name)
    if (declared !== undefined) return typingErrors(item, declared, `${path}.${name}`)
    return isOpen ? [] : [`${path}.${name}: field not declared in schema`]
  })
}
