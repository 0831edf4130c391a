// Garbage collection by owner references, as kube-controller-manager does it: dependents whose
// owners are all gone are deleted; foreground deletion waits for blocking dependents; orphaning cuts
// the references. https://kubernetes.io/docs/concepts/architecture/garbage-collection/
import type { JsonObject, KubeObject, OwnerReference } from '../object.ts'
import type { Catalog } from '../registry/catalog.ts'
import { writeContext } from '../registry/codec.ts'
import { foregroundFinalizer, orphanFinalizer } from '../registry/deleter.ts'
import type { Deleter } from '../registry/deleter.ts'
import type { Target, Writer } from '../registry/writer.ts'
import { ApiError } from '../status.ts'
import { StorageError } from '../storage/store.ts'
import type { Change, Store } from '../storage/store.ts'

interface Place {
  readonly table: string
  readonly key: string
}

function placeText ({ table, key }: Place): string {
  return `${table} ${key}`
}

export class GarbageCollector {
  readonly #store: Store
  readonly #catalog: Catalog
  readonly #writer: Writer
  readonly #deleter: Deleter
  /** Every object's uid → where it is. */
  readonly #byUid = new Map<string, Place>()
  /** Owner's uid → its dependents. */
  readonly #dependents = new Map<string, Map<string, Place>>()
  readonly #queue = new Map<string, Place>()
  #isScheduled = false
  #isStopped = false

  constructor (store: Store, catalog: Catalog, writer: Writer, deleter: Deleter) {
    this.#store = store
    this.#catalog = catalog
    this.#writer = writer
    this.#deleter = deleter
  }

