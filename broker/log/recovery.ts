// From what a crash left to a volume that can go on: meta, checkpoint, the journal's tail, the segments.
// What is torn was never acknowledged and is dropped; what is damaged is named, kept, and never trusted.
import type { Clock, Rng } from '../../wire/ports.ts'
import type { Disk, DiskFile } from '../io/ports.ts'
import * as limits from '../limits.ts'
import { temporarySuffix } from './atomic-file.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import type { Checkpoint } from './checkpoint-file.ts'
import type { VolumeMeta } from './contract.ts'
import type { Condemned } from './deleter.ts'
import { decodeEntries } from './entry.ts'
import type { Entry, EntryWriter } from './entry.ts'
import { isSpare, journalFolder, parseJournalName } from './journal-files.ts'
import type { JournalFileName } from './journal-files.ts'
import { JournalReader } from './journal-reader.ts'
import type { ReadFrame } from './journal-reader.ts'
import { JournalRewriter } from './journal-rewriter.ts'
import { LogFiles, damagedFolder, strayFolder, topicsFolder } from './log-files.ts'
import { readMeta, refuseFailed, writeMeta } from './meta.ts'
import type { FoundMeta } from './meta.ts'
import { settleSegments } from './recovery-segments.ts'
import { ReplicaTable, nameText } from './replica-table.ts'
import { SegmentIndexes } from './segment-index.ts'
import { deletedSuffix } from './segment.ts'
import { goodBatch } from './segment-scan.ts'
import type { VolumeSettings } from './settings.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly rng: Rng
  readonly clusterUid: string
  readonly brokerId: number
  readonly settings: VolumeSettings
}

export interface Recovered {
  readonly meta: VolumeMeta
  readonly table: ReplicaTable
  readonly files: LogFiles
  readonly indexes: SegmentIndexes
  readonly journal: {
    readonly uid: string
    readonly ordinal: number
    readonly file: DiskFile
    readonly position: number
    readonly sequence: number
    readonly spares: string[]
  }
  /** May be deleted in the background. */
  readonly deleted: readonly Condemned[]
  /** What was found, in words, for the log. */
  readonly notes: readonly string[]
}

const unknownGenMax = 2 ** 32

/** @throws WireError VOLUME_FAILED, VOLUME_VERSION, WRONG_CLUSTER; DiskError. */
export async function recover (options: RecoveryOptions): Promise<Recovered> {
  const { disk, clusterUid, brokerId } = options
  await refuseFailed(disk)
  const found = await readMeta(disk, clusterUid, brokerId)
  return await new Recovery(options).run(found)
}

class Recovery {
  readonly #options: RecoveryOptions
  readonly #notes: string[] = []
  readonly #deleted: Condemned[] = []
  /** Replicas whose acknowledged data was damaged, and why. */
  readonly #damaged = new Map<string, string>()
  #meta: VolumeMeta = { clusterUid: '', brokerId: 0, volumeId: '', bootCount: 0, boots: [] }
  readonly #table: ReplicaTable

  constructor (options: RecoveryOptions) {
    this.#options = options
    this.#table = new ReplicaTable(options.clock.wallTime())
  }

