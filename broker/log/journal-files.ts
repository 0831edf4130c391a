// The files of the journal: journal/<ordinal>-<uid>.journal, written in order of their ordinals. The next
// one is ready before it is needed: written once with zeros and named durably, since fdatasync of a file
// whose blocks are written takes half the time (storage.md). Old ones become journal/spare-<ordinal>.
import type { Disk, DiskFile } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { temporarySuffix } from './atomic-file.ts'
import type { VolumeSettings } from './settings.ts'

export const journalFolder = 'journal'
const suffix = '.journal'
const sparePrefix = 'spare-'
const ZERO_BYTES = 1024 * 1024
/** Zeros are synced in steps, so that no fsync of the journal waits behind all of them. */
const ZERO_SYNC_BYTES = 4 * ZERO_BYTES
const sparesMax = 2

export interface JournalFileName {
  readonly name: string
  readonly ordinal: number
  /** 16 hex characters. */
  readonly uid: string
}

export function journalPath (ordinal: number, uid: string): string {
  return `${journalFolder}/${String(ordinal).padStart(10, '0')}-${uid}${suffix}`
}

export function parseJournalName (name: string): JournalFileName | undefined {
  const match = /^([0-9]{10})-([0-9a-f]{16})\.journal$/.exec(name)
  return match === null ? undefined : { name, ordinal: Number(match[1]), uid: match[2] ?? '' }
}

interface Current {
  readonly path: string
  readonly ordinal: number
  readonly file: DiskFile
  position: number
  /** Bytes written with zeros beforehand; beyond it the file grows. */
  readonly prepared: number
}

export interface JournalFilesOptions {
  readonly disk: Disk
  readonly settings: VolumeSettings
  readonly uid: string
  /** The file to go on with; `position` is the end of its last frame. */
  readonly ordinal: number
  readonly file: DiskFile
  readonly position: number
  readonly spares: string[]
  /** A write or a sync failed: final. */
  readonly onFailure: (error: unknown) => void
}

export class JournalFiles {
  readonly #options: JournalFilesOptions
  /** Older files, ascending, that hold what no checkpoint covers yet. */
  readonly #old: { path: string, ordinal: number, file: DiskFile }[] = []
  #current: Current
  #next: Current | undefined
  #preparing: Promise<void> | undefined
  /** No space for the next file; tried again when maintain() says so. */
  #starved = false

  constructor (options: JournalFilesOptions) {
    this.#options = options
    const { ordinal, uid, file, position } = options
    const path = journalPath(ordinal, uid)
    this.#current = { path, ordinal, file, position, prepared: file.size }
  }

  get ordinal (): number { return this.#current.ordinal }
  get position (): number { return this.#current.position }

  /**
   * Where the next frame goes; moves on to the next file when this one is full. Resolves at once
   * but when the next file is not ready and the current one has grown too much.
   */
  async place (bytes: number): Promise<{ file: DiskFile, position: number }> {
    const current = this.#current
    const end = current.position + bytes
    if (end > current.prepared / 4) this.#prepare()
    if (end > current.prepared && current.position > 0) {
      if (this.#next === undefined && end > this.#options.settings.journalFileBytes) await this.#preparing
      this.#advance()
    }
    const position = this.#current.position
    this.#current.position += bytes
    return { file: this.#current.file, position }
  }

  /** Lets go of files below `ordinal`: a checkpoint covers them. */
  async release (ordinal: number): Promise<void> {
    const { disk, settings, spares } = this.#options
    for (let old = this.#old[0]; old !== undefined && old.ordinal < ordinal; old = this.#old[0]) {
      this.#old.shift()
      const size = old.file.size
      await old.file.close()
      if (spares.length < sparesMax && size === settings.journalFileBytes) {
        const spare = `${journalFolder}/${sparePrefix}${old.ordinal}`
        await disk.rename(old.path, spare)
        spares.push(spare)
      } else {
        await disk.remove(old.path)
      }
    }
  }

  /** Gives the space of files that wait to be used again back. */
  async dropSpares (): Promise<void> {
    const { disk, spares } = this.#options
    for (let spare = spares.shift(); spare !== undefined; spare = spares.shift()) await disk.remove(spare)
  }

  /** Called regularly: tries again for what disk space was missing. */
  retry (): void { this.#starved = false }

  async close (): Promise<void> {
    await this.#preparing
    for (const file of [...this.#old, this.#current, this.#next]) await file?.file.close()
  }

  #advance (): void {
    if (this.#next === undefined) return
    this.#old.push(this.#current)
    this.#current = this.#next
    this.#next = undefined
  }

  #prepare (): void {
    if (this.#next !== undefined || this.#preparing !== undefined || this.#starved) return
    this.#preparing = this.#makeNext().catch((error: unknown) => {
      // The current file goes on growing; every other failure is final.
      if (error instanceof DiskError && error.kind === 'no-space') this.#starved = true
      else this.#options.onFailure(error)
    }).finally(() => { this.#preparing = undefined })
  }

  async #makeNext (): Promise<void> {
    const { disk, uid, spares } = this.#options
    const ordinal = this.#current.ordinal + 1
    const path = journalPath(ordinal, uid)
    const from = spares.shift() ?? await this.#writeZeros()
    await disk.rename(from, path)
    await disk.syncFolder(journalFolder)
    const file = await disk.open(path)
    this.#next = { path, ordinal, file, position: 0, prepared: file.size }
  }

  async #writeZeros (): Promise<string> {
    const { disk, settings } = this.#options
    const path = `${journalFolder}/next${temporarySuffix}`
    await disk.remove(path)
    const file = await disk.create(path)
    try {
      await writeZeros(file, settings.journalFileBytes)
    } catch (error) {
      await file.close()
      await disk.remove(path)
      throw error
    }
    await file.close()
    return path
  }
}

/** Fills a new file with zeros, in steps; synced when it resolves. */
export async function writeZeros (file: DiskFile, bytes: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(ZERO_BYTES, bytes))
  for (let position = 0; position < bytes;) {
    const count = Math.min(zeros.length, bytes - position)
    await file.write([zeros.subarray(0, count)], position)
    position += count
    if (position % ZERO_SYNC_BYTES === 0 && position < bytes) await file.sync()
  }
  await file.sync()
}

export function isSpare (name: string): boolean { return name.startsWith(sparePrefix) }
