// The steps of a queue group in the log. Like every record there they are effects, not commands: which records
// were found, given to whom, settled how; another version that would choose otherwise reads them the same.
//
// key ["queue",1,group,topicId,partition]   value {topic, at, <step>: {...}} with one of
//   found   {after, from, end, records, keys}    `after`: the end of the window before it, -1 for none
//   take    {member, records, burial}            the offset of this record is the lease
//   settle  {member, lease, records, outcome, reason}
//   lapse   {lease}
//   window  {end, totals, entries}               in snapshots alone; a part of one
// Records are ranges; entries [offset, key, deliveries, holder, lease, burial, doomed, reason].
import type { Entry, Found, Outcome, QueueWindow, Settle, Take, Totals } from './queue-window.ts'
import { fromRanges, toRanges } from '../../wire/ranges.ts'

export type StepKind =
  | { readonly step: 'found', readonly after: number, readonly found: Found }
  | { readonly step: 'take', readonly take: Take }
  | { readonly step: 'settle', readonly settle: Settle }
  | { readonly step: 'lapse', readonly lease: number }
  | {
    readonly step: 'window', readonly end: number, readonly totals: Totals,
    readonly entries: readonly (readonly [number, Entry])[]
  }

export type QueueStep = StepKind & {
  readonly group: string
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** ms since 1970. */
  readonly at: number
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Records of one step and of one part of a window; bounds what is read back. */
export const recordsPerStepMax = 10_000
const entriesPerPart = 500
const outcomeNames: ReadonlySet<string> = new Set<Outcome>(
  ['acknowledged', 'released', 'returned', 'rejected', 'doomed', 'deadLettered', 'gone'])

export function packStep (step: QueueStep): Json {
  const { topic, at } = step
  switch (step.step) {
    case 'found': {
      const { from, end, records, keys } = step.found
      return { topic, at, found: { after: step.after, from, end, records: toRanges(records), keys: [...keys] } }
    }
    case 'take': {
      const { member, records, isBurial } = step.take
      return { topic, at, take: { member, records: toRanges(records), burial: isBurial } }
    }
    case 'settle': {
      const { member, lease, records, outcome, reason } = step.settle
      return { topic, at, settle: { member, lease, records: toRanges(records), outcome, reason } }
    }
    case 'lapse': return { topic, at, lapse: { lease: step.lease } }
    case 'window': {
      const entries = step.entries.map(([offset, entry]): Json => {
        const { key, deliveries, holder, lease, isBurial, doomed, reason } = entry
        return [offset, key, deliveries, holder, lease, isBurial, doomed, reason]
      })
      return { topic, at, window: { end: step.end, totals: { ...step.totals }, entries } }
    }
  }
}

/** Undefined for what is none. */
export function unpackStep (value: Record<string, unknown>): (StepKind & Pick<QueueStep, 'topic' | 'at'>) | undefined {
  const { topic, at } = value
  if (typeof topic !== 'string' || typeof at !== 'number') return undefined
  const kind = unpackKind(value as Record<string, Record<string, unknown> | undefined>)
  return kind === undefined ? undefined : { ...kind, topic, at }
}

function unpackKind ({ found, take, settle, lapse, window }: Record<string, Record<string, unknown> | undefined>):
StepKind | undefined {
  if (found !== undefined) {
    const records = fromRanges(found['records'] as number[], recordsPerStepMax)
    if (records === undefined) return undefined
    const { after, from, end, keys } = found as unknown as Found & { after: number }
    return { step: 'found', after, found: { from, end, records, keys } }
  }
  if (take !== undefined) {
    const records = fromRanges(take['records'] as number[], recordsPerStepMax)
    if (records === undefined || typeof take['member'] !== 'string') return undefined
    return { step: 'take', take: { member: take['member'], records, isBurial: take['burial'] === true } }
  }
  if (settle !== undefined) {
    const records = fromRanges(settle['records'] as number[], recordsPerStepMax)
    const { member, lease, outcome, reason } = settle as unknown as Settle
    if (records === undefined || !outcomeNames.has(outcome)) return undefined
    return { step: 'settle', settle: { member, lease, records, outcome, reason } }
  }
  if (lapse !== undefined) return { step: 'lapse', lease: lapse['lease'] as number }
  if (window === undefined) return undefined
  const { end, totals, entries } = window as unknown as { end: number, totals: Totals, entries: Json[][] }
  return { step: 'window', end, totals, entries: entries.map(unpackEntry) }
}

function unpackEntry (fields: readonly Json[]): readonly [number, Entry] {
  const [offset, key, deliveries, holder, lease, isBurial, doomed, reason] =
    fields as unknown as [number, number, number, string, number, boolean, boolean, string]
  return [offset, { key, deliveries, holder, lease, isBurial, doomed, reason }]
}

/** What `restored` makes this window of. */
export function * windowParts (window: QueueWindow): Generator<StepKind> {
  const { end, totals } = window
  let entries: (readonly [number, Entry])[] = []
  for (const entry of window.entries) {
    entries.push(entry)
    if (entries.length < entriesPerPart) continue
    yield { step: 'window', end, totals, entries }
    entries = []
  }
  yield { step: 'window', end, totals, entries }
}
