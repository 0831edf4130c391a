// millrace plan: what would happen if these objects were applied. Nothing is changed: the API server is asked with
// dry runs, the controller what it foresees.
import type { DescribeClusterResponse } from '../wire/messages.ts'
import { isKubeError } from '../operator/kube/api.ts'
import { kinds, type Kind, type KubeObject } from '../operator/kube/types.ts'
import { names, selectorText } from '../operator/objects/names.ts'
import { planCluster, type ClusterPlan } from '../operator/plan/cluster-plan.ts'
import { planTopic, type TopicPlan } from '../operator/plan/topic-plan.ts'
import { ordinalOf } from '../operator/reconcile/caches.ts'
import { checkClusterSpec } from '../operator/reconcile/cluster-spec.ts'
import { TopicIndex } from '../operator/reconcile/topic-index.ts'
import { topicName } from '../operator/reconcile/topic-settings.ts'
import { InvalidValueError } from '../operator/schema/quantities.ts'
import type { Cluster, Topic } from '../operator/schema/resources.ts'
import { withController, type Controller, type ControllerOptions } from './controller.ts'
import { CliError, exitCodes } from './exit.ts'
import { withKube, type Kube } from './kube.ts'
import { note } from './notes.ts'
import { print } from './output.ts'
import { patchOf, readObjects } from './plan-files.ts'
import { planText } from './plan-text.ts'
import { storedBytes } from './stored-bytes.ts'

export interface PlanOptions extends ControllerOptions {
  readonly file: readonly string[]
  readonly json?: boolean
}

/** Of one object. */
export interface Planned {
  readonly kind: 'Cluster' | 'Topic'
  readonly name: string
  readonly namespace: string
  readonly action: 'create' | 'update' | 'none' | 'refused'
  readonly refused?: string
  readonly cluster?: ClusterPlan
  readonly topic?: TopicPlan
}

/** What the controller of a Cluster says; undefined: it could not be asked. */
interface Heard {
  readonly description: DescribeClusterResponse
  readonly foresee: (brokers: number) => Promise<ClusterPlanFacts['foreseen']>
  readonly replicaBytes: ReadonlyMap<string, number>
}

type ClusterPlanFacts = Parameters<typeof planCluster>[1]

export async function plan (options: PlanOptions): Promise<number> {
  const { objects, others } = readObjects(options.file)
  for (const other of others) note(`${other} is not looked at: only Clusters and Topics are`)
  if (objects.length === 0) throw new CliError(`no Cluster and no Topic in ${options.file.join(', ')}`, exitCodes.usage)
  const planned = await withKube(options, async kube => {
    const planner = new Planner(kube, options)
    const all: Planned[] = []
    for (const object of objects) all.push(await planner.plan(object))
    return all
  })
  await print(options.json === true ? planned.map(each => `${JSON.stringify(each)}\n`).join('') : planText(planned))
  const refused = planned.filter(({ action }) => action === 'refused').length
  note(refused > 0 ? `${refused} of ${planned.length} would be refused; nothing was changed` : 'nothing was changed')
  return refused > 0 ? exitCodes.refused : exitCodes.ok
}

class Planner {
  readonly #kube: Kube
  readonly #options: PlanOptions
  /** As they would be, from the same files. */
  readonly #clusters = new Map<string, Cluster>()
  readonly #heard = new Map<string, Promise<Heard | undefined>>()

  constructor (kube: Kube, options: PlanOptions) {
    this.#kube = kube
    this.#options = options
  }

  async plan (given: KubeObject): Promise<Planned> {
    const namespace = given.metadata.namespace ?? this.#kube.namespace
    const object = { ...given, metadata: { ...given.metadata, namespace } }
    const kind = given.kind as Planned['kind']
    const head = { kind, name: given.metadata.name, namespace }
    const place = kind === 'Cluster' ? kinds.cluster : kinds.topic
    const live = await this.#kube.reach(() => this.#kube.api.get(place, namespace, head.name))
    try {
      const wanted = await this.#tried(place, object, live)
      const plans = kind === 'Cluster'
        ? { cluster: await this.#cluster(wanted as Cluster & KubeObject, live as Cluster | undefined) }
        : { topic: await this.#topic(wanted as Topic & KubeObject) }
      const refused = plans.topic?.refused ?? plans.cluster?.refused
      if (refused !== undefined) return { ...head, action: 'refused', refused, ...plans }
      const isSame = live !== undefined && live.metadata.generation === wanted.metadata.generation
      return { ...head, action: live === undefined ? 'create' : isSame ? 'none' : 'update', ...plans }
    } catch (error) {
      const isRefusal = error instanceof InvalidValueError ||
        isKubeError(error, 'Invalid', 'BadRequest', 'Forbidden', 'Conflict', 'AlreadyExists')
      if (!isRefusal) throw error
      return { ...head, action: 'refused', refused: error.message }
    }
  }

  /** As the API server would store it: schema, defaults, rules, admission. */
  async #tried (kind: Kind, object: KubeObject, live: KubeObject | undefined): Promise<KubeObject> {
    const { trial } = this.#kube
    const { namespace = '', name } = object.metadata
    return await this.#kube.reach(async () => live === undefined
      ? await trial.create(kind, object)
      : await trial.patch(kind, namespace, name, patchOf(live, object)))
  }

