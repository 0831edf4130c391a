import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { readInt64, utf8, writeInt64 } from '../../wire/bytes.ts'
import { crc32c, crc32cTables } from '../../wire/crc32c.ts'
import { murmur2, partitionOfKey } from '../../wire/murmur2.ts'
import {
  VarintReader, varintSize, varlongSize, writeVarint, writeVarlong
} from '../../wire/varint.ts'

describe('crc32c', () => {
  it('gives the check value of RFC 3720', () => {
    expect(crc32c(utf8('123456789')).toString(16)).toBe('e3069283')
  })

  it('is the same by tables and by the native call, for any range', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: 700 }), fc.nat(300), (bytes, skip) => {
      const start = Math.min(skip, bytes.length)
      expect(crc32c(bytes, start)).toBe(crc32cTables(bytes, start, bytes.length))
    }))
  })
})

describe('crc32c of bytes in pieces', () => {
  it('is that of the whole', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: 900 }), fc.nat(900), (bytes, at) => {
      const cut = Math.min(at, bytes.length)
      expect(crc32c(bytes, cut, bytes.length, crc32c(bytes, 0, cut))).toBe(crc32c(bytes))
    }))
  })
})

describe('murmur2', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
    ['', 0x106e08d9]
  ])('of %j is %i', (text, hash) => {
    expect(murmur2(utf8(text))).toBe(hash)
    expect(partitionOfKey(utf8(text), 12)).toBe((hash & 0x7fffffff) % 12)
  })

  it('hashes a range like a copy of it', () => {
    expect(murmur2(utf8('xxfoobaryy'), 2, 8)).toBe(-790332482)
  })
})

describe('integers', () => {
  it('int64 keeps every safe integer', () => {
    const bytes = new Uint8Array(8)
    fc.assert(fc.property(fc.maxSafeInteger(), value => {
      writeInt64(bytes, 0, value)
      expect(readInt64(bytes, 0)).toBe(value)
      expect(new DataView(bytes.buffer).getBigInt64(0)).toBe(BigInt(value))
    }))
  })
})

describe('varints', () => {
  const bytes = new Uint8Array(16)

  /** Zig-zag by the book, with BigInt. */
  function reference (value: number): number[] {
    const big = BigInt(value)
    let zigzag = big < 0n ? -big * 2n - 1n : big * 2n
    const out: number[] = []
    while (zigzag >= 128n) {
      out.push(Number(zigzag & 127n) | 128)
      zigzag >>= 7n
    }
    return [...out, Number(zigzag)]
  }

  it('32 bits', () => {
    const edges = [0, -1, 63, 64, -64, -65, 2 ** 31 - 1, -(2 ** 31)].map(value => [value] as [number])
    fc.assert(fc.property(fc.integer(), value => {
      const end = writeVarint(bytes, 0, value)
      expect([...bytes.subarray(0, end)]).toEqual(reference(value))
      expect(varintSize(value)).toBe(end)
      expect(new VarintReader(bytes, 0, end).varint()).toBe(value)
    }), { examples: edges })
  })

  it('64 bits, up to 2^53 - 1', () => {
    const edges = [2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 27, 2 ** 34]
      .map(value => [value] as [number])
    fc.assert(fc.property(fc.maxSafeInteger(), value => {
      const end = writeVarlong(bytes, 0, value)
      expect([...bytes.subarray(0, end)]).toEqual(reference(value))
      expect(varlongSize(value)).toBe(end)
      expect(new VarintReader(bytes, 0, end).varlong()).toBe(value)
    }), { examples: edges })
  })

  it('refuses what is too long, too large or cut off', () => {
    const broken = (...raw: number[]): VarintReader => new VarintReader(new Uint8Array(raw), 0, raw.length)
    expect(() => broken(0x80).varint()).toThrow(/past the end/)
    expect(() => broken().varint()).toThrow(/past the end/)
    expect(() => broken(0xff, 0xff, 0xff, 0xff, 0x1f).varint()).toThrow(/32 bits/)
    expect(() => broken(0xff, 0xff, 0xff, 0xff, 0x8f, 0).varint()).toThrow(/32 bits|byte/)
    expect(() => broken(...Array<number>(9).fill(0xff), 1).varlong()).toThrow(/2\^53/)
    expect(() => broken(...Array<number>(7).fill(0x80), 0x40).varlong()).toThrow(/2\^53/)
  })
})
