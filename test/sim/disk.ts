// A disk that behaves as badly as real ones may: nothing is durable before a sync, a crash keeps random
// sectors of the rest, syncs fail for good, bits flip. Everything comes from one Rng: same seed, same run.
import type { Clock, Rng } from '../../wire/ports.ts'
import { DiskError } from '../../broker/io/ports.ts'
import type { Disk, DiskEntry, DiskErrorKind, DiskFile, DiskSpace } from '../../broker/io/ports.ts'
import { Folder, Image, Inode, parentOf, split } from './disk-image.ts'

export type DiskOperation = 'read' | 'write' | 'sync' | 'name'

export interface SimDiskOptions {
  readonly rng: Rng
  /** With a clock, each operation takes latencyMs of it; without, a microtask. */
  readonly clock?: Clock
  readonly latencyMs?: (operation: DiskOperation, bytes: number) => number
  /** Bytes that all files may hold together. */
  readonly capacity?: number
}

interface Fault {
  readonly operation: DiskOperation
  readonly kind: DiskErrorKind
  readonly path: string
  /** How many matching operations still succeed. */
  after: number
  readonly forever: boolean
}

/** What outlives a process: the platter, its faults. */
interface Platter {
  image: Image
  faults: Fault[]
  capacity: number
}

interface PendingWrite {
  readonly inode: Inode
  readonly parts: readonly Uint8Array[]
  readonly position: number
}

/** One process' view of a volume; dead after crash() or kill(), which return the next process' view. */
export class SimDisk implements Disk {
  readonly #options: SimDiskOptions
  readonly #platter: Platter
  readonly #writes = new Set<PendingWrite>()
  #dead = false
  /** Operations that completed, for tests that compare costs. */
  readonly operations = { read: 0, write: 0, sync: 0, name: 0 }

  constructor (options: SimDiskOptions, platter?: Platter) {
    this.#options = options
    this.#platter = platter ?? { image: new Image(), faults: [], capacity: options.capacity ?? 2 ** 40 }
  }

  /** Power is lost: what was not synced survives in part. Nothing that waits ever resolves. */
  crash (): SimDisk {
    const next = this.kill()
    this.#platter.image.losePower(this.#options.rng)
    return next
  }

