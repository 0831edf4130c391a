// The codecs that a Node has: gzip and, from 22.15 on, zstd come with it, the others are packages to install.
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { codecIds } from '../compression.ts'
import type { Codec, Compression } from '../compression.ts'
import { WireError } from '../errors.ts'

/** What to install for a compression that Node does not bring. */
export const packages = { snappy: 'snappy', lz4: 'lz4-napi', zstd: '@bokuweb/zstd-wasm' } as const

interface Snappy {
  compressSync (bytes: Uint8Array): Uint8Array
  uncompressSync (bytes: Uint8Array, options: { readonly asBuffer: true }): Uint8Array
}

interface Lz4 {
  compressFrameSync (bytes: Uint8Array): Uint8Array
  decompressFrameSync (bytes: Uint8Array): Uint8Array
}

interface ZstdWasm {
  init (): Promise<void>
  compress (bytes: Uint8Array): Uint8Array
  decompress (bytes: Uint8Array, options: { readonly defaultHeapSize: number }): Uint8Array
}

const require = createRequire(import.meta.url)

function packageOf<T> (name: keyof typeof packages): T {
  try {
    return require(packages[name]) as T
  } catch (cause) {
    throw new WireError('UNSUPPORTED_COMPRESSION', `${name} needs the package ${packages[name]} ` +
      `(npm install ${packages[name]})`, {}, { cause })
  }
}

function tooLarge (bytes: number, bytesMax: number): RangeError {
  return new RangeError(`${bytes} bytes, of ${bytesMax}`)
}

const gzip: Codec = {
  // The fastest level, as Kafka's users set it: a producer's loop waits for it.
  compress: bytes => zlib.gzipSync(bytes, { level: 1 }),
  decompress: (block, bytesMax) => zlib.gunzipSync(block, { maxOutputLength: bytesMax })
}

const XERIAL = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1)
/** Of one block, as Java's writer has it: other readers may expect no more. */
const XERIAL_BLOCK_BYTES = 32 * 1024

function snappy (): Codec {
  const { compressSync, uncompressSync } = packageOf<Snappy>('snappy')
  const blocks = function * (block: Uint8Array): Generator<Uint8Array> {
    if (!XERIAL.subarray(0, 8).every((byte, index) => block[index] === byte)) {
      yield block
      return
    }
    const view = new DataView(block.buffer, block.byteOffset, block.length)
    for (let at = XERIAL.length; at < block.length;) {
      const end = at + 4 + (at + 4 > block.length ? 0 : view.getInt32(at))
      if (end <= at + 4 || end > block.length) throw new Error('a length leads outside')
      yield block.subarray(at + 4, end)
      at = end
    }
  }
  return {
    compress: bytes => {
      const parts: Uint8Array[] = [XERIAL]
      for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
        const block = compressSync(bytes.subarray(at, at + XERIAL_BLOCK_BYTES))
        const length = Buffer.alloc(4)
        length.writeInt32BE(block.length)
        parts.push(length, block)
      }
      return Buffer.concat(parts)
    },
    decompress: (block, bytesMax) => {
      const all = [...blocks(block)]
      // The length that it opens to stands before it: nothing is opened that would be too much.
      const length = all.reduce((sum, part) => sum + snappyLength(part), 0)
      if (length > bytesMax) throw tooLarge(length, bytesMax)
      return Buffer.concat(all.map(part => uncompressSync(part, { asBuffer: true })))
    }
  }
}

/** A block of snappy begins with what it opens to: a varint of 32 bits, not negative. */
function snappyLength (block: Uint8Array): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  throw new Error('no length')
}

const LZ4_MAGIC = 0x184d2204
const LZ4_BLOCK_BYTES: readonly (number | undefined)[] =
  [undefined, undefined, undefined, undefined, 1 << 16, 1 << 18, 1 << 20, 1 << 22]
/** No byte of LZ4 stands for more. */
const LZ4_RATIO_MAX = 255

function lz4 (): Codec {
  const { compressFrameSync, decompressFrameSync } = packageOf<Lz4>('lz4')
  return {
    compress: bytes => compressFrameSync(asBuffer(bytes)),
    decompress: (block, bytesMax) => {
      const most = lz4BytesMax(block)
      if (most > bytesMax) throw tooLarge(most, bytesMax)
      return decompressFrameSync(asBuffer(block))
    }
  }
}

