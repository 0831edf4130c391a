// Histories of topics that were deleted and made again. Each topic is judged by itself: what was acknowledged
// in one that is gone need not be anywhere, and must not be in its successor. A record whose outcome was not
// known when its topic went may lie in both.
import type { Key, Operation, PollOperation, SendOperation } from '../check/history.ts'

/** 't0~1-3' -> 't0-3' */
function nameOf (key: Key): Key { return key.replace(/~[0-9]+-/, '-') }

/** The history of the partitions that are there, as if there had never been others. */
export function ofThose (history: readonly Operation[], isThere: (key: Key) => boolean): Operation[] {
  return history.flatMap((operation): Operation[] => {
    switch (operation.kind) {
      case 'send': return operation.outcome === 'ok' && !isThere(operation.key) ? [] : [operation]
      case 'poll': return [ofKeys(operation, isThere)]
      default: return [operation]
    }
  })
}

/** Of the partitions of one topic that is gone: sends that landed elsewhere may have landed here before. */
export function ofGone (history: readonly Operation[], isHere: (key: Key) => boolean): Operation[] {
  const names = new Set<Key>()
  for (const operation of history) {
    if (operation.kind !== 'poll') continue
    for (const { key } of operation.records) if (isHere(key)) names.add(nameOf(key))
  }
  return history.flatMap((operation): Operation[] => {
    switch (operation.kind) {
      case 'send': {
        if (!names.has(nameOf(operation.key)) && !isHere(operation.key)) return []
        return [operation.outcome !== 'ok' || isHere(operation.key) ? operation : unknown(operation)]
      }
      case 'poll': return [ofKeys(operation, isHere)]
      default: return []
    }
  })
}

function ofKeys (operation: PollOperation, wanted: (key: Key) => boolean): PollOperation {
  const { records, ends = [] } = operation
  const isWanted = (each: { readonly key: Key }): boolean => wanted(each.key)
  return { ...operation, records: records.filter(isWanted), ends: ends.filter(isWanted) }
}

/** It may have happened, and nobody was told where. */
export function unknown ({ kind, process, startMs, key, value, batch }: SendOperation): SendOperation {
  return {
    kind, process, startMs, key, value, outcome: 'unknown', endMs: Infinity, ...batch !== undefined && { batch }
  }
}
