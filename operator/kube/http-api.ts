// KubeApi over HTTP/1.1 with raw JSON. Watches are one JSON object a line.
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Clock } from '../../wire/ports.ts'
import {
  fieldManager, KubeError, type DeletePreconditions, type KubeApi, type KubeList, type ListQuery, type Query,
  type WatchEvent, type WatchHandlers, type WatchQuery
} from './api.ts'
import type { Credentials } from './credentials.ts'
import type { Kind, KubeObject } from './types.ts'

/** A page of 500 of the largest objects (256 KiB) and their metadata. */
const answerBytesMax = 256 * 1024 * 1024
const requestTimeoutMs = 15_000

export interface HttpApiOptions {
  readonly credentials: Credentials
  readonly clock: Clock
  /** `millrace-operator/0.1.0` */
  readonly userAgent: string
  /** Who owns the fields that are written; the operator unless said otherwise. */
  readonly fieldManager?: string
  /** Writes are checked and answered as ever, unknown fields refused, and nothing is stored. */
  readonly dryRun?: boolean
  /** Told of every write, for metrics. */
  readonly onWrite?: (verb: string, kind: Kind) => void
  /** Told of every request, watches too: what it failed with, undefined when it was answered with a 2xx. */
  readonly onAnswer?: (error: KubeError | undefined) => void
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: object
  readonly contentType?: string
  /** What is wanted of each object: all of it unless said otherwise. */
  readonly form?: 'PartialObjectMetadata' | 'PartialObjectMetadataList'
}

export class HttpApi implements KubeApi {
  readonly #options: HttpApiOptions
  readonly #watches = new Set<() => void>()

  constructor (options: HttpApiOptions) {
    this.#options = options
  }

  get #manager (): string { return this.#options.fieldManager ?? fieldManager }

  async get (kind: Kind, namespace: string, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.#send({ method: 'GET', path: pathOf(kind, namespace, name) }) as KubeObject
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return undefined
      throw error
    }
  }

  async list (kind: Kind, query: ListQuery): Promise<KubeList> {
    const answer = await this.#send({
      method: 'GET',
      path: pathOf(kind, query.namespace),
      query: { ...selectors(query), limit: query.limit, continue: query.continue },
      ...query.metadataOnly === true && { form: 'PartialObjectMetadataList' }
    }) as { metadata?: { resourceVersion?: string, continue?: string }, items?: KubeObject[] }
    // Items of a list leave kind and apiVersion to the list.
    const items = (answer.items ?? []).map(item => ({ ...item, apiVersion: kind.apiVersion, kind: kind.kind }))
    return { items, resourceVersion: answer.metadata?.resourceVersion ?? '', continue: answer.metadata?.continue ?? '' }
  }

  async create (kind: Kind, object: KubeObject): Promise<KubeObject> {
    return await this.#write('create', kind, {
      method: 'POST',
      path: pathOf(kind, object.metadata.namespace ?? ''),
      query: { fieldManager: this.#manager },
      body: object
    })
  }

  async replace (kind: Kind, object: KubeObject): Promise<KubeObject> {
    return await this.#write('replace', kind, {
      method: 'PUT',
      path: pathOf(kind, object.metadata.namespace ?? '', object.metadata.name),
      query: { fieldManager: this.#manager },
      body: object
    })
  }

  async apply (kind: Kind, object: KubeObject, subresource?: 'status'): Promise<KubeObject> {
    return await this.#write(subresource === undefined ? 'apply' : 'applyStatus', kind, {
      method: 'PATCH',
      path: pathOf(kind, object.metadata.namespace ?? '', object.metadata.name, subresource),
      query: { fieldManager: this.#manager, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: object
    })
  }

  async patch (kind: Kind, namespace: string, name: string, patch: object): Promise<KubeObject> {
    return await this.#write('patch', kind, {
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: { fieldManager: this.#manager },
      contentType: 'application/merge-patch+json',
      body: patch
    })
  }

  async delete (kind: Kind, namespace: string, name: string, given: DeletePreconditions = {}): Promise<void> {
    const { propagationPolicy, gracePeriodSeconds, ...preconditions } = given
    try {
      await this.#write('delete', kind, {
        method: 'DELETE',
        path: pathOf(kind, namespace, name),
        body: {
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          ...Object.keys(preconditions).length > 0 && { preconditions },
          ...propagationPolicy !== undefined && { propagationPolicy },
          ...gracePeriodSeconds !== undefined && { gracePeriodSeconds }
        }
      })
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error
    }
  }

  watch (kind: Kind, query: WatchQuery, handlers: WatchHandlers): () => void {
    let request: ClientRequest | undefined
    let ended = false
    const finish = (): boolean => {
      const first = !ended
      ended = true
      this.#watches.delete(stop)
      request?.destroy()
      return first
    }
    const stop = (): void => { finish() }
    const end = (error: KubeError | undefined): void => { if (finish()) handlers.end(error) }
    this.#watches.add(stop)
    const onLine = (line: string): void => {
      if (ended) return
      const event = parseEvent(line)
      if (event instanceof KubeError) end(event)
      else handlers.event({ ...event, object: { ...event.object, apiVersion: kind.apiVersion, kind: kind.kind } })
    }
    this.#open({
      method: 'GET',
      path: pathOf(kind, query.namespace),
      query: {
        ...selectors(query),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: query.resourceVersion,
        timeoutSeconds: query.timeoutSeconds
      },
      ...query.metadataOnly === true && { form: 'PartialObjectMetadata' }
    }).then(opened => {
      request = opened.request
      if (ended) { request.destroy(); return }
      readLines(opened.response, onLine, end)
    }, (error: unknown) => { end(asKubeError(error)) })
    return stop
  }

  /** What is at a path, as text: a pod's own pages, by way of the API server. */
  async text (path: string): Promise<string> {
    const { response } = await this.#open({ method: 'GET', path })
    return await readAll(response)
  }

  close (): void {
    for (const stop of this.#watches) stop()
    this.#options.credentials.close()
  }

  async #write (verb: string, kind: Kind, call: Call): Promise<KubeObject> {
    this.#options.onWrite?.(verb, kind)
    const { dryRun = false } = this.#options
    const query = { ...call.query, ...dryRun && { dryRun: 'All', fieldValidation: 'Strict' } }
    return await this.#send({ ...call, query }) as KubeObject
  }

  async #send (call: Call): Promise<unknown> {
    const { response } = await this.#open(call)
    return parseJson(await readAll(response), response.statusCode ?? 0)
  }

  /** Resolves with a 2xx answer whose body has not been read. */
  async #open (call: Call): Promise<{ request: ClientRequest, response: IncomingMessage }> {
    try {
      const answer = await this.#ask(call)
      this.#options.onAnswer?.(undefined)
      return answer
    } catch (error) {
      const failure = asKubeError(error)
      this.#options.onAnswer?.(failure)
      throw failure
    }
  }

  async #ask (call: Call): Promise<{ request: ClientRequest, response: IncomingMessage }> {
    const { credentials, clock, userAgent } = this.#options
    const url = new URL(credentials.server + call.path)
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
    }
    const options = await credentials.requestOptions().catch((error: unknown) => {
      throw new KubeError(0, 'CredentialsFailed', `no credentials: ${(error as Error).message}`, 0, { cause: error })
    })
    const body = call.body === undefined ? undefined : JSON.stringify(call.body)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = send(url, {
      ...options,
      method: call.method,
      headers: {
        accept: `application/json${call.form === undefined ? '' : `;as=${call.form};g=meta.k8s.io;v=v1`}`,
        'user-agent': userAgent,
        ...body !== undefined && {
          'content-type': call.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body)
        },
        ...options.headers as Record<string, string>
      }
    }, resolve)
    const timer = clock.setTimer(requestTimeoutMs, () => {
      request.destroy(new KubeError(0, 'TimedOut', `no answer from the API server in ${requestTimeoutMs} ms`))
    })
    request.on('error', error => { reject(asKubeError(error)) })
    request.end(body)
    try {
      const response = await promise
      const status = response.statusCode ?? 0
      if (status >= 200 && status < 300) return { request, response }
      throw statusError(parseJson(await readAll(response), status), status, response.headers['retry-after'])
    } finally {
      timer.cancel()
    }
  }
}

