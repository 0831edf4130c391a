// A namespace that is being deleted. Kubernetes ends its pods first, then takes everything else in any order: also the
// Role by which the operator may do anything there, or the operator itself. Who waited for a finalizer then would wait
// for ever. It guards nothing any more: claims and tables of the namespace go as well, whatever a deletePolicy says.
import { isKubeError, type KubeApi } from '../kube/api.ts'
import type { Reflectors } from '../kube/reflectors.ts'
import { kinds, type Kind, type KubeObject } from '../kube/types.ts'
import type { Caches } from './caches.ts'
import { hasFinalizer, setFinalizer } from './finalizers.ts'

/** Requests at a time. */
const atOnceMax = 16
const attemptsMax = 3

type Held = readonly [Kind, Pick<Reflectors<never>, 'observe'>, KubeObject]

/** The namespaces that were found to be ending: nothing in them is held any more. */
export class EndingNamespaces {
  readonly #api: KubeApi
  readonly #caches: Caches
  readonly #known = new Set<string>()

  constructor (api: KubeApi, caches: Caches) {
    this.#api = api
    this.#caches = caches
  }

  /**
   * For a pass over an object that is not deleted: true when its namespace is, and nothing is to be done any more.
   * It is asked only when it was ending before, or when `suspect` and something in it is held.
   */
  async includes (namespace: string, suspect: boolean): Promise<boolean> {
    if (this.#known.has(namespace)) {
      if (await this.#isEnding(namespace)) return true
      this.#known.delete(namespace)
      return false
    }
    return suspect && await this.letGo(namespace) > 0
  }

  /**
   * Takes the operator's finalizer from everything in `namespace`, if that is being deleted.
   * @param onEnding called before the first write
   * @returns how many objects were let go
   * @throws KubeError
   */
  async letGo (namespace: string, onEnding: () => void = () => {}): Promise<number> {
    const { topics, clusters } = this.#caches
    const held: Held[] = [
      ...heldIn(namespace, kinds.topic, topics), ...heldIn(namespace, kinds.cluster, clusters)
    ]
    if (held.length === 0 || !await this.#isEnding(namespace)) return 0
    onEnding()
    this.#known.add(namespace)
    const left = [...held]
    await Promise.all(Array.from({ length: atOnceMax }, async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) await release(this.#api, next)
    }))
    return held.length
  }

  async #isEnding (namespace: string): Promise<boolean> {
    try {
      const found = await this.#api.get(kinds.namespace, '', namespace)
      return found?.metadata.deletionTimestamp !== undefined
    } catch (error) {
      // The right to ask goes with the namespace; one who never had it knows nothing.
      if (isKubeError(error, 'Forbidden')) return this.#known.has(namespace)
      throw error
    }
  }
}

function heldIn<T extends KubeObject> (namespace: string, kind: Kind, cache: Reflectors<T>): Held[] {
  return [...cache.values()]
    .filter(object => object.metadata.namespace === namespace && hasFinalizer(object))
    .map(object => [kind, cache, object] as const)
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
