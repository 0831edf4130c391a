// A real API server with the face that the local kubelet (local/pods) knows: copies kept by the operator's own
// reflector, writes by plain requests.
import { NodeClock } from '../../wire/adapters/node-clock.ts'
import { NodeRng } from '../../wire/adapters/node-rng.ts'
import { ApiError, type KubeObject, type WatchEvent } from '../../local/kube/api.ts'
import type { Pod, PodApi } from '../../local/pods/types.ts'
import { loadCredentials } from '../../operator/kube/credentials.ts'
import { HttpApi } from '../../operator/kube/http-api.ts'
import { Reflector } from '../../operator/kube/reflector.ts'
import { keyOf, kinds, type KubeObject as OperatorObject } from '../../operator/kube/types.ts'
import { media, type Client, type Reply } from '../local/kube/client.ts'
import { silentLog } from '../operator/silent-log.ts'
import { pathOf } from './objects.ts'

const copied = { pods: kinds.pod, configmaps: kinds.configMap, persistentvolumeclaims: kinds.persistentVolumeClaim }
type Copied = keyof typeof copied

export class RemoteApi implements PodApi {
  readonly url: string
  readonly #client: Client
  readonly #http: HttpApi
  readonly #copies: Record<Copied, Reflector<OperatorObject>>

  private constructor (url: string, client: Client, http: HttpApi) {
    this.url = url
    this.#client = client
    this.#http = http
    const clock = new NodeClock()
    const reflector = (resource: Copied): Reflector<OperatorObject> => new Reflector({
      api: http, clock, rng: new NodeRng(), log: silentLog, kind: copied[resource], query: { namespace: '' },
      ...resource === 'pods' && { trim: withoutToken }
    })
    this.#copies = {
      pods: reflector('pods'), configmaps: reflector('configmaps'),
      persistentvolumeclaims: reflector('persistentvolumeclaims')
    }
  }

  static async start (url: string, client: Client, kubeconfig: string): Promise<RemoteApi> {
    const credentials = await loadCredentials({ KUBECONFIG: kubeconfig })
    const http = new HttpApi({ credentials, clock: new NodeClock(), userAgent: 'kubelet/test' })
    const api = new RemoteApi(url, client, http)
    for (const copy of Object.values(api.#copies)) copy.start()
    await Promise.all(Object.values(api.#copies).map(copy => copy.synced))
    return api
  }

  close (): void {
    for (const copy of Object.values(this.#copies)) copy.stop()
    this.#http.close()
  }

  get (resource: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#copy(resource).get(keyOf({ metadata: { namespace: namespace ?? 'default', name } })) as
      KubeObject | undefined
  }

  watch (resource: string, onEvent: (event: WatchEvent) => void): () => void {
    let ended = false
    const copy = this.#copy(resource)
    const tell = (type: WatchEvent['type'], object: OperatorObject): void => {
      if (ended || !this.#isOurs(resource, object)) return
      onEvent({ type, object: object as KubeObject })
    }
    for (const object of copy.values()) tell('ADDED', object)
    copy.onChange((_key, object, previous) => {
      if (object === undefined) tell('DELETED', previous!)
      else tell(previous === undefined || !this.#isOurs(resource, previous) ? 'ADDED' : 'MODIFIED', object)
    })
    return () => { ended = true }
  }

  async patch (resource: string, namespace: string | undefined, name: string, mergePatch: object,
    options: { readonly subresource?: 'status' | 'scale' } = {}): Promise<KubeObject> {
    const { subresource } = options
    const path = pathOf(resource, namespace ?? 'default', name) + (subresource === undefined ? '' : `/${subresource}`)
    return answer(await this.#client.patch(path, media.merge, mergePatch))
  }

  async delete (resource: string, namespace: string | undefined, name: string,
    options: object = {}): Promise<KubeObject> {
    return answer(await this.#client.delete(pathOf(resource, namespace ?? 'default', name), options))
  }

  /** Nobody asks this kubelet for logs. */
  onLogs (): void {}

  #copy (resource: string): Reflector<OperatorObject> {
    const copy = this.#copies[resource as Copied] as Reflector<OperatorObject> | undefined
    if (copy === undefined) throw new Error(`no copies of ${resource} are kept`)
    return copy
  }

  /** Pods that the scheduler has put on a node; claims that have a volume. */
  #isOurs (resource: string, { spec }: OperatorObject): boolean {
    const fields = (spec ?? {}) as { nodeName?: string, volumeName?: string }
    if (resource === 'pods') return fields.nodeName !== undefined
    return resource !== 'persistentvolumeclaims' || fields.volumeName !== undefined
  }
}

/** The volume with the ServiceAccount's token, that every pod is given: the node plays it in another way. */
function withoutToken (pod: OperatorObject): OperatorObject {
  const { spec } = pod as unknown as Pod
  const tokens = new Set(spec.volumes?.filter(volume => 'projected' in volume).map(({ name }) => name))
  const containers = spec.containers.map(container => ({
    ...container, volumeMounts: container.volumeMounts?.filter(({ name }) => !tokens.has(name)) ?? []
  }))
  return { ...pod, spec: { ...spec, containers, volumes: spec.volumes?.filter(({ name }) => !tokens.has(name)) } }
}

function answer ({ status, body, text }: Reply): KubeObject {
  if (status < 300) return body as KubeObject
  const { reason = 'Unknown', message = text } = (body ?? {}) as { reason?: string, message?: string }
  throw new ApiError(status, reason, message)
}
