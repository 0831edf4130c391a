// A real API server with the face that the operator's suites know: reads are answered at once (sync-reads.ts), a
// watch tells what is there before it goes on.
import { ApiError, type KubeObject, type ListOptions, type WatchEvent, type Writable } from '../../../local/kube/api.ts'
import type { HttpApi } from '../../../operator/kube/http-api.ts'
import { media, type Any, type Client, type Reply } from '../../local/kube/client.ts'
import type { WorldApi } from '../../operator/reconcile/world-host.ts'
import { pathOf } from '../objects.ts'
import type { SyncReads, SyncReply } from './sync-reads.ts'

const watchSeconds = 3_600

export interface RealApiParts {
  readonly url: string
  readonly client: Client
  readonly reads: SyncReads
  readonly http: HttpApi
  /** Whether objects of a namespace are shown where none is named. */
  readonly shows: (namespace: string) => boolean
}

export class RealApi implements WorldApi {
  readonly url: string
  readonly #parts: RealApiParts

  constructor (parts: RealApiParts) {
    this.url = parts.url
    this.#parts = parts
  }

  get (resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    const { status, text } = this.#parts.reads.get(pathOf(resource, namespace, name))
    return status === 404 ? undefined : parsed(resource, { status, text }) as KubeObject
  }

  list (resource: string, options: ListOptions = {}): KubeObject[] {
    return this.#list(resource, options).items
  }

  async create (resource: string, object: Writable): Promise<KubeObject> {
    const { client } = this.#parts
    const made = answer(await client.post(pathOf(resource, object.metadata.namespace), object))
    // A real server serves what is defined a moment later.
    if (resource.startsWith('customresourcedefinitions.')) {
      await client.eventually(pathOf(made.metadata.name, undefined), ({ status }) => status === 200)
    }
    return made
  }

  async patch (resource: string, namespace: string | undefined, name: string, mergePatch: object,
    { subresource }: { readonly subresource?: 'status' | 'scale' } = {}): Promise<KubeObject> {
    const path = pathOf(resource, namespace, name) + (subresource === undefined ? '' : `/${subresource}`)
    return answer(await this.#parts.client.patch(path, media.merge, mergePatch))
  }

  async delete (resource: string, namespace: string | undefined, name: string,
    options: object = {}): Promise<KubeObject> {
    return answer(await this.#parts.client.delete(pathOf(resource, namespace, name),
      { apiVersion: 'v1', kind: 'DeleteOptions', ...options }))
  }

  watch (resource: string, onEvent: (event: WatchEvent) => void): () => void {
    const { items, resourceVersion: listed } = this.#list(resource, {})
    let ended = false
    let stop: () => void = () => {}
    const open = (resourceVersion: string): void => {
      let last = resourceVersion
      stop = this.#parts.http.watch(kindOf(resource), {
        namespace: '', resourceVersion, timeoutSeconds: watchSeconds
      }, {
        event: ({ type, object }) => {
          last = object.metadata.resourceVersion ?? last
          const { namespace } = object.metadata
          const isShown = namespace === undefined || this.#parts.shows(namespace)
          if (type !== 'BOOKMARK' && isShown && !ended) onEvent({ type, object: object as KubeObject })
        },
        // Of a definition that is deleted while its objects are watched there is nothing more to tell.
        end: error => { if (!ended && error === undefined) open(last) }
      })
    }
    open(listed)
    for (const object of items) if (!ended) onEvent({ type: 'ADDED', object })
    return () => {
      ended = true
      stop()
    }
  }

  #list (resource: string, { namespace, labelSelector, fieldSelector }: ListOptions):
  { items: KubeObject[], resourceVersion: string } {
    const query = new URLSearchParams({
      ...labelSelector !== undefined && { labelSelector }, ...fieldSelector !== undefined && { fieldSelector }
    })
    const path = pathOf(resource, namespace)
    const reply = this.#parts.reads.get(`${path}?${query}`)
    if (reply.status === 404) return { items: [], resourceVersion: '0' }
    const { apiVersion, kind, items, metadata } = parsed(resource, reply)
    const shown = (items as KubeObject[]).filter(({ metadata: { namespace: where } }) =>
      namespace !== undefined || where === undefined || this.#parts.shows(where))
    return {
      items: shown.map(object => ({ ...object, apiVersion, kind: kind.replace(/List$/, '') })),
      resourceVersion: metadata.resourceVersion
    }
  }
}

function kindOf (resource: string): { apiVersion: string, kind: string, plural: string } {
  const path = pathOf(resource, undefined)
  const [, apis = '', version = '', rest = ''] = /^\/(apis\/[^/]+|api)\/([^/]+)\/(.+)$/.exec(path)!
  const group = apis.replace(/^apis?\/?/, '')
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind: '', plural: rest }
}

function parsed (what: string, { status, text }: SyncReply): Any {
  if (status !== 200) throw new Error(`${what}: ${status} ${text}`)
  return JSON.parse(text)
}

function answer ({ status, body, text }: Reply): KubeObject {
  if (status < 300) return body as KubeObject
  const { reason = 'Unknown', message = text } = (body ?? {}) as { reason?: string, message?: string }
  throw new ApiError(status, reason, message)
}
