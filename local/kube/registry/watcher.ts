// Watches: which of the store's changes a watcher sees, and as which event.
import type { WatchEvent } from '../contract.ts'
import type { KubeObject } from '../object.ts'
import type { Change, Store } from '../storage/store.ts'
import type { ResourceType } from './resource.ts'
import { present } from './resource.ts'
import { matcherOf } from './reader.ts'
import type { ListQuery } from './reader.ts'

/** One watcher's view of a change: objects that come to match are ADDED, that cease to are DELETED. */
export function watchFilter (type: ResourceType, query: ListQuery): (change: Change) => WatchEvent | undefined {
  const matches = matcherOf(type, query)
  const prefix = query.namespace === undefined ? '' : `${query.namespace}/`
  const sees = (object: KubeObject | undefined): boolean => object !== undefined && matches(present(type, object))
  return change => {
    if (change.table !== type.table || !change.key.startsWith(prefix)) return undefined
    const [before, after] = [sees(change.before), sees(change.after)]
    if (!before && !after) return undefined
    const object = present(type, change.object)
    if (after) return { type: before ? 'MODIFIED' : 'ADDED', object }
    if (change.after === undefined) return { type: 'DELETED', object }
    // It lives on, out of sight: the last state that was seen, at the revision of the change.
    const last = present(type, change.before ?? change.object)
    return {
      type: 'DELETED',
      object: { ...last, metadata: { ...last.metadata, resourceVersion: String(change.revision) } }
    }
  }
}

/**
 * Changes after `since` that match: those of the history at once, the others as they are announced.
 * Throws 410 when the history no longer reaches back. Returns the way to stop.
 */
export function follow (store: Store, since: number, onChange: (change: Change) => void): () => void {
  const missed = store.changesAfter(since).filter(change => change.revision <= store.announced)
  const stop = store.subscribe(change => {
    if (change.revision > since) onChange(change)
  })
  for (const change of missed) onChange(change)
  return stop
}
