// All that the operator of a large installation has around it: the embedded Kubernetes API with the StatefulSet
// controller of local/, kubelets that report every pod as running and ready, and one controller for each cluster.
import { startKubeApi, type KubeApi, type KubeObject, type Writable } from '../../../local/kube/api.ts'
import { StatefulSetController } from '../../../local/pods/stateful-set-controller.ts'
import { customResourceDefinition } from '../../../operator/schema/crd.ts'
import { resources } from '../../../operator/schema/resources.ts'
import { GrpcNet } from '../../../wire/adapters/grpc-net.ts'
import type { Sent } from '../../../wire/messages.ts'
import type { Listener, RequestOf, ResponseOf, Services, UnaryMethod } from '../../../wire/ports.ts'
import { FakeCluster } from './fake-cluster.ts'
import { readyStatus } from './kubelet.ts'
import { Requests } from './requests.ts'

export const clusters = 'clusters.millrace.dev'
export const topics = 'topics.millrace.dev'
const methods = ['ApplyTopic', 'DeleteTopic', 'DescribeCluster', 'DrainBrokers', 'PlanBrokers', 'RestoreTables',
  'MaintainBrokers', 'RemoveBroker'] as const satisfies readonly UnaryMethod[]
/** Of API requests under way when many objects are made. */
const parallel = 50

export interface Named { readonly namespace: string, readonly name: string }

export class Surroundings {
  readonly kube: KubeApi
  readonly requests: Requests
  readonly #net = new GrpcNet()
  readonly #listeners: Listener[] = []
  readonly #byName = new Map<string, FakeCluster>()
  readonly #sets: StatefulSetController
  readonly #stopWatching: () => void
  #failure: unknown

  private constructor (kube: KubeApi, requests: Requests) {
    this.kube = kube
    this.requests = requests
    this.#sets = new StatefulSetController(kube, (_key, error) => { this.#failure = error })
    this.#stopWatching = kube.watch('pods', ({ type, object }) => {
      if (type !== 'ADDED' || object['status'] !== undefined && 'conditions' in (object['status'] as object)) return
      this.#startPod(object).catch((error: unknown) => { this.#failure = error })
    })
  }

  /** @param folder of the Kubernetes API's state; unset: in memory */
  static async start (folder?: string): Promise<Surroundings> {
    const requests = new Requests()
    const kube = await startKubeApi({ faults: requests, ...folder !== undefined && { folder } })
    for (const resource of resources) {
      const definition = customResourceDefinition(resource) as Writable
      await kube.create('customresourcedefinitions.apiextensions.k8s.io', definition)
    }
    return new Surroundings(kube, requests)
  }

  /** How often the controllers were called, all of them together. */
  calls (method: UnaryMethod): number {
    return [...this.#byName.values()].reduce((sum, { calls }) => sum + (calls.get(method) ?? 0), 0)
  }

  /** A Cluster, and a controller that listens on a port of its own. */
  async createCluster ({ namespace, name }: Named, brokers: number): Promise<void> {
    if (this.kube.get('namespaces', undefined, namespace) === undefined) {
      await this.kube.create('namespaces', { metadata: { name: namespace } })
    }
    const cluster = new FakeCluster(this.kube, namespace, name)
    const answer = <M extends UnaryMethod>(method: M) => async (request: RequestOf<M>): Promise<ResponseOf<M>> =>
      await cluster.call(method, request as Sent<RequestOf<M>>)
    const unary = Object.fromEntries(methods.map(method => [method, answer(method)])) as Services['unary']
    const listener = await this.#net.listen('127.0.0.1:0', { ...unary !== undefined && { unary } })
    cluster.controller.address = listener.address
    this.#listeners.push(listener)
    this.#byName.set(`${namespace}/${name}`, cluster)
    await this.kube.create(clusters, { metadata: { name, namespace }, spec: { brokers, storage: { size: '100Gi' } } })
  }

  /** Topics `orders-0`, `orders-1` ... of one partition and three replicas, as many at once as the API takes. */
  async createTopics ({ namespace, name }: Named, from: number, to: number): Promise<void> {
    let next = from
    await Promise.all(Array.from({ length: parallel }, async () => {
      while (next < to) {
        await this.kube.create(topics, topic(namespace, `orders-${next++}`, name))
      }
    }))
  }

  async deleteTopics ({ namespace }: Named, count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, async (_, index) => {
      await this.kube.delete(topics, namespace, `orders-${index}`)
    }))
  }

  /** Resolves once so many objects are Ready for their generation. */
  async ready (resource: string, count: number, timeoutMs: number): Promise<void> {
    const readyNow = new Set<string>()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = this.kube.watch(resource, ({ type, object }) => {
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      if (type !== 'DELETED' && isReady(object)) readyNow.add(key)
      else readyNow.delete(key)
      if (readyNow.size >= count) resolve()
    })
    const timer = setTimeout(() => {
      reject(new Error(`${readyNow.size} of ${count} ${resource} were Ready within ${timeoutMs} ms`, {
        cause: this.#failure
      }))
    }, timeoutMs)
    await promise.finally(() => { stop(); clearTimeout(timer) })
  }

  async close (): Promise<void> {
    this.#stopWatching()
    await this.#sets.stop()
    await Promise.all(this.#listeners.map(async each => { await each.close(0) }))
    await this.#net.close()
    await this.kube.close()
    if (this.#failure !== undefined) throw this.#failure as Error
  }

  async #startPod ({ metadata: { name, namespace = '', labels = {} } }: KubeObject): Promise<void> {
    const [, ordinal = '0'] = /-([0-9]+)$/.exec(name) ?? []
    await this.kube.patch('pods', namespace, name, { status: readyStatus(Number(ordinal)) }, { subresource: 'status' })
    await this.#byName.get(`${namespace}/${labels['millrace.dev/cluster']}`)?.register(Number(ordinal))
  }
}

/** As `kubectl apply` makes it: with the whole of it in an annotation once more. */
function topic (namespace: string, name: string, cluster: string): Writable {
  const wish = { metadata: { name, namespace }, spec: { cluster, partitions: 1, replicas: 3 } }
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(wish)}\n` }
  return { ...wish, metadata: { ...wish.metadata, annotations } }
}

function isReady (object: KubeObject): boolean {
  const { conditions = [] } = (object['status'] ?? {}) as
    { conditions?: { type: string, status: string, observedGeneration?: number }[] }
  return conditions.some(({ type, status, observedGeneration }) =>
    type === 'Ready' && status === 'True' && observedGeneration === object.metadata.generation)
}
