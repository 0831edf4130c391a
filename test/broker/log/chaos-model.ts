// What the logs of a volume hold after each call, by a model that never forgets.
import type { EpochEntry, ReplicaLog } from '../../../broker/log/contract.ts'
import { recordsOf } from './support.ts'

export interface ModelBatch {
  readonly base: number
  readonly end: number
  /** offset:value */
  readonly records: readonly string[]
}

export interface Shape {
  readonly replicaGen: number
  readonly logStart: number
  readonly logEnd: number
  readonly highWatermark: number
  readonly leaderEpochSeen: number
  readonly epochs: readonly EpochEntry[]
  readonly rowVersion: number
}

export interface ModelLog extends Shape {
  readonly batches: readonly ModelBatch[]
}

/** By replica name; never changed in place. */
export type Model = Readonly<Record<string, ModelLog>>

export interface FoundLog extends Shape {
  readonly records: readonly string[]
}

export function nameOf (log: { topicId: string, partition: number }): string {
  return `${log.topicId.slice(-2)}-${log.partition}`
}

export function shapeOf (log: ReplicaLog): Shape {
  const { replicaGen, logStart, logEnd, highWatermark, leaderEpochSeen, epochs, row } = log
  return {
    replicaGen, logStart, logEnd, highWatermark, leaderEpochSeen, epochs: [...epochs],
    rowVersion: row?.version ?? -1
  }
}

/** The model's view of a log, the very one of before when nothing changed. */
export function observe (log: ReplicaLog, before: ModelLog | undefined): ModelLog {
  const old = before?.replicaGen === log.replicaGen ? before : undefined
  const same = old !== undefined && old.logEnd === log.logEnd && old.logStart === log.logStart &&
    old.highWatermark === log.highWatermark && old.leaderEpochSeen === log.leaderEpochSeen &&
    old.rowVersion === (log.row?.version ?? -1) && sameEpochs(old.epochs, log.epochs)
  return same ? old : { ...shapeOf(log), batches: batchesOf(log, old) }
}

function sameEpochs (a: readonly EpochEntry[], b: readonly EpochEntry[]): boolean {
  return a.length === b.length &&
    a.every(({ epoch, startOffset }, i) => b[i]!.epoch === epoch && b[i]!.startOffset === startOffset)
}

/** Old batches as far as they go, new ones from memory. */
function batchesOf (log: ReplicaLog, old: ModelLog | undefined): ModelBatch[] {
  const batches = (old?.batches ?? []).filter(known => known.end > log.logStart && known.end <= log.logEnd)
  for (let offset = batches.at(-1)?.end ?? log.logStart; offset < log.logEnd;) {
    const bytes = log.readTail(offset, log.logEnd, 1)
    if (bytes === undefined || bytes.length === 0) throw new Error(`nothing in memory at ${offset}`)
    const records = recordsOf(bytes)
    const base = Number(records[0]!.split(':')[0])
    batches.push({ base, end: base + records.length, records })
    offset = base + records.length
  }
  return batches
}

/** How a volume that was found differs from a state of the model; undefined when it does not. */
export function differenceOf (model: Model, found: Readonly<Record<string, FoundLog>>): string | undefined {
  const names = Object.keys(model).sort().join()
  const foundNames = Object.keys(found).sort().join()
  if (names !== foundNames) return `replicas ${names} and ${foundNames}`
  for (const [name, log] of Object.entries(model)) {
    const difference = logDifference(log, found[name]!)
    if (difference !== undefined) return `${name} ${difference}`
  }
  return undefined
}

function logDifference (log: ModelLog, found: FoundLog): string | undefined {
  for (const field of ['replicaGen', 'logStart', 'logEnd', 'leaderEpochSeen', 'rowVersion'] as const) {
    if (log[field] !== found[field]) return `${field} ${log[field]} and ${found[field]}`
  }
  const [epochs, foundEpochs] = [JSON.stringify(log.epochs), JSON.stringify(found.epochs)]
  if (epochs !== foundEpochs) return `epochs ${epochs} and ${foundEpochs}`
  if (found.highWatermark > log.highWatermark) {
    return `high watermark ${log.highWatermark} and ${found.highWatermark}`
  }
  const records = log.batches.flatMap(known => known.records)
  const at = records.findIndex((record, i) => record !== found.records[i])
  if (at < 0 && records.length === found.records.length) return undefined
  return `records at ${at}: ${records[at]?.slice(0, 30)} and ${found.records[at]?.slice(0, 30)}`
}

/** Is what a damaged replica kept the begin of what it once held, or nothing? */
export function isOldPrefix (states: readonly Model[], name: string, found: FoundLog): boolean {
  const wanted = found.records.join()
  return found.records.length === 0 || states.some(state => {
    const records = (state[name]?.batches ?? []).flatMap(known => known.records)
    const from = records.indexOf(found.records[0]!)
    return from >= 0 && records.slice(from, from + found.records.length).join() === wanted
  })
}

/** The states between two of a log that differ by appended batches. */
export function between (before: ModelLog | undefined, now: ModelLog): ModelLog[] {
  if (before === undefined || before === now || before.replicaGen !== now.replicaGen) return []
  const known = before.batches.length
  if (now.batches.length < known + 2 || now.batches[known]!.base !== before.logEnd) return []
  return now.batches.slice(known, -1).map((last, i) => {
    const epochs = now.epochs.filter(({ startOffset }) => startOffset < last.end)
    return {
      ...now, epochs, batches: now.batches.slice(0, known + i + 1), logEnd: last.end,
      leaderEpochSeen: Math.max(before.leaderEpochSeen, epochs.at(-1)?.epoch ?? -1)
    }
  })
}
