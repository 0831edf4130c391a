import type { Kind, KubeObject } from '../kube/types.ts'
import type { KubeApi } from '../kube/api.ts'
import type { Reflectors } from '../kube/reflectors.ts'
import { finalizer } from '../objects/names.ts'

export function hasFinalizer (object: KubeObject): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false
}

/**
 * Sets or removes the operator's finalizer, others' stay. A merge patch with the version that was read:
 * the list cannot have changed meanwhile (409 otherwise).
 */
export async function setFinalizer (api: KubeApi, kind: Kind, cache: Pick<Reflectors<never>, 'observe'>,
  object: KubeObject, wanted: boolean): Promise<void> {
  if (hasFinalizer(object) === wanted) return
  const { name, namespace, resourceVersion, finalizers = [] } = object.metadata
  const others = finalizers.filter(entry => entry !== finalizer)
  const stored = await api.patch(kind, namespace ?? '', name, {
    metadata: { resourceVersion, finalizers: wanted ? [...others, finalizer] : others }
  })
  // The last finalizer of a deleted object takes the object with it: its event says so.
  if (stored.metadata.deletionTimestamp === undefined) cache.observe(stored)
}
