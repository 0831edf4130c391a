// Carries out what stateful-set-plan.ts finds missing.
import { isDeepStrictEqual } from 'node:util'
import type { KubeApi, KubeObject, Writable } from '../kube/api.ts'
import { ReconcileQueue } from './reconcile-queue.ts'
import { planStatefulSet, setReference } from './stateful-set-plan.ts'
import { keyOf } from './types.ts'
import type { Pod, StatefulSet } from './types.ts'

const resource = 'statefulsets.apps'

export class StatefulSetController {
  readonly #api: KubeApi
  readonly #queue: ReconcileQueue
  readonly #ends: (() => void)[]

  constructor (api: KubeApi, onError: (key: string, error: unknown) => void) {
    this.#api = api
    this.#queue = new ReconcileQueue(key => this.#reconcile(key), onError)
    this.#ends = [
      api.watch(resource, ({ object }) => { this.#queue.add(keyOf(object)) }),
      api.watch('pods', ({ object }) => { this.#addOwners(object as Pod) }),
      api.watch('persistentvolumeclaims', ({ type, object }) => {
        if (type === 'DELETED') this.#addAll(object.metadata.namespace)
      })
    ]
  }

  async stop (): Promise<void> {
    for (const end of this.#ends) end()
    await this.#queue.stop()
  }

  #addOwners (pod: Pod): void {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true)
    if (owner === undefined) this.#addAll(pod.metadata.namespace)
    else if (owner.kind === 'StatefulSet') {
      this.#queue.add(keyOf({ metadata: { ...pod.metadata, name: owner.name } }))
    }
  }

  #addAll (namespace = 'default'): void {
    for (const set of this.#api.list(resource, { namespace })) this.#queue.add(keyOf(set))
  }

  async #reconcile (key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const set = this.#api.get(resource, namespace, name) as StatefulSet | undefined
    // Its pods go, or stay, as whoever deletes it says: garbage collection does that.
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return
    const pods = this.#api.list('pods', { namespace }) as Pod[]
    const claims = this.#api.list('persistentvolumeclaims', { namespace })
    const plan = planStatefulSet(set, pods, new Set(claims.map(({ metadata }) => metadata.name)))
    await Promise.all(plan.claims.map(claim => this.#api.create('persistentvolumeclaims', writable(claim))))
    await Promise.all([
      ...plan.pods.map(pod => this.#api.create('pods', writable(pod))),
      ...plan.adopt.map(pod => this.#api.patch('pods', namespace, pod,
        { metadata: { ownerReferences: [setReference(set)] } })),
      ...plan.remove.map(pod => this.#api.delete('pods', namespace, pod))
    ])
    if (!isDeepStrictEqual({ ...set.status }, plan.status)) {
      await this.#api.patch(resource, namespace, name, { status: plan.status }, { subresource: 'status' })
    }
  }
}

function writable (object: KubeObject): Writable {
  return { ...object, metadata: { ...object.metadata } }
}
