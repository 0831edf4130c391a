// One Cluster: its objects in order, then what the brokers need of the operator, then the status.
import { isKubeError } from '../kube/api.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { names, ownerReference } from '../objects/names.ts'
import { networkPolicy, podDisruptionBudget } from '../objects/policies.ts'
import { role, roleBinding, serviceAccount } from '../objects/rbac.ts'
import { bootstrapService, headlessService } from '../objects/services.ts'
import { InvalidValueError } from '../schema/quantities.ts'
import type { Cluster } from '../schema/resources.ts'
import { ForeignObjectError, type ManagedKind } from './caches.ts'
import { checkNewBrokers, findVolumes, markVolumes } from './cluster-claims.ts'
import { isReady, type ClusterContext } from './cluster-context.ts'
import { deleteCluster } from './cluster-delete.ts'
import { makeConfigMap, makeListeners } from './cluster-listeners.ts'
import { maintainBrokers } from './cluster-maintenance.ts'
import { rollBrokers } from './cluster-roll.ts'
import { countBrokers, drainBrokers, ensureStatefulSet } from './cluster-scale.ts'
import { checkClusterSpec } from './cluster-spec.ts'
import { writeClusterStatus } from './cluster-status.ts'
import { growVolumes } from './cluster-volumes.ts'
import type { Surroundings } from './context.ts'
import { isUnknownTopic, isUnreachable } from './controller-client.ts'
import { hasFinalizer, setFinalizer } from './finalizers.ts'
import { isPaused, pausedMessage } from './paused.ts'
import { NextLoop, runSteps, StepFailed, type Step } from './steps.ts'

const steps: readonly Step<ClusterContext>[] = [
  { name: 'checkSpec', run: ({ cluster }) => { checkClusterSpec(cluster) } },
  { name: 'setFinalizer', run: protect },
  { name: 'countBrokers', run: countBrokers },
  { name: 'checkNewBrokers', run: checkNewBrokers },
  make('serviceAccount', serviceAccount),
  make('role', role),
  make('roleBinding', roleBinding),
  make('service', headlessService),
  make('service', bootstrapService),
  { name: 'listeners', run: makeListeners },
  { name: 'configMap', run: makeConfigMap },
  make('networkPolicy', networkPolicy),
  { name: 'growVolumes', run: growVolumes },
  { name: 'findVolumes', run: findVolumes },
  { name: 'statefulSet', run: makeStatefulSet },
  make('podDisruptionBudget', podDisruptionBudget),
  { name: 'adoptLease', run: adoptLease },
  { name: 'markVolumes', run: markVolumes },
  { name: 'askController', run: askController },
  { name: 'releaseTopics', run: releaseTopics },
  { name: 'maintainBrokers', run: maintainBrokers },
  { name: 'drainBrokers', run: drainBrokers },
  { name: 'rollBrokers', run: rollBrokers }
]

function make (kind: ManagedKind, build: (cluster: Cluster, brokers?: number) => KubeObject): Step<ClusterContext> {
  return {
    name: build.name,
    run: async ({ caches, cluster, replicas }) => { await caches.ensure(kind, build(cluster, replicas)) }
  }
}

/** @throws NextLoop to come back, StepFailed to be tried again with backoff. */
export async function reconcileCluster (surroundings: Surroundings, cluster: Cluster & KubeObject): Promise<void> {
  const context: ClusterContext = {
    ...surroundings, cluster, key: keyOf(cluster), draining: [], maintenance: [], notes: {}
  }
  if (cluster.metadata.deletionTimestamp !== undefined) {
    if (hasFinalizer(cluster)) await runSteps([{ name: 'deleteCluster', run: deleteCluster }], context)
    return
  }
  // Pods go first, as in a restart too: then it is worth asking.
  const isLosingPods = context.caches.podsOf(cluster).some(({ metadata }) => metadata.deletionTimestamp !== undefined)
  if (await context.ending.includes(cluster.metadata.namespace ?? '', isLosingPods)) return
  if (isPaused(cluster)) {
    context.notes.paused = pausedMessage
    context.draining = cluster.status?.draining ?? []
    context.maintenance = cluster.status?.maintenance ?? []
    await askController(context)
    await writeClusterStatus(context)
    return
  }
  try {
    await runSteps(steps, context)
  } catch (error) {
    if (error instanceof StepFailed && error.cause instanceof InvalidValueError) {
      context.notes.invalid = error.cause.message
    } else {
      const failed = error instanceof StepFailed
      if (failed && needsPerson(error.cause)) context.notes.failed = error.message
      // A failure that passes by itself is no news.
      if (!failed || context.notes.failed !== undefined) await writeClusterStatus(context)
      throw error instanceof NextLoop ? sooner(error, context.comeBackMs) : error
    }
  }
  await writeClusterStatus(context)
  if (context.comeBackMs !== undefined) throw new NextLoop({ afterMs: context.comeBackMs })
}

