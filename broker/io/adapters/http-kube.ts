// Kube over HTTP: the pod's service account, or a plain address for local clusters. Small on purpose:
// @kubernetes/client-node costs a broker 119 MB of memory and 0.7 s at start.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bracketed } from '../../../wire/address.ts'
import { WireError } from '../../../wire/errors.ts'
import { assert } from '../../assert.ts'
import { KubeError } from '../ports.ts'
import type { Kube, KubeErrorKind, KubeKind, KubeObject, KubeVersion } from '../ports.ts'
import { HttpConnection } from './http-connection.ts'
import type { HttpAnswer } from './http-connection.ts'

export interface HttpKubeOptions {
  /** http://host:port or https://host:port */
  readonly url: string
  readonly namespace: string
  /** Files of a service account, read again for each request since Kubernetes replaces them. */
  readonly tokenPath?: string
  readonly caPath?: string
  /** For a whole request; default 5 s. */
  readonly timeoutMs?: number
}

// https://kubernetes.io/docs/tasks/run-application/access-api-from-pod
const accountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
const timeoutMsDefault = 5_000
const retryAfterMsMax = 60_000
const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'

type Verb = 'GET' | 'POST' | 'PUT' | 'DELETE'

export class HttpKube implements Kube {
  readonly #options: HttpKubeOptions
  readonly #connection: HttpConnection

  constructor (options: HttpKubeOptions) {
    this.#options = options
    this.#connection = new HttpConnection(options.url, options.timeoutMs ?? timeoutMsDefault)
  }

  /** From MILLRACE_KUBE, otherwise from what Kubernetes gives a pod. Throws WireError INVALID_REQUEST. */
  static fromEnvironment (env: NodeJS.ProcessEnv = process.env): HttpKube {
    const namespace = env.MILLRACE_NAMESPACE ?? 'default'
    const url = env.MILLRACE_KUBE
    if (url !== undefined && url !== '') {
      if (!URL.canParse(url)) throw new WireError('INVALID_REQUEST', `MILLRACE_KUBE=${url} is not an address`)
      return new HttpKube({ url, namespace })
    }
    const host = env.KUBERNETES_SERVICE_HOST
    if (host === undefined || host === '') {
      throw new WireError('INVALID_REQUEST', 'neither MILLRACE_KUBE nor KUBERNETES_SERVICE_HOST is set')
    }
    const port = env.KUBERNETES_SERVICE_PORT ?? '443'
    return new HttpKube({
      url: `https://${bracketed(host)}:${port}`,
      namespace,
      tokenPath: join(accountFolder, 'token'),
      caPath: join(accountFolder, 'ca.crt')
    })
  }

  async get (kind: KubeKind, name: string): Promise<KubeObject | undefined> {
    try {
      return await this.#request<KubeObject>('GET', this.#path(kind, name))
    } catch (error) {
      if (error instanceof KubeError && error.kind === 'not-found') return undefined
      throw error
    }
  }

  async list (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<KubeObject[]> {
    const answer = await this.#request<{ kind: string, items: KubeObject[] }>('GET', this.#pathOfAll(kind, labels))
    // Items of a list of built-in kinds come without their kind.
    const itemKind = answer.kind.replace(/List$/, '')
    return answer.items.map(item => ({ ...item, apiVersion: kind.apiVersion, kind: itemKind }))
      .sort((a, b) => a.metadata.name < b.metadata.name ? -1 : 1)
  }

  async versions (kind: KubeKind, labels: Readonly<Record<string, string>>): Promise<Map<string, KubeVersion>> {
    // https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches: without a resourceVersion
    // it is a quorum read, as any other list.
    const { items } = await this.#request<{ items: KubeObject[] }>('GET', this.#pathOfAll(kind, labels),
      undefined, metadataOnly)
    return new Map(items.map(({ metadata: { name, uid = '', resourceVersion = '' } }) =>
      [name, { uid, resourceVersion }]))
  }

