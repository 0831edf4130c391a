// The operator as a whole: what is watched, which change concerns which object, who works on it. All of
// the outside world comes in through the constructor; main.ts hands in the real one.
import type { Clock, Rng } from '../wire/ports.ts'
import type { Calls } from './admin-calls.ts'
import { KubeError, type KubeApi } from './kube/api.ts'
import { KubeEvents } from './kube/events.ts'
import type { Log } from './kube/log.ts'
import { keyOf, splitKey, type KubeObject } from './kube/types.ts'
import { WorkQueue } from './kube/work-queue.ts'
import { clusterLabel, clusterOfTable } from './objects/names.ts'
import { concerns } from './objects/racks.ts'
import { clusterUidOf } from './objects/stateful-set.ts'
import type { Topic } from './schema/resources.ts'
import { Caches } from './reconcile/caches.ts'
import { reconcileCluster } from './reconcile/cluster.ts'
import { isReady } from './reconcile/cluster-context.ts'
import type { Surroundings } from './reconcile/context.ts'
import { ControllerClient } from './reconcile/controller-client.ts'
import { Deadlines } from './reconcile/deadlines.ts'
import { EndingNamespaces } from './reconcile/let-go.ts'
import { NextLoop, StepFailed } from './reconcile/steps.ts'
import { reconcileTopic, rivals, unready } from './reconcile/topic.ts'
import { clusterKey, TopicIndex } from './reconcile/topic-index.ts'
import { Views } from './reconcile/views.ts'

const clusterWorkers = 4
/** Topics mostly wait for the controller, which writes many of them at once. */
const topicWorkers = 64
const resyncMs = 5 * 60_000

export interface OperatorOptions {
  readonly api: KubeApi
  readonly net: Calls
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** What is watched; empty: all of them. */
  readonly namespaces: readonly string[]
  /** False: nobody has given the right to. */
  readonly readsNodes?: boolean
  readonly image: string
  readonly version: string
  /** Names this process in Events. */
  readonly instance: string
  /** Told of every pass: what came of it and how long it took. */
  readonly onReconciled?: (kind: 'Cluster' | 'Topic', result: 'done' | 'later' | 'failed', tookMs: number) => void
}

export class Operator {
  readonly caches: Caches
  readonly clusterQueue: WorkQueue
  readonly topicQueue: WorkQueue
  readonly #options: OperatorOptions
  readonly #surroundings: Surroundings
  readonly #events: KubeEvents
  /** Namespaces that could not be read. */
  readonly #left = new Set<string>()
  #stopped = false

