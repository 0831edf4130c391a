// Fills segments from memory, behind the journal: only what is durable there is written here, no append
// ever waits for it. One log at a time.
import type { Disk } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { folderOf, writeAtomically } from './atomic-file.ts'
import { topicsFolder } from './log-files.ts'
import type { LogFiles } from './log-files.ts'
import type { LogState } from './log-state.ts'
import type { ReplicaLogImpl } from './replica-log.ts'
import { deletedSuffix, indexSuffix, logSuffix, segmentName, snapshotSuffix, timeIndexSuffix } from './segment.ts'
import type { Segment } from './segment.ts'
import { noteBatch } from './segment-index.ts'
import type { SegmentIndexes } from './segment-index.ts'
import type { VolumeSettings } from './settings.ts'
import { encodeSnapshot } from './snapshot-file.ts'
import type { UnwrittenRun } from './tail.ts'

/** One write of a segment. */
const WRITE_BYTES_MAX = 1024 * 1024
/** Index entries of a segment that may wait in memory. */
const INDEX_NUMBERS_MAX = 1024
/** Files kept open for writing between checkpoints. */
const OPEN_FILES_MAX = 256

export interface SegmentWriterOptions {
  readonly disk: Disk
  readonly files: LogFiles
  readonly indexes: SegmentIndexes
  readonly settings: VolumeSettings
  /** Frames up to this one are durable. */
  readonly durableSequence: () => number
  /** A write or sync failed for good. */
  readonly onFailure: (error: unknown) => void
  /** No space: writing goes on when there is some again. */
  readonly onFull: () => void
  /** Files that are renamed and may be deleted whenever there is time. */
  readonly onDeleted: (path: string) => void
}

export class SegmentWriter {
  readonly #options: SegmentWriterOptions
  /** Logs with something to write, oldest first. */
  readonly #logs = new Set<ReplicaLogImpl>()
  /** Segments written since their last sync, and folders whose names changed. */
  readonly #dirtySegments = new Set<Segment>()
  readonly #dirtyFolders = new Set<string>()
  readonly #open = new Set<Segment>()
  readonly #departures: { state: LogState, sequence: number, to: string, done: () => void }[] = []
  #turn: Promise<void> = Promise.resolve()
  #deletions = 0
  #running = false
  #stopped = false
  /** Bytes in memory that no segment holds. */
  unwrittenBytes = 0
  bytes = 0
  syncs = 0

