// The stream that answers `?watch=true`: one JSON object a line, bookmarks in between.
import type { ServerResponse } from 'node:http'
import type { WatchEvent } from '../contract.ts'
import type { FaultRequest, Faults } from '../faults.ts'
import type { JsonObject, KubeObject } from '../object.ts'
import { apiVersionOf } from '../registry/resource.ts'
import type { ResourceType } from '../registry/resource.ts'
import type { ListQuery, Reader } from '../registry/reader.ts'
import { parseRevision } from '../registry/reader.ts'
import { follow, watchFilter } from '../registry/watcher.ts'
import type { Store } from '../storage/store.ts'
import { partialMetadata, table } from '../table/table.ts'
import { formOf, includeObject, toApiError } from './respond.ts'
import type { Form } from './respond.ts'
import type { KubeRequest } from './request.ts'
import { integerParameter, isTrue } from './request.ts'

export const bookmarkIntervalMs = 10_000
/** A watcher that reads slower than this much is cut off, as a real server does. */
const unsentBytesMax = 32 * 1024 * 1024
/** Without timeoutSeconds a real server ends watches after 30 to 60 minutes. */
const timeoutSecondsDefault = 45 * 60

export interface WatchContext {
  readonly store: Store
  readonly reader: Reader
  readonly now: () => number
  readonly faults: Faults | undefined
  readonly faultRequest: FaultRequest
  readonly isStale: boolean
}

class WatchStream {
  readonly #request: KubeRequest
  readonly #response: ServerResponse
  readonly #type: ResourceType
  readonly #context: WatchContext
  readonly #form: Form
  #sentColumns = false
  /** What a bookmark may promise: every change up to here was sent. */
  #revision = 0
  #bookmarks: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #stop: (() => void) | undefined
  #ended = false

  constructor (request: KubeRequest, response: ServerResponse, type: ResourceType, context: WatchContext) {
    this.#request = request
    this.#response = response
    this.#type = type
    this.#context = context
    this.#form = formOf(request)
  }

  async run (query: ListQuery): Promise<void> {
    const { store, reader } = this.#context
    const { query: parameters } = this.#request
    const since = parseRevision(query.resourceVersion, store) ?? 0
    const filter = watchFilter(this.#type, query)
    const isInitial = isTrue(parameters.get('sendInitialEvents')) || since === 0
    const initial = isInitial ? reader.list(this.#type, { ...query, resourceVersion: undefined }) : undefined
    this.#revision = initial?.revision ?? since
    await store.durable()
    if (this.#response.destroyed) return
    this.#open()
    if (initial !== undefined && !this.#context.isStale) {
      for (const object of initial.objects) this.#send('ADDED', object)
      if (isTrue(parameters.get('sendInitialEvents')) && isTrue(parameters.get('allowWatchBookmarks'))) {
        this.#bookmark(true)
      }
    }
    try {
      this.#stop = follow(store, this.#revision, change => {
        const event = filter(change)
        if (event !== undefined) this.#deliver(event)
        this.#revision = change.revision
      })
    } catch (error) {
      this.#write({ type: 'ERROR', object: toApiError(error).toStatus() as unknown as JsonObject })
      this.end()
      return
    }
    // The client may have gone while the first events were sent.
    if (this.#ended) this.#stop()
    else this.#setTimers()
  }

  #open (): void {
    this.#response.statusCode = 200
    this.#response.setHeader('content-type', 'application/json')
    this.#response.setHeader('cache-control', 'no-cache, private')
    this.#response.flushHeaders()
  }

  #setTimers (): void {
    const { query } = this.#request
    if (isTrue(query.get('allowWatchBookmarks')) && !this.#context.isStale) {
      this.#bookmarks = setInterval(() => { this.#bookmark(false) }, bookmarkIntervalMs)
      this.#bookmarks.unref()
    }
    const seconds = integerParameter(query, 'timeoutSeconds') ?? timeoutSecondsDefault
    this.#deadline = setTimeout(() => {
      if (this.#bookmarks !== undefined) this.#bookmark(false)
      this.end()
    }, Math.min(seconds, 2_000_000) * 1000)
    this.#deadline.unref()
  }

  #deliver (event: WatchEvent): void {
    const { faults, faultRequest, isStale } = this.#context
    if (isStale || faults?.dropEvent?.(faultRequest, event) === true) return
    this.#send(event.type, event.object)
  }

  #send (type: string, object: KubeObject): void {
    this.#write({ type, object: this.#formed(object) })
  }

  #formed (object: KubeObject): JsonObject {
    if (this.#form === 'object') return object as unknown as JsonObject
    if (this.#form === 'metadata') return partialMetadata(object)
    const withColumns = !this.#sentColumns
    this.#sentColumns = true
    return table(this.#type, [object], includeObject(this.#request), this.#context.now(),
      { resourceVersion: object.metadata.resourceVersion ?? '' }, withColumns)
  }

  #bookmark (isInitialEnd: boolean): void {
    const metadata: JsonObject = {
      resourceVersion: String(this.#revision),
      creationTimestamp: null,
      ...isInitialEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }
    }
    const object = this.#form === 'table'
      ? table(this.#type, [], 'None', 0, metadata, false)
      : { kind: this.#type.kind, apiVersion: apiVersionOf(this.#type), metadata }
    this.#write({ type: 'BOOKMARK', object })
  }

  #write (event: JsonObject): void {
    if (this.#ended || this.#response.destroyed) return
    this.#response.write(JSON.stringify(event) + '\n')
    if (this.#response.writableLength > unsentBytesMax) this.#response.destroy()
  }

  end (): void {
    if (this.#ended) return
    this.release()
    this.#response.end()
  }

  /** Lets go of timers and the subscription. */
  release (): void {
    this.#ended = true
    clearInterval(this.#bookmarks)
    clearTimeout(this.#deadline)
    this.#stop?.()
  }
}

/** Serves a watch until the client, the timeout or the server ends it; then calls `onEnd` once. */
export async function serveWatch (request: KubeRequest, response: ServerResponse, type: ResourceType,
  query: ListQuery, context: WatchContext, onEnd: () => void): Promise<void> {
  const stream = new WatchStream(request, response, type, context)
  response.on('close', () => {
    stream.release()
    onEnd()
  })
  await stream.run(query)
}