  constructor (options: OperatorOptions) {
    const { api, net, clock, rng, log, namespaces, readsNodes = true, image, version, instance } = options
    const controllers = new ControllerClient(net, api, key => clusterUidOf(this.caches.managed.statefulSet.get(key)))
    this.#options = options
    this.caches = new Caches({ api, clock, rng, log, namespaces, readsNodes })
    this.clusterQueue = new WorkQueue(clock)
    this.topicQueue = new WorkQueue(clock)
    this.#events = new KubeEvents({ api, clock, rng, log, instance })
    this.#surroundings = {
      api,
      caches: this.caches,
      topicIndex: new TopicIndex(),
      controllers,
      views: new Views(controllers, clock, log),
      events: this.#events,
      deadlines: new Deadlines(clock),
      ending: new EndingNamespaces(api, this.caches),
      markedPods: new Map(),
      racksSaid: new Map(),
      clock,
      log,
      image,
      version
    }
    this.#connect()
  }

  /** Begins to watch. Nothing is written before `lead`. */
  start (): void {
    for (const reflector of this.caches.all) reflector.start()
  }

  /**
   * Resolves when all that is watched has been read once. A namespace that cannot be read (deleted, or its Role is
   * gone) keeps nobody from the others, and is taken up when it can be.
   */
  async synced (): Promise<void> {
    await Promise.all(this.caches.all.map(async reflector => { await reflector.answered }))
    const places = this.#places
    this.#sayNodes()
    const unread = places.filter(namespace => !this.caches.isRead(namespace))
    await Promise.any(places.map(async namespace => { await this.caches.read(namespace) }))
    for (const namespace of unread) this.#takeUpLater(namespace)
  }

  /** Kinds that are yet to be read before it can act. */
  get unread (): string[] { return this.caches.unread(this.#places) }

  get #places (): readonly string[] {
    const { namespaces } = this.#options
    return namespaces.length === 0 ? [''] : namespaces
  }

  /** Once: who cannot read Nodes does all else. What it costs a Cluster is told there (cluster-racks.ts). */
  #sayNodes (): void {
    const { log } = this.#options
    const { nodes } = this.caches
    const cost = 'brokers know by themselves only their host, and from Kubernetes 1.35 on zone and region'
    if (nodes === undefined) log.info({}, `Nodes are not read (rbac.nodes of the chart): ${cost}`)
    else if (!nodes.isSynced) {
      log.warn({}, `Nodes may not be read (rbac.nodes of the chart gives the right): ${cost}`)
      void nodes.synced.then(() => { log.info({}, 'Nodes can be read: brokers are told their racks from now on') })
    }
  }

  #takeUpLater (namespace: string): void {
    if (this.caches.isRead(namespace) || this.#left.has(namespace)) return
    const { log } = this.#options
    this.#left.add(namespace)
    log.warn({ namespace }, 'the namespace cannot be read: it is left alone until it can be, the others are served')
    void this.caches.read(namespace).then(() => {
      log.info({ namespace }, 'the namespace can be read: it is served from now on')
      this.#left.delete(namespace)
      const { clusters, topics } = this.caches
      const isThere = ({ metadata }: KubeObject): boolean => metadata.namespace === namespace
      for (const cluster of clusters.values()) if (isThere(cluster)) this.clusterQueue.add(keyOf(cluster))
      for (const topic of topics.values()) if (isThere(topic)) this.topicQueue.add(keyOf(topic))
    })
  }

  /** Begins to act, once everything has been read: a half-read world looks like one to clean up. */
  async lead (): Promise<void> {
    await this.synced()
    if (this.#stopped) return
    this.clusterQueue.start(clusterWorkers, async key => { await this.#work('Cluster', key) })
    this.topicQueue.start(topicWorkers, async key => { await this.#work('Topic', key) })
    this.#resyncLater()
  }

  /** The API server answers again after a while without: whatever has waited longer and longer for it goes on. */
  resume (): void {
    for (const reflector of this.caches.all) reflector.retrySoon()
    this.clusterQueue.retryNow()
    this.topicQueue.retryNow()
  }

  /** Lets the work under way end; takes up no more. */
  async stop (): Promise<void> {
    this.#stopped = true
    this.#surroundings.views.stop()
    for (const reflector of this.caches.all) reflector.stop()
    await Promise.all([this.clusterQueue.stop(), this.topicQueue.stop()])
    await this.#events.settled()
  }

  /**
   * For one that has been stopped: when its own namespace is being deleted, it lets go what it holds there.
   * @param onEnding called when that is so, before it takes its time
   */
  async letGo (namespace: string, onEnding?: () => void): Promise<void> {
    const { log } = this.#options
    try {
      const count = await this.#surroundings.ending.letGo(namespace, onEnding)
      if (count > 0) log.info({ namespace, count }, 'the namespace is being deleted, what was held in it is let go')
    } catch (error) {
      if (!(error instanceof KubeError)) throw error
      log.warn({ namespace, reason: error.reason, err: error.message }, 'what is held in the namespace may hold it')
    }
  }

  #connect (): void {
    const { caches, clusterQueue, topicQueue } = this
    const { views, topicIndex } = this.#surroundings
    caches.clusters.onChange((key, cluster, previous) => {
      clusterQueue.add(key)
      if (cluster === undefined) {
        views.forget(key)
        this.#surroundings.markedPods.delete(key)
        this.#surroundings.racksSaid.delete(key)
      }
      // Topics read a cluster's spec, not its status. The generation moves at deletion too.
      const isSame = cluster !== undefined && cluster.metadata.uid === previous?.metadata.uid &&
        cluster.metadata.generation === previous?.metadata.generation
      if (!isSame) for (const topic of topicIndex.ofCluster(key)) topicQueue.add(topic)
    })
    caches.topics.onChange((key, topic, previous) => { this.#topicChanged(key, topic, previous) })
    for (const reflector of Object.values(caches.managed)) {
      reflector.onChange((_key, object, previous) => { this.#ownedChanged((object ?? previous)!) })
    }
    caches.leases.onChange((_key, lease) => {
      if (lease === undefined) return
      this.#ownedChanged(lease)
      this.#pokeOwner(lease)
    })
    caches.pods.onChange((_key, pod, previous) => {
      this.#ownedChanged((pod ?? previous)!)
      const wasReady = previous !== undefined && isReady(previous)
      if (wasReady !== (pod !== undefined && isReady(pod))) this.#pokeOwner((pod ?? previous)!)
    })
    caches.nodes?.onChange((_key, node, previous) => {
      for (const cluster of caches.clusters.values()) {
        if (concerns(cluster, node, previous)) clusterQueue.add(keyOf(cluster))
      }
    })
    // The controller writes a table for whatever it decides: leaders, in-sync sets, brokers, topics.
    caches.tables.onChange((_key, table, previous) => {
      const { name, namespace = '' } = (table ?? previous)!.metadata
      const cluster = `${namespace}/${clusterOfTable(name) ?? ''}`
      if (caches.clusters.get(cluster) !== undefined) views.poke(cluster)
      if (table === undefined) clusterQueue.add(cluster)
    })
    views.onChange((cluster, topics) => {
      clusterQueue.add(cluster)
      for (const name of topics) for (const key of topicIndex.ofName(cluster, name)) topicQueue.add(key)
      for (const key of unready(this.#surroundings, cluster)) topicQueue.add(key)
    })
  }

  #topicChanged (key: string, topic: Topic | undefined, previous: Topic | undefined): void {
    const { topicIndex } = this.#surroundings
    topicIndex.update(topic, previous)
    this.topicQueue.add(key)
    // A new or a departed claim to a name decides about the others.
    if (topic !== undefined && previous?.metadata.uid === topic.metadata.uid) return
    for (const rival of rivals(this.#surroundings, (topic ?? previous)!)) this.topicQueue.add(rival)
    if (previous !== undefined) this.clusterQueue.add(clusterKey(previous))
  }

  #ownedChanged (object: KubeObject): void {
    const cluster = ownerKey(object)
    if (cluster !== undefined) this.clusterQueue.add(cluster)
  }

  #pokeOwner (object: KubeObject): void {
    const cluster = ownerKey(object)
    if (cluster !== undefined && this.caches.clusters.get(cluster) !== undefined) this.#surroundings.views.poke(cluster)
  }

  async #work (kind: 'Cluster' | 'Topic', key: string): Promise<void> {
    const { clock, log, onReconciled } = this.#options
    const queue = kind === 'Cluster' ? this.clusterQueue : this.topicQueue
    const startedAt = clock.now()
    const result = await this.#reconcile(kind, key).then(() => {
      queue.forget(key)
      return 'done' as const
    }, (error: unknown) => {
      if (error instanceof NextLoop) {
        queue.forget(key)
        if (error.afterMs !== undefined) queue.addAfter(key, error.afterMs)
        return 'later' as const
      }
      const waitMs = retryAfterMs(error)
      if (waitMs > 0) queue.addAfter(key, waitMs)
      else queue.addRateLimited(key)
      // What repeats is worth a line; one conflict is how compare-and-swap works.
      const level = queue.failures(key) > 3 ? 'warn' : 'debug'
      log[level]({ kind, key, err: error instanceof Error ? error.message : String(error) }, 'reconcile failed')
      return 'failed' as const
    })
    onReconciled?.(kind, result, clock.now() - startedAt)
  }

  async #reconcile (kind: 'Cluster' | 'Topic', key: string): Promise<void> {
    // Half of a namespace looks like one to clean up.
    if (!this.caches.isRead(splitKey(key).namespace)) return
    if (kind === 'Cluster') {
      const cluster = this.caches.clusters.get(key)
      if (cluster !== undefined) await reconcileCluster(this.#surroundings, cluster)
    } else {
      const topic = this.caches.topics.get(key)
      if (topic !== undefined) await reconcileTopic(this.#surroundings, topic)
    }
  }

  /** The safety net: everything is looked at again, and the controllers are asked what they have. */
  #resyncLater (): void {
    const { clock, rng } = this.#options
    if (this.#stopped) return
    clock.setTimer(resyncMs * (0.9 + 0.2 * rng.fraction()), () => {
      for (const cluster of this.caches.clusters.values()) {
        this.#surroundings.views.poke(keyOf(cluster))
        this.clusterQueue.add(keyOf(cluster))
      }
      for (const topic of this.caches.topics.values()) this.topicQueue.add(keyOf(topic))
      this.#resyncLater()
    })
  }
}

/** What the API server asks for (429, 503 with Retry-After); 0 for every other failure. */
function retryAfterMs (error: unknown): number {
  const cause = error instanceof StepFailed ? error.cause : error
  return cause instanceof KubeError ? cause.retryAfterMs : 0
}

function ownerKey (object: KubeObject): string | undefined {
  const name = object.metadata.labels?.[clusterLabel]
  return name === undefined ? undefined : `${object.metadata.namespace ?? ''}/${name}`
}
