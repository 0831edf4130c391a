// Members of groups, as their histories tell: nothing is skipped when a partition goes from one to another; what
// is repeated was not committed; who has lost a partition commits nothing for it any more.
import type { Anomaly } from './anomaly.ts'
import type { Key, Operation } from './history.ts'

/** A member's first record of a partition that was read before. */
export interface Takeover {
  readonly group: string
  readonly key: Key
  readonly process: string
  readonly atMs: number
  readonly offset: number
  /** Records that some member of the group had been given before. */
  readonly repeats: number
  /** When the first one of them was finished; Infinity when it was not. */
  readonly finishedAtMs: number
}

export interface GroupReport {
  readonly anomalies: Anomaly[]
  readonly takeovers: Takeover[]
  /** What each group has finished, by 'group/partition': everything below. */
  readonly finished: ReadonlyMap<string, number>
  /** Commits that were refused because the partition was another's. */
  readonly fenced: number
}

/** One time that a member has a partition. */
interface Reading {
  readonly process: string
  /** The first offset that it was given; -1: none yet. */
  first: number
}

interface Place {
  readonly group: string
  readonly key: Key
  readonly readings: Map<string, Reading>
  /** Acknowledged commits, the highest of each reading. */
  readonly committed: Map<Reading, number>
  /** By time: everything before the offset was finished. */
  readonly finished: { readonly offset: number, readonly atMs: number }[]
  given: number
}

interface Happening { readonly atMs: number, happen (): void }

/** Linear in the length of the history but for the sorting; times are of one clock for all processes. */
export function checkGroups (history: readonly Operation[]): GroupReport {
  const fold = new Fold()
  const happenings = history.flatMap(operation => fold.happeningsOf(operation)).sort((a, b) => a.atMs - b.atMs)
  for (const { happen } of happenings) happen()
  const finished = new Map([...fold.places].map(([id, { finished: all }]) => [id, all.at(-1)?.offset ?? 0]))
  return { anomalies: fold.anomalies, takeovers: fold.takeovers, finished, fenced: fold.fenced }
}

class Fold {
  readonly places = new Map<string, Place>()
  readonly anomalies: Anomaly[] = []
  readonly takeovers: Takeover[] = []
  fenced = 0

  happeningsOf (operation: Operation): Happening[] {
    const { process, startMs, endMs } = operation
    if (operation.kind === 'assign' && operation.group !== undefined) {
      const { group } = operation
      return operation.positions.map(({ key }) => ({
        atMs: startMs,
        happen: () => { this.#place(group, key).readings.set(process, { process, first: -1 }) }
      }))
    }
    if (operation.kind === 'poll' && operation.group !== undefined) {
      const { group, records } = operation
      const [first, last] = [records[0], records.at(-1)]
      if (first === undefined || last === undefined) return []
      const place = this.#place(group, first.key)
      const given: Happening = {
        atMs: startMs, happen: () => { this.#given(place, process, first.offset, last.offset, startMs) }
      }
      return operation.outcome !== 'ok' ? [given] : [given, {
        atMs: endMs, happen: () => { this.#finished(place, last.offset + 1, endMs) }
      }]
    }
    if (operation.kind !== 'commit' || operation.byMember === undefined) return []
    if (operation.error?.startsWith('FENCED_MEMBER') === true) this.fenced++
    if (operation.outcome !== 'ok') return []
    return operation.offsets.flatMap(({ key, offset }) =>
      this.#commit(this.#place(operation.group, key), process, offset, startMs, endMs))
  }

  #place (group: string, key: Key): Place {
    const id = `${group}/${key}`
    let place = this.places.get(id)
    if (place === undefined) {
      this.places.set(id, place = {
        group, key, readings: new Map(), committed: new Map(), finished: [], given: 0
      })
    }
    return place
  }

  #given (place: Place, process: string, first: number, last: number, atMs: number): void {
    const { group, key, readings, finished } = place
    const reading = readings.get(process)
    if (reading?.first === -1) {
      reading.first = first
      const frontier = finished.at(-1)?.offset ?? 0
      if (first > frontier) {
        const message = `${process} was given offset ${first}; the group had finished ${frontier}`
        this.anomalies.push({ kind: 'group skip', key: `${group}/${key}`, message })
      }
      if (place.given > 0) {
        this.takeovers.push({
          group, key, process, atMs, offset: first,
          repeats: Math.max(0, place.given - first),
          finishedAtMs: finished.find(({ offset }) => offset > first)?.atMs ?? Infinity
        })
      }
    }
    place.given = Math.max(place.given, last + 1)
  }

  #finished ({ finished }: Place, offset: number, atMs: number): void {
    if (offset > (finished.at(-1)?.offset ?? 0)) finished.push({ offset, atMs })
  }

  #commit (place: Place, process: string, offset: number, startMs: number, endMs: number): Happening[] {
    let reading: Reading | undefined
    /** Of the others, acknowledged when this one began. */
    let before: { process: string, offset: number } | undefined
    return [
      {
        atMs: startMs,
        happen: () => {
          reading = place.readings.get(process)
          for (const [other, committed] of place.committed) {
            if (other !== reading && committed > (before?.offset ?? 0)) {
              before = { process: other.process, offset: committed }
            }
          }
        }
      },
      {
        atMs: endMs,
        happen: () => { if (reading !== undefined) this.#committed(place, reading, offset, before) }
      }
    ]
  }

  #committed (place: Place, reading: Reading, offset: number,
    before: { process: string, offset: number } | undefined): void {
    const key = `${place.group}/${place.key}`
    if (before !== undefined && offset < before.offset) {
      const message = `${reading.process} committed ${offset} after ${before.process} had committed ${before.offset}`
      this.anomalies.push({ kind: 'two owners', key, message })
    }
    if (before !== undefined && reading.first !== -1 && reading.first < before.offset) {
      const message = `${reading.process} began at ${reading.first}; ${before.process} had committed ${before.offset}`
      this.anomalies.push({ kind: 'group commit lost', key, message })
    }
    place.committed.set(reading, Math.max(place.committed.get(reading) ?? 0, offset))
  }
}
