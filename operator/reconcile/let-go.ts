// A namespace that is deleted with the operator in it. Kubernetes takes its pods first, so nobody would be left to take
// finalizers away, and the namespace would be Terminating for ever. They guard nothing then: claims and tables of the
// namespace go as well, whatever a deletePolicy says.
import { isKubeError } from '../kube/api.ts'
import type { KubeApi } from '../kube/api.ts'
import type { Reflectors } from '../kube/reflectors.ts'
import { kinds, type Kind, type KubeObject } from '../kube/types.ts'
import type { Caches } from './caches.ts'
import { hasFinalizer, setFinalizer } from './finalizers.ts'

/** Requests at a time. */
const atOnceMax = 16
const attemptsMax = 3

type Held = readonly [Kind, Pick<Reflectors<never>, 'observe'>, KubeObject]

/**
 * Takes the operator's finalizer from everything in `namespace`, if that is being deleted.
 * @param onEnding called before the first write
 * @returns how many objects were let go
 * @throws KubeError
 */
export async function letGo (api: KubeApi, caches: Caches, namespace: string,
  onEnding: () => void = () => {}): Promise<number> {
  const held: Held[] = [
    ...heldIn(namespace, kinds.topic, caches.topics), ...heldIn(namespace, kinds.cluster, caches.clusters)
  ]
  if (held.length === 0 || !await isEnding(api, namespace)) return 0
  onEnding()
  const left = [...held]
  await Promise.all(Array.from({ length: atOnceMax }, async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await release(api, next)
  }))
  return held.length
}

function heldIn<T extends KubeObject> (namespace: string, kind: Kind, cache: Reflectors<T>): Held[] {
  return [...cache.values()]
    .filter(object => object.metadata.namespace === namespace && hasFinalizer(object))
    .map(object => [kind, cache, object] as const)
}

async function isEnding (api: KubeApi, namespace: string): Promise<boolean> {
  const found = await api.get(kinds.namespace, '', namespace)
  return found?.metadata.deletionTimestamp !== undefined
}

/** The copy may be old: another operator of the namespace does the same just now. */
async function release (api: KubeApi, [kind, cache, object]: Held): Promise<void> {
  let current: KubeObject | undefined = object
  for (let attempt = 1; current !== undefined; attempt++) {
    try {
      await setFinalizer(api, kind, cache, current, false)
      return
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return
      if (attempt === attemptsMax || !isKubeError(error, 'Conflict')) throw error
      current = await api.get(kind, object.metadata.namespace ?? '', object.metadata.name)
    }
  }
}
