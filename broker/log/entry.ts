// Entries: what happened to a replica, as the journal and the checkpoint hold it. Big-endian:
//
//   type uint8 | length uint32 of what follows | [topicId 8 | partition uint32] | fields
//
//   1 batch            baseOffset int64, leaderEpoch int32, bytes uint32; the bytes are in the frame's body
//   2 epoch            leaderEpoch int32, startOffset int64
//   3 truncate         offset int64: nothing at or above it is left
//   4 reset            offset int64: nothing is left, the log begins there
//   5 log start        offset int64
//   6 high watermark   offset int64
//   7 row              the last row adopted, JSON, UTF-8
//   8 created          replicaGen int64, name of the topic, UTF-8
//   9 removed          (also: was held here once)
//  10 controller epoch int64; has no topicId and no partition
//  11 damaged          replicaGen int64 (0: to be renewed at the next opening), reason, UTF-8
//  12 state            logStart, logEnd, highWatermark int64, highest leader epoch int32
//  13 segment          base, end int64, bytes uint32, flags uint8, largest timestamp, made at int64
//  14 snapshot         offset int64 of a producer snapshot
//
// 12 to 14 are in checkpoints only.
import { assert } from '../assert.ts'
import { readInt32, readInt64, utf8, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { WireError } from '../../wire/errors.ts'

export const entryTypes = {
  batch: 1,
  epoch: 2,
  truncate: 3,
  reset: 4,
  logStart: 5,
  highWatermark: 6,
  row: 7,
  created: 8,
  removed: 9,
  controllerEpoch: 10,
  damaged: 11,
  state: 12,
  segment: 13,
  snapshot: 14
} as const

export type EntryName = keyof typeof entryTypes
export type OffsetEntryName = 'truncate' | 'reset' | 'logStart' | 'highWatermark' | 'snapshot'

const HEAD = 5
const KEY = 12
/** Head, key and the fields of a batch entry. */
export const BATCH_ENTRY_BYTES = HEAD + KEY + 16

/** The twelve bytes that name a replica in every entry. */
export type ReplicaKey = Uint8Array

export function replicaKey (topicId: string, partition: number): ReplicaKey {
  assert(/^[0-9a-f]{16}$/.test(topicId), `not a topic id: ${topicId}`)
  assert(Number.isInteger(partition) && partition >= 0 && partition < 2 ** 31, `partition ${partition}`)
  const key = new Uint8Array(KEY)
  writeInt32(key, 0, parseInt(topicId.slice(0, 8), 16))
  writeInt32(key, 4, parseInt(topicId.slice(8), 16))
  writeInt32(key, 8, partition)
  return key
}

export interface SegmentState {
  readonly base: number
  readonly end: number
  readonly bytes: number
  /** The bytes may hold more than `end` says: the cut is to be found and made. */
  readonly clipped: boolean
  readonly maxTimestamp: number
  readonly createdAt: number
}

/** Collects entries; its memory is used again after clear(). */
export class EntryWriter {
  #bytes: Uint8Array
  #length = 0

  constructor (capacity = 1024) { this.#bytes = new Uint8Array(capacity) }

  get length (): number { return this.#length }
  /** A view, until the next entry or clear(). */
  get bytes (): Uint8Array { return this.#bytes.subarray(0, this.#length) }

  clear (): void { this.#length = 0 }

  batch (key: ReplicaKey, baseOffset: number, epoch: number, bytes: number): void {
    const at = this.#begin(entryTypes.batch, key, 16)
    writeInt64(this.#bytes, at, baseOffset)
    writeInt32(this.#bytes, at + 8, epoch)
    writeInt32(this.#bytes, at + 12, bytes)
  }

  epoch (key: ReplicaKey, epoch: number, startOffset: number): void {
    const at = this.#begin(entryTypes.epoch, key, 12)
    writeInt32(this.#bytes, at, epoch)
    writeInt64(this.#bytes, at + 4, startOffset)
  }

  offset (name: OffsetEntryName, key: ReplicaKey, offset: number): void {
    const at = this.#begin(entryTypes[name], key, 8)
    writeInt64(this.#bytes, at, offset)
  }

  row (key: ReplicaKey, json: Uint8Array): void {
    const at = this.#begin(entryTypes.row, key, json.length)
    this.#bytes.set(json, at)
  }

  created (key: ReplicaKey, replicaGen: number, topic: string): void {
    this.#numberAndText('created', key, replicaGen, topic)
  }

  damaged (key: ReplicaKey, replicaGen: number, reason: string): void {
    this.#numberAndText('damaged', key, replicaGen, reason)
  }

  removed (key: ReplicaKey): void { this.#begin(entryTypes.removed, key, 0) }

  controllerEpoch (epoch: number): void {
    const at = this.#begin(entryTypes.controllerEpoch, undefined, 8)
    writeInt64(this.#bytes, at, epoch)
  }

  state (key: ReplicaKey, logStart: number, logEnd: number, highWatermark: number, epoch: number): void {
    const at = this.#begin(entryTypes.state, key, 28)
    writeInt64(this.#bytes, at, logStart)
    writeInt64(this.#bytes, at + 8, logEnd)
    writeInt64(this.#bytes, at + 16, highWatermark)
    writeInt32(this.#bytes, at + 24, epoch)
  }

  segment (key: ReplicaKey, segment: SegmentState): void {
    const at = this.#begin(entryTypes.segment, key, 37)
    writeInt64(this.#bytes, at, segment.base)
    writeInt64(this.#bytes, at + 8, segment.end)
    writeInt32(this.#bytes, at + 16, segment.bytes)
    this.#bytes[at + 20] = segment.clipped ? 1 : 0
    writeInt64(this.#bytes, at + 21, segment.maxTimestamp)
    writeInt64(this.#bytes, at + 29, segment.createdAt)
  }

  /** A whole entry as it was read. */
  raw (entry: Uint8Array): void {
    this.#reserve(entry.length)
    this.#bytes.set(entry, this.#length)
    this.#length += entry.length
  }

  #numberAndText (name: EntryName, key: ReplicaKey, value: number, text: string): void {
    const encoded = utf8(text)
    const at = this.#begin(entryTypes[name], key, 8 + encoded.length)
    writeInt64(this.#bytes, at, value)
    this.#bytes.set(encoded, at + 8)
  }

  /** Where the fields begin. May replace #bytes: it is to be read after this, not before. */
  #begin (type: number, key: ReplicaKey | undefined, fields: number): number {
    const length = (key === undefined ? 0 : KEY) + fields
    this.#reserve(HEAD + length)
    this.#bytes[this.#length] = type
    writeInt32(this.#bytes, this.#length + 1, length)
    const at = this.#length + HEAD
    if (key !== undefined) this.#bytes.set(key, at)
    this.#length = at + length
    return this.#length - fields
  }

  #reserve (bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + bytes))
    grown.set(this.bytes)
    this.#bytes = grown
  }
}

interface OfReplica { readonly topicId: string, readonly partition: number }

export type Entry = { readonly raw: Uint8Array } & (
  | { readonly name: 'controllerEpoch', readonly epoch: number }
  | OfReplica & { readonly name: 'batch', readonly baseOffset: number, readonly epoch: number,
    readonly bytes: number }
  | OfReplica & { readonly name: 'epoch', readonly epoch: number, readonly startOffset: number }
  | OfReplica & { readonly name: OffsetEntryName, readonly offset: number }
  | OfReplica & { readonly name: 'row', readonly json: string }
  | OfReplica & { readonly name: 'created', readonly replicaGen: number, readonly topic: string }
  | OfReplica & { readonly name: 'damaged', readonly replicaGen: number, readonly reason: string }
  | OfReplica & { readonly name: 'removed' }
  | OfReplica & { readonly name: 'state', readonly logStart: number, readonly logEnd: number,
    readonly highWatermark: number, readonly leaderEpochSeen: number }
  | OfReplica & { readonly name: 'segment', readonly segment: SegmentState })

const names = new Map<number, EntryName>()
for (const [name, type] of Object.entries(entryTypes)) names.set(type, name as EntryName)
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * All entries in `bytes`, whose checksum is right: what cannot be read was written by another version.
 * @throws WireError VOLUME_VERSION.
 */
export function decodeEntries (bytes: Uint8Array): Entry[] {
  const entries: Entry[] = []
  for (let at = 0; at < bytes.length;) {
    const name = names.get(bytes[at] ?? 0)
    const length = readInt32(bytes, at + 1)
    const end = at + HEAD + length
    if (name === undefined || length < 0 || end > bytes.length) throw unreadable(bytes[at] ?? 0)
    entries.push(decode(name, bytes.subarray(at, end)))
    at = end
  }
  return entries
}

function unreadable (type: number): WireError {
  return new WireError('VOLUME_VERSION', `the volume holds an entry of type ${type} that cannot be read`)
}

const fieldBytes: Readonly<Record<EntryName, number>> = {
  batch: 16, epoch: 12, truncate: 8, reset: 8, logStart: 8, highWatermark: 8, row: 0, created: 8,
  removed: 0, controllerEpoch: 8, damaged: 8, state: 28, segment: 37, snapshot: 8
}

function decode (name: EntryName, raw: Uint8Array): Entry {
  const at = name === 'controllerEpoch' ? HEAD : HEAD + KEY
  if (raw.length < at + fieldBytes[name]) throw unreadable(entryTypes[name])
  if (name === 'controllerEpoch') return { raw, name, epoch: readInt64(raw, at) }
  const topicId = Buffer.from(raw.buffer, raw.byteOffset + HEAD, 8).toString('hex')
  const replica = { raw, topicId, partition: readInt32(raw, HEAD + 8) }
  switch (name) {
    case 'batch': return {
      ...replica, name, baseOffset: readInt64(raw, at), epoch: readInt32(raw, at + 8),
      bytes: readInt32(raw, at + 12)
    }
    case 'epoch':
      return { ...replica, name, epoch: readInt32(raw, at), startOffset: readInt64(raw, at + 4) }
    case 'truncate': case 'reset': case 'logStart': case 'highWatermark': case 'snapshot':
      return { ...replica, name, offset: readInt64(raw, at) }
    case 'row': return { ...replica, name, json: decoder.decode(raw.subarray(at)) }
    case 'created': return {
      ...replica, name, replicaGen: readInt64(raw, at), topic: decoder.decode(raw.subarray(at + 8))
    }
    case 'damaged': return {
      ...replica, name, replicaGen: readInt64(raw, at), reason: decoder.decode(raw.subarray(at + 8))
    }
    case 'removed': return { ...replica, name }
    case 'state': return {
      ...replica, name, logStart: readInt64(raw, at), logEnd: readInt64(raw, at + 8),
      highWatermark: readInt64(raw, at + 16), leaderEpochSeen: readInt32(raw, at + 24)
    }
    case 'segment': return {
      ...replica,
      name,
      segment: {
        base: readInt64(raw, at),
        end: readInt64(raw, at + 8),
        bytes: readInt32(raw, at + 16) >>> 0,
        clipped: (raw[at + 20] ?? 0) === 1,
        maxTimestamp: readInt64(raw, at + 21),
        createdAt: readInt64(raw, at + 29)
      }
    }
  }
}
