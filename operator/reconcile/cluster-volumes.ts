// Larger volumes. A StatefulSet cannot change its claim templates (KEP-4650), so the claims are enlarged,
// the StatefulSet is deleted without its pods, and made again with the new size around the same pods.
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { selectorText } from '../objects/names.ts'
import { sameQuantity } from '../schema/quantities.ts'
import type { ClusterContext } from './cluster-context.ts'
import { NextLoop } from './steps.ts'

interface ClaimSpec { readonly resources?: { readonly requests?: { readonly storage?: string } } }

export async function growVolumes (context: ClusterContext): Promise<void> {
  const { api, caches, cluster, notes, events } = context
  const wanted = cluster.spec.storage.size
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) return
  const template = (live['spec'] as { volumeClaimTemplates?: KubeObject[] }).volumeClaimTemplates?.[0]
  if (template === undefined || hasSize(template, wanted)) return

  notes.resizing = `volumes grow to ${wanted}`
  const { namespace = '', name } = cluster.metadata
  const claims = await api.list(kinds.persistentVolumeClaim, { namespace, labelSelector: selectorText(name) })
  for (const claim of claims.items) {
    if (hasSize(claim, wanted)) continue
    await api.patch(kinds.persistentVolumeClaim, namespace, claim.metadata.name, {
      metadata: { resourceVersion: claim.metadata.resourceVersion },
      spec: { resources: { requests: { storage: wanted } } }
    })
  }
  events.record(cluster, { type: 'Normal', reason: 'VolumesGrow', action: 'Resize', note: notes.resizing })
  const { uid, resourceVersion } = live.metadata
  await api.delete(kinds.statefulSet, namespace, name, {
    ...uid !== undefined && { uid },
    ...resourceVersion !== undefined && { resourceVersion },
    propagationPolicy: 'Orphan'
  })
  // Its event brings the cluster back here, to make it again.
  throw new NextLoop()
}

/** What a claim, or a claim template, asks for. */
export function sizeOf (claim: KubeObject): string | undefined {
  return (claim['spec'] as ClaimSpec | undefined)?.resources?.requests?.storage
}

export function hasSize (claim: KubeObject, wanted: string): boolean {
  const size = sizeOf(claim)
  return size !== undefined && sameQuantity(size, wanted)
}