function sooner (next: NextLoop, afterMs: number | undefined): NextLoop {
  return afterMs === undefined ? next : new NextLoop({ afterMs: Math.min(afterMs, next.afterMs ?? Infinity) })
}

/** Refusals that do not pass by waiting; a conflict or an overload does. */
function needsPerson (cause: unknown): boolean {
  return cause instanceof ForeignObjectError || isKubeError(cause, 'Forbidden', 'Invalid', 'BadRequest')
}

async function protect (context: ClusterContext): Promise<void> {
  const { api, caches, cluster } = context
  await setFinalizer(api, kinds.cluster, caches.clusters, cluster, cluster.spec.storage.deletePolicy === 'Delete')
}

async function makeStatefulSet (context: ClusterContext): Promise<void> {
  const { caches, cluster, replicas = 0, events } = context
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  const size = (live?.['spec'] as { replicas?: number } | undefined)?.replicas ?? 0
  if (live !== undefined && size < replicas && size > 0) {
    events.record(cluster, {
      type: 'Normal', reason: 'ScalingUp', action: 'Scale', note: `from ${size} to ${replicas} brokers`
    })
  }
  await ensureStatefulSet(context)
}

/** The brokers make the Lease; with an owner it goes when the Cluster does. */
async function adoptLease (context: ClusterContext): Promise<void> {
  const { api, caches, cluster } = context
  const { name, namespace = '', uid } = cluster.metadata
  const lease = caches.leases.get(`${namespace}/${names.lease(name)}`)
  const isAdopted = lease?.metadata.ownerReferences?.some(owner => owner.uid === uid) ?? false
  if (lease === undefined || isAdopted) return
  const { apiVersion, kind } = kinds.lease
  caches.leases.observe(await api.apply(kinds.lease, {
    apiVersion,
    kind,
    metadata: {
      name: names.lease(name), namespace, ownerReferences: [{ ...ownerReference(cluster), controller: false }]
    }
  }))
}

async function askController (context: ClusterContext): Promise<void> {
  const { caches, cluster, views, key } = context
  if (views.get(key) !== undefined || !caches.podsOf(cluster).some(isReady)) return
  try {
    await views.refresh(key)
  } catch (error) {
    // The views ask again by themselves and say so.
    if (!isUnreachable(error)) throw error
  }
}

/** Topics whose object is gone (deletePolicy: Retain): the controller is told that they are orphans. */
async function releaseTopics (context: ClusterContext): Promise<void> {
  const { views, topicIndex, controllers, key } = context
  for (const [name, status] of views.get(key)?.topics ?? []) {
    const { topic, ownerUid, orphaned } = status
    if (topic === undefined || topic.internal || orphaned || ownerUid === '') continue
    if (topicIndex.hasUid(ownerUid)) continue
    try {
      await controllers.call(key, 'DeleteTopic', { name, topicId: topic.topicId, deleteData: false })
      views.learn(key, { ...status, orphaned: true, ownerUid: '' })
      views.poke(key)
    } catch (error) {
      if (isUnreachable(error)) return
      // What the view tells of was deleted since.
      if (!isUnknownTopic(error)) throw error
      views.poke(key)
    }
  }
}