  constructor (options: SegmentWriterOptions) { this.#options = options }

  add (log: ReplicaLogImpl, bytes: number): void {
    this.unwrittenBytes += bytes
    if (bytes > 0) this.#logs.add(log)
  }

  /** Called when frames became durable. */
  wake (): void {
    if ((this.#departures[0]?.sequence ?? Infinity) <= this.#options.durableSequence()) {
      void this.exclusive(() => this.#letDepart(this.#options.durableSequence()))
    }
    if (this.#running || this.#stopped || this.unwrittenBytes < this.#options.settings.writeBehindBytes) return
    this.#running = true
    void this.exclusive(() => this.#drain()).finally(() => { this.#running = false })
  }

  stop (): void { this.#stopped = true }

  /** Runs `task` when no other writes; failures of the disk end in onFailure or onFull. */
  exclusive (task: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(async () => {
      if (!this.#stopped) await task()
    }).catch((error: unknown) => {
      if (error instanceof DiskError && error.kind === 'no-space') this.#options.onFull()
      else this.#options.onFailure(error)
    })
    this.#turn = turn
    return turn
  }

  /** Renames the folder of a removed log to `to` when frame `sequence` is durable. */
  async depart (state: LogState, sequence: number, to: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#departures.push({ state, sequence, to, done: resolve })
    })
  }

  /** Called by writers before anything is made: a new log may have the folder name of a removed one. */
  async #letDepart (durable: number): Promise<void> {
    while ((this.#departures[0]?.sequence ?? Infinity) <= durable) {
      const { state, to, done } = this.#departures.shift()!
      const folder = this.#options.files.folder(state)
      for (const segment of state.segments) await this.#forget(state, segment)
      for (const { segment } of state.condemned) await this.#forget(state, segment)
      this.#dirtyFolders.delete(folder)
      if (state.hasFolder) {
        await this.#options.disk.rename(folder, to)
        await this.#options.disk.syncFolder(folderOf(to))
        await this.#options.disk.syncFolder(topicsFolder)
      }
      done()
    }
  }

  /**
   * Writes what is durable and ends at or below `upTo`, and does what the log's truncations left to do.
   * All by the frame that is durable at the begin: what was written to the journal before a name was freed
   * must not be made before the file or folder of that name is gone.
   */
  async writeLog (log: ReplicaLogImpl, upTo: number): Promise<void> {
    const { state } = log
    const durable = this.#options.durableSequence()
    await this.#letDepart(durable)
    if (log.removed) return
    await this.tidy(log, durable)
    while (!log.removed) {
      const run = state.tail.unwrittenRun({ bytesMax: WRITE_BYTES_MAX, sequenceMax: durable, offsetEnd: upTo })
      if (run === undefined) break
      await this.#writeRun(log, run)
    }
    if (state.tail.unwrittenBytes === 0) this.#logs.delete(log)
  }

  /** The same for a checkpoint: index entries and producer snapshots go to their files as well. */
  async flushLog (log: ReplicaLogImpl, upTo: number): Promise<void> {
    await this.writeLog(log, upTo)
    // Its folder leaves when another log is written, not before.
    if (log.removed) return
    for (const segment of [...log.state.segments]) {
      if (segment.index.length > 0) await this.#options.indexes.flush(log.state, segment)
    }
    await this.#writeSnapshots(log.state)
  }

  /** Removes leftovers and condemned files, finds the ends of clipped segments. */
  async tidy (log: ReplicaLogImpl, durable = this.#options.durableSequence()): Promise<void> {
    const { state } = log
    if (log.removed) return
    const folder = this.#options.files.folder(state)
    for (const name of state.leftovers.splice(0)) {
      if (name.endsWith(deletedSuffix)) this.#options.onDeleted(`${folder}/${name}`)
      else await this.#delete(folder, name)
    }
    for (let first = state.condemned[0]; first !== undefined && first.sequence <= durable; first = state.condemned[0]) {
      state.condemned.shift()
      await this.#deleteSegment(state, first.segment)
    }
    for (const offset of state.condemnedSnapshots.splice(0)) {
      if (state.snapshots.some(snapshot => snapshot.offset === offset)) continue
      await this.#delete(folder, segmentName(offset, snapshotSuffix))
    }
    for (const segment of [...state.segments]) {
      if (!segment.clipped || log.damaged !== '' || await this.#options.indexes.findEnd(state, segment)) continue
      log.markDamaged(`segment ${segment.base} does not hold what is before offset ${segment.end}`)
    }
  }

  /** Snapshots that are only in memory. */
  async #writeSnapshots (state: LogState): Promise<void> {
    for (const snapshot of [...state.snapshots]) {
      if (snapshot.bytes === undefined) continue
      await this.#makeFolder(state)
      const path = `${this.#options.files.folder(state)}/${segmentName(snapshot.offset, snapshotSuffix)}`
      await writeAtomically(this.#options.disk, path, [encodeSnapshot(snapshot.offset, snapshot.bytes)])
      snapshot.bytes = undefined
      // It may have been dropped meanwhile.
      if (!state.snapshots.includes(snapshot)) state.condemnedSnapshots.push(snapshot.offset)
    }
  }

  /** Everything written so far is durable when it resolves. Index files are not: they are hints. */
  async sync (): Promise<void> {
    const segments = [...this.#dirtySegments]
    const folders = [...this.#dirtyFolders]
    this.#dirtySegments.clear()
    this.#dirtyFolders.clear()
    this.syncs += segments.length + folders.length
    try {
      await eachOf(segments, async segment => {
        segment.dirty = false
        await segment.file?.sync()
      })
      await eachOf(folders, folder => this.#syncFolder(folder))
    } catch (error) {
      // Final, whatever the kind: the pages may be gone although they look written.
      throw new Error('a sync of segments failed', { cause: error })
    }
    for (const segment of this.#open) {
      if (segment.dirty || (this.#open.size <= OPEN_FILES_MAX && !segment.closed)) continue
      await this.#closeFile(segment)
    }
  }

  async close (): Promise<void> {
    this.#stopped = true
    await this.#turn
    for (const segment of this.#open) await this.#closeFile(segment)
  }

  async #drain (): Promise<void> {
    const goal = this.#options.settings.writeBehindBytes / 2
    for (const log of [...this.#logs]) {
      if (this.unwrittenBytes <= goal || this.#stopped) return
      // At the end of the line if more comes, so that every log has its turn.
      this.#logs.delete(log)
      if (log.removed) continue
      this.#logs.add(log)
      await this.writeLog(log, Infinity)
    }
  }

  async #writeRun (log: ReplicaLogImpl, { segment, position, parts, count }: UnwrittenRun): Promise<void> {
    const { state } = log
    const { truncations } = state
    const file = segment.file ?? await this.#openFile(state, segment)
    await file.write(parts, position)
    if (state.truncations !== truncations || log.removed) return
    let at = position
    state.tail.eachUnwritten(count, batch => {
      noteBatch(segment, batch, at, this.#options.settings.indexIntervalBytes)
      at += batch.sizeBytes
      segment.writtenEnd = batch.end
    })
    segment.writtenBytes = at
    this.bytes += at - position
    this.#touch(segment)
    log.wrote(count)
    if (segment.index.length >= INDEX_NUMBERS_MAX) await this.#options.indexes.flush(state, segment)
  }

  async #openFile (state: LogState, segment: Segment): Promise<NonNullable<Segment['file']>> {
    const path = this.#options.files.path(state, segment, logSuffix)
    segment.created = true
    // Not at the first try alone, which may have found no space.
    await this.#makeFolder(state)
    if (segment.writtenBytes === 0) this.#dirtyFolders.add(this.#options.files.folder(state))
    const file = await this.#options.files.openOrCreate(path)
    segment.file = file
    this.#open.add(segment)
    return file
  }

  #touch (segment: Segment): void {
    segment.dirty = true
    this.#dirtySegments.add(segment)
  }

  async #makeFolder (state: LogState): Promise<void> {
    const folder = this.#options.files.folder(state)
    if (state.hasFolder) return
    await this.#options.disk.mkdir(folder)
    state.hasFolder = true
    this.#dirtyFolders.add(topicsFolder)
  }

  async #syncFolder (folder: string): Promise<void> {
    try {
      await this.#options.disk.syncFolder(folder)
    } catch (error) {
      // It was renamed or removed meanwhile.
      if (!(error instanceof DiskError && error.kind === 'not-found')) throw error
    }
  }

  async #deleteSegment (state: LogState, segment: Segment): Promise<void> {
    await this.#forget(state, segment)
    const folder = this.#options.files.folder(state)
    for (const suffix of [indexSuffix, timeIndexSuffix, logSuffix]) {
      await this.#delete(folder, segmentName(segment.base, suffix))
    }
  }

  /** Renames at once, so that the name is free, and leaves the deletion for later. */
  async #delete (folder: string, name: string): Promise<void> {
    const path = `${folder}/${name}`
    this.#options.files.forget(path)
    const deleted = `${path}.${this.#deletions++}${deletedSuffix}`
    try {
      await this.#options.disk.rename(path, deleted)
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'not-found') return
      throw error
    }
    this.#dirtyFolders.add(folder)
    this.#options.onDeleted(deleted)
  }

  async #forget (state: LogState, segment: Segment): Promise<void> {
    this.#dirtySegments.delete(segment)
    this.#options.indexes.forget(segment)
    for (const suffix of [logSuffix, indexSuffix, timeIndexSuffix]) {
      this.#options.files.forget(this.#options.files.path(state, segment, suffix))
    }
    await this.#closeFile(segment)
  }

  async #closeFile (segment: Segment): Promise<void> {
    const { file } = segment
    segment.file = undefined
    this.#open.delete(segment)
    await file?.close()
  }
}

/** Syncs at once: enough to keep a disk busy, few enough for the journal's own to get through. */
const SYNCS_AT_ONCE = 4

async function eachOf<T> (items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await run(item)
  }
  await Promise.all(Array.from({ length: Math.min(SYNCS_AT_ONCE, items.length) }, worker))
}
