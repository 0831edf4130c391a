// Disk over the file system of the operating system: one folder, which one process at a time may use.
import { mkdir, open, readdir, readFile, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { WireError } from '../../../wire/errors.ts'
import { assert } from '../../assert.ts'
import { DiskError } from '../ports.ts'
import type { Disk, DiskEntry, DiskFile, DiskSpace } from '../ports.ts'
import { FolderLock, lockName } from './folder-lock.ts'
import { diskError, NodeFile, typed } from './node-file.ts'

export class NodeDisk implements Disk {
  readonly #root: string
  readonly #lock: FolderLock

  private constructor (root: string, lock: FolderLock) {
    this.#root = root
    this.#lock = lock
  }

  /** Makes the folder when it is missing. Rejects with WireError VOLUME_IN_USE, DiskError otherwise. */
  static async open (folder: string): Promise<NodeDisk> {
    await typed(mkdir(folder, { recursive: true }))
    let lock: FolderLock | undefined
    try {
      lock = FolderLock.take(folder)
    } catch (error) {
      throw new DiskError('io', `${folder} cannot be locked: ${(error as Error).message}`, { cause: error })
    }
    if (lock === undefined) throw new WireError('VOLUME_IN_USE', `another process uses ${folder}`)
    return new NodeDisk(folder, lock)
  }

  /** Lets another process have the folder. Files must be closed before. */
  async close (): Promise<void> {
    this.#lock.release()
  }

  async open (path: string): Promise<DiskFile> {
    return await this.#openFile(path, 'r+')
  }

  async create (path: string): Promise<DiskFile> {
    return await this.#openFile(path, 'wx+')
  }

  async read (path: string, bytesMax: number): Promise<Uint8Array> {
    const { size } = await typed(stat(this.#at(path)))
    if (size > bytesMax) throw new DiskError('too-large', `${path} has ${size} bytes, the limit is ${bytesMax}`)
    return await typed(readFile(this.#at(path)))
  }

  async list (path: string): Promise<DiskEntry[]> {
    try {
      const entries = await readdir(this.#at(path), { withFileTypes: true })
      return entries.filter(({ name }) => path !== '' || !name.startsWith(lockName))
        .map(entry => ({ name: entry.name, folder: entry.isDirectory() }))
        .sort((a, b) => a.name < b.name ? -1 : 1)
    } catch (error) {
      const typedError = diskError(error)
      if (typedError.kind === 'not-found') return []
      throw typedError
    }
  }

  async mkdir (path: string): Promise<void> {
    await typed(mkdir(this.#at(path), { recursive: true }))
  }

  async rename (from: string, to: string): Promise<void> {
    await typed(rename(this.#at(from), this.#at(to)))
  }

  async remove (path: string): Promise<void> {
    const target = this.#at(path)
    try {
      if ((await stat(target)).isDirectory()) await rmdir(target)
      else await unlink(target)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw new DiskError('io', (error as Error).message, { cause: error })
    }
  }

  async syncFolder (path: string): Promise<void> {
    const handle = await typed(open(this.#at(path), 'r'))
    try {
      await typed(handle.sync())
    } finally {
      await handle.close()
    }
  }

  async space (): Promise<DiskSpace> {
    const { bavail, blocks, bsize } = await typed(statfs(this.#root))
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
  }

  async #openFile (path: string, flags: string): Promise<DiskFile> {
    const handle = await typed(open(this.#at(path), flags))
    const { size } = await typed(handle.stat())
    return new NodeFile(handle, path, size)
  }

  #at (path: string): string {
    assert(!path.startsWith('/') && !path.split('/').includes('..'), `${path} is relative to the volume`)
    return join(this.#root, path)
  }
}
