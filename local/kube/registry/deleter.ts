// Deletes: at once, or by deletionTimestamp while finalizers, a grace period or the kind itself keep
// the object. What dependents do is decided here by finalizers and carried out by controllers/gc.ts.
import type { DeleteOptions } from '../contract.ts'
import type { KubeObject } from '../object.ts'
import { equal } from '../object.ts'
import { formatTime } from '../schema/time.ts'
import { conflict } from '../status.ts'
import { keyOf } from '../storage/store.ts'
import type { Store } from '../storage/store.ts'
import type { ResourceType } from './resource.ts'
import { isGone, present, toStorage } from './resource.ts'
import type { Target, Writer } from './writer.ts'

export const foregroundFinalizer = 'foregroundDeletion'
export const orphanFinalizer = 'orphan'

export interface Deletion {
  /** The last state, or the state of an object that is now terminating. */
  readonly object: KubeObject
  readonly removed: boolean
}

function checkPreconditions (target: Target, live: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {}
  const named = { group: target.type.group, plural: target.type.kind }
  if (uid !== undefined && uid !== live.metadata.uid) {
    throw conflict(named, target.name, `the UID in the precondition (${uid}) does not match the UID in ` +
      `record (${live.metadata.uid}). The object might have been deleted and then recreated`)
  }
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(named, target.name, `the ResourceVersion in the precondition (${resourceVersion}) does not ` +
      `match the ResourceVersion in record (${live.metadata.resourceVersion}). The object might have been modified`)
  }
}

/** Finalizers after the wish for the dependents. */
function withPolicy (finalizers: readonly string[], policy: DeleteOptions['propagationPolicy']): string[] {
  if (policy === undefined) return [...finalizers]
  const others = finalizers.filter(one => one !== foregroundFinalizer && one !== orphanFinalizer)
  switch (policy) {
    case 'Foreground': return [...others, foregroundFinalizer]
    case 'Orphan': return [...others, orphanFinalizer]
    case 'Background': return others
  }
}

function gracePeriod (type: ResourceType, live: KubeObject, wanted: number | undefined): number {
  const usual = type.strategy.gracePeriodSeconds?.(live) ?? 0
  // Kinds without a grace period ignore the wish for one.
  return usual === 0 ? 0 : Math.max(0, wanted ?? usual)
}

export class Deleter {
  readonly #store: Store
  readonly #writer: Writer
  readonly #now: () => number

  constructor (store: Store, writer: Writer, now: () => number) {
    this.#store = store
    this.#writer = writer
    this.#now = now
  }

  delete (target: Target, options: DeleteOptions, dryRun = false): Deletion {
    const { type } = target
    const live = this.#writer.live(target)
    checkPreconditions(target, live, options)
    const wasDeleted = live.metadata.deletionTimestamp !== undefined
    const grace = gracePeriod(type, live, options.gracePeriodSeconds)
    const marked = this.#marked(type, live, options, grace)
    const key = keyOf(target.namespace, target.name)
    if (isGone(type, marked)) {
      if (dryRun) return { object: marked, removed: true }
      return { object: present(type, this.#store.remove(type.table, key)), removed: true }
    }
    if (dryRun || (wasDeleted && equal(marked, live))) return { object: marked, removed: false }
    const stored = this.#store.put(type.table, key, toStorage(type, marked))
    return { object: present(type, stored), removed: false }
  }

  #marked (type: ResourceType, live: KubeObject, options: DeleteOptions, grace: number): KubeObject {
    const finalizers = withPolicy(live.metadata.finalizers ?? [], options.propagationPolicy)
    const { finalizers: _finalizers, ...metadata } = live.metadata
    const marked: KubeObject = {
      ...live,
      metadata: { ...metadata, ...finalizers.length > 0 && { finalizers } }
    }
    const meta = marked.metadata
    if (meta.deletionTimestamp === undefined) {
      if (meta.generation !== undefined) meta.generation++
      meta.deletionTimestamp = formatTime(this.#now() + grace * 1000)
      meta.deletionGracePeriodSeconds = grace
    } else if (grace < (meta.deletionGracePeriodSeconds ?? 0)) {
      // A second delete may only shorten the wait.
      meta.deletionTimestamp = formatTime(this.#now() + grace * 1000)
      meta.deletionGracePeriodSeconds = grace
    }
    type.strategy.markDeleted?.(marked)
    return marked
  }
}
