// Bodies in Kubernetes' protobuf form, which kubectl's imperative commands (`create namespace`,
// `auth can-i`) send. Only read, never written: every such client takes JSON answers.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
import { readFileSync } from 'node:fs'
import type { Json, JsonObject } from '../object.ts'
import { setOwn } from '../object.ts'
import { definition, definitions, resolve } from '../schema/schema.ts'
import type { Schema } from '../schema/schema.ts'
import { formatTime } from '../schema/time.ts'
import { badRequest, unsupportedMedia } from '../status.ts'

const magic = Buffer.from('k8s\0')

interface FieldInfo {
  readonly name: string
  /** A zero is a value, not "not set". */
  readonly isPointer: boolean
  /** Its fields belong to the message around it. */
  readonly inline: string | undefined
}

let tables: Record<string, string[]> | undefined
const parsed = new Map<string, Map<number, FieldInfo>>()

/** Fields of a definition by number; read when the first protobuf body comes. */
function fieldsOf (name: string): Map<number, FieldInfo> {
  tables ??= JSON.parse(
    readFileSync(new URL('../builtin/protobuf.json', import.meta.url), 'utf8')) as Record<string, string[]>
  let fields = parsed.get(name)
  if (fields !== undefined) return fields
  fields = new Map((tables[name] ?? []).map((text): [number, FieldInfo] => {
    const [number = '', rest = ''] = text.split(' ')
    const isInline = rest.startsWith('>')
    const isPointer = rest.startsWith('*')
    return [Number(number), {
      name: isPointer ? rest.slice(1) : rest, isPointer, inline: isInline ? rest.slice(1) : undefined
    }]
  }))
  parsed.set(name, fields)
  return fields
}

type Raw = { readonly number: number } & ({ readonly bytes: Buffer } | { readonly value: bigint })

/** The fields of one message; throws 400 when the bytes are cut short. */
function * readFields (bytes: Buffer): Generator<Raw> {
  let at = 0
  const varint = (): bigint => {
    let [result, shift] = [0n, 0n]
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined || shift > 63n) throw badRequest('proto: unexpected EOF')
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, result)
      shift += 7n
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() }
        break
      case 2: {
        const length = Number(varint())
        if (length < 0 || at + length > bytes.length) throw badRequest('proto: unexpected EOF')
        yield { number, bytes: bytes.subarray(at, at + length) }
        at += length
        break
      }
      default: throw badRequest(`proto: illegal wireType ${tag & 7}`)
    }
  }
}

function numbers (bytes: Buffer): Map<number, bigint> {
  return new Map([...readFields(bytes)].flatMap(field => 'value' in field ? [[field.number, field.value]] : []))
}

function strings (bytes: Buffer): Map<number, Buffer> {
  return new Map([...readFields(bytes)].flatMap(field => 'bytes' in field ? [[field.number, field.bytes]] : []))
}

/** Times, quantities and the like: messages that JSON has as one value. */
function special (bytes: Buffer, goType: string): Json | undefined {
  switch (goType) {
    case 'time':
    case 'microtime': {
      const parts = numbers(bytes)
      const seconds = parts.get(1)
      if (seconds === undefined) return undefined
      const text = formatTime(Number(seconds) * 1000)
      const micros = String(Number(parts.get(2) ?? 0n) / 1000 | 0).padStart(6, '0')
      return goType === 'time' ? text : text.replace('Z', `.${micros}Z`)
    }
    case 'quantity': return strings(bytes).get(1)?.toString() ?? '0'
    case 'intstr': {
      const parts = numbers(bytes)
      return parts.get(1) === 1n ? strings(bytes).get(3)?.toString() ?? '' : Number(parts.get(2) ?? 0n)
    }
    default: {
      const raw = strings(bytes).get(1)
      return raw === undefined || raw.length === 0 ? undefined : JSON.parse(raw.toString()) as Json
    }
  }
}

function definitionOf (schema: Schema): string {
  return schema.$ref ?? ''
}

/** One value of a field (or of an item, or of a map's value). */
function readValue (raw: Raw, schema: Schema): Json | undefined {
  const full = resolve(schema)
  if ('value' in raw) return full.type === 'boolean' ? raw.value !== 0n : Number(raw.value)
  if (full['x-go-type'] !== undefined) return special(raw.bytes, full['x-go-type'])
  if (full.type !== 'string') return readMessage(raw.bytes, definitionOf(schema))
  return full.format === 'byte' ? raw.bytes.toString('base64') : raw.bytes.toString('utf8')
}

function readMessage (bytes: Buffer, name: string): JsonObject {
  const result: JsonObject = {}
  readInto(result, bytes, name)
  return result
}

function readInto (result: JsonObject, bytes: Buffer, name: string): void {
  const fields = fieldsOf(name)
  const { properties = {} } = definition(name)
  for (const raw of readFields(bytes)) {
    const field = fields.get(raw.number)
    if (field === undefined) continue
    if (field.inline !== undefined) {
      if ('bytes' in raw) readInto(result, raw.bytes, field.inline)
      continue
    }
    const schema = properties[field.name]
    if (schema === undefined) continue
    const full = resolve(schema)
    if (full.type === 'array') {
      const value = readValue(raw, full.items ?? {})
      const list = result[field.name]
      if (value !== undefined) result[field.name] = [...Array.isArray(list) ? list : [], value]
    } else if (typeof full.additionalProperties === 'object' && 'bytes' in raw) {
      const entry = [...readFields(raw.bytes)]
      const key = entry.find(part => part.number === 1)
      const held = entry.find(part => part.number === 2)
      const map = (result[field.name] ??= {}) as JsonObject
      const value = held === undefined ? '' : readValue(held, full.additionalProperties)
      if (key !== undefined && 'bytes' in key) setOwn(map, key.bytes.toString('utf8'), value ?? '')
    } else {
      const value = readValue(raw, schema)
      const isZero = value === '' || value === 0 || value === false
      if (value !== undefined && (field.isPointer || !isZero)) result[field.name] = value
    }
  }
}

function definitionOfKind (apiVersion: string, kind: string): string {
  if (kind === 'DeleteOptions') return 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  const found = Object.entries(definitions()).find(([, schema]) =>
    schema['x-kubernetes-group-version-kind']?.some(one =>
      one.group === group && one.version === version && one.kind === kind))
  if (found === undefined || fieldsOf(found[0]).size === 0) {
    throw unsupportedMedia(`${kind} in version "${apiVersion}" is not read in protobuf form, send JSON`)
  }
  return found[0]
}

/** The object in an envelope of runtime.Unknown. Throws 400 and 415. */
export function parseProtobuf (bytes: Buffer): JsonObject {
  if (!bytes.subarray(0, 4).equals(magic)) throw badRequest('the body is no Kubernetes protobuf message')
  const envelope = strings(bytes.subarray(4))
  const typeMeta = strings(envelope.get(1) ?? Buffer.alloc(0))
  const apiVersion = typeMeta.get(1)?.toString() ?? ''
  const kind = typeMeta.get(2)?.toString() ?? ''
  return { apiVersion, kind, ...readMessage(envelope.get(2) ?? Buffer.alloc(0), definitionOfKind(apiVersion, kind)) }
}
