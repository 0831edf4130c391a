// Endpoints of every Service, and a proxy on 127.0.0.1 for every one that has an address of its own.
import { isDeepStrictEqual } from 'node:util'
import type { KubeApi, KubeObject, Writable } from '../kube/api.ts'
import { endpoints, endpointSlices, targetPort } from './endpoints.ts'
import { Proxy } from './proxy.ts'
import { ReconcileQueue } from './reconcile-queue.ts'
import { isReady, keyOf, matches, portsAnnotation } from './types.ts'
import type { Pod, Service, ServicePort } from './types.ts'

const slices = 'endpointslices.discovery.k8s.io'

export interface ServiceControllerOptions {
  readonly api: KubeApi
  /** Does a process of the pod run? An unready one is better than none. */
  readonly isRunning: (pod: Pod) => boolean
  /** Proxies that listen already, by namespace/service/port name. Others get a free port. */
  readonly proxies: ReadonlyMap<string, Proxy>
  readonly onError: (key: string, error: unknown) => void
}

export class ServiceController {
  readonly #options: ServiceControllerOptions
  readonly #queue: ReconcileQueue
  readonly #ends: (() => void)[]
  /** By namespace/service/port name. */
  readonly #proxies: Map<string, Proxy>

  constructor (options: ServiceControllerOptions) {
    const { api, onError, proxies } = options
    this.#options = options
    this.#proxies = new Map(proxies)
    this.#queue = new ReconcileQueue(key => this.#reconcile(key), onError)
    this.#ends = [
      api.watch('services', ({ object }) => { this.#queue.add(keyOf(object)) }),
      api.watch('pods', ({ object }) => { this.#addSelecting(object as Pod) })
    ]
  }

  async stop (): Promise<void> {
    for (const end of this.#ends) end()
    await this.#queue.stop()
    await Promise.all([...this.#proxies.values()].map(proxy => proxy.close()))
  }

  #addSelecting (pod: Pod): void {
    const { namespace = 'default', labels } = pod.metadata
    for (const service of this.#options.api.list('services', { namespace }) as Service[]) {
      if (matches(labels, service.spec.selector ?? {})) this.#queue.add(keyOf(service))
    }
  }

  async #reconcile (key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const service = this.#options.api.get('services', namespace, name) as Service | undefined
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) {
      await this.#closeProxies(key, [])
      return
    }
    const { selector } = service.spec
    if (selector === undefined || Object.keys(selector).length === 0) return
    await this.#publish(service, this.#pods(service))
    if (service.spec.clusterIP === 'None') await this.#closeProxies(key, [])
    else await this.#serve(key, service)
  }

  #pods ({ metadata, spec }: Service): Pod[] {
    const pods = this.#options.api.list('pods', { namespace: metadata.namespace ?? 'default' }) as Pod[]
    return pods.filter(pod => matches(pod.metadata.labels, spec.selector ?? {}))
  }

  async #publish (service: Service, pods: readonly Pod[]): Promise<void> {
    const { namespace = 'default', name } = service.metadata
    const wanted = endpointSlices(service, pods)
    const labelSelector = `kubernetes.io/service-name=${name}`
    const stale = this.#options.api.list(slices, { namespace, labelSelector })
      .filter(({ metadata }) => !wanted.some(slice => slice.metadata.name === metadata.name))
    await Promise.all([
      this.#write('endpoints', endpoints(service, pods)),
      ...wanted.map(slice => this.#write(slices, slice)),
      ...stale.map(({ metadata }) => this.#options.api.delete(slices, namespace, metadata.name))
    ])
  }

  async #write (resource: string, wanted: KubeObject): Promise<void> {
    const { namespace, name } = wanted.metadata
    const { metadata, ...content } = wanted
    const live = this.#options.api.get(resource, namespace, name)
    if (live === undefined) {
      const object: Writable = { ...wanted, metadata: { ...metadata } }
      await this.#options.api.create(resource, object)
    } else if (Object.entries(content).some(([field, value]) => !isDeepStrictEqual(live[field], value))) {
      await this.#options.api.update(resource, { ...live, ...content, metadata: { ...live.metadata } })
    }
  }

  async #serve (key: string, service: Service): Promise<void> {
    const ports: Record<string, number> = {}
    for (const port of service.spec.ports ?? []) {
      const id = `${key}/${port.name ?? ''}`
      const proxy = this.#proxies.get(id) ?? await Proxy.listen(0)
      this.#proxies.set(id, proxy)
      proxy.serve(() => this.#candidates(key, port, proxy))
      ports[port.name ?? ''] = proxy.port
    }
    await this.#closeProxies(key, Object.keys(ports))
    const text = JSON.stringify(ports)
    if (service.metadata.annotations?.[portsAnnotation] === text) return
    const { namespace, name } = service.metadata
    await this.#options.api.patch('services', namespace, name,
      { metadata: { annotations: { [portsAnnotation]: text } } })
  }

  /** Ready pods first, then those whose process at least runs; asked for each connection. */
  #candidates (key: string, port: ServicePort, proxy: Proxy): number[] {
    const [namespace = '', name = ''] = key.split('/')
    const service = this.#options.api.get('services', namespace, name) as Service | undefined
    if (service === undefined) return []
    const running = this.#pods(service).filter(this.#options.isRunning)
    const ready = running.filter(isReady)
    const others = running.filter(pod => !isReady(pod))
    return [...proxy.inTurn(ready), ...proxy.inTurn(others)].flatMap(pod => targetPort(pod, port) ?? [])
  }

  async #closeProxies (key: string, but: readonly string[]): Promise<void> {
    for (const [id, proxy] of this.#proxies) {
      const isOfService = id.startsWith(`${key}/`)
      if (!isOfService || but.includes(id.slice(key.length + 1)) || this.#options.proxies.has(id)) continue
      this.#proxies.delete(id)
      await proxy.close()
    }
  }
}
