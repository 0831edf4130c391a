// Big-endian integers in byte arrays, without a DataView per array. Positions are checked by callers:
// reading past the end gives zeros, never another array's bytes.

const TWO_32 = 2 ** 32

export function readInt16 (bytes: Uint8Array, position: number): number {
  return (bytes[position]! << 24 >> 16) | bytes[position + 1]!
}

export function readInt32 (bytes: Uint8Array, position: number): number {
  return (bytes[position]! << 24) | (bytes[position + 1]! << 16) | (bytes[position + 2]! << 8) |
    bytes[position + 3]!
}

/** Exact for values within ±(2^53 - 1); callers check with Number.isSafeInteger. */
export function readInt64 (bytes: Uint8Array, position: number): number {
  return readInt32(bytes, position) * TWO_32 + (readInt32(bytes, position + 4) >>> 0)
}

export function writeInt16 (bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 8
  bytes[position + 1] = value
}

export function writeInt32 (bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 24
  bytes[position + 1] = value >> 16
  bytes[position + 2] = value >> 8
  bytes[position + 3] = value
}

export function writeInt64 (bytes: Uint8Array, position: number, value: number): void {
  const high = Math.floor(value / TWO_32)
  writeInt32(bytes, position, high)
  writeInt32(bytes, position + 4, value - high * TWO_32)
}

// A native copy costs a call and a view of about 60 ns; below this many bytes a loop is quicker.
const LOOP_COPY_BYTES_MAX = 40

/** Copies source[start, end) to target at `position`; the target has the room. */
export function copyBytes (source: Uint8Array, start: number, end: number, target: Uint8Array,
  position: number): void {
  if (end - start > LOOP_COPY_BYTES_MAX) {
    target.set(source.subarray(start, end), position)
    return
  }
  for (let from = start, to = position; from < end; from++, to++) target[to] = source[from]!
}

const encoder = new TextEncoder()
// Measured: an array of at most 64 bytes costs a quarter of what encode() makes, whose memory is outside of the heap.
const short = new Uint8Array(64)

export function utf8 (text: string): Uint8Array {
  if (text.length <= short.length) {
    const { read, written } = encoder.encodeInto(text, short)
    if (read === text.length) return short.slice(0, written)
  }
  return encoder.encode(text)
}
