// Encodes and decodes messages by the tables of descriptors.ts. What is decoded is a plain object that
// owns exactly the fields that its interface in wire/messages.ts promises.
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import { ProtoReader } from './proto-reader.ts'
import { ProtoWriter, sizeOfDelimited, sizeOfInt, sizeOfString, sizeOfUint32 } from './proto-writer.ts'

export type Scalar = 'bool' | 'bytes' | 'int32' | 'int64' | 'string' | 'uint32'
/** Names by number; 0 is the zero value. */
export type EnumNames = readonly string[]

export interface FieldSpec {
  readonly number: number
  readonly type: Scalar | EnumNames | Codec<object>
  readonly repeated?: true
  /** The oneof that the field is a member of. */
  readonly oneof?: string
}

const wireVarint = 0
const wireDelimited = 2
const noBytes = new Uint8Array(0)
/** Of fields without messages within: stays empty. */
const noSizes: number[] = []

type Fields = Record<string, unknown>

class Field {
  readonly name: string
  readonly kind: Scalar | 'enum' | 'message'
  readonly names: EnumNames
  readonly message: Codec<object> | undefined
  readonly repeated: boolean
  readonly packed: boolean
  readonly oneof: string | undefined
  readonly tag: number
  readonly wireType: number
  /** Undefined for fields that are absent when they are not on the wire. */
  readonly zero: unknown

  constructor (name: string, spec: FieldSpec) {
    const { type } = spec
    this.name = name
    this.kind = typeof type === 'string' ? type : type instanceof Codec ? 'message' : 'enum'
    this.names = typeof type === 'string' || type instanceof Codec ? [] : type
    this.message = type instanceof Codec ? type : undefined
    this.repeated = spec.repeated === true
    this.oneof = spec.oneof
    this.wireType = ['string', 'bytes', 'message'].includes(this.kind) ? wireDelimited : wireVarint
    this.packed = this.repeated && this.wireType === wireVarint
    this.tag = spec.number << 3 | (this.packed ? wireDelimited : this.wireType)
    this.zero = this.oneof === undefined ? this.#zero() : undefined
  }

  #zero (): unknown {
    switch (this.kind) {
      case 'bool': return false
      case 'bytes': return noBytes
      case 'string': return ''
      case 'enum': return this.names[0]
      case 'message': return undefined
      case 'int32': case 'int64': case 'uint32': return 0
    }
  }

  /** Without tag. */
  sizeOf (value: unknown, sizes: number[]): number {
    switch (this.kind) {
      case 'bool': return 1
      case 'bytes': return sizeOfDelimited((value as Uint8Array).length)
      case 'string': return sizeOfString(value as string)
      case 'enum': return sizeOfUint32(this.names.indexOf(value as string))
      case 'message': return this.#sizeOfMessage(value as Fields, sizes)
      case 'uint32': return sizeOfUint32(value as number)
      case 'int32': case 'int64': return sizeOfInt(value as number)
    }
  }

  #sizeOfMessage (value: Fields, sizes: number[]): number {
    const place = sizes.length
    sizes.push(0)
    const size = this.message!.sizeOf(value, sizes)
    sizes[place] = size
    return sizeOfDelimited(size)
  }

  write (writer: ProtoWriter, value: unknown): void {
    switch (this.kind) {
      case 'bool': writer.bool(value as boolean); break
      case 'bytes': writer.bytes(value as Uint8Array); break
      case 'string': writer.string(value as string); break
      case 'enum': writer.uint32(this.names.indexOf(value as string)); break
      case 'uint32': writer.uint32(value as number); break
      case 'int32': writer.int32(value as number); break
      case 'int64': writer.int64(value as number); break
      case 'message':
        writer.nextSize()
        this.message!.write(writer, value as Fields)
        break
    }
  }

  read (reader: ProtoReader): unknown {
    switch (this.kind) {
      case 'bool': return reader.bool()
      case 'bytes': return reader.bytes()
      case 'string': return reader.string()
      case 'uint32': return reader.uint32()
      case 'int32': return reader.int32()
      case 'int64': return reader.int64()
      case 'enum': {
        const number = reader.uint32()
        const name = this.names[number]
        if (name === undefined) throw new WireError('INVALID_REQUEST', `malformed message: ${this.name} ${number}`)
        return name
      }
      case 'message': {
        const outer = reader.enter()
        const value = this.message!.read(reader)
        reader.leave(outer)
        return value
      }
    }
  }
}

