// Writes the tail of the journal anew at recovery: what was read may have been in the page cache only, and
// counts as durable when it is in a fresh file that was fsynced.
import type { Disk, DiskFile } from '../io/ports.ts'
import { temporarySuffix } from './atomic-file.ts'
import type { Entry, EntryWriter } from './entry.ts'
import { FrameBuilder } from './frame.ts'
import { journalFolder, journalPath, writeZeros } from './journal-files.ts'
import type { VolumeSettings } from './settings.ts'

export class JournalRewriter {
  readonly #disk: Disk
  readonly #file: DiskFile
  readonly #path: string
  readonly #uid: Uint8Array
  readonly #frameBytes: number
  readonly #frame = new FrameBuilder()
  #position = 0
  #sequence = 1

  private constructor (disk: Disk, file: DiskFile, path: string, uid: string, frameBytes: number) {
    this.#disk = disk
    this.#file = file
    this.#path = path
    this.#uid = Buffer.from(uid, 'hex')
    this.#frameBytes = frameBytes
    this.#frame.clear(1)
  }

  static async create (disk: Disk, settings: VolumeSettings, ordinal: number, uid: string):
    Promise<JournalRewriter> {
    const path = journalPath(ordinal, uid)
    const file = await disk.create(path + temporarySuffix)
    await writeZeros(file, settings.journalFirstFileBytes)
    return new JournalRewriter(disk, file, path, uid, Math.floor(settings.frameBytesMax / 4))
  }

  /** For entries that recovery itself makes. */
  get entries (): EntryWriter { return this.#frame.entries }

  async add (entry: Entry, batch: Uint8Array | undefined): Promise<void> {
    this.#frame.entries.raw(entry.raw)
    if (batch !== undefined) this.#frame.body(batch)
    if (this.#frame.bytes >= this.#frameBytes) await this.#flush()
  }

  /** Durable, under its name, when it resolves. */
  async finish (): Promise<{ file: DiskFile, position: number, sequence: number }> {
    if (this.#frame.entries.length > 0) await this.#flush()
    // A mark, so that the last frame has a witness.
    if (this.#sequence > 1) await this.#flush()
    await this.#file.sync()
    await this.#disk.rename(this.#path + temporarySuffix, this.#path)
    await this.#disk.syncFolder(journalFolder)
    return { file: this.#file, position: this.#position, sequence: this.#sequence }
  }

  async #flush (): Promise<void> {
    const bytes = this.#frame.bytes
    await this.#file.write(this.#frame.finish(this.#uid), this.#position)
    this.#position += bytes
    this.#sequence++
    this.#frame.clear(this.#sequence)
  }
}
