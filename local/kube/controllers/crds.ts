// Serves what CustomResourceDefinitions define, as soon as they are stored, and cleans up after one
// that is deleted: its objects first, then the definition.
import { crdFinalizer } from '../builtin/crd.ts'
import type { KubeObject } from '../object.ts'
import type { Catalog } from '../registry/catalog.ts'
import { writeContext } from '../registry/codec.ts'
import type { Deleter } from '../registry/deleter.ts'
import type { ResourceType } from '../registry/resource.ts'
import type { Writer } from '../registry/writer.ts'
import type { Change, Store } from '../storage/store.ts'
import { crdSpec, customTypes } from './crd-types.ts'

const crdTable = 'customresourcedefinitions.apiextensions.k8s.io'

export class CrdController {
  readonly #store: Store
  readonly #catalog: Catalog
  readonly #writer: Writer
  readonly #deleter: Deleter
  /** Tables of definitions that are being deleted. */
  readonly #ending = new Map<string, string>()

  constructor (store: Store, catalog: Catalog, writer: Writer, deleter: Deleter) {
    this.#store = store
    this.#catalog = catalog
    this.#writer = writer
    this.#deleter = deleter
  }

  /** Serves what is stored; the store is read before any request comes. */
  start (): void {
    for (const key of this.#store.keys(crdTable)) {
      const crd = this.#store.get(crdTable, key)
      if (crd !== undefined) this.serve(crd)
    }
  }

  /** Called when a definition is written, in the same turn: the next request already sees it. */
  serve (crd: KubeObject): void {
    const { group, names } = crdSpec(crd)
    this.#catalog.remove(group, names.plural)
    for (const type of customTypes(crd)) this.#catalog.add(type)
    if (crd.metadata.deletionTimestamp !== undefined) {
      this.#ending.set(`${names.plural}.${group}`, crd.metadata.name)
    }
  }

  /** To be called for each announced change. */
  onChange (change: Change): void {
    if (change.table === crdTable && change.after === undefined) {
      const { group, names } = crdSpec(change.object)
      this.#ending.delete(`${names.plural}.${group}`)
      this.#catalog.remove(group, names.plural)
      return
    }
    if (change.table === crdTable && change.after?.metadata.deletionTimestamp !== undefined) {
      this.#clean(change.after)
    } else if (change.after === undefined && this.#store.count(change.table) === 0) {
      const name = this.#ending.get(change.table)
      if (name !== undefined) this.#release(name)
    }
  }

  #clean (crd: KubeObject): void {
    const { group, names } = crdSpec(crd)
    const table = `${names.plural}.${group}`
    this.#ending.set(table, crd.metadata.name)
    const type = this.#catalog.named(table)
    if (type === undefined || this.#store.count(table) === 0) {
      this.#release(crd.metadata.name)
      return
    }
    for (const key of [...this.#store.keys(table)]) {
      const object = this.#store.get(table, key)
      if (object === undefined || object.metadata.deletionTimestamp !== undefined) continue
      this.#deleter.delete({ type, namespace: object.metadata.namespace, name: object.metadata.name }, {})
    }
  }

  #release (name: string): void {
    const type = this.#crdType()
    const target = { type, namespace: undefined, name }
    const crd = this.#writer.find(target)
    if (crd?.metadata.finalizers?.includes(crdFinalizer) !== true) return
    this.#writer.patch(target, live => {
      const metadata = live.metadata as unknown as KubeObject['metadata']
      metadata.finalizers = (metadata.finalizers ?? []).filter(one => one !== crdFinalizer)
      return live
    }, writeContext('kube-apiserver'))
  }

  #crdType (): ResourceType {
    const type = this.#catalog.named(crdTable)
    if (type === undefined) throw new Error('customresourcedefinitions are not served')
    return type
  }
}

