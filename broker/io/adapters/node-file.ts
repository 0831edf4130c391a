// An open file of NodeDisk.
import { fdatasync, ftruncate, read, writev } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { DiskError } from '../ports.ts'
import type { DiskErrorKind, DiskFile } from '../ports.ts'

// The methods of a FileHandle cost several promises each; the journal's path has one.
const readAt = promisify(read)
const writeAt = promisify(writev)
const syncData = promisify(fdatasync)
const truncateTo = promisify(ftruncate)

const kinds: Partial<Record<string, DiskErrorKind>> = {
  ENOENT: 'not-found', EEXIST: 'exists', ENOTEMPTY: 'exists', ENOSPC: 'no-space', EDQUOT: 'no-space'
}

export function diskError (error: unknown): DiskError {
  if (error instanceof DiskError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  return new DiskError(kinds[code] ?? 'io', message, { cause: error })
}

export async function typed<T> (operation: Promise<T>): Promise<T> {
  try {
    return await operation
  } catch (error) {
    throw diskError(error)
  }
}

export class NodeFile implements DiskFile {
  // Held for as long as the file is open: a FileHandle that is collected closes its descriptor.
  readonly #handle: FileHandle
  readonly #path: string
  #size: number
  #syncFailed = false
  #closing: Promise<void> | undefined

  constructor (handle: FileHandle, path: string, size: number) {
    this.#handle = handle
    this.#path = path
    this.#size = size
  }

  get size (): number { return this.#size }

  async read (target: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < target.length) {
      const { bytesRead } = await typed(
        readAt(this.#descriptor(), target, filled, target.length - filled, position + filled))
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  async write (parts: readonly Uint8Array[], position: number): Promise<void> {
    let rest = parts
    let at = position
    while (rest.length > 0) {
      const { bytesWritten } = await typed(writeAt(this.#descriptor(), rest, at))
      at += bytesWritten
      this.#size = Math.max(this.#size, at)
      // All at once but for a disk that fills up: then the next attempt says so.
      rest = after(rest, bytesWritten)
    }
  }

  async sync (): Promise<void> {
    // The kernel forgets a failed write-back; a second fsync would succeed and mean nothing.
    if (this.#syncFailed) throw new DiskError('io', `${this.#path}: an earlier sync failed`)
    try {
      await syncData(this.#descriptor())
    } catch (error) {
      this.#syncFailed = true
      throw new DiskError('io', (error as Error).message, { cause: error })
    }
  }

  async truncate (size: number): Promise<void> {
    await typed(truncateTo(this.#descriptor(), size))
    this.#size = size
  }

  async close (): Promise<void> {
    await (this.#closing ??= typed(this.#handle.close()))
  }

  #descriptor (): number {
    if (this.#closing !== undefined) throw new DiskError('io', `${this.#path} is closed`)
    return this.#handle.fd
  }
}

/** What is left of `parts` behind the first `length` bytes; no empty part. */
function after (parts: readonly Uint8Array[], length: number): Uint8Array[] {
  const rest: Uint8Array[] = []
  let skip = length
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length
    else {
      rest.push(part.subarray(skip))
      skip = 0
    }
  }
  return rest
}
