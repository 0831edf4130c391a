// Removes files and folders in the background, large files in slices: freeing a gigabyte at once holds up
// the file system's own journal, and with it every fsync.
import type { Disk, DiskFile } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { logSuffix } from './segment.ts'

const SLICE_BYTES = 128 * 1024 * 1024

export interface Condemned {
  readonly path: string
  readonly folder: boolean
}

export class Deleter {
  readonly #disk: Disk
  readonly #onFailure: (error: unknown) => void
  readonly #waiting: Condemned[] = []
  #running: Promise<void> | undefined
  #stopped = false

  constructor (disk: Disk, onFailure: (error: unknown) => void) {
    this.#disk = disk
    this.#onFailure = onFailure
  }

  /** Folders go with all that is in them; what is not there is no error. */
  add (condemned: readonly Condemned[]): void {
    this.#waiting.push(...condemned)
    if (this.#stopped || this.#waiting.length === 0) return
    this.#running ??= this.#run().catch(this.#onFailure).finally(() => { this.#running = undefined })
  }

  /** What is left is found and removed at the next opening. */
  async stop (): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run (): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (this.#stopped) return
      await this.#delete(next)
    }
  }

  async #delete ({ path, folder }: Condemned): Promise<void> {
    if (folder) {
      for (const entry of await this.#disk.list(path)) {
        await this.#delete({ path: `${path}/${entry.name}`, folder: entry.folder })
      }
    } else if (path.includes(logSuffix)) {
      await this.#shrink(path)
    }
    await this.#disk.remove(path)
  }

  async #shrink (path: string): Promise<void> {
    let file: DiskFile
    try {
      file = await this.#disk.open(path)
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'not-found') return
      throw error
    }
    try {
      while (file.size > SLICE_BYTES && !this.#stopped) await file.truncate(file.size - SLICE_BYTES)
    } finally {
      await file.close()
    }
  }
}
