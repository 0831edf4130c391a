// All objects, in memory, with one revision counter and a bounded history of changes. A change shows
// at once to whoever reads the store, but is announced (`subscribe`, `durable`) only when fsynced:
// HTTP answers wait for `durable`, so no client ever acts on what a crash could take back.
import type { KubeObject } from '../object.ts'
import { expired } from '../status.ts'
import { LogFile } from './log-file.ts'
import type { Loaded, Row } from './log-file.ts'

/** One change; `before` undefined for a create, `after` undefined for a removal. */
export interface Change {
  readonly revision: number
  readonly table: string
  readonly key: string
  readonly before: KubeObject | undefined
  readonly after: KubeObject | undefined
  /** The last state of a removed object with the revision of its removal, otherwise `after`. */
  readonly object: KubeObject
}

/** The disk failed: nothing can be written any more. */
export class StorageError extends Error {}

/** History is bounded in bytes too: a partition table is up to 256 KiB, and each write keeps one. */
const historyBytesMax = 64 * 1024 * 1024

export function keyOf (namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`
}

class Table {
  readonly objects = new Map<string, KubeObject>()
  #sorted: string[] | undefined

  set (key: string, object: KubeObject): void {
    if (!this.objects.has(key)) this.#sorted = undefined
    this.objects.set(key, object)
  }

  delete (key: string): void {
    this.objects.delete(key)
    this.#sorted = undefined
  }

  get keys (): readonly string[] {
    return this.#sorted ??= [...this.objects.keys()].toSorted((a, b) => a < b ? -1 : 1)
  }
}

interface Waiter {
  readonly revision: number
  resolve (): void
  reject (error: Error): void
}

export class Store {
  readonly #tables = new Map<string, Table>()
  readonly #file: LogFile | undefined
  readonly #historyEventsMax: number
  readonly #listeners = new Set<(change: Change) => void>()
  #history: Change[] = []
  #historyBytes = 0
  #sizes: number[] = []
  #compacted: number
  #revision: number
  #announced: number
  #queue: Change[] = []
  #flushing: Promise<void> | undefined
  #waiters: Waiter[] = []
  #failure: Error | undefined

  private constructor (file: LogFile | undefined, loaded: Loaded, historyEventsMax: number) {
    this.#file = file
    this.#historyEventsMax = historyEventsMax
    for (const [, table, key, object] of loaded.objects) {
      if (object !== null) this.#table(table).set(key, object)
    }
    this.#revision = Math.max(loaded.revision, 1)
    this.#compacted = this.#revision
    for (const [revision, table, key, object] of loaded.changes) {
      this.#remember(this.#apply(revision, table, key, object ?? undefined))
    }
    this.#announced = this.#revision
  }

  /** Without a folder the store lives in memory alone. */
  static async open (folder: string | undefined, historyEventsMax: number): Promise<Store> {
    if (folder === undefined) {
      return new Store(undefined, { revision: 0, objects: [], changes: [] }, historyEventsMax)
    }
    const { file, loaded } = await LogFile.open(folder)
    return new Store(file, loaded, historyEventsMax)
  }

  /** The revision of the last accepted change. */
  get revision (): number {
    return this.#revision
  }

  /** The last revision whose changes are fsynced and announced. */
  get announced (): number {
    return this.#announced
  }

  /** Changes after this revision are all in the history. */
  get compacted (): number {
    return this.#compacted
  }

  #table (name: string): Table {
    let table = this.#tables.get(name)
    if (table === undefined) this.#tables.set(name, table = new Table())
    return table
  }

  get (table: string, key: string): KubeObject | undefined {
    return this.#tables.get(table)?.objects.get(key)
  }

  count (table: string): number {
    return this.#tables.get(table)?.objects.size ?? 0
  }

  /** Keys in order, `<namespace>/<name>`. */
  keys (table: string): readonly string[] {
    return this.#tables.get(table)?.keys ?? []
  }

  /** Every object of every table, for scans at start. */
  * all (): Generator<{ table: string, key: string, object: KubeObject }> {
    for (const [table, { objects }] of this.#tables) {
      for (const [key, object] of objects) yield { table, key, object }
    }
  }

  /** Makes or replaces an object; the stored one (with its resourceVersion) is returned. */
  put (table: string, key: string, object: KubeObject): KubeObject {
    const revision = this.#revision + 1
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
    return this.#commit(revision, table, key, stored).object
  }

  /** Removes an object that is there; its last state is returned. */
  remove (table: string, key: string): KubeObject {
    return this.#commit(this.#revision + 1, table, key, undefined).object
  }

  #commit (revision: number, table: string, key: string, after: KubeObject | undefined): Change {
    if (this.#failure !== undefined) throw this.#failure
    const change = this.#apply(revision, table, key, after)
    this.#remember(change)
    this.#queue.push(change)
    this.#flushing ??= this.#flush()
    return change
  }

  #apply (revision: number, tableName: string, key: string, after: KubeObject | undefined): Change {
    const table = this.#table(tableName)
    const before = table.objects.get(key)
    if (after === undefined) table.delete(key)
    else table.set(key, after)
    this.#revision = revision
    const last = after ?? before
    if (last === undefined) throw new Error(`removed what is not there: ${tableName} ${key}`)
    const object = after !== undefined
      ? after
      : { ...last, metadata: { ...last.metadata, resourceVersion: String(revision) } }
    return { revision, table: tableName, key, before, after, object }
  }

  /** Writes what is queued, again and again until nothing is; one fsync for all that waited. */
  async #flush (): Promise<void> {
    // Lets all writes of this turn of the loop into the first frame.
    await new Promise(resolve => { setImmediate(resolve) })
    try {
      while (this.#queue.length > 0) {
        const changes = this.#queue
        this.#queue = []
        await this.#file?.append(changes.map((change): Row =>
          [change.revision, change.table, change.key, change.after ?? null]))
        this.#announce(changes)
        if (this.#queue.length === 0) await this.#compactFile()
      }
    } catch (error) {
      this.#fail(error as Error)
    } finally {
      this.#flushing = undefined
    }
  }

  #announce (changes: readonly Change[]): void {
    for (const change of changes) {
      this.#announced = change.revision
      for (const listener of [...this.#listeners]) call(listener, change)
    }
    const done = this.#waiters.filter(waiter => waiter.revision <= this.#announced)
    this.#waiters = this.#waiters.filter(waiter => waiter.revision > this.#announced)
    for (const waiter of done) waiter.resolve()
  }

  async #compactFile (): Promise<void> {
    if (this.#file?.wantsSnapshot !== true) return
    await this.snapshot()
  }

  /** Folds the log into a snapshot now; nothing may be queued. */
  async snapshot (): Promise<void> {
    const rows = [...this.all()].map(({ table, key, object }): Row => [0, table, key, object])
    await this.#file?.snapshot(this.#revision, rows)
  }

  /** After a failed write the disk's state is unknown: nothing is accepted or shown any more. */
  #fail (error: Error): void {
    this.#failure = new StorageError(`the state could not be written: ${error.message}`)
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(this.#failure)
  }

  #remember (change: Change): void {
    const bytes = approximateBytes(change.object)
    this.#history.push(change)
    this.#sizes.push(bytes)
    this.#historyBytes += bytes
    let drop = 0
    while (this.#history.length - drop > this.#historyEventsMax ||
      (this.#historyBytes > historyBytesMax && this.#history.length - drop > 1)) {
      this.#historyBytes -= this.#sizes[drop] ?? 0
      drop++
    }
    if (drop === 0) return
    this.#compacted = this.#history[drop - 1]?.revision ?? this.#compacted
    this.#history.splice(0, drop)
    this.#sizes.splice(0, drop)
  }

  /**
   * Changes younger than `revision`, in order, also those not yet announced. Throws 410 when some
   * are forgotten.
   */
  changesAfter (revision: number): readonly Change[] {
    if (revision < this.#compacted) {
      throw expired(`too old resource version: ${revision} (${this.#compacted})`)
    }
    let low = 0
    let high = this.#history.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#history[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return this.#history.slice(low)
  }

  /** Drops the whole history, as etcd's compaction does. */
  compact (): void {
    this.#history = []
    this.#sizes = []
    this.#historyBytes = 0
    this.#compacted = this.#announced
  }

  /** Calls `listener` for each change once it is fsynced, in order. Returns the way to stop. */
  subscribe (listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Resolves when every change accepted so far is on disk. */
  async durable (): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#announced >= this.#revision) return
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ revision: this.#revision, resolve, reject })
    })
  }

  async close (): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
    this.#listeners.clear()
    await this.#file?.close()
  }
}

/** A listener that throws is a programmer's error: it ends the process, but not in the middle of a commit. */
function call (listener: (change: Change) => void, change: Change): void {
  try {
    listener(change)
  } catch (error) {
    setImmediate(() => { throw error })
  }
}

/** Near enough for a bound; walking is cheaper than serialising. */
function approximateBytes (value: unknown): number {
  if (typeof value === 'string') return value.length + 16
  if (typeof value !== 'object' || value === null) return 16
  let bytes = 32
  if (Array.isArray(value)) for (const item of value) bytes += approximateBytes(item)
  else for (const [key, item] of Object.entries(value)) bytes += key.length + approximateBytes(item)
  return bytes
}