/** One message type. */
export class Codec<T extends object> {
  readonly #fields: Field[]
  readonly #repeated: Field[]
  readonly #byNumber: (Field | undefined)[] = []
  readonly #zero: Fields = {}

  constructor (specs: Readonly<Record<string, FieldSpec>>) {
    this.#fields = Object.entries(specs).map(([name, spec]) => new Field(name, spec))
    this.#repeated = this.#fields.filter(field => field.repeated)
    for (const field of this.#fields) {
      this.#byNumber[field.tag >>> 3] = field
      if (field.zero !== undefined || field.repeated) this.#zero[field.name] = field.zero
    }
  }

  /**
   * Throws WireError INVALID_REQUEST when a number is not one that its field can carry.
   * @param room bytes to leave in front, not initialised.
   */
  encode (message: Sent<T>, room = 0): Buffer {
    const sizes: number[] = []
    const writer = new ProtoWriter(this.sizeOf(message as Fields, sizes), room, sizes)
    this.write(writer, message as Fields)
    return writer.finish()
  }

  /** Throws WireError INVALID_REQUEST. Byte fields are views of `buffer`. */
  decode (buffer: Buffer): T {
    return this.read(new ProtoReader(buffer))
  }

  /** @param sizes of the messages within, in the order in which they are written, are appended to it */
  sizeOf (message: Fields, sizes: number[]): number {
    let size = 0
    for (const field of this.#fields) {
      const value = message[field.name]
      if (!isSent(field, value)) continue
      const tagSize = field.tag < 0x80 ? 1 : 2
      if (field.packed) size += tagSize + sizeOfDelimited(sizeOfPacked(value as unknown[], field))
      else if (field.repeated) {
        for (const each of value as unknown[]) size += tagSize + field.sizeOf(each, sizes)
      } else size += tagSize + field.sizeOf(value, sizes)
    }
    return size
  }

  write (writer: ProtoWriter, message: Fields): void {
    for (const field of this.#fields) {
      const value = message[field.name]
      if (!isSent(field, value)) continue
      if (field.packed) {
        writer.uint32(field.tag)
        writer.uint32(sizeOfPacked(value as unknown[], field))
        for (const each of value as unknown[]) field.write(writer, each)
      } else if (field.repeated) {
        for (const each of value as unknown[]) {
          writer.uint32(field.tag)
          field.write(writer, each)
        }
      } else {
        writer.uint32(field.tag)
        field.write(writer, value)
      }
    }
  }

  read (reader: ProtoReader): T {
    // Several times as fast as spreading it, where objects of so many shapes come by.
    const message: Fields = Object.assign({}, this.#zero)
    for (const field of this.#repeated) message[field.name] = []
    for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
      const field = this.#byNumber[tag >>> 3]
      if (field === undefined) reader.skip(tag)
      else if (tag === field.tag) this.#take(reader, field, message)
      // Readers take repeated numbers packed or one by one.
      else if (field.packed && (tag & 7) === field.wireType) {
        (message[field.name] as unknown[]).push(field.read(reader))
      } else reader.skip(tag)
    }
    return message as T
  }

  #take (reader: ProtoReader, field: Field, message: Fields): void {
    if (field.packed) {
      const values = message[field.name] as unknown[]
      const outer = reader.enter()
      while (reader.more()) values.push(field.read(reader))
      reader.leave(outer)
    } else if (field.repeated) {
      (message[field.name] as unknown[]).push(field.read(reader))
    } else {
      const value = field.read(reader)
      if (field.oneof !== undefined) {
        // Of several members of a oneof the last one counts.
        const before = message[field.oneof] as string | undefined
        if (before !== undefined) message[before] = undefined
        message[field.oneof] = field.name
      }
      message[field.name] = value
    }
  }
}

/** Zero values are left out, but for members of a oneof, whose presence says something. */
function isSent (field: Field, value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (field.repeated || field.kind === 'bytes') {
    return field.oneof !== undefined || (value as { length: number }).length > 0
  }
  return field.oneof !== undefined || value !== field.zero
}

/** Numbers only. */
function sizeOfPacked (values: readonly unknown[], field: Field): number {
  let size = 0
  for (const value of values) size += field.sizeOf(value, noSizes)
  return size
}
