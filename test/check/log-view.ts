// The log as clients saw it: every (partition, offset, value) that an acknowledgement or a poll told.
import type { Anomaly } from './anomaly.ts'
import type { Key, Operation, SendOperation } from './history.ts'

export interface Sighting {
  readonly offset: number
  readonly value: string
  /** 'p1 was told', 'c2 read' */
  readonly by: string
}

export class LogView {
  readonly sends = new Map<string, SendOperation>()
  readonly #byOffset = new Map<Key, Map<number, Sighting>>()
  readonly #places = new Map<string, { key: Key, offset: number, by: string }[]>()
  readonly #polled = new Map<string, { offset: number, atMs: number }>()
  readonly #highestPolled = new Map<Key, number>()
  readonly #conflicts: Anomaly[] = []

  constructor (history: readonly Operation[]) {
    for (const operation of history) {
      if (operation.kind === 'send') {
        if (this.sends.has(operation.value)) {
          throw new Error(`value ${operation.value} was sent twice by the test itself`)
        }
        this.sends.set(operation.value, operation)
        if (operation.outcome === 'ok' && operation.offset !== undefined) {
          this.#see(operation.key, operation.offset, operation.value, `${operation.process} was told`)
        }
      } else if (operation.kind === 'poll') {
        for (const { key, offset, value } of operation.records) {
          this.#see(key, offset, value, `${operation.process} read`)
          const first = this.#polled.get(value)
          if (first === undefined || operation.endMs < first.atMs) {
            this.#polled.set(value, { offset, atMs: operation.endMs })
          }
          this.#highestPolled.set(key, Math.max(offset, this.#highestPolled.get(key) ?? -1))
        }
      } else if (operation.kind === 'delivery') {
        this.#see(operation.key, operation.offset, operation.value, `${operation.process} was given`)
      } else if (operation.kind === 'dead letter') {
        this.#see(operation.key, operation.offset, operation.value, 'the dead letter is of')
      }
    }
  }

  /** Where the value was first seen, if it was. */
  placeOf (value: string): { key: Key, offset: number } | undefined { return this.#places.get(value)?.[0] }

  /** When a poll first gave it to anybody; undefined for never. */
  polledAtMs (value: string): number | undefined { return this.#polled.get(value)?.atMs }

  highestPolled (key: Key): number { return this.#highestPolled.get(key) ?? -1 }

  /** inconsistent offsets, duplicate, aborted read, unexpected read. */
  anomalies (): Anomaly[] {
    const found = [...this.#conflicts]
    for (const [value, places] of this.#places) {
      if (places.length > 1) {
        const text = places.map((place) => `${place.key}@${place.offset} (${place.by})`).join(', ')
        found.push({ kind: 'duplicate', key: places[0]!.key, message: `${value} at ${text}` })
      }
    }
    for (const [value, { offset }] of this.#polled) {
      const send = this.sends.get(value)
      const key = this.#places.get(value)?.[0]?.key ?? '?'
      if (send === undefined) {
        found.push({ kind: 'unexpected read', key, message: `${value} at offset ${offset} was never sent` })
      } else if (send.outcome === 'failed') {
        found.push({
          kind: 'aborted read', key,
          message: `${value} at offset ${offset}; its send by ${send.process} failed: ${send.error ?? ''}`
        })
      }
    }
    return found
  }

  #see (key: Key, offset: number, value: string, by: string): void {
    let offsets = this.#byOffset.get(key)
    if (offsets === undefined) this.#byOffset.set(key, offsets = new Map())
    const before = offsets.get(offset)
    if (before === undefined) offsets.set(offset, { offset, value, by })
    else if (before.value !== value) {
      this.#conflicts.push({
        kind: 'inconsistent offsets', key,
        message: `offset ${offset} is ${before.value} (${before.by}) and ${value} (${by})`
      })
    }
    const places = this.#places.get(value)
    if (places === undefined) this.#places.set(value, [{ key, offset, by }])
    else if (!places.some((place) => place.key === key && place.offset === offset)) places.push({ key, offset, by })
  }
}
