// Makes schema.json, the OpenAPI definitions of the built-in kinds, and protobuf.json, the numbers of
// their fields on the wire, from Kubernetes' sources:
//   node local/kube/builtin/generate.ts <k8s.io/kubernetes>/api/openapi-spec/v3 <k8s.io/api> <k8s.io/apimachinery>
// Names and types only: the descriptions are Kubernetes' own prose and stay there.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json, JsonObject } from '../object.ts'
import { isObject } from '../object.ts'
import { protobufFields } from './generate-protobuf.ts'
import { builtinKinds } from './kinds.ts'

const extraKinds = [
  'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
  'io.k8s.api.authorization.v1.SubjectAccessReview',
  'io.k8s.api.autoscaling.v1.Scale',
  'io.k8s.api.core.v1.Binding',
  'io.k8s.api.policy.v1.Eviction',
  'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Status'
]

/** Definitions that Go decodes by code of their own; `x-go-type` tells ours which. */
const goTypes: Record<string, string> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microtime',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intstr',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'raw',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'raw',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'raw',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'schemaOrBool',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'schemaOrArray',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray':
    'schemaOrStrings'
}

const refPrefix = '#/components/schemas/'

/** `{allOf: [{$ref}], default}` → `{$ref, default?}`; descriptions and zero defaults go. */
function simplify (schema: Json, isProperties = false): Json {
  if (Array.isArray(schema)) return schema.map(item => simplify(item))
  if (!isObject(schema)) return schema
  const result: JsonObject = {}
  for (const [key, value] of Object.entries(schema)) {
    if (isProperties) {
      result[key] = simplify(value)
    } else if (key === 'description' && typeof value === 'string') {
      continue
    } else if (key === 'default') {
      if (value !== '' && value !== 0 && value !== false && !isObject(value)) result[key] = value
    } else if (key === '$ref' && typeof value === 'string') {
      result[key] = value.slice(refPrefix.length)
    } else if (key === 'allOf' && isObject(schema.default) && Object.keys(schema.default).length === 0 &&
        Array.isArray(value) && isObject(value[0]) && typeof value[0]['$ref'] === 'string') {
      // A struct that Go has in place, not behind a pointer: it is never absent.
      result['$ref'] = value[0]['$ref'].slice(refPrefix.length)
      result['x-go-struct'] = true
    } else if (key === 'allOf' && Array.isArray(value) && value.length === 1 && isObject(value[0]) &&
        typeof value[0]['$ref'] === 'string') {
      result['$ref'] = value[0]['$ref'].slice(refPrefix.length)
    } else {
      result[key] = simplify(value, key === 'properties')
    }
  }
  return result
}

function references (schema: Json, found: Set<string>): void {
  if (Array.isArray(schema)) for (const item of schema) references(item, found)
  if (!isObject(schema)) return
  if (typeof schema['$ref'] === 'string') found.add(schema['$ref'])
  for (const value of Object.values(schema)) references(value, found)
}

function load (folder: string): Map<string, JsonObject> {
  const all = new Map<string, JsonObject>()
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith('_openapi.json')) continue
    const document = JSON.parse(readFileSync(join(folder, file), 'utf8')) as
      { components?: { schemas?: Record<string, JsonObject> } }
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      all.set(name, simplify(schema) as JsonObject)
    }
  }
  return all
}

function generate (folder: string): Map<string, JsonObject> {
  const all = load(folder)
  const wanted = new Set([...extraKinds, ...builtinKinds.map(kind => kind.definition)])
  for (const name of wanted) {
    const schema = all.get(name)
    if (schema === undefined) throw new Error(`no definition ${name} in ${folder}`)
    references(schema, wanted)
    const goType = goTypes[name]
    if (goType !== undefined) schema['x-go-type'] = goType
    // Every kind serves DeleteOptions and the like; their list of all groups says nothing here.
    const gvk = schema['x-kubernetes-group-version-kind']
    if (Array.isArray(gvk) && gvk.length > 3) delete schema['x-kubernetes-group-version-kind']
  }
  return new Map([...wanted].toSorted().map(name => [name, all.get(name) ?? {}]))
}

/** One line an entry, so that changes can be read. */
function write (file: string, entries: Iterable<[string, unknown]>): void {
  const lines = [...entries].map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  writeFileSync(new URL(file, import.meta.url), `{\n${lines.join(',\n')}\n}\n`)
}

const [folder, api, apimachinery] = process.argv.slice(2)
if (folder === undefined || api === undefined || apimachinery === undefined) {
  throw new Error('usage: generate.ts <k8s.io/kubernetes>/api/openapi-spec/v3 <k8s.io/api> <k8s.io/apimachinery>')
}
const schemas = generate(folder)
write('schema.json', schemas)
write('protobuf.json', Object.entries(protobufFields([...schemas.keys()], api, apimachinery)))