  async #cluster (wanted: Cluster & KubeObject, live: Cluster | undefined): Promise<ClusterPlan> {
    const { api } = this.#kube
    const { name, namespace = '' } = wanted.metadata
    checkClusterSpec(wanted)
    this.#clusters.set(`${namespace}/${name}`, wanted)
    const ours = { namespace, labelSelector: selectorText(name) }
    const claims = await this.#kube.reach(() => api.list(kinds.persistentVolumeClaim, { namespace }))
    const pods = await this.#kube.reach(() => api.list(kinds.pod, ours))
    const statefulSet = await this.#kube.reach(() => api.get(kinds.statefulSet, namespace, names.statefulSet(name)))
    const heard = live === undefined ? undefined : await this.#hear(name, namespace)
    const foreseen = await heard?.foresee(wanted.spec.brokers)
    return planCluster(wanted, {
      ...live !== undefined && { live },
      ...statefulSet !== undefined && { statefulSet },
      pods: pods.items.sort((a, b) => ordinalOf(a) - ordinalOf(b)),
      claims: claims.items,
      controller: heard?.description.controller ?? -1,
      ...foreseen !== undefined && { foreseen },
      replicaBytes: heard?.replicaBytes ?? new Map()
    })
  }

  async #topic (wanted: Topic & KubeObject): Promise<TopicPlan> {
    const { name, namespace = '' } = wanted.metadata
    const { cluster: clusterName } = wanted.spec
    const planned = this.#clusters.get(`${namespace}/${clusterName}`)
    const live = await this.#kube.reach(() => this.#kube.api.get(kinds.cluster, namespace, clusterName))
    const heard = live === undefined ? undefined : await this.#hear(clusterName, namespace)
    const existing = heard?.description.topics.find(({ topic }) => topic?.name === topicName(wanted))
    const index = new TopicIndex()
    for (const each of await this.#topics(namespace)) if (each.metadata.name !== name) index.update(each, undefined)
    index.update(wanted, undefined)
    const owner = index.owner(`${namespace}/${clusterName}`, topicName(wanted))?.metadata.name
    const bytes = heard?.replicaBytes.get(topicName(wanted))
    return planTopic(wanted, {
      cluster: planned ?? live as Cluster | undefined,
      ...existing !== undefined && { existing },
      ...owner !== undefined && owner !== name && { owner },
      ...bytes !== undefined && { replicaBytes: bytes }
    })
  }

  async #topics (namespace: string): Promise<Topic[]> {
    const all: KubeObject[] = []
    let page = ''
    do {
      const list = await this.#kube.reach(() =>
        this.#kube.api.list(kinds.topic, { namespace, limit: 500, continue: page }))
      all.push(...list.items)
      page = list.continue
    } while (page !== '')
    return all as unknown as Topic[]
  }

  async #hear (cluster: string, namespace: string): Promise<Heard | undefined> {
    const key = `${namespace}/${cluster}`
    const known = this.#heard.get(key) ?? this.#ask(cluster, namespace)
    this.#heard.set(key, known)
    return await known
  }

  async #ask (cluster: string, namespace: string): Promise<Heard | undefined> {
    const options = { ...this.#options, cluster, namespace }
    const ask = async <T>(run: (controller: Controller) => Promise<T>): Promise<T> => await withController(options, run)
    try {
      const description = await ask(async controller => await controller.call('DescribeCluster', { topics: [] }))
      const pods = await this.#kube.reach(() =>
        this.#kube.api.list(kinds.pod, { namespace, labelSelector: selectorText(cluster) }))
      const { replicaBytes, unknown } = await storedBytes(this.#kube, pods.items, description.topics)
      if (unknown !== undefined) note(`how large the partitions of Cluster ${cluster} are is not known: ${unknown}`)
      return {
        description,
        foresee: async brokers => await ask(async controller => await controller.call('PlanBrokers', {
          brokerIds: Array.from({ length: brokers }, (_, id) => id)
        })),
        replicaBytes
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error
      note(`what moves in Cluster ${cluster} is not known: ${error.message}`)
      return undefined
    }
  }
}
