// What runs beside the operator: a StatefulSet controller, a kubelet whose pods take time to start and to stop, and
// the brokers in them, which lose their session a moment after their pod is deleted and are in sync some time after
// it is ready. Counts how many brokers are down at once.
import type { Pod, StatefulSet } from '../../../local/pods/types.ts'
import { isReady } from '../../../local/pods/types.ts'
import { planStatefulSet } from '../../../local/pods/stateful-set-plan.ts'
import { FakeController } from '../reconcile/fake-controller.ts'
import { namespace, type DirectKube } from './direct-kube.ts'
import type { VirtualTime } from './virtual-time.ts'

const sets = 'statefulsets.apps'
const claims = 'persistentvolumeclaims'
const tables = 'partitiontables.millrace.dev'
const leases = 'leases.coordination.k8s.io'

const controllerMs = 20
const startMs = 1_500
const syncMs = 700
/** Until the broker of a deleted pod gets its SIGTERM and its session ends: the controller does not know before. */
const signalMs = 300
const stopMs = 900
/** Replicas that each of the first brokers gets. */
const replicasEach = 2

export class Nodes {
  readonly controller = new FakeController()
  /** Ordinals that served once, and do not now. */
  readonly down = new Set<number>()
  /** The most that were down at once, and how it came to that. */
  worst = 0
  /** Names of pods in the order in which they were deleted. */
  readonly deleted: string[] = []
  readonly #kube: DirectKube
  readonly #time: VirtualTime
  readonly #up = new Set<number>()
  #isPlanned = false
  /** Replicas of the StatefulSet, also while it is being made anew. */
  #wanted = 0
  #tableWrites = 0

  constructor (kube: DirectKube, time: VirtualTime) {
    this.#kube = kube
    this.#time = time
    this.controller.address = ''
    this.controller.brokers.onMoved = () => { this.#writeTable() }
    for (const resource of [sets, claims]) kube.onChange(resource, () => { this.#planSoon() })
    kube.onChange('pods', (name, pod) => {
      this.#planSoon()
      this.#podChanged(name, pod as Pod | undefined)
    })
  }

  #planSoon (): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#time.after(controllerMs, () => {
      this.#isPlanned = false
      for (const set of this.#kube.list(sets)) this.#plan(set as StatefulSet)
    })
  }

  #plan (set: StatefulSet): void {
    if (set.metadata.deletionTimestamp !== undefined) return
    const names = new Set(this.#kube.list(claims).map(({ metadata }) => metadata.name))
    const plan = planStatefulSet(set, this.#kube.list('pods') as Pod[], names)
    for (const claim of plan.claims) {
      this.#kube.create(claims, claim)
      this.#kube.patch(claims, claim.metadata.name, { status: { phase: 'Bound' } }, 'status')
    }
    for (const pod of plan.pods) this.#kube.create('pods', pod)
    for (const name of plan.adopt) {
      const { apiVersion, kind, metadata: { name: owner, uid } } = set
      const ownerReferences = [{ apiVersion, kind, name: owner, uid, controller: true, blockOwnerDeletion: true }]
      this.#kube.patch('pods', name, { metadata: { ownerReferences } })
    }
    for (const name of plan.remove) this.#kube.delete('pods', name)
    this.#kube.patch(sets, set.metadata.name, { status: plan.status }, 'status')
  }

  #podChanged (name: string, pod: Pod | undefined): void {
    const ordinal = Number(/-([0-9]+)$/.exec(name)![1])
    if (pod === undefined) {
      this.controller.brokers.lose(ordinal)
      this.#count(ordinal, false)
      return
    }
    const { uid } = pod.metadata
    const isSame = (): boolean => this.#kube.get('pods', name)?.metadata.uid === uid
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (this.deleted.at(-1) !== `${name} ${uid}`) this.deleted.push(`${name} ${uid}`)
      this.#count(ordinal, false)
      this.#time.after(signalMs, () => { if (isSame()) this.#stopBroker(ordinal) })
      this.#time.after(stopMs, () => {
        if (isSame()) this.#kube.delete('pods', name, { gracePeriodSeconds: 0 })
      })
    } else if (pod.status?.conditions === undefined) {
      this.#time.after(startMs, () => { if (isSame()) this.#startBroker(name, ordinal) })
    }
  }

  #startBroker (name: string, ordinal: number): void {
    const pod = this.#kube.get('pods', name) as Pod
    if (pod.metadata.deletionTimestamp !== undefined || isReady(pod)) return
    this.#kube.patch('pods', name, {
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    }, 'status')
    const { brokers } = this.controller
    const isNew = !brokers.known.has(ordinal)
    brokers.register(ordinal)
    if (isNew && ordinal < 3) brokers.known.get(ordinal)!.replicas = replicasEach
    this.#elect()
    const { uid } = pod.metadata
    // One that holds nothing has nothing to catch up with: nobody waits for it.
    if (brokers.known.get(ordinal)!.replicas === 0) {
      this.#count(ordinal, true)
      return
    }
    this.#time.after(syncMs, () => {
      const now = this.#kube.get('pods', name)
      if (now?.metadata.uid === uid && now?.metadata.deletionTimestamp === undefined) this.#count(ordinal, true)
    })
  }

  #stopBroker (ordinal: number): void {
    this.controller.brokers.lose(ordinal)
    this.#elect()
  }

  /** Only what belongs to a pod that shall be there is missed. */
  #count (ordinal: number, isUp: boolean): void {
    const spec = this.#kube.list(sets)[0]?.spec as { replicas?: number } | undefined
    this.#wanted = spec?.replicas ?? this.#wanted
    if (isUp) {
      this.#up.add(ordinal)
      this.down.delete(ordinal)
    } else if (this.#up.delete(ordinal) && ordinal < this.#wanted) {
      this.down.add(ordinal)
    }
    for (const id of this.down) if (id >= this.#wanted) this.down.delete(id)
    this.worst = Math.max(this.worst, this.down.size)
    const { all } = this.controller.brokers
    this.controller.underReplicated = all.filter(({ id, replicas }) => replicas > 0 && !this.#up.has(id)).length
    this.#writeTable()
  }

  /** The first broker that runs is the controller. */
  #elect (): void {
    const { controller } = this
    const first = controller.brokers.all.find(({ isRunning }) => isRunning)
    controller.address = first === undefined ? '' : '127.0.0.1:9091'
    controller.controller = first?.id ?? -1
    const annotations = { 'millrace.dev/controller-epoch': '1', 'millrace.dev/controller-address': controller.address }
    const name = 'events-controller'
    if (this.#kube.get(leases, name) !== undefined) this.#kube.patch(leases, name, { metadata: { annotations } })
    else if (first !== undefined) {
      this.#kube.create(leases, {
        metadata: { name, namespace, labels: { 'millrace.dev/cluster': 'events' }, annotations },
        spec: { holderIdentity: '0' }
      })
    }
    if (first !== undefined) this.#writeTable()
  }

  #writeTable (): void {
    const spec = { controllerEpoch: 1, writeId: String(++this.#tableWrites) }
    if (this.controller.address === '') return
    if (this.#kube.get(tables, 'events-0') !== undefined) this.#kube.patch(tables, 'events-0', { spec })
    else {
      this.#kube.create(tables, {
        metadata: { name: 'events-0', namespace, labels: { 'millrace.dev/cluster': 'events' } }, spec
      })
    }
  }
}