  start (): void {
    for (const { table, key, object } of this.#store.all()) this.#index({ table, key }, undefined, object)
    for (const { table, key } of this.#store.all()) this.#enqueue({ table, key })
  }

  stop (): void {
    this.#isStopped = true
  }

  /** To be called for each announced change. */
  onChange (change: Change): void {
    const place = { table: change.table, key: change.key }
    this.#index(place, change.before, change.after)
    const uid = change.object.metadata.uid ?? ''
    if (change.after === undefined) {
      for (const dependent of this.#dependents.get(uid)?.values() ?? []) this.#enqueue(dependent)
      // An owner that waits in the foreground looks again.
      for (const owner of change.before?.metadata.ownerReferences ?? []) this.#enqueueOwner(owner)
    } else if (this.#concerns(change.after)) {
      this.#enqueue(place)
    }
  }

  #concerns ({ metadata }: KubeObject): boolean {
    return (metadata.ownerReferences?.length ?? 0) > 0 || (metadata.deletionTimestamp !== undefined &&
      metadata.finalizers?.some(one => one === foregroundFinalizer || one === orphanFinalizer) === true)
  }

  #index (place: Place, before: KubeObject | undefined, after: KubeObject | undefined): void {
    const text = placeText(place)
    for (const owner of before?.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid)
      dependents?.delete(text)
      if (dependents?.size === 0) this.#dependents.delete(owner.uid)
    }
    if (before?.metadata.uid !== undefined) this.#byUid.delete(before.metadata.uid)
    if (after === undefined) return
    if (after.metadata.uid !== undefined) this.#byUid.set(after.metadata.uid, place)
    for (const owner of after.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid) ?? new Map<string, Place>()
      this.#dependents.set(owner.uid, dependents.set(text, place))
    }
  }

  #enqueueOwner (owner: OwnerReference): void {
    const place = this.#byUid.get(owner.uid)
    if (place !== undefined) this.#enqueue(place)
  }

  #enqueue (place: Place): void {
    this.#queue.set(placeText(place), place)
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      const places = [...this.#queue.values()]
      this.#queue.clear()
      for (const one of places) if (!this.#isStopped) this.#process(one)
    })
  }

  #process ({ table, key }: Place): void {
    const type = this.#catalog.named(table)
    const object = this.#store.get(table, key)
    if (type === undefined || object === undefined) return
    const target: Target = { type, namespace: object.metadata.namespace, name: object.metadata.name }
    try {
      if (object.metadata.deletionTimestamp !== undefined) this.#end(target, object)
      else this.#checkOwners(target, object)
    } catch (error) {
      // Another write came first; its change brings the object here again. A failed disk is told to
      // whoever asks for a write.
      if (!(error instanceof ApiError || error instanceof StorageError)) throw error
    }
  }

  /** A terminating object whose finalizers say what happens to its dependents. */
  #end (target: Target, object: KubeObject): void {
    const { finalizers = [], uid = '' } = object.metadata
    const dependents = [...this.#dependents.get(uid)?.values() ?? []]
    if (finalizers.includes(orphanFinalizer)) {
      for (const dependent of dependents) this.#cutReference(dependent, [uid])
      this.#removeFinalizer(target, orphanFinalizer)
    } else if (finalizers.includes(foregroundFinalizer)) {
      let blocking = 0
      for (const place of dependents) {
        const dependent = this.#store.get(place.table, place.key)
        if (dependent === undefined) continue
        const reference = dependent.metadata.ownerReferences?.find(owner => owner.uid === uid)
        if (reference?.blockOwnerDeletion === true) blocking++
        if (dependent.metadata.deletionTimestamp === undefined) this.#enqueue(place)
      }
      if (blocking === 0) this.#removeFinalizer(target, foregroundFinalizer)
    }
  }

  /** Deletes an object whose owners are gone, or go in the foreground; drops dangling references. */
  #checkOwners (target: Target, object: KubeObject): void {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0) return
    const dangling: string[] = []
    let [solid, waiting] = [0, 0]
    for (const owner of owners) {
      const held = this.#ownerOf(owner, object)
      if (held === undefined) dangling.push(owner.uid)
      else if (held.metadata.deletionTimestamp !== undefined &&
          held.metadata.finalizers?.includes(foregroundFinalizer) === true) waiting++
      else solid++
    }
    if (solid > 0) {
      if (dangling.length > 0) this.#cutReference({ table: target.type.table, key: keyOf(object) }, dangling)
    } else {
      const hasDependents = (this.#dependents.get(object.metadata.uid ?? '')?.size ?? 0) > 0
      this.#deleter.delete(target, {
        preconditions: { uid: object.metadata.uid ?? '' },
        propagationPolicy: waiting > 0 && hasDependents ? 'Foreground' : 'Background'
      })
    }
  }

  /** An owner counts only with the same uid, in the same namespace or in none. */
  #ownerOf (owner: OwnerReference, dependent: KubeObject): KubeObject | undefined {
    const place = this.#byUid.get(owner.uid)
    const held = place === undefined ? undefined : this.#store.get(place.table, place.key)
    if (held === undefined || held.metadata.name !== owner.name) return undefined
    const { namespace } = held.metadata
    return namespace === undefined || namespace === dependent.metadata.namespace ? held : undefined
  }

  #cutReference ({ table, key }: Place, uids: readonly string[]): void {
    const type = this.#catalog.named(table)
    const object = this.#store.get(table, key)
    if (type === undefined || object === undefined) return
    const target: Target = { type, namespace: object.metadata.namespace, name: object.metadata.name }
    this.#change(target, metadata => {
      metadata.ownerReferences = (metadata.ownerReferences ?? []).filter(owner => !uids.includes(owner.uid))
    })
  }

  #removeFinalizer (target: Target, finalizer: string): void {
    this.#change(target, metadata => {
      metadata.finalizers = (metadata.finalizers ?? []).filter(one => one !== finalizer)
    })
  }

  #change (target: Target, edit: (metadata: KubeObject['metadata']) => void): void {
    this.#writer.patch(target, (live: JsonObject) => {
      edit(live.metadata as unknown as KubeObject['metadata'])
      return live
    }, writeContext('kube-controller-manager'))
  }
}

function keyOf (object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
