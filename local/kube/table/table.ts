// The Table form of lists and objects, which is what `kubectl get` asks for.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
import type { Json, JsonObject, KubeObject } from '../object.ts'
import type { Column, ResourceType } from '../registry/resource.ts'
import { age } from './format.ts'
import { evaluateJsonPath, parseJsonPath } from './json-path.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

export const nameColumn: Column = {
  name: 'Name', type: 'string', format: 'name', priority: 0, value: object => object.metadata.name
}

export const ageColumn: Column = {
  name: 'Age', type: 'string', priority: 0, value: (object, now) => age(object.metadata.creationTimestamp, now)
}

export interface PrinterColumn {
  name: string
  type: string
  format?: string
  description?: string
  priority?: number
  jsonPath: string
}

function cell (values: readonly Json[], type: string, now: number): string | number | boolean | null {
  const [first] = values
  if (first === undefined || first === null) return null
  switch (type) {
    case 'integer':
    case 'number': return typeof first === 'number' ? first : null
    case 'boolean': return typeof first === 'boolean' ? first : null
    case 'date': return typeof first === 'string' ? age(first, now) : null
    default:
      return values.map(value => typeof value === 'string' ? value : JSON.stringify(value)).join(' ')
  }
}

/** A CRD's additionalPrinterColumns; Name comes first, and Age when there are none. */
export function columnsOf (printerColumns: readonly PrinterColumn[] | undefined): Column[] {
  if (printerColumns === undefined || printerColumns.length === 0) return [nameColumn, ageColumn]
  return [nameColumn, ...printerColumns.map((column): Column => {
    const path = parseJsonPath(column.jsonPath) ?? []
    return {
      name: column.name,
      // Dates are sent as finished ages.
      type: column.type === 'date' ? 'string' : column.type,
      ...column.format !== undefined && { format: column.format },
      description: column.description ?? `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
      priority: column.priority ?? 0,
      value: (object, now) => cell(evaluateJsonPath(path, object as unknown as Json), column.type, now)
    }
  })]
}

export function partialMetadata (object: KubeObject): JsonObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata as unknown as JsonObject
  }
}

export function columnDefinitions (type: ResourceType): JsonObject[] {
  return type.columns.map(column => ({
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description ?? '',
    priority: column.priority
  }))
}

export function tableRow (type: ResourceType, object: KubeObject, include: IncludeObject, now: number): JsonObject {
  const cells = type.columns.map(column => column.value(object, now))
  return {
    cells,
    ...include === 'Metadata' && { object: partialMetadata(object) },
    ...include === 'Object' && { object: object as unknown as JsonObject }
  }
}

export function table (type: ResourceType, objects: readonly KubeObject[], include: IncludeObject, now: number,
  listMeta: JsonObject, withColumns = true): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMeta,
    columnDefinitions: withColumns ? columnDefinitions(type) : [],
    rows: objects.map(object => tableRow(type, object, include, now))
  }
}
