// A deleted namespace takes everything in it along, then goes itself.
import type { KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import type { Catalog } from '../registry/catalog.ts'
import { writeContext } from '../registry/codec.ts'
import type { Deleter } from '../registry/deleter.ts'
import type { Writer } from '../registry/writer.ts'
import type { Change, Store } from '../storage/store.ts'
import { keyOf } from '../storage/store.ts'

const initial = ['default', 'kube-node-lease', 'kube-public', 'kube-system']
const finalizer = 'kubernetes'

export class NamespaceController {
  readonly #store: Store
  readonly #catalog: Catalog
  readonly #writer: Writer
  readonly #deleter: Deleter
  readonly #ending = new Set<string>()

  constructor (store: Store, catalog: Catalog, writer: Writer, deleter: Deleter) {
    this.#store = store
    this.#catalog = catalog
    this.#writer = writer
    this.#deleter = deleter
  }

  start (): void {
    const type = this.#catalog.named('namespaces')
    if (type === undefined) return
    for (const name of initial) {
      if (this.#store.get('namespaces', keyOf(undefined, name)) !== undefined) continue
      this.#writer.create(type, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        writeContext('kube-apiserver'))
    }
    for (const key of this.#store.keys('namespaces')) {
      const namespace = this.#store.get('namespaces', key)
      if (namespace?.metadata.deletionTimestamp !== undefined) this.#empty(namespace.metadata.name)
    }
  }

  /** To be called for each announced change. */
  onChange (change: Change): void {
    if (change.table === 'namespaces') {
      const { name } = change.object.metadata
      if (change.after === undefined) this.#ending.delete(name)
      else if (change.after.metadata.deletionTimestamp !== undefined) this.#empty(name)
      return
    }
    const { namespace } = change.object.metadata
    if (change.after === undefined && namespace !== undefined && this.#ending.has(namespace)) {
      this.#finish(namespace)
    }
  }

  * #contents (namespace: string): Generator<{ table: string, object: KubeObject }> {
    for (const type of this.#catalog.stored()) {
      if (!type.namespaced) continue
      for (const key of [...this.#store.keys(type.table)]) {
        const object = key.startsWith(`${namespace}/`) ? this.#store.get(type.table, key) : undefined
        if (object !== undefined) yield { table: type.table, object }
      }
    }
  }

  #empty (namespace: string): void {
    this.#ending.add(namespace)
    for (const { table, object } of this.#contents(namespace)) {
      const type = this.#catalog.named(table)
      if (type === undefined || object.metadata.deletionTimestamp !== undefined) continue
      this.#deleter.delete({ type, namespace, name: object.metadata.name }, { propagationPolicy: 'Background' })
    }
    this.#finish(namespace)
  }

  /** Lets the namespace go when nothing is left in it. */
  #finish (namespace: string): void {
    for (const _left of this.#contents(namespace)) return
    const type = this.#catalog.named('namespaces')
    if (type === undefined) return
    const target = { type, namespace: undefined, name: namespace }
    if (this.#writer.find(target) === undefined) return
    this.#writer.patch(target, live => {
      const spec = isObject(live.spec) ? live.spec : {}
      const left = Array.isArray(spec.finalizers) ? spec.finalizers.filter(one => one !== finalizer) : []
      return { ...live, spec: { ...spec, finalizers: left } }
    }, writeContext('kube-controller-manager'))
  }
}
