// The files of a store: `kube.snapshot` (all objects at one revision) and `kube.log` (frames of
// changes since). One frame is one line, `<crc32 hex> <json>\n`, written and fsynced before the next
// one begins, so that only the last frame can be torn by a crash; it was never acknowledged then.
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { join } from 'node:path'
import type { KubeObject } from '../object.ts'

/** Raised with every change of the files' meaning. */
const formatVersion = 1
const formatName = 'millrace-kube'
/** The log is folded into a snapshot when it is larger than this and than 4 snapshots. */
const logBytesMin = 8 * 1024 * 1024
const snapshotChunkBytes = 256 * 1024

/** [revision, table, key, object or null when deleted] */
export type Row = [revision: number, table: string, key: string, object: KubeObject | null]

export interface Loaded {
  readonly revision: number
  /** From the snapshot, revision as in the object's last change. */
  readonly objects: readonly Row[]
  /** From the log, in order, all younger than the snapshot. */
  readonly changes: readonly Row[]
}

interface Header {
  format: string
  version: number
  kind: 'snapshot' | 'log'
  /** Snapshot: its revision. Log: the revision of the snapshot that it continues. */
  revision: number
  /** Snapshot: how many rows follow. */
  count?: number
}

function frame (rows: unknown): string {
  const json = JSON.stringify(rows)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

/** The rows of one line; undefined when it is torn or damaged. */
function unframe (line: string): unknown {
  if (line.length < 10 || line[8] !== ' ') return undefined
  const json = line.slice(9)
  if (crc32(json) !== Number.parseInt(line.slice(0, 8), 16)) return undefined
  return JSON.parse(json)
}

function header (kind: Header['kind'], revision: number, count?: number): string {
  const value: Header = { format: formatName, version: formatVersion, kind, revision }
  return JSON.stringify(count === undefined ? value : { ...value, count }) + '\n'
}

function parseHeader (path: string, line: string, kind: Header['kind']): Header {
  let value: Partial<Header> = {}
  try {
    value = JSON.parse(line) as Partial<Header>
  } catch {
    // Falls through to the error below: not one of ours.
  }
  if (value.format !== formatName || value.kind !== kind) {
    throw new Error(`${path} is not a ${kind} of the embedded Kubernetes API`)
  }
  if (value.version !== formatVersion) {
    throw new Error(`${path} has format version ${value.version}, this program reads version ` +
      `${formatVersion}: use the program that wrote it, or another folder`)
  }
  return value as Header
}

async function readText (path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function parseSnapshot (path: string, text: string): { revision: number, objects: Row[] } {
  const lines = text.split('\n')
  const { revision, count } = parseHeader(path, lines[0] ?? '', 'snapshot')
  const objects: Row[] = []
  for (const line of lines.slice(1)) {
    if (line === '') continue
    const rows = unframe(line)
    if (rows === undefined) throw new Error(`${path} is damaged after ${objects.length} objects`)
    objects.push(...rows as Row[])
  }
  if (objects.length !== count) {
    throw new Error(`${path} is damaged: ${objects.length} objects instead of ${count}`)
  }
  return { revision, objects }
}

/** Rows of the log and the length in bytes of its whole frames; a torn last frame is left out. */
function parseLog (path: string, text: string): { base: number, changes: Row[], bytes: number } {
  const headerEnd = text.indexOf('\n')
  const { revision } = parseHeader(path, text.slice(0, Math.max(headerEnd, 0)), 'log')
  const changes: Row[] = []
  let start = headerEnd + 1
  while (start < text.length) {
    const end = text.indexOf('\n', start)
    const rows = end < 0 ? undefined : unframe(text.slice(start, end))
    if (rows === undefined) {
      // Damage is a torn write only when nothing whole comes after it.
      const rest = text.slice(start).split('\n').slice(1)
      if (rest.some(line => unframe(line) !== undefined)) {
        throw new Error(`${path} is damaged at character ${start}: whole frames follow a broken one`)
      }
      break
    }
    changes.push(...rows as Row[])
    start = end + 1
  }
  return { base: revision, changes, bytes: Buffer.byteLength(text.slice(0, start)) }
}

export class LogFile {
  readonly #folder: string
  #handle: FileHandle
  #bytes: number
  #snapshotBytes: number

  private constructor (folder: string, handle: FileHandle, bytes: number, snapshotBytes: number) {
    this.#folder = folder
    this.#handle = handle
    this.#bytes = bytes
    this.#snapshotBytes = snapshotBytes
  }

  /** Opens or makes the files. Rejects with one clear Error when they are damaged or of another format. */
  static async open (folder: string): Promise<{ file: LogFile, loaded: Loaded }> {
    await mkdir(folder, { recursive: true })
    const snapshotPath = join(folder, 'kube.snapshot')
    const logPath = join(folder, 'kube.log')
    const snapshotText = await readText(snapshotPath)
    const { revision, objects } = snapshotText === undefined
      ? { revision: 0, objects: [] }
      : parseSnapshot(snapshotPath, snapshotText)
    const logText = await readText(logPath)
    if (logText === undefined) await LogFile.#begin(folder, revision)
    const log = parseLog(logPath, logText ?? header('log', revision))
    if (log.base > revision) {
      throw new Error(`${logPath} continues revision ${log.base}, but kube.snapshot ends at ${revision}`)
    }
    const handle = await open(logPath, 'r+')
    await handle.truncate(log.bytes)
    await handle.datasync()
    const changes = log.changes.filter(row => row[0] > revision)
    const file = new LogFile(folder, handle, log.bytes, Buffer.byteLength(snapshotText ?? ''))
    return { file, loaded: { revision, objects, changes } }
  }

  /** An empty log that continues the snapshot of `revision`. */
  static async #begin (folder: string, revision: number): Promise<void> {
    const partial = join(folder, 'kube.log.tmp')
    const handle = await open(partial, 'w')
    try {
      await handle.writeFile(header('log', revision))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, join(folder, 'kube.log'))
    await syncFolder(folder)
  }

  /** Resolves when the rows are on disk. After a rejection the file must not be used any more. */
  async append (rows: readonly Row[]): Promise<void> {
    const bytes = Buffer.from(frame(rows))
    let written = 0
    while (written < bytes.length) {
      const result = await this.#handle.write(bytes, written, bytes.length - written,
        this.#bytes + written)
      written += result.bytesWritten
    }
    this.#bytes += bytes.length
    await this.#handle.datasync()
  }

  get wantsSnapshot (): boolean {
    return this.#bytes > Math.max(logBytesMin, 4 * this.#snapshotBytes)
  }

  /** Replaces snapshot and log by `rows`, the whole state at `revision`. */
  async snapshot (revision: number, rows: readonly Row[]): Promise<void> {
    const partial = join(this.#folder, 'kube.snapshot.tmp')
    await rm(partial, { force: true })
    const handle = await open(partial, 'w')
    let bytes = 0
    try {
      let chunk = header('snapshot', revision, rows.length)
      for (const row of rows) {
        chunk += frame([row])
        if (chunk.length < snapshotChunkBytes) continue
        bytes += (await handle.write(chunk)).bytesWritten
        chunk = ''
      }
      bytes += (await handle.write(chunk)).bytesWritten
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, join(this.#folder, 'kube.snapshot'))
    await syncFolder(this.#folder)
    await LogFile.#begin(this.#folder, revision)
    const log = await open(join(this.#folder, 'kube.log'), 'r+')
    await this.#handle.close()
    this.#handle = log
    this.#bytes = (await log.stat()).size
    this.#snapshotBytes = bytes
  }

  async close (): Promise<void> {
    await this.#handle.close()
  }
}
