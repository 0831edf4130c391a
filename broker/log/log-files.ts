// The files of replicas: their paths, and a bounded number of open handles for reading.
import type { Disk, DiskFile } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import type { LogState } from './log-state.ts'
import { segmentName } from './segment.ts'
import type { Segment } from './segment.ts'

export const topicsFolder = 'topics'
export const strayFolder = 'stray'
export const damagedFolder = 'damaged'
/** Segments open for reading at once. */
const readHandlesMax = 128

interface Handle {
  readonly file: Promise<DiskFile>
  uses: number
  forgotten: boolean
}

export function folderNameOf (log: { topic: string, topicId: string, partition: number }): string {
  return `${log.topic}-${log.partition}.${log.topicId}`
}

export class LogFiles {
  readonly #disk: Disk
  /** Least recently used first. */
  readonly #handles = new Map<string, Handle>()

  constructor (disk: Disk) { this.#disk = disk }

  folder (log: LogState): string { return `${topicsFolder}/${folderNameOf(log)}` }

  path (log: LogState, segment: Segment, suffix: string): string {
    return `${this.folder(log)}/${segmentName(segment.base, suffix)}`
  }

  /**
   * Up to `length` bytes from `position`; fewer at the end of the file. Rejects with DiskError.
   * A handle that is kept open does not know that others have made the file longer: only a read of the whole
   * rest (Infinity), of files that do not grow, goes by its size.
   */
  async read (path: string, position: number, length: number): Promise<Uint8Array> {
    const handle = this.#handle(path)
    handle.uses++
    try {
      const file = await handle.file
      const bytes = new Uint8Array(Math.max(0, length === Infinity ? file.size - position : length))
      const count = await file.read(bytes, position)
      return bytes.subarray(0, count)
    } catch (error) {
      this.forget(path)
      throw error
    } finally {
      handle.uses--
      await this.#letGo(handle)
    }
  }

  /** Writes to a file that may have to be made, without keeping it open or syncing it. */
  async writeOnce (path: string, parts: readonly Uint8Array[], position: number): Promise<void> {
    const file = await this.openOrCreate(path)
    try {
      await file.write(parts, position)
    } finally {
      await file.close()
    }
  }

  async openOrCreate (path: string): Promise<DiskFile> {
    try {
      return await this.#disk.open(path)
    } catch (error) {
      if (!(error instanceof DiskError && error.kind === 'not-found')) throw error
      return await this.#disk.create(path)
    }
  }

  /** The file goes away, or another one takes its path. */
  forget (path: string): void {
    const handle = this.#handles.get(path)
    if (handle === undefined) return
    this.#handles.delete(path)
    handle.forgotten = true
    void this.#letGo(handle)
  }

  async close (): Promise<void> {
    const handles = [...this.#handles.values()]
    this.#handles.clear()
    for (const handle of handles) {
      handle.forgotten = true
      await this.#letGo(handle)
    }
  }

  #handle (path: string): Handle {
    const known = this.#handles.get(path)
    this.#handles.delete(path)
    const handle = known ?? { file: this.#disk.open(path), uses: 0, forgotten: false }
    this.#handles.set(path, handle)
    for (const [oldest, { uses }] of this.#handles) {
      if (this.#handles.size <= readHandlesMax) break
      if (uses === 0 && oldest !== path) this.forget(oldest)
    }
    return handle
  }

  async #letGo (handle: Handle): Promise<void> {
    if (!handle.forgotten || handle.uses > 0) return
    // A handle that never opened has nothing to close; who asked for it got the error.
    const file = await handle.file.catch(() => undefined)
    await file?.close()
  }
}
