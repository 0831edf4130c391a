// A deleted Cluster whose storage.deletePolicy is Delete: brokers stop, then tables and volumes go. All
// else goes by owner references, and with deletePolicy Retain nothing but that happens.
import type { KubeApi } from '../kube/api.ts'
import { kinds, type Kind, type KubeObject } from '../kube/types.ts'
import { clusterOfTable, names, selectorText } from '../objects/names.ts'
import type { ClusterContext } from './cluster-context.ts'
import { writeClusterStatus } from './cluster-status.ts'
import { setFinalizer } from './finalizers.ts'
import { NextLoop } from './steps.ts'

/** Longer than a broker's grace period; a pod on a dead node is not waited for. */
const stopDeadlineMs = 120_000
const comeBackMs = 5_000

export async function deleteCluster (context: ClusterContext): Promise<void> {
  const { api, caches, cluster, deadlines } = context
  const uid = cluster.metadata.uid ?? ''
  if (cluster.spec.storage.deletePolicy === 'Delete') {
    await writeClusterStatus(context)
    await stopBrokers(context, uid)
    await deleteTables(context)
    await deleteVolumes(context)
  }
  deadlines.forget(uid)
  await setFinalizer(api, kinds.cluster, caches.clusters, cluster, false)
}

/** First: a living controller would write the tables anew. */
async function stopBrokers ({ api, caches, cluster, deadlines }: ClusterContext, uid: string): Promise<void> {
  const { name, namespace = '' } = cluster.metadata
  const live = caches.managed.statefulSet.get(`${namespace}/${names.statefulSet(name)}`)
  if (live !== undefined && live.metadata.deletionTimestamp === undefined) {
    await api.delete(kinds.statefulSet, namespace, names.statefulSet(name), { propagationPolicy: 'Background' })
  }
  if (live === undefined && caches.podsOf(cluster).length === 0) return
  if (deadlines.waitedMs(uid) < stopDeadlineMs) throw new NextLoop({ afterMs: comeBackMs })
}

async function deleteTables ({ api, caches, cluster }: ClusterContext): Promise<void> {
  const { name, namespace } = cluster.metadata
  for (const table of caches.tables.values()) {
    if (table.metadata.namespace !== namespace || clusterOfTable(table.metadata.name) !== name) continue
    await remove(api, kinds.partitionTable, table)
  }
}

async function deleteVolumes ({ api, cluster }: ClusterContext): Promise<void> {
  const claims = await api.list(kinds.persistentVolumeClaim, {
    namespace: cluster.metadata.namespace ?? '', labelSelector: selectorText(cluster.metadata.name)
  })
  for (const claim of claims.items) {
    if (claim.metadata.deletionTimestamp === undefined) await remove(api, kinds.persistentVolumeClaim, claim)
  }
}

/** Exactly this object, not one of the same name that came after it. */
async function remove (api: KubeApi, kind: Kind, object: KubeObject): Promise<void> {
  const { name, namespace = '', uid } = object.metadata
  await api.delete(kind, namespace, name, { ...uid !== undefined && { uid } })
}