  /** kill -9: what was written is in the page cache still; a write under way is torn. */
  kill (): SimDisk {
    this.#dead = true
    for (const { inode, parts, position } of this.#writes) {
      const bytes = Buffer.concat(parts)
      const mode = this.#options.rng.integer(3)
      const length = mode === 0 ? 0 : mode === 1 ? bytes.length : this.#options.rng.integer(bytes.length + 1)
      inode.write(bytes.subarray(0, length), position)
    }
    this.#writes.clear()
    return new SimDisk(this.#options, this.#platter)
  }

  /** The matching operation fails after `after` more have succeeded; `path` is a prefix. */
  fail (operation: DiskOperation, kind: DiskErrorKind, { path = '', after = 0, forever = false } = {}): void {
    this.#platter.faults.push({ operation, kind, path, after, forever })
  }

  /** Takes all faults away. */
  heal (): void { this.#platter.faults = [] }

  /** Silent damage at rest of one bit; anywhere in the file when no position is given. */
  flipBit (path: string, position?: number): void {
    const inode = this.#platter.image.file(path)
    const bit = 1 << this.#options.rng.integer(8)
    inode.damage(position ?? this.#options.rng.integer(Math.max(1, inode.size)), (byte) => byte ^ bit)
  }

  /** Silent damage at rest: `bytes` stand at `position` from now on. */
  overwrite (path: string, position: number, bytes: Uint8Array): void {
    const inode = this.#platter.image.file(path)
    bytes.forEach((byte, i) => { inode.damage(position + i, () => byte) })
  }

  /** A snapshot by the storage below: what is durable now, and nothing else. */
  copy (): Image { return this.#platter.image.copy() }

  /** What is here is replaced by the copy, which stays as it is. Only between two processes. */
  become (copy: Image): void { this.#platter.image = copy.copy() }

  /** The two disks change places. Only between two processes. */
  exchange (other: SimDisk): void {
    const { image } = this.#platter
    this.#platter.image = other.#platter.image
    other.#platter.image = image
  }

  setCapacity (bytes: number): void { this.#platter.capacity = bytes }

  /** All file paths, for tests. */
  files (): string[] { return this.#platter.image.live.files().map(([path]) => path) }

  /** The visible bytes of a file, at once, for tests. */
  contents (path: string): Uint8Array {
    const inode = this.#platter.image.file(path)
    const bytes = new Uint8Array(inode.size)
    inode.read(bytes, 0)
    return bytes
  }

  open (path: string): Promise<DiskFile> {
    return this.#operate('name', path, 0, () => new SimFile(this, this.#platter.image.file(path), path))
  }

  create (path: string): Promise<DiskFile> {
    return this.#operate('name', path, 0, () => {
      const { live } = this.#platter.image
      if (live.find(path) !== undefined) throw new DiskError('exists', `${path} exists`)
      if (!(live.find(parentOf(path)) instanceof Folder)) throw new DiskError('not-found', `no folder for ${path}`)
      const inode = new Inode()
      this.#platter.image.change({ kind: 'file', paths: [path], inode })
      return new SimFile(this, inode, path)
    })
  }

  read (path: string, bytesMax: number): Promise<Uint8Array> {
    return this.#operate('read', path, 0, () => {
      const inode = this.#platter.image.file(path)
      if (inode.size > bytesMax) throw new DiskError('too-large', `${path} has ${inode.size} bytes`)
      const bytes = new Uint8Array(inode.size)
      inode.read(bytes, 0)
      return bytes
    })
  }

  list (path: string): Promise<DiskEntry[]> {
    return this.#operate('name', path, 0, () => {
      const { live } = this.#platter.image
      if (live.find(path) instanceof Inode) throw new DiskError('io', `${path} is not a folder`)
      return live.list(path)
    })
  }

  mkdir (path: string): Promise<void> {
    return this.#operate('name', path, 0, () => {
      let at = ''
      for (const name of split(path)) {
        at = at === '' ? name : `${at}/${name}`
        const node = this.#platter.image.live.find(at)
        if (node instanceof Inode) throw new DiskError('exists', `${at} is a file`)
        if (node === undefined) this.#platter.image.change({ kind: 'folder', paths: [at] })
      }
    })
  }

  rename (from: string, to: string): Promise<void> {
    return this.#operate('name', from, 0, () => {
      const { live } = this.#platter.image
      const node = live.find(from)
      if (node === undefined) throw new DiskError('not-found', `${from}: no such file or folder`)
      if (!(live.find(parentOf(to)) instanceof Folder)) throw new DiskError('not-found', `no folder for ${to}`)
      const target = live.find(to)
      if (target instanceof Folder && (target.children.size > 0 || node instanceof Inode)) {
        throw new DiskError('exists', `${to} is a folder with contents`)
      }
      this.#platter.image.change({ kind: 'rename', paths: [from, to] })
    })
  }

  remove (path: string): Promise<void> {
    return this.#operate('name', path, 0, () => {
      const node = this.#platter.image.live.find(path)
      if (node instanceof Folder && node.children.size > 0) throw new DiskError('io', `${path} is not empty`)
      if (node !== undefined) this.#platter.image.change({ kind: 'remove', paths: [path] })
    })
  }

  syncFolder (path: string): Promise<void> {
    return this.#operate('sync', path, 0, () => {
      if (!(this.#platter.image.live.find(path) instanceof Folder)) {
        throw new DiskError('not-found', `${path}: no such folder`)
      }
      this.#platter.image.syncFolder(path)
    })
  }

  space (): Promise<DiskSpace> {
    const { image } = this.#platter
    return this.#operate('name', '', 0, () => {
      const { capacity } = this.#platter
      return { freeBytes: Math.max(0, capacity - image.bytesUsed()), sizeBytes: capacity }
    })
  }

  // For SimFile.

  readFile (inode: Inode, path: string, target: Uint8Array, position: number): Promise<number> {
    return this.#operate('read', path, target.length, () => inode.read(target, position))
  }

  writeFile (inode: Inode, path: string, parts: readonly Uint8Array[], position: number): Promise<void> {
    const pending = { inode, parts, position }
    let length = 0
    for (const part of parts) length += part.length
    this.#writes.add(pending)
    return this.#operate('write', path, length, () => {
      this.#reserve(path, Math.max(0, position + length - inode.size))
      let at = position
      for (const part of parts) {
        inode.write(part, at)
        at += part.length
      }
    }, () => { this.#writes.delete(pending) })
  }

  syncFile (inode: Inode, path: string): Promise<void> {
    const sync = inode.beginSync()
    return this.#operate('sync', path, 0, sync.complete, (failed) => { if (failed) sync.fail() })
  }

  truncateFile (inode: Inode, path: string, size: number): Promise<void> {
    return this.#operate('write', path, 0, () => { inode.truncate(size) })
  }

  #reserve (path: string, growth: number): void {
    const { image, capacity } = this.#platter
    if (capacity < 2 ** 40 && growth > 0 && image.bytesUsed() + growth > capacity) {
      throw new DiskError('no-space', `${path}: no space left on device`)
    }
  }

  /**
   * Takes its time, fails if a fault says so, else applies. Never settles once the process is dead.
   * @param over told once when the time has come: did a fault make it fail?
   */
  #operate<T> (operation: DiskOperation, path: string, bytes: number, apply: () => T,
    over?: (failed: boolean) => void): Promise<T> {
    const { clock, latencyMs } = this.#options
    return new Promise((resolve, reject) => {
      if (this.#dead) return
      const act = (): void => {
        if (this.#dead) return
        this.operations[operation]++
        const error = this.#nextFault(operation, path)
        over?.(error !== undefined)
        if (error !== undefined) return reject(error)
        try {
          resolve(apply())
        } catch (refusal) {
          reject(refusal as DiskError)
        }
      }
      if (clock === undefined) queueMicrotask(act)
      else clock.setTimer(latencyMs?.(operation, bytes) ?? 0, act)
    })
  }

  #nextFault (operation: DiskOperation, path: string): DiskError | undefined {
    if (this.#platter.faults.length === 0) return undefined
    const fault = this.#platter.faults.find((f) => f.operation === operation && path.startsWith(f.path))
    if (fault === undefined) return undefined
    if (fault.after > 0) {
      fault.after--
      return undefined
    }
    if (!fault.forever) this.#platter.faults = this.#platter.faults.filter((f) => f !== fault)
    return new DiskError(fault.kind, `${operation} of ${path} failed (simulated ${fault.kind})`)
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk
  readonly #inode: Inode
  readonly #path: string
  #closed = false
  /** As this handle knows it: what others write through theirs it does not see, as with real files. */
  #size: number

  constructor (disk: SimDisk, inode: Inode, path: string) {
    this.#disk = disk
    this.#inode = inode
    this.#path = path
    this.#size = inode.size
  }

  get size (): number { return this.#size }

  read (target: Uint8Array, position: number): Promise<number> {
    this.#check()
    return this.#disk.readFile(this.#inode, this.#path, target, position)
  }

  async write (parts: readonly Uint8Array[], position: number): Promise<void> {
    this.#check()
    await this.#disk.writeFile(this.#inode, this.#path, parts, position)
    this.#size = Math.max(this.#size, parts.reduce((end, part) => end + part.length, position))
  }

  sync (): Promise<void> {
    this.#check()
    return this.#disk.syncFile(this.#inode, this.#path)
  }

  async truncate (size: number): Promise<void> {
    this.#check()
    await this.#disk.truncateFile(this.#inode, this.#path, size)
    this.#size = size
  }

  close (): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #check (): void {
    if (this.#closed) throw new Error(`${this.#path} is closed`)
  }
}
