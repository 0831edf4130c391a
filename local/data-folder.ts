// The folder that holds all state of a local cluster: whose it is, which version wrote it, who uses it.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FolderLock, lockName } from '../broker/io/adapters/folder-lock.ts'
import { StartError } from './start-error.ts'

/** Goes up when a version cannot go on with what an older one wrote. */
const format = 1
const markName = 'millrace.json'

export interface DataFolder {
  readonly path: string
  /** Lets another process have it. */
  release (): void
}

/** Throws StartError, and then has changed nothing, when the folder is not ours to use. */
export function openDataFolder (path: string, version: string, fresh: boolean): DataFolder {
  checkContents(path, fresh)
  const lock = take(path)
  try {
    // Once more: somebody else may have been quicker.
    checkContents(path, fresh)
    if (fresh) clear(path)
    const mark = join(path, markName)
    writeFileSync(`${mark}.tmp`, `${JSON.stringify({ format, version })}\n`)
    renameSync(`${mark}.tmp`, mark)
  } catch (error) {
    lock.release()
    throw error
  }
  return { path, release: () => { lock.release() } }
}

function isLock (name: string): boolean {
  return name.startsWith(lockName)
}

function checkContents (path: string, fresh: boolean): void {
  let names: string[]
  try {
    names = readdirSync(path).filter(name => !isLock(name))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    throw new StartError(code === 'ENOTDIR' ? `${path} is not a folder` : message)
  }
  if (names.length === 0) return
  if (!names.includes(markName)) {
    throw new StartError(`${path} is neither empty nor the data folder of a cluster; choose another with --dir`)
  }
  const found = readFormat(join(path, markName))
  if (found !== format && !fresh) {
    throw new StartError(`${path} has data of another version (format ${String(found)}, not ${format}); ` +
      'use that version, another --dir, or --fresh to delete it')
  }
}

function readFormat (mark: string): unknown {
  try {
    return (JSON.parse(readFileSync(mark, 'utf8')) as { format?: unknown } | null)?.format
  } catch {
    return 'unreadable'
  }
}

/** With its parents. Node's own way never ends where a file system refuses with ENOENT, as /proc does. */
function makeFolder (path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  mkdirSync(path)
}

function take (path: string): FolderLock {
  let lock: FolderLock | undefined
  try {
    makeFolder(path)
    lock = FolderLock.take(path)
  } catch (error) {
    throw new StartError(`${path} cannot be used: ${(error as Error).message}`)
  }
  if (lock === undefined) {
    throw new StartError(`${path} is in use by another process; stop that one or choose another --dir`)
  }
  return lock
}

/** The mark goes last: what is cut short is still ours. */
function clear (path: string): void {
  const names = readdirSync(path).filter(name => !isLock(name) && name !== markName)
  for (const name of names) rmSync(join(path, name), { recursive: true, force: true })
  rmSync(join(path, markName), { force: true })
}
