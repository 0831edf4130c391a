// Records as text: -f formats and --json.
import { isUtf8 } from 'node:buffer'
import type { RecordCursor } from '../wire/batch-reader.ts'
import type { Output } from './output.ts'
import { CliError, exitCodes } from './exit.ts'
import { unescape } from './arguments.ts'

/** A record as it lies in bytes. */
export type RecordFields = Pick<RecordCursor, 'offset' | 'timestamp' | 'bytes' | 'keyStart' | 'keyEnd' | 'valueStart' |
  'valueEnd' | 'headersCount' | 'headers' | 'key' | 'value'>

/** Writes the record that the cursor is at. */
export type RecordWriter = (output: Output, batch: { readonly topic: string, readonly partition: number },
  cursor: RecordFields) => void

const NEWLINE = 10

/** The value and a line feed: what `consume` prints untold. */
export const valueLine: RecordWriter = (output, _batch, cursor) => {
  if (cursor.valueStart >= 0) output.bytes(cursor.bytes, cursor.valueStart, cursor.valueEnd)
  output.byte(NEWLINE)
}

const fields: Readonly<Record<string, RecordWriter>> = {
  t: (output, batch) => { output.text(batch.topic) },
  p: (output, batch) => { output.text(String(batch.partition)) },
  o: (output, _batch, cursor) => { output.text(String(cursor.offset)) },
  T: (output, _batch, cursor) => { output.text(String(cursor.timestamp)) },
  k: (output, _batch, { bytes, keyStart, keyEnd }) => { if (keyStart >= 0) output.bytes(bytes, keyStart, keyEnd) },
  v: (output, _batch, { bytes, valueStart, valueEnd }) => {
    if (valueStart >= 0) output.bytes(bytes, valueStart, valueEnd)
  },
  s: (output, _batch, { valueStart, valueEnd }) => {
    output.text(String(valueStart < 0 ? -1 : valueEnd - valueStart))
  },
  h: (output, _batch, cursor) => { writeHeaders(output, cursor) },
  '%': output => { output.text('%') }
}

function writeHeaders (output: Output, cursor: RecordFields): void {
  if (cursor.headersCount === 0) return
  for (const [index, { key, value }] of cursor.headers().entries()) {
    output.text(`${index === 0 ? '' : ','}${key}=`)
    if (value !== null) output.bytes(value)
  }
}

/** @throws CliError for a letter that stands for nothing. */
export function compileFormat (format: string): RecordWriter {
  const parts: RecordWriter[] = []
  for (const [, letter, text] of unescape(format).matchAll(/%(.?)|([^%]+)/gsu)) {
    if (text !== undefined) {
      parts.push(output => { output.text(text) })
      continue
    }
    const field = Object.hasOwn(fields, letter ?? '') ? fields[letter!] : undefined
    if (field === undefined) {
      throw new CliError(`-f: %${letter ?? ''} stands for nothing; there are %t topic, %p partition, %o offset, ` +
        '%T timestamp, %k key, %v value, %s size of the value, %h headers, %%', exitCodes.usage)
    }
    parts.push(field)
  }
  return (output, batch, cursor) => { for (const part of parts) part(output, batch, cursor) }
}

type JsonBytes = string | { base64: string } | null

function jsonBytes (bytes: Uint8Array | null): JsonBytes {
  if (bytes === null) return null
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return isUtf8(buffer) ? buffer.toString() : { base64: buffer.toString('base64') }
}

/** One JSON object a line; headers by name, several of one name as an array. */
export const jsonLine: RecordWriter = (output, batch, cursor) => {
  const headers: Record<string, JsonBytes | JsonBytes[]> = Object.create(null) as Record<string, JsonBytes>
  if (cursor.headersCount > 0) {
    for (const { key, value } of cursor.headers()) {
      const before = headers[key]
      const mine = jsonBytes(value)
      headers[key] = before === undefined ? mine : Array.isArray(before) ? [...before, mine] : [before, mine]
    }
  }
  output.text(JSON.stringify({
    topic: batch.topic,
    partition: batch.partition,
    offset: cursor.offset,
    timestamp: cursor.timestamp,
    key: jsonBytes(cursor.key()),
    value: jsonBytes(cursor.value()),
    headers
  }))
  output.byte(NEWLINE)
}
