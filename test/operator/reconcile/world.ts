// A small world for the operator: a Kubernetes API with nodes whose pods are ready at once (world-host.ts), and the
// controllers of clusters in memory.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { NodeRng } from '../../../wire/adapters/node-rng.ts'
import type { KubeObject as LocalObject } from '../../../local/kube/api.ts'
import type { Faults } from '../../../local/kube/faults.ts'
import type { KubeApi } from '../../../operator/kube/api.ts'
import { HttpApi } from '../../../operator/kube/http-api.ts'
import type { Log } from '../../../operator/kube/log.ts'
import { Operator } from '../../../operator/operator.ts'
import { silentLog } from '../silent-log.ts'
import { FakeController } from './fake-controller.ts'
import { readyStatus } from './pod-status.ts'
import { makeHost, type WorldApi, type WorldHost } from './world-host.ts'

export const root = join(import.meta.dirname, '../../..')
/** That of the World that was started last: on a real API each has its own. */
export let namespace = 'default'

export class World {
  readonly host: WorldHost
  readonly kube: WorldApi
  readonly controller = new FakeController()
  /** New pods are ready; false: not until a test says so. */
  podsBecomeReady = true
  /** What the operator watches; empty: all. */
  namespaces: readonly string[] = []
  /** Whether it is said to have the right to read Nodes. */
  readsNodes = true
  log: Log = silentLog
  operator: Operator | undefined
  api: KubeApi | undefined
  readonly #stopWatching: (() => void)[] = []
  /** One table after the other. */
  #tableWork: Promise<void> = Promise.resolve()

  private constructor (host: WorldHost) {
    this.host = host
    this.kube = host.kube
  }

  /** With the operator and the Cluster 'events', whose three brokers serve. */
  static async ready (): Promise<World> {
    const world = await World.start()
    try {
      await world.startOperator()
      await world.createCluster()
      await world.until('pods', 'events-2', () => true)
      await world.elect()
      await world.condition('clusters.millrace.dev', 'events', 'Ready', 'True')
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  static async start (faults?: Faults): Promise<World> {
    const host = await makeHost(faults)
    namespace = host.namespace
    const world = new World(host)
    world.controller.brokers.onMoved = () => { world.#tableWork = world.#tableWork.then(() => world.writeTable()) }
    host.startNodes(() => world.podsBecomeReady)
    world.#stopWatching.push(host.kube.watch('pods', ({ type, object }) => {
      if (object.metadata.namespace === host.namespace) world.#notePod(object, type === 'DELETED')
    }))
    return world
  }

  /** @param wrap puts faults between the operator and the API */
  async startOperator (wrap: (api: KubeApi) => KubeApi = api => api): Promise<Operator> {
    const clock = new NodeClock()
    const credentials = await this.host.credentials()
    this.api = wrap(new HttpApi({ credentials, clock, userAgent: 'millrace-operator/test' }))
    this.operator = new Operator({
      api: this.api,
      net: this.controller,
      clock,
      rng: new NodeRng(),
      log: this.log,
      namespaces: this.namespaces,
      readsNodes: this.readsNodes,
      image: 'millrace:0.1.0',
      version: '0.1.0',
      instance: 'operator-test'
    })
    this.operator.start()
    await this.operator.lead()
    return this.operator
  }

  async stopOperator (): Promise<void> {
    await this.operator?.stop()
    this.api?.close()
    this.operator = undefined
  }

  async close (): Promise<void> {
    await this.stopOperator()
    for (const stop of this.#stopWatching) stop()
    await this.#tableWork
    await this.host.close()
  }

  /** What a broker that becomes the controller does. */
  async elect (cluster = 'events'): Promise<void> {
    const name = `${cluster}-controller`
    const annotations = {
      'millrace.dev/controller-epoch': '1', 'millrace.dev/controller-address': this.controller.address
    }
    if (this.kube.get('leases.coordination.k8s.io', namespace, name) !== undefined) {
      await this.kube.patch('leases.coordination.k8s.io', namespace, name, { metadata: { annotations } })
      return
    }
    await this.kube.create('leases.coordination.k8s.io', {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, labels: { 'millrace.dev/cluster': cluster }, annotations },
      spec: { holderIdentity: '0' }
    })
    await this.writeTable(cluster)
  }