function pathOf (kind: Kind, namespace: string, name?: string, subresource?: string): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`
  const scope = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}${scope}/${kind.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`
}

function selectors (query: Query): Record<string, string | undefined> {
  return { labelSelector: query.labelSelector, fieldSelector: query.fieldSelector }
}

async function readAll (response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > answerBytesMax) {
        throw new KubeError(0, 'TooLarge', `the answer is larger than ${answerBytesMax} bytes`)
      }
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw asKubeError(error)
  }
  return Buffer.concat(chunks).toString()
}

function readLines (response: IncomingMessage, onLine: (line: string) => void,
  end: (error: KubeError | undefined) => void): void {
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    if (rest.length > answerBytesMax) end(new KubeError(0, 'TooLarge', 'a watch event without an end'))
    for (const line of lines) if (line !== '') onLine(line)
  })
  response.on('end', () => { end(undefined) })
  response.on('error', error => { end(asKubeError(error)) })
}

function parseEvent (line: string): WatchEvent | KubeError {
  try {
    const event = JSON.parse(line) as { type: WatchEvent['type'] | 'ERROR', object: KubeObject }
    if (event.type === 'ERROR') return statusError(event.object, Number(event.object['code'] ?? 500), undefined)
    return event as WatchEvent
  } catch (error) {
    return new KubeError(0, 'ConnectionBroken', 'a watch event is not JSON', 0, { cause: error })
  }
}

function parseJson (text: string, status: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { message: text.slice(0, 200), code: status }
  }
}

function statusError (status: unknown, code: number, retryAfter: string | undefined): KubeError {
  const { reason, message, details } = status as
    { reason?: string, message?: string, details?: { retryAfterSeconds?: number } }
  const seconds = Number(retryAfter ?? details?.retryAfterSeconds ?? 0)
  return new KubeError(code, reason ?? String(code), message ?? `the API server answered ${code}`,
    Number.isFinite(seconds) ? seconds * 1000 : 0)
}

function asKubeError (error: unknown): KubeError {
  if (error instanceof KubeError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === 'ECONNREFUSED' ? 'ConnectionRefused' : 'ConnectionBroken'
  return new KubeError(0, reason, `the API server cannot be reached: ${message}`, 0, { cause: error })
}
