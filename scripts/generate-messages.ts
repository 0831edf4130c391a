// Writes wire/messages.ts, the TypeScript side of proto/: one interface per message, one entry per RPC.
// `node scripts/generate-messages.ts` writes; with --check it fails when the file is not current.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'

const root = join(import.meta.dirname, '..')
const protoDir = join(root, 'proto')
const target = join(root, 'wire/messages.ts')

const scalar: Record<string, string> = {
  string: 'string', bytes: 'Uint8Array', bool: 'boolean',
  int32: 'number', uint32: 'number', int64: 'number', double: 'number'
}

function load (): protobuf.Root {
  const reflection = new protobuf.Root()
  reflection.resolvePath = (_origin, path) => path.startsWith('/') ? path : join(protoDir, path)
  for (const file of readdirSync(join(protoDir, 'millrace/v1')).sort()) {
    reflection.loadSync(join(protoDir, 'millrace/v1', file), { keepCase: false, alternateCommentMode: true })
  }
  reflection.resolveAll()
  return reflection
}

/** SessionRequest.Register → SessionRequest_Register. */
function nameOf (type: protobuf.ReflectionObject): string {
  return type.fullName.replace('.millrace.v1.', '').replaceAll('.', '_')
}

function typeOf (field: protobuf.Field): string {
  const resolved = field.resolvedType
  return resolved === null ? scalar[field.type] ?? never(field.type) : nameOf(resolved)
}

function never (type: string): never {
  throw new Error(`proto type ${type} has no TypeScript shape in this generator`)
}

function comment (text: string | null, indent = ''): string {
  if (text === null) return ''
  const lines = text.split('\n')
  if (lines.length === 1) return `${indent}/** ${text} */\n`
  return `${indent}/**\n${lines.map(line => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

function message (type: protobuf.Type): string {
  let out = comment(type.comment) + `export interface ${nameOf(type)} {\n`
  for (const oneof of type.oneofsArray) {
    const names = oneof.fieldsArray.map(field => `'${field.name}'`).join(' | ')
    out += `  /** Which of the optional fields below is set. */\n  ${oneof.name}?: ${names}\n`
  }
  for (const field of type.fieldsArray) {
    const optional = field.partOf !== null || (!field.repeated && field.resolvedType instanceof protobuf.Type)
    const suffix = field.repeated ? '[]' : ''
    const orUnset = optional ? ' | undefined' : ''
    out += comment(field.comment, '  ')
    out += `  ${field.name}${optional ? '?' : ''}: ${typeOf(field)}${suffix}${orUnset}\n`
  }
  out += '}\n\n'
  for (const nested of type.nestedArray) if (nested instanceof protobuf.Type) out += message(nested)
  return out
}

function render (): string {
  const namespace = load().lookup('millrace.v1') as protobuf.Namespace
  let out = '// Written by scripts/generate-messages.ts from proto/millrace/v1; do not edit.\n' +
    '// Decoded messages have every field (zero values for unset ones) but message fields and the\n' +
    '// members of a oneof. Senders use Sent<M>: every field is optional, repeated ones too.\n\n' +
    'export type Sent<M> = M extends Uint8Array ? M\n' +
    '  : M extends (infer E)[] ? readonly Sent<E>[]\n' +
    '    : M extends object ? { readonly [K in keyof M]?: Sent<M[K]> | undefined } : M\n\n'
  let methods = ''
  for (const object of namespace.nestedArray) {
    if (object instanceof protobuf.Type) out += message(object)
    if (object instanceof protobuf.Enum) {
      const values = Object.keys(object.values).map(name => `'${name}'`).join(' | ')
      out += `${comment(object.comment)}export type ${nameOf(object)} = ${values}\n\n`
    }
    if (object instanceof protobuf.Service) {
      for (const method of object.methodsArray) {
        const stream = method.requestStream === true && method.responseStream === true
        methods += `  ${method.name}: { request: ${nameOf(method.resolvedRequestType!)}, ` +
          `response: ${nameOf(method.resolvedResponseType!)}, service: '${object.name}', stream: ${stream} }\n`
      }
    }
  }
  return `${out}/** Every RPC by name; stream: bidirectional, otherwise one request and one answer. */\n` +
    `export interface Methods {\n${methods}}\n`
}

const wanted = render()
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== wanted) {
    console.error('wire/messages.ts is not current: run node scripts/generate-messages.ts')
    process.exit(1)
  }
} else {
  writeFileSync(target, wanted)
}

// The codec's tables come from the same files and are never older or newer.
await import('./generate-descriptors.ts')