  async run (found: FoundMeta): Promise<Recovered> {
    const { disk, settings, rng } = this.#options
    await this.#raiseBootCount(found)
    for (const folder of [journalFolder, topicsFolder, strayFolder, damagedFolder]) await disk.mkdir(folder)
    await disk.syncFolder('')
    const checkpoint = await this.#checkpoint(found)
    const { names, spares } = await this.#listJournal()
    const uid = rng.hex(8)
    const ordinal = Math.max(0, ...names.map(name => name.ordinal)) + 1
    const rewriter = await JournalRewriter.create(disk, settings, ordinal, uid)
    const files = new LogFiles(disk)
    const indexes = new SegmentIndexes(disk, files, settings.indexIntervalBytes)
    for (const entry of decodeEntries(checkpoint.entries)) this.#table.load(entry)
    this.#table.loaded()
    const sound = await this.#replay(checkpoint, names, rewriter)
    if (!sound) await this.#renewVolume('acknowledged data in the journal is damaged')
    const repair = await settleSegments(
      { disk, files, indexes, table: this.#table, wallTime: this.#options.clock.wallTime() })
    for (const { name, reason } of repair.damaged) this.#damaged.set(name, reason)
    this.#renewGenerations(rewriter.entries, repair.entries)
    const fresh = await rewriter.finish()
    await writeCheckpoint(disk, { uid, place: { sequence: 1, ordinal, position: 0 }, entries: checkpoint.entries })
    await this.#leaveOldJournal(names, spares, this.#damaged.size > 0 || !sound)
    return {
      meta: this.#meta, table: this.#table, files, indexes, journal: { uid, ordinal, spares, ...fresh },
      deleted: this.#deleted, notes: this.#notes
    }
  }

  async #raiseBootCount (found: FoundMeta): Promise<void> {
    const { disk, rng, clusterUid, brokerId } = this.#options
    const before = typeof found === 'string' ? { volumeId: rng.hex(8), bootCount: 0, boots: [] } : found
    if (found === 'broken') this.#notes.push('meta.json is broken: the volume gets a new id')
    const bootCount = before.bootCount + 1
    const boots = [{ brokerEpoch: bootCount, incarnation: rng.hex(8) }, ...before.boots].slice(0, limits.bootsKept)
    this.#meta = { clusterUid, brokerId, volumeId: before.volumeId, bootCount, boots }
    await writeMeta(disk, this.#meta)
  }

  async #renewVolume (reason: string): Promise<void> {
    this.#notes.push(`${reason}: the volume gets a new id`)
    this.#meta = { ...this.#meta, volumeId: this.#options.rng.hex(8) }
    await writeMeta(this.#options.disk, this.#meta)
  }

  /** The checkpoint; an empty one for a new volume, and for one whose checkpoint cannot be read. */
  async #checkpoint (found: FoundMeta): Promise<Checkpoint> {
    const { disk } = this.#options
    const checkpoint = await readCheckpoint(disk)
    if (typeof checkpoint !== 'string') return checkpoint
    const folders = await disk.list(topicsFolder)
    const journal = await disk.list(journalFolder)
    const isNew = checkpoint === 'missing' && folders.length === 0 && journal.every(({ name }) =>
      name.endsWith(temporarySuffix) || (found === 'missing' && parseJournalName(name) !== undefined))
    if (!isNew) {
      const suffix = `.${this.#options.clock.wallTime()}`
      for (const { name } of folders) {
        await disk.rename(`${topicsFolder}/${name}`, `${damagedFolder}/${name}${suffix}`)
      }
      await disk.syncFolder(damagedFolder)
      await disk.syncFolder(topicsFolder)
      this.#lostCheckpoint = true
      await this.#renewVolume(`the checkpoint is ${checkpoint}`)
    }
    return { uid: '', place: { sequence: 1, ordinal: 0, position: 0 }, entries: new Uint8Array(0) }
  }

  #lostCheckpoint = false

  async #listJournal (): Promise<{ names: JournalFileName[], spares: string[] }> {
    const { disk } = this.#options
    const names: JournalFileName[] = []
    const spares: string[] = []
    for (const { name } of await disk.list(journalFolder)) {
      const parsed = parseJournalName(name)
      if (parsed !== undefined) names.push(parsed)
      else if (isSpare(name)) spares.push(`${journalFolder}/${name}`)
      else await disk.remove(`${journalFolder}/${name}`)
    }
    return { names, spares }
  }

