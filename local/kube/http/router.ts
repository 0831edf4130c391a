// From a request to its answer: health, version, discovery, OpenAPI, resources, logs.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { LogProvider } from '../contract.ts'
import type { FaultRequest, Faults } from '../faults.ts'
import type { Catalog } from '../registry/catalog.ts'
import type { ResourceType } from '../registry/resource.ts'
import { ApiError, methodNotAllowed, noSuchPath } from '../status.ts'
import type { Store } from '../storage/store.ts'
import { readBody } from './body.ts'
import { discovery } from './discovery.ts'
import { create, get, listQuery, patch, remove, removeCollection, update } from './handlers.ts'
import type { Answer, Call, Services } from './handlers.ts'
import { serveLogs } from './logs.ts'
import { OpenApi, openApiV2 } from './openapi.ts'
import type { KubeRequest, ResourcePath } from './request.ts'
import { formOf, listBody, objectBody, sendJson, sendText } from './respond.ts'
import { selfReview } from './reviews.ts'
import { serveWatch } from './watch.ts'

/** More open watches than this are refused: a client leaks them. */
const watchersMax = 2000

/** The API level that is spoken; the clients' version skew rules look at it. */
const version = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+millrace',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'none'
}

export interface RouterOptions {
  readonly store: Store
  readonly catalog: Catalog
  readonly services: Services
  readonly now: () => number
  readonly faults: Faults | undefined
  readonly logs: () => LogProvider | undefined
}

export class Router {
  readonly #options: RouterOptions
  readonly #openApi: OpenApi
  #watchers = 0

  constructor (options: RouterOptions) {
    this.#options = options
    this.#openApi = new OpenApi(options.catalog)
  }

  /** Answers one request, or throws an ApiError before anything is sent. */
  async route (request: KubeRequest, message: IncomingMessage, response: ServerResponse,
    faultRequest: FaultRequest, isStale: boolean): Promise<void> {
    const isReview = request.resource?.group === 'authorization.k8s.io'
    if (request.resource === undefined || request.verb === undefined || isReview) {
      await this.#other(request, message, response)
      return
    }
    const type = this.#find(request.resource)
    if (request.verb === 'watch') {
      await this.#watch(request, response, type, faultRequest, isStale)
    } else if (request.verb === 'get' && request.resource.subresource === 'log' && type.table === 'pods') {
      await this.#options.store.durable()
      await serveLogs(request, response, this.#options.services.writer.live({
        type, namespace: request.resource.namespace, name: request.resource.name ?? ''
      }), this.#options.logs())
    } else {
      await this.#resource(request, request.resource, message, response, type)
    }
  }

  #find (path: ResourcePath): ResourceType {
    const type = this.#options.catalog.find(path.group, path.version, path.plural)
    if (type === undefined) throw noSuchPath()
    const needsNamespace = path.name !== undefined
    if (type.namespaced ? needsNamespace && path.namespace === undefined : path.namespace !== undefined) {
      throw noSuchPath()
    }
    return type
  }

  async #resource (request: KubeRequest, path: ResourcePath, message: IncomingMessage,
    response: ServerResponse, type: ResourceType): Promise<void> {
    const { store, services, now } = this.#options
    const warnings: string[] = []
    formOf(request) // An answer that nobody takes is refused before the write.
    const call: Call = { request, path, type, body: await readBody(message), services, warnings }
    if (request.verb === 'list' || request.verb === 'deletecollection') {
      const result = request.verb === 'list'
        ? services.reader.list(type, listQuery(request, path))
        : await removeCollection(call)
      await store.durable()
      sendJson(response, 200, listBody(request, type, result, now()), warnings)
      return
    }
    const answer = await this.#single(call)
    await store.durable()
    const body = answer.object === undefined
      ? answer.body
      : objectBody(request, type, answer.object, now())
    sendJson(response, answer.code, body, warnings)
  }

  async #single (call: Call): Promise<Answer> {
    switch (call.request.verb) {
      case 'get': return get(call)
      case 'create': return await create(call)
      case 'update': return await update(call)
      case 'patch': return await patch(call)
      case 'delete': return await remove(call)
      default: throw methodNotAllowed()
    }
  }

  async #watch (request: KubeRequest, response: ServerResponse, type: ResourceType,
    faultRequest: FaultRequest, isStale: boolean): Promise<void> {
    if (request.resource === undefined) return
    if (this.#watchers >= watchersMax) {
      throw new ApiError(429, 'TooManyRequests', 'too many watches are open', { retryAfterSeconds: 1 })
    }
    this.#watchers++
    let isCounted = true
    const release = (): void => {
      if (isCounted) this.#watchers--
      isCounted = false
    }
    const { store, services, now, faults } = this.#options
    try {
      await serveWatch(request, response, type, listQuery(request, request.resource),
        { store, reader: services.reader, now, faults, faultRequest, isStale }, release)
    } catch (error) {
      release()
      throw error
    }
  }

  async #other (request: KubeRequest, message: IncomingMessage, response: ServerResponse): Promise<void> {
    const [first = '', second = '', ...rest] = request.segments
    if (request.method === 'POST' && second === 'authorization.k8s.io') {
      sendJson(response, 201, await selfReview(request, await readBody(message)))
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed()
    const found = discovery(this.#options.catalog, request, request.header('host'))
    if (found !== undefined) {
      sendJson(response, 200, found.body, [], found.contentType)
      return
    }
    switch (first) {
      case 'healthz':
      case 'livez':
      case 'readyz': sendText(response, 200, 'ok'); return
      case 'version': sendJson(response, 200, version); return
      case 'openapi': this.#openApiDocument(request, response, second, rest); return
      case '':
        sendJson(response, 200,
          { paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'] })
        return
      default: throw noSuchPath()
    }
  }

  #openApiDocument (request: KubeRequest, response: ServerResponse, kind: string, rest: string[]): void {
    if (kind === 'v2' && rest.length === 0) {
      const isProtobuf = request.header('accept').includes('proto-openapi')
      response.setHeader('content-type', isProtobuf ? 'application/octet-stream' : 'application/json')
      response.end(isProtobuf ? openApiV2.protobuf : JSON.stringify(openApiV2.json))
      return
    }
    if (kind !== 'v3') throw noSuchPath()
    if (rest.length === 0) {
      sendJson(response, 200, this.#openApi.index())
      return
    }
    const text = this.#openApi.document(rest.join('/'))
    if (text === undefined) throw noSuchPath()
    response.setHeader('content-type', 'application/json')
    response.end(text)
  }
}
