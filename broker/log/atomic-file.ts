// Files that exist whole or not at all: tmp, fsync, rename, fsync of the folder (ALICE, OSDI'14).
import type { Disk } from '../io/ports.ts'

export const temporarySuffix = '.tmp'

export function folderOf (path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

/** Replaces or makes `path`; durable when it resolves. Rejects with DiskError. */
export async function writeAtomically (disk: Disk, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = path + temporarySuffix
  await disk.remove(temporary)
  const file = await disk.create(temporary)
  try {
    await file.write(parts, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
  await disk.syncFolder(folderOf(path))
}
