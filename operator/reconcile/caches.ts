// The operator's copies of what it watches, and writing through them: a write that would change nothing
// is not made.
import type { Clock, Rng } from '../../wire/ports.ts'
import type { KubeApi } from '../kube/api.ts'
import { covers } from '../kube/covers.ts'
import type { Log } from '../kube/log.ts'
import { Reflectors, type ReflectorsOptions } from '../kube/reflectors.ts'
import { keyOf, kinds, type KindName, type KubeObject } from '../kube/types.ts'
import { hash } from '../objects/hash.ts'
import { appliedAnnotation, brokerPodSelector, clusterLabel, managedSelector } from '../objects/names.ts'
import type { Cluster, Topic } from '../schema/resources.ts'
import { NextLoop } from './steps.ts'
import { onlyMetadata, trimNode, trimPod, trimTopic } from './trim.ts'

/** Kinds of which the operator makes objects, watched by its own label. */
export const managedKinds = [
  'serviceAccount', 'role', 'roleBinding', 'configMap', 'service', 'networkPolicy', 'podDisruptionBudget',
  'statefulSet'
] as const satisfies readonly KindName[]

export type ManagedKind = typeof managedKinds[number]

export interface CacheOptions {
  readonly api: KubeApi
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** Empty: all of them. */
  readonly namespaces: readonly string[]
  /** Nodes are read only where the operator is said to have the right. */
  readonly readsNodes: boolean
}

export class Caches {
  readonly clusters: Reflectors<Cluster & KubeObject>
  readonly topics: Reflectors<Topic & KubeObject>
  readonly pods: Reflectors<KubeObject>
  /** Metadata only: a change is all that the operator wants to know of, and a table has 256 KiB. */
  readonly tables: Reflectors<KubeObject>
  /** Of the brokers: where the controller is, which their metadata say. */
  readonly leases: Reflectors<KubeObject>
  /** Labels alone. Nothing waits for them beyond the first answer: who may not read them does without. */
  readonly nodes: Reflectors<KubeObject> | undefined
  readonly managed: Readonly<Record<ManagedKind, Reflectors<KubeObject>>>
  readonly #api: KubeApi

  constructor (options: CacheOptions) {
    type More<T extends KubeObject> =
      Partial<Pick<ReflectorsOptions<T>, 'labelSelector' | 'metadataOnly' | 'trim' | 'namespaces'>>
    const make = <T extends KubeObject>(kind: KindName, more: More<T> = {}): Reflectors<T> =>
      new Reflectors<T>({ ...options, kind: kinds[kind], ...more })
    const metadata = { metadataOnly: true, trim: onlyMetadata }
    this.#api = options.api
    this.clusters = make('cluster')
    this.topics = make('topic', { trim: trimTopic })
    this.pods = make('pod', { labelSelector: brokerPodSelector, trim: trimPod })
    this.tables = make('partitionTable', metadata)
    this.leases = make('lease', { ...metadata, labelSelector: clusterLabel })
    this.nodes = options.readsNodes
      ? make('node', { metadataOnly: true, trim: trimNode, namespaces: [] })
      : undefined
    this.managed = Object.fromEntries(managedKinds.map(kind =>
      [kind, make(kind, { labelSelector: managedSelector })])) as Record<ManagedKind, Reflectors<KubeObject>>
  }

  get all (): readonly Reflectors<never>[] {
    return [...this.#needed, ...this.nodes === undefined ? [] : [this.nodes as unknown as Reflectors<never>]]
  }

  /** Whose age tells something: of what may not be read nobody has heard for ever. */
  get measured (): readonly Reflectors<never>[] {
    return this.nodes?.isSynced === true ? this.all : this.#needed
  }

  get #needed (): readonly Reflectors<never>[] {
    const needed = [this.clusters, this.topics, this.pods, this.tables, this.leases, ...Object.values(this.managed)]
    return needed as unknown as readonly Reflectors<never>[]
  }

  /** Whether all that is watched of this namespace has been read: on a part of it nobody may act. */
  isRead (namespace: string): boolean {
    return this.#needed.every(each => each.in(namespace)?.isSynced === true)
  }

  /** Resolves when that is so. */
  async read (namespace: string): Promise<void> {
    await Promise.all(this.#needed.map(async each => { await each.in(namespace)?.synced }))
  }

  /** Kinds that are still to be read: all that are not where nothing is whole yet, else those that can be. */
  unread (namespaces: readonly string[]): string[] {
    const isBlind = !namespaces.some(namespace => this.isRead(namespace))
    return this.#needed.filter(each => namespaces.some(namespace => {
      const { isSynced, isRefused } = each.in(namespace)!
      return !isSynced && (isBlind || !isRefused)
    })).map(({ kind }) => kind.kind)
  }

  /** The broker pods of a cluster, by ordinal. */
  podsOf (cluster: Cluster): KubeObject[] {
    const { name, namespace } = cluster.metadata
    return [...this.pods.values()]
      .filter(pod => pod.metadata.labels?.[clusterLabel] === name && pod.metadata.namespace === namespace)
      .sort((a, b) => ordinalOf(a) - ordinalOf(b))
  }

  /**
   * Makes the object as wanted, by server-side apply, if it is not. An object of that name that belongs
   * to somebody else is left alone, one that is going is waited for.
   * @throws ForeignObjectError, KubeError, NextLoop
   */
  async ensure (kind: ManagedKind, wanted: KubeObject): Promise<KubeObject> {
    const cache = this.managed[kind]
    const stamped = stamp(wanted)
    const known = cache.get(keyOf(wanted))
    if (known?.metadata.deletionTimestamp !== undefined) throw new NextLoop()
    if (known !== undefined && covers(known, stamped)) return known
    const live = known ?? await this.#api.get(kinds[kind], wanted.metadata.namespace ?? '', wanted.metadata.name)
    if (live !== undefined && isForeign(live, wanted)) throw new ForeignObjectError(live)
    const stored = await this.#api.apply(kinds[kind], stamped)
    cache.observe(stored)
    return stored
  }
}

/** An object stands in the way that the operator did not make. */
export class ForeignObjectError extends Error {
  override readonly name = 'ForeignObjectError'

  constructor (object: KubeObject) {
    super(`${object.kind} ${object.metadata.name} exists and belongs to somebody else; delete or rename it`)
  }
}

function stamp (wanted: KubeObject): KubeObject {
  const annotations = { ...wanted.metadata.annotations, [appliedAnnotation]: hash(wanted) }
  return { ...wanted, metadata: { ...wanted.metadata, annotations } }
}

/** Ours: owned by this Cluster object, or without an owner and carrying the labels. */
function isForeign (live: KubeObject, wanted: KubeObject): boolean {
  const owner = live.metadata.ownerReferences?.find(reference => reference.controller === true)
  if (owner !== undefined) return owner.uid !== wanted.metadata.ownerReferences?.[0]?.uid
  return live.metadata.labels?.[clusterLabel] !== wanted.metadata.labels?.[clusterLabel]
}

/** Of a broker's pod: also the id of its broker. */
export function ordinalOf (pod: KubeObject): number {
  return Number(/-([0-9]+)$/.exec(pod.metadata.name)?.[1] ?? -1)
}
