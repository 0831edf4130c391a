import { describe, expect, test } from 'vitest'
import type { Rng } from '../../wire/ports.ts'
import { SimDisk } from './disk.ts'

function seeded (seed: number): Rng {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    fraction,
    integer: (max) => Math.floor(fraction() * max),
    hex: (length) => Array.from({ length }, () => Math.floor(fraction() * 256).toString(16).padStart(2, '0')).join('')
  }
}

async function write (disk: SimDisk, path: string, byte: number, length: number): Promise<void> {
  const file = await disk.create(path)
  await file.write([new Uint8Array(length).fill(byte)], 0)
}

describe('SimDisk', () => {
  test('keeps what was synced, and loses or tears the rest', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const disk = new SimDisk({ rng: seeded(seed) })
      const file = await disk.create('a')
      await file.write([new Uint8Array(3000).fill(1), new Uint8Array(3000).fill(1)], 0)
      await file.sync()
      await disk.syncFolder('')
      await file.write([new Uint8Array(6000).fill(2)], 6000)
      const after = disk.crash().contents('a')
      expect(after.subarray(0, 6000).every((byte) => byte === 1)).toBe(true)
      const rest = after.subarray(6000)
      outcomes.add(rest.length === 0 ? 'lost' : rest.every((b) => b === 2) ? 'whole' : 'torn')
    }
    expect([...outcomes].sort()).toEqual(['lost', 'torn', 'whole'])
  })

  test('a file whose folder was not synced may be gone', async () => {
    const found = new Set<boolean>()
    for (let seed = 0; seed < 30; seed++) {
      const disk = new SimDisk({ rng: seeded(seed) })
      await disk.mkdir('f')
      await write(disk, 'f/a', 1, 10)
      await (await disk.open('f/a')).sync()
      found.add(disk.crash().files().includes('f/a'))
    }
    expect(found).toEqual(new Set([true, false]))
  })

  test('a rename is atomic and stands after syncFolder', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const disk = new SimDisk({ rng: seeded(seed) })
      await write(disk, 'old', 1, 10)
      await write(disk, 'new', 2, 10)
      await (await disk.open('old')).sync()
      await (await disk.open('new')).sync()
      await disk.syncFolder('')
      await disk.rename('new', 'old')
      if (seed % 2 === 0) await disk.syncFolder('')
      const next = disk.crash()
      const value = next.contents('old')[0]
      expect(seed % 2 === 0 ? [2] : [1, 2]).toContain(value)
      expect(next.files()).toEqual(value === 2 ? ['old'] : ['new', 'old'])
    }
  })

  test('after a failed sync the pages look written and are not', async () => {
    const disk = new SimDisk({ rng: seeded(1) })
    const file = await disk.create('a')
    await file.sync()
    await disk.syncFolder('')
    await file.write([new Uint8Array(10).fill(7)], 0)
    disk.fail('sync', 'io', { path: 'a' })
    await expect(file.sync()).rejects.toMatchObject({ kind: 'io' })
    await file.sync()
    expect(disk.contents('a')[0]).toBe(7)
    expect(disk.crash().contents('a').every((byte) => byte === 0)).toBe(true)
  })

  test('kill keeps the page cache and lets nothing of the dead process happen', async () => {
    const disk = new SimDisk({ rng: seeded(1) })
    const file = await disk.create('a')
    await file.write([new Uint8Array(10).fill(7)], 0)
    const next = disk.kill()
    let settled = false
    void file.write([new Uint8Array(10).fill(8)], 0).finally(() => { settled = true })
    void disk.create('b').finally(() => { settled = true })
    await next.list('')
    await next.list('')
    expect(settled).toBe(false)
    expect(next.files()).toEqual(['a'])
    expect(next.contents('a')[0]).toBe(7)
  })

  test('a full disk refuses growth, a flipped bit is there for good', async () => {
    const disk = new SimDisk({ rng: seeded(1), capacity: 100 })
    const file = await disk.create('a')
    await file.write([new Uint8Array(90)], 0)
    await expect(file.write([new Uint8Array(20)], 90)).rejects.toMatchObject({ kind: 'no-space' })
    expect(await disk.space()).toEqual({ freeBytes: 10, sizeBytes: 100 })
    disk.flipBit('a', 5)
    await file.sync()
    expect(disk.contents('a')[5]).not.toBe(0)
  })

  test('truncation and growth read zeros', async () => {
    const disk = new SimDisk({ rng: seeded(1) })
    const file = await disk.create('a')
    await file.write([new Uint8Array(10_000).fill(1)], 0)
    await file.truncate(4100)
    await file.write([new Uint8Array([9])], 9000)
    const bytes = disk.contents('a')
    expect([bytes.length, bytes[4099], bytes[4100], bytes[8999], bytes[9000]]).toEqual([9001, 1, 0, 0, 9])
  })
})
