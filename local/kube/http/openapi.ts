// OpenAPI documents: what kubectl needs to validate, to patch built-in kinds and to explain fields.
import { createHash } from 'node:crypto'
import type { Catalog } from '../registry/catalog.ts'
import type { Json, JsonObject } from '../object.ts'
import { isObject } from '../object.ts'
import type { ResourceType } from '../registry/resource.ts'
import { definitions } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'

const schemaPrefix = '#/components/schemas/'

/** `$ref` as OpenAPI v3 wants it; our own marks are left out. */
function external (schema: Json, isProperties = false): Json {
  if (Array.isArray(schema)) return schema.map(item => external(item))
  if (!isObject(schema)) return schema
  const result: JsonObject = {}
  for (const [key, value] of Object.entries(schema)) {
    if (isProperties) result[key] = external(value)
    else if (key === '$ref' && typeof value === 'string') result.allOf = [{ $ref: schemaPrefix + value }]
    else if (!key.startsWith('x-go-')) result[key] = external(value, key === 'properties')
  }
  return result
}

function references (schema: Json, found: Set<string>): void {
  if (Array.isArray(schema)) for (const item of schema) references(item, found)
  if (!isObject(schema)) return
  if (typeof schema.$ref === 'string' && !found.has(schema.$ref)) {
    found.add(schema.$ref)
    references(definitions()[schema.$ref] as unknown as Json, found)
  }
  for (const value of Object.values(schema)) references(value, found)
}

/** `dev.millrace.v1alpha1.Topic`, as a real server names custom kinds. */
function schemaName (type: ResourceType): string {
  return type.definition ?? [...type.group.split('.').toReversed(), type.version, type.kind].join('.')
}

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

function customSchema (type: ResourceType): Schema {
  return {
    ...type.schema,
    properties: {
      ...type.schema.properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { $ref: objectMeta }
    },
    'x-kubernetes-group-version-kind': [{ group: type.group, version: type.version, kind: type.kind }]
  }
}

/** kubectl reads from a PATCH operation whether the server validates fields. */
const fieldValidation = {
  name: 'fieldValidation', in: 'query', schema: { type: 'string', uniqueItems: true }
}

function pathsOf (type: ResourceType): JsonObject {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const collection = `${root}/${type.namespaced ? 'namespaces/{namespace}/' : ''}${type.plural}`
  const gvk = { group: type.group, version: type.version, kind: type.kind }
  const reference = { $ref: schemaPrefix + schemaName(type) }
  const operation = (action: string, hasBody: boolean): JsonObject => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    ...hasBody && {
      parameters: [fieldValidation, { name: 'dryRun', in: 'query', schema: { type: 'string', uniqueItems: true } }],
      requestBody: { content: { 'application/json': { schema: reference } } }
    },
    responses: { 200: { description: 'OK', content: { 'application/json': { schema: reference } } } }
  })
  return {
    [collection]: { get: operation('list', false), post: operation('post', true) },
    [`${collection}/{name}`]: {
      get: operation('get', false), put: operation('put', true), patch: operation('patch', true)
    }
  }
}

interface Cached {
  readonly generation: number
  readonly documents: Map<string, { text: string, hash: string }>
}

export class OpenApi {
  readonly #catalog: Catalog
  #cached: Cached | undefined

  constructor (catalog: Catalog) {
    this.#catalog = catalog
  }

  /** /openapi/v3: where each group version's document is. */
  index (): JsonObject {
    const paths: JsonObject = {}
    for (const groupVersion of this.#groupVersions().keys()) {
      const { hash } = this.#made(groupVersion)
      paths[groupVersion] = { serverRelativeURL: `/openapi/v3/${groupVersion}?hash=${hash}` }
    }
    return { paths }
  }

  /** /openapi/v3/<group version>, as JSON text; undefined when there is no such thing. */
  document (groupVersion: string): string | undefined {
    return this.#groupVersions().has(groupVersion) ? this.#made(groupVersion).text : undefined
  }

  #groupVersions (): Map<string, ResourceType[]> {
    const result = new Map<string, ResourceType[]>()
    for (const type of this.#catalog.all()) {
      const name = type.group === '' ? `api/${type.version}` : `apis/${type.group}/${type.version}`
      result.set(name, [...result.get(name) ?? [], type])
    }
    return result
  }

  #made (groupVersion: string): { text: string, hash: string } {
    const { generation } = this.#catalog
    if (this.#cached?.generation !== generation) this.#cached = { generation, documents: new Map() }
    const known = this.#cached.documents.get(groupVersion)
    if (known !== undefined) return known
    const text = JSON.stringify(this.#make(this.#groupVersions().get(groupVersion) ?? []))
    const hash = createHash('sha256').update(text).digest('hex').toUpperCase()
    this.#cached.documents.set(groupVersion, { text, hash })
    return { text, hash }
  }

  #make (types: readonly ResourceType[]): JsonObject {
    const schemas: JsonObject = {}
    const found = new Set<string>()
    const paths: JsonObject = {}
    for (const type of types) {
      Object.assign(paths, pathsOf(type))
      const schema = type.custom ? customSchema(type) : type.schema
      schemas[schemaName(type)] = external(schema as unknown as Json)
      references(schema as unknown as Json, found)
    }
    for (const name of found) schemas[name] ??= external(definitions()[name] as unknown as Json)
    return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'unversioned' }, paths, components: { schemas } }
  }
}

/**
 * /openapi/v2 says nothing (all clients of our time read v3), but must parse: the protobuf form of
 * {swagger: "2.0", info: {title: "Kubernetes", version: "unversioned"}, paths: {}}.
 */
export const openApiV2 = {
  json: { swagger: '2.0', info: { title: 'Kubernetes', version: 'unversioned' }, paths: {}, definitions: {} },
  protobuf: Buffer.concat([
    field(1, Buffer.from('2.0')),
    field(2, Buffer.concat([field(1, Buffer.from('Kubernetes')), field(2, Buffer.from('unversioned'))])),
    field(8, Buffer.alloc(0))
  ])
}

/** One length-delimited protobuf field, shorter than 128 bytes. */
function field (number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([number << 3 | 2, bytes.length]), bytes])
}
