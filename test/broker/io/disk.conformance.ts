// What every implementation of Disk keeps to, as far as it shows without a crash.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DiskError } from '../../../broker/io/ports.ts'
import type { Disk, DiskErrorKind } from '../../../broker/io/ports.ts'

export interface DiskHarness {
  readonly disk: Disk
  /** Lets time pass until it settles. */
  run<T> (promise: Promise<T>): Promise<T>
  close (): Promise<void>
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

export function diskConformance (name: string, make: () => Promise<DiskHarness>): void {
  describe(`${name}: Disk`, () => {
    let harness: DiskHarness
    let disk: Disk
    let run: DiskHarness['run']

    beforeEach(async () => {
      harness = await make()
      disk = harness.disk
      run = promise => harness.run(promise)
    })
    afterEach(async () => { await harness.close() })

    async function kindOf (promise: Promise<unknown>): Promise<DiskErrorKind> {
      const error = await run(promise.then(() => undefined, (reason: unknown) => reason))
      if (!(error instanceof DiskError)) throw new Error(`rejects with a DiskError, not ${String(error)}`)
      return error.kind
    }

    async function contents (path: string): Promise<number[]> {
      return [...await run(disk.read(path, 1_000))]
    }

    async function write (path: string, ...parts: Uint8Array[]): Promise<void> {
      const file = await run(disk.create(path))
      await run(file.write(parts, 0))
      await run(file.close())
    }

    it('begins empty', async () => {
      expect(await run(disk.list(''))).toEqual([])
      expect(await run(disk.list('nowhere/at/all'))).toEqual([])
      const { freeBytes, sizeBytes } = await run(disk.space())
      expect(freeBytes).toBeGreaterThan(0)
      expect(sizeBytes).toBeGreaterThanOrEqual(freeBytes)
    })

    it('writes parts one after the other, at a position, over what was there', async () => {
      const file = await run(disk.create('a'))
      expect(file.size).toBe(0)
      await run(file.write([bytes(1, 2), bytes(), bytes(3, 4, 5)], 0))
      expect(file.size).toBe(5)
      await run(file.write([bytes(9)], 1))
      await run(file.write([], 3))
      await run(file.write([bytes(7)], 7))
      expect(file.size).toBe(8)
      await run(file.sync())
      await run(file.close())
      await run(file.close())
      expect(await contents('a')).toEqual([1, 9, 3, 4, 5, 0, 0, 7])
    })

    it('writes many parts at once', async () => {
      const file = await run(disk.create('a'))
      const parts = Array.from({ length: 3_000 }, (_, index) => bytes(index & 255, index >> 8))
      await run(file.write(parts, 10))
      const target = new Uint8Array(6_000)
      expect(await run(file.read(target, 10))).toBe(6_000)
      expect(target).toEqual(new Uint8Array(parts.flatMap(part => [...part])))
      await run(file.close())
    })

    it('reads what there is, fewer bytes only at the end', async () => {
      await write('a', bytes(1, 2, 3))
      const file = await run(disk.open('a'))
      expect(file.size).toBe(3)
      const target = new Uint8Array(4)
      expect(await run(file.read(target, 1))).toBe(2)
      expect([...target]).toEqual([2, 3, 0, 0])
      expect(await run(file.read(target, 3))).toBe(0)
      expect(await run(file.read(target, 1_000))).toBe(0)
      expect(await run(file.read(new Uint8Array(0), 0))).toBe(0)
      await run(file.close())
    })

    it('truncates, both ways', async () => {
      await write('a', bytes(1, 2, 3))
      const file = await run(disk.open('a'))
      await run(file.truncate(1))
      expect(file.size).toBe(1)
      await run(file.truncate(3))
      expect(file.size).toBe(3)
      expect(await contents('a')).toEqual([1, 0, 0])
      await run(file.close())
    })

    it('tells what is missing, there already, or too large', async () => {
      expect(await kindOf(disk.open('a'))).toBe('not-found')
      expect(await kindOf(disk.read('a', 10))).toBe('not-found')
      expect(await kindOf(disk.rename('a', 'b'))).toBe('not-found')
      expect(await kindOf(disk.create('folder/a'))).toBe('not-found')
      expect(await kindOf(disk.syncFolder('folder'))).toBe('not-found')
      await write('a', bytes(1, 2, 3))
      expect(await kindOf(disk.create('a'))).toBe('exists')
      expect(await kindOf(disk.read('a', 2))).toBe('too-large')
      expect((await run(disk.read('a', 3))).length).toBe(3)
    })

    it('lists a folder in the order of names', async () => {
      await run(disk.mkdir('f/deep/er'))
      await run(disk.mkdir('f/deep'))
      for (const name of ['f/b', 'f/B', 'f/a10', 'f/a9']) await write(name)
      expect(await run(disk.list('f'))).toEqual([
        { name: 'B', folder: false }, { name: 'a10', folder: false }, { name: 'a9', folder: false },
        { name: 'b', folder: false }, { name: 'deep', folder: true }
      ])
      expect(await run(disk.list(''))).toEqual([{ name: 'f', folder: true }])
    })

    it('renames over what is there, and folders with what is in them', async () => {
      await write('a', bytes(1))
      await write('b', bytes(2))
      await run(disk.rename('a', 'b'))
      expect(await contents('b')).toEqual([1])
      expect(await kindOf(disk.open('a'))).toBe('not-found')
      await run(disk.mkdir('f'))
      await write('f/x', bytes(3))
      await run(disk.rename('f', 'g'))
      await run(disk.syncFolder(''))
      expect(await contents('g/x')).toEqual([3])
      expect(await run(disk.list('f'))).toEqual([])
    })

    it('goes on with a file that was renamed or removed under it', async () => {
      const file = await run(disk.create('a'))
      await run(disk.rename('a', 'b'))
      await run(file.write([bytes(5)], 0))
      expect(await contents('b')).toEqual([5])
      await run(disk.remove('b'))
      const target = new Uint8Array(1)
      expect(await run(file.read(target, 0))).toBe(1)
      expect([...target]).toEqual([5])
      await run(file.close())
    })

    it('removes files and empty folders, and minds nothing that is gone', async () => {
      await run(disk.mkdir('f'))
      await write('f/a', bytes(1))
      expect(await kindOf(disk.remove('f'))).toBe('io')
      await run(disk.remove('f/a'))
      await run(disk.remove('f/a'))
      await run(disk.remove('f'))
      await run(disk.remove('f'))
      expect(await run(disk.list(''))).toEqual([])
    })
  })
}
