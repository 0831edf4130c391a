// The chart's values: each with its default, the comment above it in values.yaml, and what values.schema.json says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml'

export interface ValueSchema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, ValueSchema>>
}

export interface ChartValue {
  /** `image.repository` */
  readonly path: string
  /** As JSON. */
  readonly fallback: string
  readonly meaning: string
  readonly schema: ValueSchema
}

const chart = join(import.meta.dirname, '../charts/millrace')

export function chartValues (): ChartValue[] {
  const { contents } = parseDocument(readFileSync(join(chart, 'values.yaml'), 'utf8'))
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as ValueSchema
  if (!isMap(contents)) throw new Error('values.yaml is no map')
  // The first comment of a map belongs to the map for the parser.
  for (const { value } of contents.items) {
    if (isMap(value) && isScalar(value.items[0]?.key)) value.items[0].key.commentBefore ??= value.commentBefore ?? null
  }
  return valuesIn(contents as YAMLMap, schema, '')
}

/** Every value with a comment that begins with '-- ' above it. */
function valuesIn (map: YAMLMap, schema: ValueSchema, prefix: string): ChartValue[] {
  return map.items.flatMap(({ key, value }) => {
    if (!isScalar(key)) throw new Error('values.yaml has a key that is no text')
    const path = `${prefix}${String(key.value)}`
    const known = schema.properties?.[String(key.value)]
    if (known === undefined) throw new Error(`${path} is not in values.schema.json`)
    const comment = /-- ([^]*)/.exec(key.commentBefore ?? '')?.[1]
    if (comment === undefined) return isMap(value) ? valuesIn(value, known, `${path}.`) : []
    const fallback = JSON.stringify((value as { toJSON (): unknown }).toJSON())
    return [{ path, fallback, meaning: comment.replaceAll(/\n ?/g, ' '), schema: known }]
  })
}
