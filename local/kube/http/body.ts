// Bodies of requests: bounded, JSON or YAML, and the duplicate fields that JSON.parse keeps silent about.
import type { IncomingMessage } from 'node:http'
import type { Json } from '../object.ts'
import { clone } from '../object.ts'
import { badRequest, tooLarge, unsupportedMedia } from '../status.ts'

/** As a real API server's limit. */
export const bodyBytesMax = 3 * 1024 * 1024

const yamlAliasesMax = 100

export async function readBody (request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge(bodyBytesMax)
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw tooLarge(bodyBytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export interface Parsed {
  readonly value: Json
  /** Paths of fields that stand twice, as `spec.replicas`. */
  readonly duplicates: string[]
}

/** Throws 400 for malformed text. */
export async function parseBody (bytes: Buffer, mediaType: string): Promise<Parsed> {
  if (mediaType === 'application/vnd.kubernetes.protobuf') {
    const { parseProtobuf } = await import('./protobuf.ts')
    return { value: parseProtobuf(bytes), duplicates: [] }
  }
  const text = bytes.toString('utf8')
  if (mediaType.includes('yaml')) {
    // Most YAML is JSON: kubectl sends JSON under the name of YAML.
    if (!text.trimStart().startsWith('{')) return await parseYaml(text)
  } else if (mediaType !== '' && !mediaType.includes('json')) {
    throw unsupportedMedia(`the body of the request was in an unknown format - accepted media types ` +
      `include: application/json, application/yaml`)
  }
  try {
    return { value: JSON.parse(text) as Json, duplicates: duplicateFields(text) }
  } catch (error) {
    throw badRequest(`the object provided is unrecognized (must be of type application/json): ` +
      (error as Error).message)
  }
}

async function parseYaml (text: string): Promise<Parsed> {
  const { parseDocument } = await import('yaml')
  try {
    const document = parseDocument(text, { uniqueKeys: true })
    const [error] = document.errors
    if (error !== undefined) throw error
    // Aliases share what they stand for: a copy of each, and not many (billion laughs).
    return { value: clone(document.toJS({ maxAliasCount: yamlAliasesMax }) as Json), duplicates: [] }
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n', 1)
    throw badRequest(`error converting YAML to JSON: yaml: ${line}`)
  }
}

/** Fields given twice in one object of well-formed JSON. */
export function duplicateFields (text: string): string[] {
  const found: string[] = []
  const stack: { path: string, keys: Set<string> | undefined, at: number, key: string }[] = []
  const string = /"(?:[^"\\]|\\.)*"/y
  let isKey = false
  for (let at = 0; at < text.length; at++) {
    const top = stack.at(-1)
    switch (text[at]) {
      case '{':
      case '[': {
        const path = top === undefined ? '' : inside(top)
        isKey = text[at] === '{'
        stack.push({ path, keys: isKey ? new Set() : undefined, at: 0, key: '' })
        break
      }
      case '}':
      case ']':
        stack.pop()
        isKey = false
        break
      case ',':
        if (top === undefined) break
        top.at++
        isKey = top.keys !== undefined
        break
      case '"': {
        string.lastIndex = at
        const match = string.exec(text)?.[0] ?? '"'
        at += match.length - 1
        if (!isKey || top?.keys === undefined) break
        const key = JSON.parse(match) as string
        top.key = key
        if (top.keys.has(key)) found.push(inside(top))
        top.keys.add(key)
        isKey = false
        break
      }
      default:
    }
  }
  return found
}

function inside (top: { path: string, keys: Set<string> | undefined, at: number, key: string }): string {
  if (top.keys === undefined) return `${top.path}[${top.at}]`
  return top.path === '' ? top.key : `${top.path}.${top.key}`
}
