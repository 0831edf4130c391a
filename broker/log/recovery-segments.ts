// After the journal was replayed: are the segments that the logs build on all there, and whole? Folders
// and files that belong to no log are moved out of the way.
import type { Disk } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { EntryWriter } from './entry.ts'
import { damagedFolder, folderNameOf, strayFolder, topicsFolder } from './log-files.ts'
import type { LogFiles } from './log-files.ts'
import type { LogState } from './log-state.ts'
import { nameText } from './replica-table.ts'
import type { ReplicaTable } from './replica-table.ts'
import {
  deletedSuffix, indexSuffix, logSuffix, segmentName, snapshotSuffix, timeIndexSuffix
} from './segment.ts'
import type { Segment } from './segment.ts'
import type { SegmentIndexes } from './segment-index.ts'
import { scanBatches } from './segment-scan.ts'

export interface SettleOptions {
  readonly disk: Disk
  readonly files: LogFiles
  readonly indexes: SegmentIndexes
  readonly table: ReplicaTable
  readonly wallTime: number
}

export interface Settled {
  readonly damaged: { readonly name: string, readonly reason: string }[]
  /** Entries that say what was cut off. */
  readonly entries: EntryWriter
}

/** Logs looked at at once. */
const AT_ONCE = 16

export async function settleSegments (options: SettleOptions): Promise<Settled> {
  const { disk, table, wallTime } = options
  const settled: Settled = { damaged: [], entries: new EntryWriter() }
  const logs = new Map([...table.logs.values()].map(state => [folderNameOf(state), state]))
  const there = new Set<string>()
  let strays = 0
  for (const { name, folder } of await disk.list(topicsFolder)) {
    if (logs.has(name)) there.add(name)
    else if (folder && !name.endsWith(deletedSuffix)) {
      await disk.rename(`${topicsFolder}/${name}`, `${strayFolder}/${name}.${wallTime}`)
      strays++
    }
  }
  if (strays > 0) await disk.syncFolder(strayFolder)
  // A process that was killed may have made folders without having synced their names.
  await disk.syncFolder(topicsFolder)
  const waiting = [...logs]
  const worker = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [name, state] = next
      state.hasFolder = there.has(name)
      await settleLog(options, state, settled)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return settled
}

async function settleLog (options: SettleOptions, state: LogState, settled: Settled): Promise<void> {
  const { disk, files } = options
  state.dropBelowLogStart(0)
  const names = state.hasFolder ? (await disk.list(files.folder(state))).map(({ name }) => name) : []
  const present = new Set(names)
  const bad = await firstBad(options, state, present)
  if (bad !== undefined) {
    await cutOff(options, state, bad)
    if (bad.offset < state.logStart) settled.entries.offset('reset', state.key, state.logStart)
    else settled.entries.offset('truncate', state.key, state.logEnd)
    settled.damaged.push({ name: nameText(state), reason: bad.reason })
  }
  state.resume()
  const wanted = new Set<string>()
  for (const segment of state.segments) {
    // What another process wrote of new segments was not synced, and is in memory.
    if (!segment.created) continue
    for (const suffix of [logSuffix, indexSuffix, timeIndexSuffix]) wanted.add(segmentName(segment.base, suffix))
  }
  state.snapshots = state.snapshots.filter(({ offset }) => present.has(segmentName(offset, snapshotSuffix)))
  for (const { offset } of state.snapshots) wanted.add(segmentName(offset, snapshotSuffix))
  state.leftovers = names.filter(name => !wanted.has(name))
  state.condemned = []
  state.condemnedSnapshots = []
}

interface Bad {
  /** Everything at and above it is lost. */
  readonly offset: number
  readonly segment: Segment | undefined
  readonly position: number
  readonly reason: string
}

/** The first place where what the log says is not on disk. */
async function firstBad (options: SettleOptions, state: LogState, present: Set<string>): Promise<Bad | undefined> {
  let expected = state.logStart
  for (const segment of state.segments) {
    if (segment.base > expected) break
    if (segment.created) {
      const reason = await problemOf(options, state, segment, present) ??
        (state.damaged === '' ? undefined : await rotOf(options, state, segment, present))
      if (reason !== undefined) return { ...await goodPrefix(options, state, segment, present), segment, reason }
    }
    expected = segment.end
  }
  if (expected >= state.logEnd) return undefined
  return { offset: expected, segment: undefined, position: 0, reason: `nothing holds offset ${expected}` }
}

async function problemOf (options: SettleOptions, state: LogState, segment: Segment,
  present: Set<string>): Promise<string | undefined> {
  if (!present.has(segmentName(segment.base, logSuffix))) return `segment ${segment.base} is missing`
  const size = await sizeOf(options, state, segment)
  if (segment.clipped) {
    if (await options.indexes.findEnd(state, segment)) return undefined
    return `segment ${segment.base} does not reach offset ${segment.end}`
  }
  if (size >= segment.writtenBytes) return undefined
  return `segment ${segment.base} has ${size} bytes, not ${segment.writtenBytes}`
}

/**
 * A read found damage: the new learner must not keep what is rotten, nor take it for its own when it joins. Its
 * leader sends again what comes after.
 */
async function rotOf (options: SettleOptions, state: LogState, segment: Segment,
  present: Set<string>): Promise<string | undefined> {
  const { offset } = await goodPrefix(options, state, segment, present)
  return offset >= segment.writtenEnd ? undefined : `the batch at offset ${offset} is damaged`
}

async function sizeOf ({ disk, files }: SettleOptions, state: LogState, segment: Segment): Promise<number> {
  const file = await disk.open(files.path(state, segment, logSuffix))
  const { size } = file
  await file.close()
  return size
}

async function goodPrefix (options: SettleOptions, state: LogState, segment: Segment, present: Set<string>):
Promise<{ offset: number, position: number }> {
  const { files } = options
  if (!present.has(segmentName(segment.base, logSuffix))) return { offset: segment.base, position: 0 }
  const path = files.path(state, segment, logSuffix)
  return await scanBatches((position, length) => files.read(path, position, length),
    { position: 0, offset: segment.base }, segment.writtenBytes,
    header => header.lastOffset < segment.end && state.isInItsEpoch(header))
}

/** Keeps the log below the damage; files that leave it are kept for a person to look at. */
async function cutOff (options: SettleOptions, state: LogState, bad: Bad): Promise<void> {
  const { disk, files, wallTime } = options
  const before = [...state.segments]
  if (bad.offset < state.logStart) state.reset(state.logStart, 0)
  else {
    state.truncate(bad.offset, 0)
    const { segment } = bad
    if (segment !== undefined && state.segments.includes(segment)) {
      segment.bytes = segment.writtenBytes = bad.position
      segment.writtenEnd = segment.end
      segment.clipped = false
    }
  }
  for (const segment of before) {
    if (!segment.created || state.segments.includes(segment)) continue
    const path = files.path(state, segment, logSuffix)
    files.forget(path)
    try {
      const name = `${folderNameOf(state)}-${segmentName(segment.base, logSuffix)}.${wallTime}`
      await disk.rename(path, `${damagedFolder}/${name}`)
    } catch (error) {
      if (!(error instanceof DiskError && error.kind === 'not-found')) throw error
    }
  }
}
