// Whose turn it is to be restarted. The restart is written into the Cluster before the pod is deleted, with the
// version of the Cluster that was read before the pods were: of two operators that both find everything well, one
// gets a conflict. Whoever finds a restart that was written and not carried out carries it out, since the order to
// do so may still be under way, from an operator that is dead.
import { kinds, type KubeObject } from '../kube/types.ts'
import { restartAnnotation, selectorText } from '../objects/names.ts'
import { ordinalOf } from './caches.ts'
import type { ClusterContext } from './cluster-context.ts'
import { NextLoop } from './steps.ts'

export interface Turn {
  /** The cluster's pods as they are now, by ordinal. */
  readonly pods: readonly KubeObject[]
  /** Its restart was written, and it is still there: nobody else is restarted before it is. */
  readonly begun?: KubeObject
  /** @throws KubeError (Conflict) when another took the turn, or the Cluster changed meanwhile. */
  take (pod: KubeObject): Promise<void>
}

export async function seekTurn (context: ClusterContext): Promise<Turn> {
  const { api, caches, key } = context
  const cluster = caches.clusters.get(key)
  if (cluster === undefined) throw new NextLoop()
  const { name, namespace = '', resourceVersion, annotations } = cluster.metadata
  const { items } = await api.list(kinds.pod, { namespace, labelSelector: selectorText(name) })
  const pods = items.sort((a, b) => ordinalOf(a) - ordinalOf(b))
  const begun = pods.find(pod => turnOf(pod) === annotations?.[restartAnnotation])
  return {
    pods,
    ...begun !== undefined && begun.metadata.deletionTimestamp === undefined && { begun },
    take: async pod => {
      caches.clusters.observe(await api.patch(kinds.cluster, namespace, name, {
        metadata: { resourceVersion, annotations: { [restartAnnotation]: turnOf(pod) } }
      }))
    }
  }
}

function turnOf ({ metadata: { name, uid } }: KubeObject): string {
  return `${name}/${uid ?? ''}`
}
