// What one observer was told of a partition's end never falls, whoever leads: neither the answers to the question
// where it ends, nor the high watermarks that come with records, nor below a record that it was given.
import type { Anomaly } from './anomaly.ts'
import type { Key, Operation } from './history.ts'

/** Of one process and partition. */
interface Told {
  end: number
  how: string
  /** Told by operations that may not have ended when the next began, in order of their beginning. */
  readonly later: { readonly endMs: number, readonly end: number, readonly how: string }[]
}

export function findFallenEnds (history: readonly Operation[]): Anomaly[] {
  const found: Anomaly[] = []
  const told = new Map<string, Told>()
  for (const operation of history) {
    const { process, startMs, endMs, outcome } = operation
    if ((operation.kind !== 'poll' && operation.kind !== 'ends') || outcome !== 'ok') continue
    const highest = new Map<Key, { end: number, how: string }>()
    const say = (key: Key, end: number, how: string): void => {
      if (end > (highest.get(key)?.end ?? -1)) highest.set(key, { end, how })
    }
    const ends = (operation.kind === 'ends' ? operation.offsets : operation.ends) ?? []
    for (const { key, offset } of ends) {
      const before = settle(told, `${process} ${key}`, startMs)
      if (offset < before.end) {
        const message = `${process} was told that it ends at ${offset}, after ${before.how}`
        found.push({ kind: 'fallen end', key, message })
      }
      say(key, offset, `an end of ${offset}`)
    }
    for (const { key, offset } of operation.kind === 'poll' ? operation.records : []) {
      say(key, offset + 1, `record ${offset}`)
    }
    for (const [key, each] of highest) settle(told, `${process} ${key}`, startMs).later.push({ endMs, ...each })
  }
  return found
}

/** What had been told before `atMs`. */
function settle (all: Map<string, Told>, id: string, atMs: number): Told {
  let told = all.get(id)
  if (told === undefined) all.set(id, told = { end: -1, how: '', later: [] })
  while (told.later[0] !== undefined && told.later[0].endMs <= atMs) {
    const { end, how } = told.later.shift()!
    if (end > told.end) Object.assign(told, { end, how })
  }
  return told
}