  /** What the controller does whenever it decides something. */
  async writeTable (cluster = 'events', index = 0): Promise<void> {
    const name = `${cluster}-${index}`
    const spec = { controllerEpoch: 1, writeId: String(performance.now()) }
    const known = this.kube.get('partitiontables.millrace.dev', namespace, name)
    if (known !== undefined) {
      await this.kube.patch('partitiontables.millrace.dev', namespace, name, { spec })
      return
    }
    await this.kube.create('partitiontables.millrace.dev', {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'PartitionTable',
      metadata: { name, namespace, labels: { 'millrace.dev/cluster': cluster } },
      spec
    })
  }

  async createCluster (spec: object = {}, name = 'events'): Promise<LocalObject> {
    return await this.kube.create('clusters.millrace.dev', {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name, namespace },
      spec: { brokers: 3, storage: { size: '1Gi' }, ...spec }
    })
  }

  async createTopic (name: string, spec: object = {}): Promise<LocalObject> {
    return await this.kube.create('topics.millrace.dev', {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'Topic',
      metadata: { name, namespace },
      spec: { cluster: 'events', ...spec }
    })
  }

  get (resource: string, name: string): LocalObject | undefined {
    return this.kube.get(resource, namespace, name)
  }

  /** Resolves when the named condition of an object has this status (and reason). */
  async condition (resource: string, name: string, type: string, status: string,
    reason?: string): Promise<LocalObject> {
    return await this.until(resource, name, object => {
      const found = conditionOf(object, type)
      return found?.status === status && (reason === undefined || found.reason === reason) &&
        found.observedGeneration === object.metadata.generation
    }, `${type}=${status} ${reason ?? ''}`)
  }

  /** Resolves with the object once `holds`; rejects with its last state when it takes too long. */
  async until (resource: string, name: string, holds: (object: LocalObject) => boolean,
    what = 'what was waited for'): Promise<LocalObject> {
    const { promise, resolve, reject } = Promise.withResolvers<LocalObject>()
    const stop = this.kube.watch(resource, ({ type, object }) => {
      if (type !== 'DELETED' && object.metadata.name === name && holds(object)) resolve(object)
    })
    const timer = setTimeout(() => {
      const last = JSON.stringify(this.get(resource, name), undefined, 1)
      reject(new Error(`${resource}/${name} never had ${what}: ${last}`))
    }, this.host.waitMs)
    return await promise.finally(() => { stop(); clearTimeout(timer) })
  }

  async untilGone (resource: string, name: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = this.kube.watch(resource, ({ type, object }) => {
      if (type === 'DELETED' && object.metadata.name === name) resolve()
    })
    if (this.get(resource, name) === undefined) resolve()
    const timer = setTimeout(() => { reject(new Error(`${resource}/${name} is still there`)) }, this.host.waitMs)
    await promise.finally(() => { stop(); clearTimeout(timer) })
  }

  /** Resolves when nothing has waited or worked for a while. */
  async settled (): Promise<void> {
    const { clusterQueue, topicQueue } = this.operator!
    for (let calm = 0; calm < 5; calm++) {
      await new Promise(resolve => { setTimeout(resolve, 15) })
      if (!clusterQueue.isIdle || !topicQueue.isIdle) calm = -1
    }
  }

  async setReady (pod: string, ready: boolean): Promise<void> {
    await this.kube.patch('pods', namespace, pod, { status: readyStatus(ready) }, { subresource: 'status' })
  }

  /** A broker registers when its pod is ready, and its session ends with the pod. */
  #notePod (pod: LocalObject, isGone: boolean): void {
    const ordinal = Number(/-([0-9]+)$/.exec(pod.metadata.name)![1])
    const { conditions = [] } = pod['status'] as { conditions?: ShownCondition[] } | undefined ?? {}
    if (isGone) this.controller.brokers.lose(ordinal)
    else if (conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) {
      this.controller.brokers.register(ordinal)
    }
  }
}

export interface ShownCondition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
}

export function conditionOf (object: LocalObject | undefined, type: string): ShownCondition | undefined {
  const status = object?.['status'] as { conditions?: ShownCondition[] } | undefined
  return status?.conditions?.find(entry => entry.type === type)
}

export function example (name: string): LocalObject {
  return parse(readFileSync(join(root, 'examples', name), 'utf8')) as LocalObject
}
