// Writes wire/adapters/descriptors.ts, the tables by which codec.ts encodes and decodes the messages of
// proto/. Written ahead of time because loading .proto files costs every process and every command of
// the CLI 65 ms. `node scripts/generate-descriptors.ts` writes; with --check it fails when the file is
// not current.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'

const root = join(import.meta.dirname, '..')
const protoDir = join(root, 'proto')
const target = join(root, 'wire/adapters/descriptors.ts')
const scalars = ['bool', 'bytes', 'int32', 'int64', 'string', 'uint32']

function load (): protobuf.Namespace {
  const reflection = new protobuf.Root()
  reflection.resolvePath = (_origin, path) => path.startsWith('/') ? path : join(protoDir, path)
  for (const file of readdirSync(join(protoDir, 'millrace/v1')).sort()) {
    reflection.loadSync(join(protoDir, 'millrace/v1', file), { keepCase: false })
  }
  reflection.resolveAll()
  return reflection.lookup('millrace.v1') as protobuf.Namespace
}

/** SessionRequest.Register → SessionRequest_Register. */
function nameOf (type: protobuf.ReflectionObject): string {
  return type.fullName.replace('.millrace.v1.', '').replaceAll('.', '_')
}

function typeOf (field: protobuf.Field): string {
  if (field.resolvedType !== null) return nameOf(field.resolvedType)
  if (!scalars.includes(field.type)) throw new Error(`${field.fullName}: codec.ts does not know ${field.type}`)
  return `'${field.type}'`
}

function descriptor (type: protobuf.Type): string {
  const fields = type.fieldsArray.map(field => {
    const more = (field.repeated ? ', repeated: true' : '') +
      (field.partOf === null ? '' : `, oneof: '${field.partOf.name}'`)
    return `  ${field.name}: { number: ${field.id}, type: ${typeOf(field)}${more} }`
  })
  const name = nameOf(type)
  return `const ${name} = new Codec<M.${name}>({${fields.length === 0 ? '' : `\n${fields.join(',\n')}\n`}})\n\n`
}

const written = new Set<protobuf.ReflectionObject>()

/** What a message refers to comes before it. */
function render (object: protobuf.ReflectionObject): string {
  if (written.has(object)) return ''
  written.add(object)
  if (object instanceof protobuf.Enum) {
    const names = Object.values(object.values).map(value => `'${object.valuesById[value]}'`)
    if (Object.values(object.values).some((value, index) => value !== index)) throw new Error(object.fullName)
    return `const ${nameOf(object)} = [${names.join(', ')}] as const\n\n`
  }
  if (!(object instanceof protobuf.Type)) return ''
  const before = object.fieldsArray.map(field => field.resolvedType === null ? '' : render(field.resolvedType))
  return before.join('') + descriptor(object)
}

function rpcs (service: protobuf.Service): string {
  return service.methodsArray.map(method => {
    const stream = method.requestStream === true && method.responseStream === true
    return `  ${method.name}: rpc('/millrace.v1.${service.name}/${method.name}', ${stream},\n` +
      `    ${nameOf(method.resolvedRequestType!)}, ${nameOf(method.resolvedResponseType!)}),\n`
  }).join('')
}

const head = `// Written by scripts/generate-descriptors.ts from proto/millrace/v1; do not edit.
import { Codec } from './codec.ts'
import type * as M from '../messages.ts'

export interface Rpc<K extends keyof M.Methods> {
  readonly path: string
  readonly stream: boolean
  readonly request: Codec<M.Methods[K]['request']>
  readonly response: Codec<M.Methods[K]['response']>
}

function rpc<K extends keyof M.Methods> (path: string, stream: boolean,
  request: Rpc<K>['request'], response: Rpc<K>['response']): Rpc<K> {
  return { path, stream, request, response }
}

`

const objects = load().nestedArray
const wanted = head + objects.map(render).join('') + 'export { ErrorDetail }\n\n' +
  '/** Every RPC by name. */\nexport const rpcs: { readonly [K in keyof M.Methods]: Rpc<K> } = {\n' +
  objects.map(object => object instanceof protobuf.Service ? rpcs(object) : '').join('').replace(/,\n$/, '\n') + '}\n'

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== wanted) {
    console.error('wire/adapters/descriptors.ts is not current: run node scripts/generate-descriptors.ts')
    process.exit(1)
  }
} else {
  writeFileSync(target, wanted)
}
