// The platter of a simulated disk: files as pages, folders, and for both what is visible and what a loss
// of power leaves. Model: ALICE (OSDI'14) and "Can Applications Recover from fsync Failures?" (ATC'20).
import { copyBytes } from '../../wire/bytes.ts'
import type { Rng } from '../../wire/ports.ts'
import { DiskError } from '../../broker/io/ports.ts'
import type { DiskEntry } from '../../broker/io/ports.ts'

export const PAGE = 4096
const SECTOR = 512

/**
 * A page's bytes, shared by the images that hold it and never changed while more than one does. Pages that
 * nobody holds are used again: most of what a simulation would allocate is pages. They are made several at once,
 * since V8 keeps books of every piece of memory outside of its heap.
 */
class Page {
  static readonly #free: Page[] = []
  static readonly #freeMax = 8_192
  static readonly #madeAtOnce = 16
  readonly bytes: Uint8Array
  holders = 0

  private constructor (bytes: Uint8Array) { this.bytes = bytes }

  /** Contents are undefined: the caller writes all of them. */
  static take (): Page {
    if (Page.#free.length === 0) Page.#make()
    return Page.#free.pop()!
  }

  static #make (): void {
    const memory = new Uint8Array(PAGE * Page.#madeAtOnce)
    for (let at = 0; at < memory.length; at += PAGE) Page.#free.push(new Page(memory.subarray(at, at + PAGE)))
  }

  release (): void {
    if (--this.holders === 0 && this !== zeros && Page.#free.length < Page.#freeMax) Page.#free.push(this)
  }
}

/** Of every page that is nothing but zeros, as preallocated files are. */
const zeros = Page.take()
zeros.holders = 1

/** A map of pages that counts itself as a holder. */
class Pages {
  readonly #pages = new Map<number, Page>()

  get (page: number): Page | undefined { return this.#pages.get(page) }

  set (page: number, held: Page | undefined): void {
    const before = this.#pages.get(page)
    if (before === held) return
    if (held === undefined) this.#pages.delete(page)
    else {
      held.holders++
      this.#pages.set(page, held)
    }
    before?.release()
  }

  numbers (): number[] { return [...this.#pages.keys()] }

  clear (): void {
    for (const page of this.#pages.values()) page.release()
    this.#pages.clear()
  }

  copyFrom (other: Pages): void {
    this.clear()
    for (const [page, held] of other.#pages) this.set(page, held)
  }
}

/** A file's bytes, visible and durable. */
export class Inode {
  size = 0
  readonly #live = new Pages()
  readonly #dirty = new Set<number>()
  #durableSize = 0
  readonly #durable = new Pages()

  read (target: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(target.length, this.size - position))
    for (let done = 0; done < length;) {
      const page = Math.floor((position + done) / PAGE)
      const from = (position + done) % PAGE
      const count = Math.min(PAGE - from, length - done)
      copyBytes((this.#live.get(page) ?? zeros).bytes, from, from + count, target, done)
      done += count
    }
    return length
  }

  write (bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length;) {
      const page = Math.floor((position + done) / PAGE)
      const from = (position + done) % PAGE
      const count = Math.min(PAGE - from, bytes.length - done)
      if (count === PAGE && Buffer.compare(bytes.subarray(done, done + count), zeros.bytes) === 0) {
        this.#live.set(page, zeros)
        this.#dirty.add(page)
      } else copyBytes(bytes, done, done + count, this.#own(page), from)
      done += count
    }
    this.size = Math.max(this.size, position + bytes.length)
  }

  truncate (size: number): void {
    for (const page of this.#live.numbers()) {
      if (page * PAGE >= size) {
        this.#live.set(page, undefined)
        this.#dirty.add(page)
      }
    }
    if (size % PAGE !== 0 && this.#live.get(Math.floor(size / PAGE)) !== undefined) {
      this.#own(Math.floor(size / PAGE)).fill(0, size % PAGE)
    }
    this.size = size
  }

  /** What a sync that begins now will make durable when `complete` is called. */
  beginSync (): { complete (): void, fail (): void } {
    const size = this.size
    const pages: { readonly page: number, readonly held: Page | undefined }[] = []
    for (const page of this.#dirty) {
      const held = this.#live.get(page)
      if (held !== undefined) held.holders++
      pages.push({ page, held })
    }
    // Ext4, XFS and Btrfs mark pages clean after a failed fsync: a later one will not write them.
    const clean = (): void => {
      for (const { page, held } of pages) if (this.#live.get(page) === held) this.#dirty.delete(page)
    }
    const release = (): void => { for (const { held } of pages) held?.release() }
    return {
      complete: () => {
        clean()
        this.#durableSize = size
        for (const { page, held } of pages) this.#durable.set(page, held)
        release()
      },
      fail: () => {
        clean()
        release()
      }
    }
  }

  /** Loss of power: what was not synced survives whole, not at all, in part, or in random sectors. */
  losePower (rng: Rng): void {
    const mode = rng.integer(4)
    const pages = [...this.#dirty].sort((a, b) => a - b)
    const sectors = pages.length * (PAGE / SECTOR)
    const prefix = mode === 3 ? rng.integer(sectors + 1) : 0
    pages.forEach((page, i) => {
      const young = this.#live.get(page) ?? zeros
      const mixed = Page.take()
      mixed.bytes.set((this.#durable.get(page) ?? zeros).bytes)
      for (let s = 0; s < PAGE / SECTOR; s++) {
        const survives = mode === 1 || (mode === 2 && rng.integer(2) === 1) ||
          (mode === 3 && i * (PAGE / SECTOR) + s < prefix)
        if (survives) mixed.bytes.set(young.bytes.subarray(s * SECTOR, (s + 1) * SECTOR), s * SECTOR)
      }
      this.#durable.set(page, mixed)
    })
    if (mode === 1) this.#durableSize = this.size
    else if (mode !== 0 && this.size !== this.#durableSize) {
      const [low, high] = [Math.min(this.size, this.#durableSize), Math.max(this.size, this.#durableSize)]
      this.#durableSize = low + rng.integer(high - low + 1)
    }
    this.#becomeDurable()
  }

  #becomeDurable (): void {
    this.#live.copyFrom(this.#durable)
    this.truncate(this.#durableSize)
    this.#durable.copyFrom(this.#live)
    this.#dirty.clear()
  }

  /** A file of its own with what is durable in this one. */
  copy (): Inode {
    const copy = new Inode()
    copy.#durable.copyFrom(this.#durable)
    copy.#durableSize = this.#durableSize
    copy.#becomeDurable()
    return copy
  }

  /** Damage at rest: changes what is visible and what is durable, and no sync will mend it. */
  damage (position: number, change: (byte: number) => number): void {
    const page = Math.floor(position / PAGE)
    for (const pages of [this.#live, this.#durable]) {
      const damaged = Page.take()
      damaged.bytes.set((pages.get(page) ?? zeros).bytes)
      damaged.bytes[position % PAGE] = change(damaged.bytes[position % PAGE]!)
      pages.set(page, damaged)
    }
  }

  /** The bytes of a visible page, to be changed. */
  #own (page: number): Uint8Array {
    const before = this.#live.get(page)
    this.#dirty.add(page)
    if (before?.holders === 1 && before !== zeros) return before.bytes
    const copy = Page.take()
    copy.bytes.set((before ?? zeros).bytes)
    this.#live.set(page, copy)
    return copy.bytes
  }
}

export type Node = Inode | Folder
export class Folder {
  readonly children = new Map<string, Node>()
}

export function split (path: string): string[] {
  const names = path === '' ? [] : path.split('/')
  if (names.some((name) => name === '' || name === '.' || name === '..')) {
    throw new Error(`not a path relative to the volume: '${path}'`)
  }
  return names
}

export function parentOf (path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
}

/** A tree of names. */
export class Tree {
  #root = new Folder()

  find (path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of split(path)) {
      if (!(node instanceof Folder)) return undefined
      node = node.children.get(name)
    }
    return node
  }

  list (path: string): DiskEntry[] {
    const folder = this.find(path)
    if (!(folder instanceof Folder)) return []
    return [...folder.children].map(([name, node]) => ({ name, folder: node instanceof Folder }))
      .sort((a, b) => a.name < b.name ? -1 : 1)
  }

  /** False when the parent is not there. */
  set (path: string, node: Node | undefined): boolean {
    const parent = this.find(parentOf(path))
    const name = split(path).at(-1)
    if (!(parent instanceof Folder) || name === undefined) return false
    if (node === undefined) parent.children.delete(name)
    else parent.children.set(name, node)
    return true
  }

  /** In the order of their names. */
  files (): [string, Inode][] {
    const found: [string, Inode][] = []
    const walk = (folder: Folder, path: string): void => {
      for (const [name, node] of folder.children) {
        const below = path === '' ? name : `${path}/${name}`
        if (node instanceof Inode) found.push([below, node])
        else walk(node, below)
      }
    }
    walk(this.#root, '')
    return found.sort(([a], [b]) => a < b ? -1 : 1)
  }

  bytes (): number {
    const sum = (folder: Folder): number => {
      let bytes = 0
      for (const node of folder.children.values()) bytes += node instanceof Inode ? node.size : sum(node)
      return bytes
    }
    return sum(this.#root)
  }

  /** The same names; the same files, or what `copyFile` makes of them. */
  clone (copyFile: (inode: Inode) => Inode = (inode) => inode): Tree {
    const copy = (node: Node): Node => {
      if (node instanceof Inode) return copyFile(node)
      const folder = new Folder()
      for (const [name, child] of node.children) folder.children.set(name, copy(child))
      return folder
    }
    const tree = new Tree()
    tree.#root = copy(this.#root) as Folder
    return tree
  }
}

/** A change of names: paths[0] gets a node, or loses its own; a rename has two paths. */
export interface NameChange {
  readonly kind: 'file' | 'folder' | 'remove' | 'rename'
  readonly paths: readonly string[]
  readonly inode?: Inode
}

function apply (tree: Tree, change: NameChange): void {
  const [first = '', second = ''] = change.paths
  switch (change.kind) {
    case 'file': tree.set(first, change.inode); break
    case 'folder': if (tree.find(first) === undefined) tree.set(first, new Folder()); break
    case 'remove': tree.set(first, undefined); break
    case 'rename': {
      const node = tree.find(first)
      if (node !== undefined && tree.set(second, node)) tree.set(first, undefined)
    }
  }
}

function related (a: NameChange, b: NameChange): boolean {
  return a.paths.some((p) => b.paths.some((q) => p === q || p.startsWith(`${q}/`) || q.startsWith(`${p}/`)))
}

/** Names and files, visible and durable. */
export class Image {
  live = new Tree()
  #durable = new Tree()
  #pending: NameChange[] = []

  change (change: NameChange): void {
    apply(this.live, change)
    this.#pending.push(change)
  }

  /** Makes the changes in `folder` durable, and those that they build on. */
  syncFolder (folder: string): void {
    const wanted = new Set<NameChange>()
    for (const change of this.#pending.toReversed()) {
      const inFolder = change.paths.some((path) => parentOf(path) === folder)
      if (inFolder || [...wanted].some((later) => related(change, later))) wanted.add(change)
    }
    for (const change of this.#pending) if (wanted.has(change)) apply(this.#durable, change)
    this.#pending = this.#pending.filter((change) => !wanted.has(change))
  }

  /** Each change that was not synced survives or not, never without those that it builds on. */
  losePower (rng: Rng): void {
    const lost: NameChange[] = []
    const odds = rng.integer(3)
    for (const change of this.#pending) {
      const survives = odds === 0 || (odds === 1 && rng.integer(2) === 1)
      if (!survives || lost.some((earlier) => related(change, earlier))) lost.push(change)
      else apply(this.#durable, change)
    }
    this.#pending = []
    const inodes = new Set<Inode>()
    for (const [, inode] of this.#durable.files()) inodes.add(inode)
    for (const inode of inodes) inode.losePower(rng)
    this.live = this.#durable.clone()
  }

  /** As the storage below sees it: names and bytes that are durable. */
  copy (): Image {
    const image = new Image()
    image.live = this.#durable.clone((inode) => inode.copy())
    image.#durable = image.live.clone()
    return image
  }

  file (path: string): Inode {
    const node = this.live.find(path)
    if (node instanceof Inode) return node
    throw new DiskError('not-found', `${path}: no such file`)
  }

  bytesUsed (): number { return this.live.bytes() }
}
