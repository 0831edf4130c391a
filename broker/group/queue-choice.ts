// Which free records of a partition may be given out now: pure.
import type { Entry, Found, QueueWindow } from './queue-window.ts'
import { noKey, unknownKey } from './queue-window.ts'

export interface ChoiceRules {
  /** Records of one key one after the other. */
  readonly byKey: boolean
  /** 0: no end. */
  readonly deliveriesMax: number
  readonly hasDeadLetters: boolean
  /** False: not yet, it was released with a delay. */
  readonly isDue: (offset: number) => boolean
}

export interface Choice {
  /** To be handled, in order of their offsets. */
  readonly records: number[]
  /** To be written to the dead-letter topic. */
  readonly burials: number[]
}

/** It is never to be handled again. */
export function isDead ({ doomed, deliveries }: Readonly<Entry>,
  { deliveriesMax, hasDeadLetters }: Pick<ChoiceRules, 'deliveriesMax' | 'hasDeadLetters'>): boolean {
  return hasDeadLetters && (doomed || (deliveriesMax > 0 && deliveries >= deliveriesMax))
}

/** Keys with a record that is not finished; what comes after one of them waits. */
class Line {
  readonly #keys = new Set<number>()
  #any = false
  #all = false

  /** Whether a record of this key may go; from now on it stands in the line itself. */
  passes (key: number): boolean {
    if (key === noKey) return !this.#all
    const free = key === unknownKey ? !this.#any : !this.#all && !this.#keys.has(key)
    this.#any = true
    if (key === unknownKey) this.#all = true
    else this.#keys.add(key)
    return free
  }
}

export function chooseFree (window: QueueWindow, rules: ChoiceRules, recordsMax: number,
  burialsMax: number): Choice {
  const records: number[] = []
  const burials: number[] = []
  const line = new Line()
  for (const [offset, entry] of window.entries) {
    const passes = !rules.byKey || line.passes(entry.key)
    if (!passes || entry.holder !== '' || !rules.isDue(offset)) continue
    if (isDead(entry, rules)) {
      if (burials.length < burialsMax) burials.push(offset)
    } else if (records.length < recordsMax) records.push(offset)
    if (records.length >= recordsMax && burials.length >= burialsMax) break
  }
  return { records, burials }
}

/** Of what was just found, what may be given out together with the news of it. */
export function chooseFound (window: QueueWindow | undefined, found: Found, byKey: boolean, recordsMax: number):
number[] {
  if (!byKey) return found.records.slice(0, recordsMax)
  const line = new Line()
  for (const { key } of window?.entries.values() ?? []) line.passes(key)
  const chosen: number[] = []
  for (const [index, offset] of found.records.entries()) {
    if (chosen.length >= recordsMax) break
    if (line.passes(found.keys[index] ?? unknownKey)) chosen.push(offset)
  }
  return chosen
}
