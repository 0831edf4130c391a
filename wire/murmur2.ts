// murmur2 with Kafka's seed, so that a key goes to the same partition as with Kafka's clients.

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** A signed 32-bit hash of bytes[start, end). */
export function murmur2 (bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = SEED ^ (end - start)
  let at = start
  for (; at + 4 <= end; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, M)
    k = Math.imul(k ^ (k >>> 24), M)
    hash = Math.imul(hash, M) ^ k
  }
  const left = end - at
  if (left === 3) hash ^= bytes[at + 2]! << 16
  if (left >= 2) hash ^= bytes[at + 1]! << 8
  if (left >= 1) hash = Math.imul(hash ^ bytes[at]!, M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

/** The partition of a key, in [0, partitions). An empty key is a key. */
export function partitionOfKey (bytes: Uint8Array, partitions: number, start = 0,
  end = bytes.length): number {
  return (murmur2(bytes, start, end) & 0x7fffffff) % partitions
}
