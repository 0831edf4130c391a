// Between what applications hold and the bytes of a record.
import type { Header } from '../wire/batch-builder.ts'
import { utf8 } from '../wire/bytes.ts'

/** Which part of which record. */
export interface SerdeContext {
  readonly topic: string
  readonly part: 'key' | 'value'
  readonly headers: readonly Header[]
}

/** Makes bytes of what an application holds. */
export interface Serializer<T> {
  /** What it throws becomes the cause of a SERIALIZATION_FAILED. */
  serialize (value: T, context: SerdeContext): Uint8Array
}

/** Makes what an application holds of bytes. */
export interface Deserializer<T> {
  /** `bytes` are a view: copy what is kept. What it throws becomes the cause of a DeserializationError. */
  deserialize (bytes: Uint8Array, context: SerdeContext): T
}

/** Both directions. Null is never given to one: it is null in the record (Kafka: a tombstone). */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const string: Serde<string> = {
  serialize: value => utf8(value),
  deserialize: bytes => decoder.decode(bytes)
}

const bytes: Serde<Uint8Array> = {
  serialize: value => value,
  deserialize: value => value
}

function json<T = unknown> (check?: (value: unknown) => T): Serde<T> {
  return {
    serialize: value => {
      const text = JSON.stringify(value) as string | undefined
      if (text === undefined) throw new TypeError(`JSON has no ${typeof value}`)
      return utf8(text)
    },
    deserialize: read => {
      const value: unknown = JSON.parse(decoder.decode(read))
      return check === undefined ? value as T : check(value)
    }
  }
}

/** What comes with the client. */
export interface Serdes {
  /** UTF-8; bytes that are none do not pass for text. */
  readonly string: Serde<string>
  /** As they are. */
  readonly bytes: Serde<Uint8Array>
  /**
   * JSON in UTF-8.
   * @param check makes a T of what was read, or throws; without one the reader trusts the writer
   */
  json<T = unknown> (check?: (value: unknown) => T): Serde<T>
}

/** Serializers that come with the client; one's own is any object with the two functions. */
export const serdes: Serdes = { string, bytes, json }