  async create (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    return await this.#request<KubeObject>('POST', this.#path(kind), object)
  }

  async replace (kind: KubeKind, object: KubeObject): Promise<KubeObject> {
    const { name, resourceVersion } = object.metadata
    // Some kinds, Lease among them, are overwritten without one.
    if (resourceVersion === undefined || resourceVersion === '') {
      throw new KubeError('invalid', 422, `${kind.plural} ${name}: metadata.resourceVersion must be set`)
    }
    return await this.#request<KubeObject>('PUT', this.#path(kind, name), object)
  }

  async remove (kind: KubeKind, name: string, precondition: { uid: string, resourceVersion: string }): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: precondition }
    try {
      await this.#request('DELETE', this.#path(kind, name), body)
    } catch (error) {
      if (!(error instanceof KubeError && error.kind === 'not-found')) throw error
    }
  }

  #pathOfAll (kind: KubeKind, labels: Readonly<Record<string, string>>): string {
    const selector = Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(',')
    return `${this.#path(kind)}?labelSelector=${encodeURIComponent(selector)}`
  }

  #path (kind: KubeKind, name?: string): string {
    assert(name !== '', 'an object has a name')
    const root = kind.apiVersion.includes('/') ? 'apis' : 'api'
    const namespace = encodeURIComponent(this.#options.namespace)
    const folder = `/${root}/${kind.apiVersion}/namespaces/${namespace}/${kind.plural}`
    return name === undefined ? folder : `${folder}/${encodeURIComponent(name)}`
  }

  async #request<T> (verb: Verb, path: string, body?: object, accept = 'application/json'): Promise<T> {
    const what = `${verb} ${path}`
    const { tokenPath, caPath } = this.#options
    let token: string | undefined
    let ca: string | undefined
    try {
      if (tokenPath !== undefined) token = (await readFile(tokenPath, 'utf8')).trim()
      if (caPath !== undefined) ca = await readFile(caPath, 'utf8')
    } catch (error) {
      throw new KubeError('unavailable', 0, `${what}: ${(error as Error).message}`)
    }
    const headers: Record<string, string> = { accept }
    if (token !== undefined) headers.authorization = `Bearer ${token}`
    const answer = await this.#connection.request({
      verb, path, headers, ca, body: body === undefined ? undefined : JSON.stringify(body)
    })
    return interpret<T>(answer, verb, what)
  }
}

/** The object of a good answer; throws KubeError. */
function interpret<T> (answer: HttpAnswer, verb: Verb, what: string): T {
  const ambiguous: KubeErrorKind = verb === 'GET' ? 'unavailable' : 'unknown'
  if (answer.error !== undefined) {
    throw new KubeError(answer.sent ? ambiguous : 'unavailable', 0, `${what}: ${answer.error.message}`)
  }
  const { status } = answer
  const parsed = parse(answer.body)
  if (status >= 200 && status < 300) {
    if (parsed === undefined) throw new KubeError(ambiguous, status, `${what}: the answer is not JSON`)
    return parsed as T
  }
  const { message, reason } = (parsed ?? {}) as { message?: string, reason?: string }
  const text = `${what}: ${status} ${message ?? answer.body.slice(0, 200)}`
  throw new KubeError(kindOf(status, reason, ambiguous), status, text, retryAfterMs(answer.retryAfter))
}

function kindOf (status: number, reason: string | undefined, ambiguous: KubeErrorKind): KubeErrorKind {
  switch (status) {
    case 401: case 403: return 'refused'
    case 404: return 'not-found'
    case 409: return reason === 'AlreadyExists' ? 'exists' : 'conflict'
    case 429: return 'unavailable'
    default: return status >= 400 && status < 500 ? 'invalid' : ambiguous
  }
}

function parse (body: string): unknown {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** Seconds, as Kubernetes sends them; anything else counts as absent. */
function retryAfterMs (header: string | undefined): number {
  const seconds = Number(header ?? '')
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, retryAfterMsMax) : 0
}