/** What an LZ4 frame can open to at most, by the lengths of its blocks; nothing is opened. */
function lz4BytesMax (frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  if (frame.length < 7 || view.getUint32(0, true) !== LZ4_MAGIC) throw new Error('no LZ4 frame')
  const flags = frame[4]!
  const blockBytes = LZ4_BLOCK_BYTES[(frame[5]! >> 4) & 7]
  if (blockBytes === undefined) throw new Error('an unknown size of blocks')
  const hasSize = (flags & 0x08) !== 0
  const checksumBytes = (flags & 0x10) !== 0 ? 4 : 0
  let most = 0
  for (let at = 7 + (hasSize ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0); at + 4 <= frame.length;) {
    const head = view.getUint32(at, true)
    if (head === 0) return most
    const bytes = head & 0x7fffffff
    most += Math.min(blockBytes, head >= 0x80000000 ? bytes : bytes * LZ4_RATIO_MAX)
    at += 4 + bytes + checksumBytes
  }
  throw new Error('cut off')
}

function asBuffer (bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Node 20 has none, nor has Node 22 before 22.15. */
const isInNode = (zlib as Partial<typeof zlib>).zstdCompressSync !== undefined
const zstdWasm: ZstdWasm | undefined = isInNode ? undefined : await startWasm()

async function startWasm (): Promise<ZstdWasm | undefined> {
  try {
    const wasm = require(packages.zstd) as ZstdWasm
    await wasm.init()
    return wasm
  } catch {
    return undefined
  }
}

const zstdOfNode: Codec = {
  compress: bytes => zlib.zstdCompressSync(bytes),
  decompress: (block, bytesMax) => zlib.zstdDecompressSync(block, { maxOutputLength: bytesMax })
}

/** The package's own: it has no limit, so that what a frame says of its size is looked at before. */
export function zstdOfPackage (wasm: ZstdWasm): Codec {
  return {
    compress: bytes => wasm.compress(bytes),
    decompress: (block, bytesMax) => {
      const stated = zstdLength(block)
      if (stated !== undefined && stated > bytesMax) throw tooLarge(stated, bytesMax)
      if (stated !== undefined) return wasm.decompress(block, { defaultHeapSize: stated })
      // Java's writer does not say the size: room is made for more until it is enough.
      for (let room = Math.min(bytesMax, block.length * 8); ; room = Math.min(bytesMax, room * 4)) {
        try {
          return wasm.decompress(block, { defaultHeapSize: room })
        } catch (error) {
          // It does not tell a broken block from one that is too large.
          if (room >= bytesMax) throw error
        }
      }
    }
  }
}

/** What a zstd frame says that it opens to (RFC 8878, 3.1.1.1); undefined when it does not. */
function zstdLength (frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  if (frame.length < 6 || view.getUint32(0, true) !== 0xfd2fb528) throw new Error('no zstd frame')
  const descriptor = frame[4]!
  const isSingle = (descriptor & 0x20) !== 0
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  switch (descriptor >> 6) {
    case 0: return isSingle ? view.getUint8(at) : undefined
    case 1: return view.getUint16(at, true) + 256
    case 2: return view.getUint32(at, true)
    default: return Number(view.getBigUint64(at, true))
  }
}

function zstd (): Codec {
  if (isInNode) return zstdOfNode
  if (zstdWasm !== undefined) return zstdOfPackage(zstdWasm)
  return zstdOfPackage(packageOf<ZstdWasm>('zstd'))
}

const makers: Readonly<Record<Compression, () => Codec>> = { gzip: () => gzip, snappy, lz4, zstd }
const made = new Map<Compression, Codec>()

/** @throws WireError UNSUPPORTED_COMPRESSION, naming the package that is not installed. */
export function nodeCodec (name: Compression): Codec {
  let codec = made.get(name)
  if (codec === undefined) {
    if (!Object.hasOwn(codecIds, name)) throw new WireError('UNSUPPORTED_COMPRESSION', `there is no ${String(name)}`)
    codec = makers[name]()
    made.set(name, codec)
  }
  return codec
}
