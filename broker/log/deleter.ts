// Removes files and folders in the background, large files in slices: freeing a gigabyte at once holds up
// the file system's own journal, and with it every fsync.
import type { Disk, DiskFile } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import { logSuffix } from './segment.ts'

const SLICE_BYTES = 128 * 1024 * 1024

export class Deleter {
  readonly #disk: Disk
  readonly #onFailure: (error: unknown) => void
  readonly #waiting: string[] = []
  #running: Promise<void> | undefined
  #stopped = false

  constructor (disk: Disk, onFailure: (error: unknown) => void) {
    this.#disk = disk
    this.#onFailure = onFailure
  }

  /** Files or folders with all that is in them; what is not there is no error. */
  add (paths: readonly string[]): void {
    this.#waiting.push(...paths)
    if (this.#stopped || this.#waiting.length === 0) return
    this.#running ??= this.#run().catch(this.#onFailure).finally(() => { this.#running = undefined })
  }

  /** What is left is found and removed at the next opening. */
  async stop (): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run (): Promise<void> {
    for (let path = this.#waiting.shift(); path !== undefined; path = this.#waiting.shift()) {
      if (this.#stopped) return
      await this.#delete(path)
    }
  }

  async #delete (path: string): Promise<void> {
    for (const { name } of await this.#disk.list(path)) await this.#delete(`${path}/${name}`)
    if (path.includes(logSuffix)) await this.#shrink(path)
    await this.#disk.remove(path)
  }

  async #shrink (path: string): Promise<void> {
    let file: DiskFile
    try {
      file = await this.#disk.open(path)
    } catch (error) {
      // A folder, or gone.
      if (error instanceof DiskError) return
      throw error
    }
    try {
      while (file.size > SLICE_BYTES && !this.#stopped) await file.truncate(file.size - SLICE_BYTES)
    } finally {
      await file.close()
    }
  }
}
