import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { init, compress, decompress } from '@bokuweb/zstd-wasm'
import { compressSync } from 'snappy'
import { beforeAll, describe, expect, it } from 'vitest'
import { nodeCodec, zstdOfPackage } from '../../../wire/adapters/node-compression.ts'
import { codecIds, openBlock } from '../../../wire/compression.ts'
import type { Codec, Compression } from '../../../wire/compression.ts'
import { WireError } from '../../../wire/errors.ts'

const names = Object.keys(codecIds) as Compression[]
const codecs: [string, Compression, () => Codec][] = [
  ...names.map((name): [string, Compression, () => Codec] => [name, name, () => nodeCodec(name)]),
  ['zstd of the package', 'zstd', () => zstdOfPackage({ init, compress, decompress })]
]
const zeros = new Uint8Array(1 << 20)

beforeAll(async () => { await init() })

function open (codec: Codec, name: Compression, block: Uint8Array, bytesMax: number): Uint8Array {
  return openBlock(() => codec, codecIds[name], block, bytesMax)
}

function codeOf (work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
  return 'none'
}

describe.each(codecs)('%s', (_, name, codec) => {
  it('gives back what it was given', () => {
    const pieces = fc.uint8Array({ minLength: 1, maxLength: 200_000 })
    fc.assert(fc.property(pieces, fc.integer({ min: 1, max: 20 }), (piece, times) => {
      const bytes = Buffer.concat(Array.from({ length: times }, () => piece))
      const block = codec().compress(bytes)
      // Limits that it just meets: LZ4's is known by whole blocks only.
      const opened = open(codec(), name, block, name === 'lz4' ? bytes.length + (1 << 22) : bytes.length)
      expect(Buffer.compare(Buffer.from(opened), bytes)).toBe(0)
    }), { numRuns: 20 })
  })

  it('makes less of what repeats, also of a view in the middle of larger bytes', () => {
    const bytes = zeros.subarray(1_000, 101_000)
    const block = codec().compress(bytes)
    expect(block.length).toBeLessThan(10_000)
    const larger = Buffer.concat([Buffer.from('before'), block, Buffer.from('behind')])
    expect(open(codec(), name, larger.subarray(6, 6 + block.length), 1 << 23)).toHaveLength(100_000)
  })

  it('opens nothing beyond the limit', () => {
    const bomb = codec().compress(zeros)
    expect(codeOf(() => open(codec(), name, bomb, zeros.length / 4))).toBe('RECORD_TOO_LARGE')
  })

  it('calls rubbish what it is, whatever it claims', () => {
    const block = codec().compress(zeros)
    expect(codeOf(() => open(codec(), name, new Uint8Array(0), 1 << 20))).toBe('CORRUPT_BATCH')
    expect(codeOf(() => open(codec(), name, block.subarray(0, block.length / 2), 1 << 23))).toBe('CORRUPT_BATCH')
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      expect(['CORRUPT_BATCH', 'RECORD_TOO_LARGE', 'none'])
        .toContain(codeOf(() => open(codec(), name, bytes, 1 << 20)))
    }))
  })
})

describe('what other clients write', () => {
  it('snappy without a frame', () => {
    const text = Buffer.from('hello hello hello hello')
    expect(Buffer.from(open(nodeCodec('snappy'), 'snappy', compressSync(text), 100)).equals(text)).toBe(true)
  })

  it('snappy framed as by Java, in several blocks', () => {
    const block = nodeCodec('snappy').compress(zeros.subarray(0, 70_000))
    expect(Buffer.from(block.subarray(0, 16)).toString('hex')).toBe('82534e41505059000000000100000001')
    let blocks = 0
    for (let at = 16; at < block.length; at += 4 + Buffer.from(block).readInt32BE(at)) blocks++
    expect(blocks).toBe(3)
  })

  const zstds = codecs.filter(([, name]) => name === 'zstd')
  it.each(zstds)('zstd that does not say its size (%s)', async (_, name, codec) => {
    const stream = createZstdCompress()
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    const ended = new Promise(resolve => { stream.on('end', resolve) })
    stream.write(zeros.subarray(0, 300_000))
    stream.end(zeros.subarray(0, 300_000))
    await ended
    const block = Buffer.concat(parts)
    expect(block[4]! & 0xe0).toBe(0)
    expect(open(codec(), name, block, 1 << 20)).toHaveLength(600_000)
    expect(codeOf(() => open(codec(), name, block, 500_000))).not.toBe('none')
  })

  it('zstd and gzip of another level', () => {
    expect(open(nodeCodec('zstd'), 'zstd', zstdCompressSync(zeros), zeros.length)).toHaveLength(zeros.length)
    expect(open(nodeCodec('gzip'), 'gzip', gzipSync(zeros, { level: 9 }), zeros.length)).toHaveLength(zeros.length)
  })
})

it('refuses what it does not know', () => {
  expect(codeOf(() => nodeCodec('brotli' as Compression))).toBe('UNSUPPORTED_COMPRESSION')
  expect(codeOf(() => openBlock(nodeCodec, 5, zeros, 1))).toBe('UNSUPPORTED_BATCH')
})