  /** Applies the tail and writes it anew; false when it cannot be told which replicas are damaged. */
  async #replay (checkpoint: Checkpoint, names: readonly JournalFileName[],
    rewriter: JournalRewriter): Promise<boolean> {
    if (checkpoint.uid === '') return true
    const reader = new JournalReader(this.#options.disk, checkpoint.uid, checkpoint.place, names)
    await reader.open()
    try {
      if (reader.missing) return this.#corrupt('a file of the journal is missing or cut off')
      for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
        if (frame.whole) {
          for (const [entry, batch] of pairs(frame)) await this.#apply(entry, batch, rewriter)
        } else if (await reader.hasWitness(frame.sequence + 1)) {
          await this.#applyDamaged(frame, rewriter)
        } else {
          this.#notes.push(`frame ${frame.sequence} of the journal is torn; it was never acknowledged`)
          return true
        }
      }
      if (await reader.hasWitness()) {
        return this.#corrupt(`frame ${reader.expected} of the journal is broken, later ones are there`)
      }
      return true
    } finally {
      await reader.close()
    }
  }

  #corrupt (reason: string): boolean {
    this.#notes.push(reason)
    return false
  }

  async #apply (entry: Entry, batch: Uint8Array | undefined, rewriter: JournalRewriter): Promise<void> {
    if (entry.name !== 'controllerEpoch') {
      const name = nameText(entry)
      if (entry.name === 'removed') this.#damaged.delete(name)
      else if (this.#damaged.has(name)) return
    }
    this.#table.apply(entry, batch)
    await rewriter.add(entry, batch)
  }

  /** A frame whose directory is right: replicas whose batches are broken keep their log up to there. */
  async #applyDamaged (frame: ReadFrame, rewriter: JournalRewriter): Promise<void> {
    const touched = new Set<string>()
    const all = new Set<string>()
    for (const [entry, batch] of pairs(frame)) {
      if (entry.name !== 'batch') continue
      all.add(nameText(entry))
      const header = batch === undefined ? undefined : goodBatch(batch, 0)
      const good = header !== undefined && header.sizeBytes === entry.bytes &&
        header.baseOffset === entry.baseOffset && header.leaderEpoch === entry.epoch
      if (!good) touched.add(nameText(entry))
    }
    const reason = `frame ${frame.sequence} of the journal, which was acknowledged, is damaged`
    this.#notes.push(reason)
    for (const [entry, batch] of pairs(frame)) {
      const name = entry.name === 'controllerEpoch' ? '' : nameText(entry)
      if (entry.name === 'batch' && (touched.size === 0 ? all : touched).has(name)) this.#damaged.set(name, reason)
      await this.#apply(entry, batch, rewriter)
    }
  }

  /** Damaged replicas are new learners from now on: another generation, above the one before. */
  #renewGenerations (entries: EntryWriter, repairs: EntryWriter): void {
    if (repairs.length > 0) entries.raw(repairs.bytes)
    for (const state of this.#table.logs.values()) {
      const reason = this.#damaged.get(nameText(state)) ?? state.damaged
      if (reason === '') continue
      state.replicaGen += 1 + this.#options.rng.integer(unknownGenMax)
      state.damaged = ''
      state.renewed = reason
      entries.damaged(state.key, state.replicaGen, reason)
      this.#notes.push(`${state.topic}-${state.partition} is damaged: ${reason}`)
    }
  }

  /** The fresh journal counts now. What may be of use to a person is kept, the rest used again. */
  async #leaveOldJournal (names: readonly JournalFileName[], spares: string[], keep: boolean): Promise<void> {
    const { disk, clock } = this.#options
    for (const { name } of names) {
      const path = `${journalFolder}/${name}`
      if (keep || this.#lostCheckpoint) await disk.rename(path, `${damagedFolder}/${name}.${clock.wallTime()}`)
      else this.#deleted.push({ path, folder: false })
    }
    for (const path of spares.splice(2)) this.#deleted.push({ path, folder: false })
    if (keep) await disk.syncFolder(damagedFolder)
    for (const { name, folder } of await disk.list(topicsFolder)) {
      if (name.endsWith(deletedSuffix)) this.#deleted.push({ path: `${topicsFolder}/${name}`, folder })
    }
  }
}

/** Entries with the batches that belong to them; a body that is too short gives short batches. */
function * pairs (frame: ReadFrame): Generator<[Entry, Uint8Array | undefined]> {
  let at = 0
  for (const entry of decodeEntries(frame.directory)) {
    if (entry.name !== 'batch') {
      yield [entry, undefined]
      continue
    }
    yield [entry, frame.body.subarray(at, at + entry.bytes)]
    at += entry.bytes
  }
}
