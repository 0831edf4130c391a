// Answers: the form that the client accepts (object, Table, metadata alone), and errors as Status.
import type { ServerResponse } from 'node:http'
import type { JsonObject, KubeObject } from '../object.ts'
import { apiVersionOf } from '../registry/resource.ts'
import type { ResourceType } from '../registry/resource.ts'
import type { ListResult } from '../registry/reader.ts'
import { ApiError, internal } from '../status.ts'
import { partialMetadata, table } from '../table/table.ts'
import type { IncludeObject } from '../table/table.ts'
import type { KubeRequest } from './request.ts'

export type Form = 'object' | 'table' | 'metadata'

interface Media {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
}

export function acceptedMedia (accept: string): Media[] {
  return accept.split(',').map((part): Media => {
    const [type = '', ...parameters] = part.split(';').map(text => text.trim())
    return {
      type: type.toLowerCase(),
      parameters: new Map(parameters.map(text => text.split('=', 2) as [string, string]))
    }
  })
}

/** The first form in the Accept header that can be served; throws 406 when none can. */
export function formOf (request: KubeRequest): Form {
  const accept = request.header('accept')
  if (accept === '') return 'object'
  for (const { type, parameters } of acceptedMedia(accept)) {
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue
    const as = parameters.get('as')
    if (as === undefined) return 'object'
    if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') continue
    if (as === 'Table') return 'table'
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return 'metadata'
  }
  throw new ApiError(406, 'NotAcceptable',
    'only the following media types are accepted: application/json')
}

export function includeObject (request: KubeRequest): IncludeObject {
  const wanted = request.query.get('includeObject')
  return wanted === 'None' || wanted === 'Object' ? wanted : 'Metadata'
}

export function objectBody (request: KubeRequest, type: ResourceType, object: KubeObject, now: number): JsonObject {
  switch (formOf(request)) {
    case 'object': return object as unknown as JsonObject
    case 'metadata': return partialMetadata(object)
    case 'table':
      return table(type, [object], includeObject(request), now,
        { resourceVersion: object.metadata.resourceVersion ?? '' })
  }
}

export function listBody (request: KubeRequest, type: ResourceType, result: ListResult, now: number): JsonObject {
  const metadata: JsonObject = {
    resourceVersion: String(result.revision),
    ...result.continueToken !== undefined && { continue: result.continueToken },
    ...result.remaining !== undefined && { remainingItemCount: result.remaining }
  }
  switch (formOf(request)) {
    case 'table': return table(type, result.objects, includeObject(request), now, metadata)
    case 'metadata':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        items: result.objects.map(partialMetadata)
      }
    case 'object':
      return {
        kind: `${type.kind}List`,
        apiVersion: apiVersionOf(type),
        metadata,
        items: result.objects as unknown as JsonObject[]
      }
  }
}

export function toApiError (error: unknown): ApiError {
  return error instanceof ApiError ? error : internal((error as Error).message)
}

/** Warning headers carry quoted text (RFC 7234 5.5). */
function warningHeader (text: string): string {
  return `299 - ${JSON.stringify(text.replaceAll(/[^\x20-\x7e]/g, '?'))}`
}

export function sendJson (response: ServerResponse, code: number, body: unknown,
  warnings: readonly string[] = [], contentType = 'application/json'): void {
  if (response.headersSent || response.destroyed) return
  const bytes = Buffer.from(JSON.stringify(body) + '\n')
  response.statusCode = code
  response.setHeader('content-type', contentType)
  response.setHeader('content-length', bytes.length)
  response.setHeader('cache-control', 'no-cache, private')
  if (warnings.length > 0) response.setHeader('warning', warnings.map(warningHeader))
  response.end(bytes)
}

export function sendText (response: ServerResponse, code: number, text: string): void {
  if (response.headersSent || response.destroyed) return
  response.statusCode = code
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(text)
}

export function sendError (response: ServerResponse, error: ApiError, warnings: readonly string[] = []): void {
  const retryAfter = error.details?.retryAfterSeconds
  if (retryAfter !== undefined && !response.headersSent) response.setHeader('retry-after', retryAfter)
  sendJson(response, error.code, error.toStatus(), warnings)
}
