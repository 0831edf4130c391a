import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, it } from 'vitest'
import { rpcs } from '../../../wire/adapters/descriptors.ts'
import { WireError } from '../../../wire/errors.ts'

const protoDir = join(import.meta.dirname, '../../../proto')
const reflection = new protobuf.Root()
reflection.resolvePath = (_origin, path) => path.startsWith('/') ? path : join(protoDir, path)
for (const file of readdirSync(join(protoDir, 'millrace/v1'))) {
  reflection.loadSync(join(protoDir, 'millrace/v1', file), { keepCase: false })
}
reflection.resolveAll()

/** Arbitrary messages of a type, zero values and absent fields among them. */
function arbitraryOf (type: protobuf.Type): fc.Arbitrary<Record<string, unknown>> {
  const inOneof = new Set(type.oneofsArray.flatMap(oneof => oneof.fieldsArray))
  const plain = type.fieldsArray.filter(field => !inOneof.has(field))
    .map(field => [field.name, arbitraryField(field)] as const)
  const chosen = type.oneofsArray.map(oneof => fc.option(fc.oneof(...oneof.fieldsArray.map(field =>
    arbitraryValue(field).map(value => ({ [oneof.name]: field.name, [field.name]: value })))), { nil: {} }))
  return fc.tuple(fc.record(Object.fromEntries(plain), { requiredKeys: [] }), ...chosen)
    .map(parts => Object.assign({}, ...parts) as Record<string, unknown>)
}

function arbitraryField (field: protobuf.Field): fc.Arbitrary<unknown> {
  return field.repeated ? fc.array(arbitraryValue(field), { maxLength: 4 }) : arbitraryValue(field)
}

function arbitraryValue (field: protobuf.Field): fc.Arbitrary<unknown> {
  if (field.resolvedType instanceof protobuf.Type) return arbitraryOf(field.resolvedType)
  if (field.resolvedType instanceof protobuf.Enum) return fc.constantFrom(...Object.keys(field.resolvedType.values))
  switch (field.type) {
    case 'bool': return fc.boolean()
    case 'bytes': return fc.uint8Array({ maxLength: 300 })
    case 'string': return fc.string({ unit: 'grapheme', maxLength: 40 })
    case 'int32': return fc.integer()
    case 'uint32': return fc.nat(0xffff_ffff)
    case 'int64': return fc.maxSafeInteger()
    default: throw new Error(field.type)
  }
}

/** protobufjs as the judge: another, independent implementation of the format. */
const conversion = { longs: Number, enums: String, defaults: true, arrays: true, oneofs: true } as const
const kinds = Object.entries(rpcs).flatMap(([name, { path, request, response }]) => {
  const service = reflection.lookupService(path.split('/')[1]!)
  const method = service.methods[name]!
  method.resolve()
  return [
    { name: `${name} request`, codec: request, type: method.resolvedRequestType! },
    { name: `${name} response`, codec: response, type: method.resolvedResponseType! }
  ]
})

function normal (value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, normal(each)])
    .filter(([, each]) => each !== undefined))
}

describe.each(kinds)('$name', ({ codec, type }) => {
  const untyped = codec as { encode (message: object): Buffer, decode (bytes: Buffer): object }

  it('is read by protobufjs as it is written here, and the other way round', () => {
    fc.assert(fc.property(arbitraryOf(type), message => {
      const bytes = untyped.encode(message)
      const decoded = untyped.decode(bytes)
      const theirs = type.toObject(type.decode(bytes), conversion)
      expect(normal(decoded)).toEqual(normal(theirs))
      const written = Buffer.from(type.encode(type.fromObject(message)).finish())
      expect(normal(untyped.decode(written))).toEqual(normal(decoded))
    }), { numRuns: 30 })
  })

  it('refuses bytes that are no message, and never throws anything else', () => {
    fc.assert(fc.property(arbitraryOf(type), fc.nat(), fc.nat(255), (message, at, byte) => {
      const bytes = untyped.encode(message)
      if (bytes.length === 0) return
      bytes[at % bytes.length] = byte
      for (const broken of [bytes, bytes.subarray(0, at % bytes.length)]) {
        try {
          untyped.decode(broken)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }
    }), { numRuns: 30 })
  })
})

describe('int64', () => {
  const { request } = rpcs.AnnounceController

  const { MAX_SAFE_INTEGER, MIN_SAFE_INTEGER } = Number

  it.each([0, 1, -1, 127, 128, 2 ** 31, 2 ** 32, MAX_SAFE_INTEGER, MIN_SAFE_INTEGER])('carries %d', value => {
    expect(request.decode(request.encode({ controllerEpoch: value })).controllerEpoch).toBe(value)
  })

  it.each([2 ** 53, 0.5, NaN, Infinity])('refuses to send %d', value => {
    expect(() => request.encode({ controllerEpoch: value })).toThrow(WireError)
  })

  it('refuses to receive 2^53', () => {
    expect(() => request.decode(Buffer.from('088080808080808010', 'hex'))).toThrow('beyond 2^53 - 1')
    expect(request.decode(Buffer.from('08ffffffffffffff0f', 'hex')).controllerEpoch).toBe(Number.MAX_SAFE_INTEGER)
  })
})

it('gives bytes as a view of what was received', () => {
  const bytes = rpcs.Produce.request.encode({ batch: new Uint8Array([1, 2, 3]) })
  expect(rpcs.Produce.request.decode(bytes).batch.buffer).toBe(bytes.buffer)
})

it('passes over fields that it does not know', () => {
  const known = rpcs.AskController.request.encode({ brokerId: 3 })
  const unknown = Buffer.from('a00601' + 'a9060102030405060708' + 'b20603616263' + 'bd0601020304', 'hex')
  expect(rpcs.AskController.request.decode(Buffer.concat([unknown, known]))).toStrictEqual({ brokerId: 3 })
})
