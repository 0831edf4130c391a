// Volumes that are there before their brokers: those that an earlier Cluster of this name left behind are taken over,
// those of another cluster only when a person says so.
import { isKubeError } from '../kube/api.ts'
import { covers } from '../kube/covers.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { claimName, claimOrdinal, judgeClaims } from '../objects/claims.ts'
import { claimUidAnnotation, clusterUidAnnotation, selectorLabels } from '../objects/names.ts'
import { clusterUidOf } from '../objects/stateful-set.ts'
import { ordinalOf } from './caches.ts'
import { isReady, type ClusterContext } from './cluster-context.ts'
import { NextLoop } from './steps.ts'

/** Claims are not watched. */
const comeBackMs = 10_000
const markAgainMs = 1_000

/** What is known of the StatefulSet that is there. */
function standing ({ caches, cluster }: ClusterContext): { known: string | undefined, size: number } {
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  const spec = live?.['spec'] as { replicas?: number } | undefined
  return { known: clusterUidOf(live), size: spec?.replicas ?? 0 }
}

/** More brokers than there are: not where volumes of another cluster have their names. */
export async function checkNewBrokers (context: ClusterContext): Promise<void> {
  const { cluster, notes, replicas = 0 } = context
  const { known, size } = standing(context)
  if (known === undefined || size >= replicas) return
  const claims = (await claimsOf(context)).filter(({ metadata }) =>
    claimOrdinal(cluster.metadata.name, metadata.name) >= size)
  const { refused } = judgeClaims(cluster, claims, known)
  if (refused === undefined) return
  notes.foreignVolumes = refused
  context.comeBackMs = comeBackMs
  context.replicas = size
}

/**
 * Sets whose data the brokers are to serve, before there are any.
 * @throws NextLoop where that is for a person to say
 */
export async function findVolumes (context: ClusterContext): Promise<void> {
  const { cluster, notes, events } = context
  const { known } = standing(context)
  context.clusterUid = known ?? cluster.metadata.uid ?? ''
  if (known !== undefined) return
  const { uid, adopted, refused } = judgeClaims(cluster, await claimsOf(context))
  if (refused !== undefined) {
    notes.foreignVolumes = refused
    throw new NextLoop({ afterMs: comeBackMs })
  }
  context.clusterUid = uid
  if (uid === cluster.metadata.uid) return
  events.record(cluster, {
    type: 'Normal',
    reason: 'VolumesAdopted',
    action: 'Reconcile',
    note: `${adopted.length} volumes of cluster ${uid} are taken over`
  })
}

/** Marks the claims of brokers that serve: this very claim is the cluster's. Nothing waits for it. */
export async function markVolumes (context: ClusterContext): Promise<void> {
  try {
    await markAll(context)
  } catch (error) {
    if (!isKubeError(error)) throw error
    context.comeBackMs = markAgainMs
    context.log.warn({ cluster: context.key, err: error.message }, 'volumes are marked later')
  }
}

/** Once for each pod: a broker that was given another volume has another pod. */
async function markAll (context: ClusterContext): Promise<void> {
  const { caches, cluster, key, markedPods, clusterUid = '' } = context
  const pods = caches.podsOf(cluster).filter(pod => isReady(pod))
  const before = markedPods.get(key)
  const unmarked = pods.filter(({ metadata: { uid = '' } }) => before?.has(uid) !== true)
  if (unmarked.length > 0) {
    const wanted = new Set(unmarked.map(pod => claimName(cluster.metadata.name, ordinalOf(pod))))
    for (const claim of await claimsOf(context, unmarked.length === 1 ? [...wanted][0] : undefined)) {
      if (wanted.has(claim.metadata.name)) await mark(context, claim, clusterUid)
    }
  }
  markedPods.set(key, new Set(pods.map(({ metadata: { uid = '' } }) => uid)))
}

async function mark ({ api, cluster }: ClusterContext, claim: KubeObject, clusterUid: string): Promise<void> {
  const { name, namespace = '', uid = '', resourceVersion, deletionTimestamp } = claim.metadata
  // Those that people made get the labels too, by which volumes grow and are deleted.
  const marks = {
    labels: selectorLabels(cluster.metadata.name),
    annotations: { [claimUidAnnotation]: uid, [clusterUidAnnotation]: clusterUid }
  }
  if (covers(claim.metadata, marks) || deletionTimestamp !== undefined) return
  await api.patch(kinds.persistentVolumeClaim, namespace, name, { metadata: { resourceVersion, ...marks } })
}

/** By name, not by label: those that people made need not have labels. */
async function claimsOf ({ api, cluster }: ClusterContext, only?: string): Promise<KubeObject[]> {
  const { name, namespace = '' } = cluster.metadata
  if (only !== undefined) {
    const claim = await api.get(kinds.persistentVolumeClaim, namespace, only)
    return claim === undefined ? [] : [claim]
  }
  const { items } = await api.list(kinds.persistentVolumeClaim, { namespace })
  return items.filter(({ metadata }) => claimOrdinal(name, metadata.name) >= 0)
}
