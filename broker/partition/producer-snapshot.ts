// A snapshot of producer state, big-endian:
//
//   crc32c u32 over the rest | version u8 = 1 | count u32 | count times:
//     producerId i64 | epoch i16 | lastSequence i32 | evicted u8 | batches u8 | that many times:
//       epoch i16 | baseSequence i32 | lastSequence i32 | baseOffset i64 | lastOffset i64
import * as limits from '../limits.ts'
import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { crc32c } from '../../wire/crc32c.ts'
import type { Producer, ProducerBatch, ProducerStates } from './producer-state.ts'

const version = 1
const headBytes = 9
const producerBytes = 16
const batchBytes = 26

export function encodeProducers (states: ProducerStates): Uint8Array {
  let size = headBytes
  for (const [, producer] of states.entries()) size += producerBytes + producer.batches.length * batchBytes
  const bytes = new Uint8Array(size)
  bytes[4] = version
  writeInt32(bytes, 5, states.size)
  let at = headBytes
  for (const [id, producer] of states.entries()) {
    writeInt64(bytes, at, id)
    writeInt16(bytes, at + 8, producer.epoch)
    writeInt32(bytes, at + 10, producer.lastSequence)
    bytes[at + 14] = producer.evicted ? 1 : 0
    bytes[at + 15] = producer.batches.length
    at += producerBytes
    for (const batch of producer.batches) {
      writeInt16(bytes, at, batch.epoch)
      writeInt32(bytes, at + 2, batch.baseSequence)
      writeInt32(bytes, at + 6, batch.lastSequence)
      writeInt64(bytes, at + 10, batch.baseOffset)
      writeInt64(bytes, at + 18, batch.lastOffset)
      at += batchBytes
    }
  }
  writeInt32(bytes, 0, crc32c(bytes, 4))
  return bytes
}

/**
 * Fills `states`, which is emptied first. False, and empty, when the bytes are not a whole snapshot of this
 * version: the state is then rebuilt from the log alone.
 */
export function decodeProducers (bytes: Uint8Array, states: ProducerStates, nowMs: number): boolean {
  states.clear()
  if (bytes.length < headBytes || bytes[4] !== version) return false
  if (readInt32(bytes, 0) >>> 0 !== crc32c(bytes, 4)) return false
  const count = readInt32(bytes, 5)
  let at = headBytes
  for (let n = 0; n < count; n++) {
    const batchCount = bytes[at + 15] ?? 0
    const end = at + producerBytes + batchCount * batchBytes
    if (end > bytes.length || batchCount > limits.producerBatchesMax) {
      states.clear()
      return false
    }
    states.restore(readInt64(bytes, at), readProducer(bytes, at, batchCount, nowMs))
    at = end
  }
  return true
}

function readProducer (bytes: Uint8Array, start: number, batchCount: number, nowMs: number): Producer {
  const batches: ProducerBatch[] = []
  let at = start + producerBytes
  for (let n = 0; n < batchCount; n++) {
    batches.push({
      epoch: readInt16(bytes, at),
      baseSequence: readInt32(bytes, at + 2),
      lastSequence: readInt32(bytes, at + 6),
      baseOffset: readInt64(bytes, at + 10),
      lastOffset: readInt64(bytes, at + 18)
    })
    at += batchBytes
  }
  return {
    epoch: readInt16(bytes, start + 8),
    lastSequence: readInt32(bytes, start + 10),
    evicted: bytes[start + 14] === 1,
    batches,
    usedMs: nowMs
  }
}
