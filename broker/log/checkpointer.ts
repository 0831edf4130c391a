// Checkpoints: everything that the journal holds up to a cut is in synced segments, the state of all logs
// at the cut is in the file `checkpoint`; the journal before it is not needed any more.
import type { Disk } from '../io/ports.ts'
import { writeCheckpoint } from './checkpoint-file.ts'
import { EntryWriter } from './entry.ts'
import type { Journal } from './journal.ts'
import type { JournalFiles } from './journal-files.ts'
import type { ReplicaLogImpl } from './replica-log.ts'
import type { ReplicaTable } from './replica-table.ts'
import type { SegmentWriter } from './segment-writer.ts'

export interface CheckpointerOptions {
  readonly disk: Disk
  readonly uid: string
  readonly journal: Journal
  readonly journalFiles: JournalFiles
  readonly writer: SegmentWriter
  readonly table: ReplicaTable
  readonly logs: () => Iterable<ReplicaLogImpl>
  /** Resolves when everything journaled so far is durable; rejects when the volume failed. */
  readonly durable: () => Promise<void>
}

/** Producer state is saved when so much came since: bounds what a partition reads when it starts. */
const SNAPSHOT_BYTES = 1024 * 1024
/** Journal bytes for a byte of checkpoint, at least. */
const STATE_RATIO = 16

export class Checkpointer {
  readonly #options: CheckpointerOptions
  #running: Promise<void> | undefined
  /** Journal bytes at the last cut. */
  #bytesAtCut = 0
  #framesAtCut = 0
  /** Bytes of the last checkpoint: the state of all replicas. */
  #stateBytes = 0

  constructor (options: CheckpointerOptions) { this.#options = options }

  get running (): boolean { return this.#running !== undefined }
  /** Journal bytes that recovery would read, at least. */
  get bytesSince (): number { return Math.max(0, this.#options.journal.bytes - this.#bytesAtCut) }
  /** Many replicas make large checkpoints, and want fewer of them. */
  isDue (checkpointBytes: number): boolean {
    return this.bytesSince >= Math.max(checkpointBytes, STATE_RATIO * this.#stateBytes)
  }

  get framesSince (): number { return this.#options.journal.frames - this.#framesAtCut }

  /** Makes a checkpoint, or waits for the one that is being made. Failures are the writer's to report. */
  run (snapshotBytes = SNAPSHOT_BYTES): Promise<void> {
    this.#running ??= this.#options.writer.exclusive(() => this.#make(snapshotBytes))
      .finally(() => { this.#running = undefined })
    return this.#running
  }

  async #make (snapshotBytes: number): Promise<void> {
    const { disk, uid, journal, journalFiles, writer, durable } = this.#options
    for (const log of this.#options.logs()) {
      if (log.state.bytesSinceSnapshot >= snapshotBytes) log.snapshot(false)
    }
    // From here to the cut nothing else runs: the state is that of the cut.
    const entries = new EntryWriter(64 * 1024)
    const cuts: { log: ReplicaLogImpl, end: number }[] = []
    this.#options.table.writeTo(entries)
    for (const log of this.#options.logs()) {
      log.state.writeTo(entries)
      cuts.push({ log, end: log.logEnd })
    }
    journal.cut()
    this.#bytesAtCut = journal.bytes + journal.queuedBytes
    this.#framesAtCut = journal.frames
    await durable()
    for (const { log, end } of cuts) {
      if (needsWork(log)) await writer.flushLog(log, end)
    }
    for (const { log, end } of cuts) {
      for (const segment of log.state.segments) {
        if (segment.writtenBytes > 0) entries.segment(log.state.key, segment.state)
      }
      for (const { offset, bytes } of log.state.snapshots) {
        if (bytes === undefined && offset <= end) entries.offset('snapshot', log.state.key, offset)
      }
    }
    await writer.sync()
    // Truncations since the cut may have changed segments: they have to be known to whoever reads this.
    await durable()
    const place = journal.placeOfCut()
    this.#stateBytes = entries.length
    await writeCheckpoint(disk, { uid, place, entries: entries.bytes })
    await journalFiles.release(place.ordinal)
  }
}

function needsWork ({ state }: ReplicaLogImpl): boolean {
  return state.tail.unwrittenBytes > 0 || state.condemned.length > 0 || state.leftovers.length > 0 ||
    state.condemnedSnapshots.length > 0 || state.snapshots.some(({ bytes }) => bytes !== undefined) ||
    state.segments.some(({ clipped, index }) => clipped || index.length > 0)
}
