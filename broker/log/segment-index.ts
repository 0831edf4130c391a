// The indexes of a segment, as Kafka has them, big-endian:
//
//   .index      8 bytes an entry: offset - base uint32, position in the .log uint32
//   .timeindex 12 bytes an entry: largest timestamp so far int64, offset - base uint32 of the batch up to
//              which it is the largest
//
// An entry every 4 KiB of log. They are never synced: what a crash left of them is checked when first used,
// and the rest is made again from the log. An entry is a hint: the batch that it points to must be there.
import { readInt32, readInt64, writeInt32, writeInt64 } from '../../wire/bytes.ts'
import { assert } from '../assert.ts'
import type { Disk } from '../io/ports.ts'
import { DiskError } from '../io/ports.ts'
import type { LogFiles } from './log-files.ts'
import type { LogState } from './log-state.ts'
import { indexSuffix, logSuffix, timeIndexSuffix } from './segment.ts'
import type { Segment } from './segment.ts'
import { goodBatch, scanBatches } from './segment-scan.ts'
import type { ReadAt } from './segment-scan.ts'

const INDEX_ENTRY = 8
const TIME_ENTRY = 12
/** A segment has at most 2 GiB, an entry at least every index interval: far more than that. */
const INDEX_BYTES_MAX = 64 * 1024 * 1024
const CACHE_BYTES_MAX = 16 * 1024 * 1024
/** The index may lag so much before it is made again: a batch may be this large, and reads are 1 MiB. */
const GAP_BYTES_MAX = 1024 * 1024
const none = new Uint8Array(0)

export interface IndexFloor {
  readonly position: number
  readonly offset: number
}

/** Notes a batch at `position` of a segment, when the interval since the last entry has passed. */
export function noteBatch (segment: Segment, batch: { base: number, maxTimestamp: number }, position: number,
  intervalBytes: number): void {
  const timestamp = Math.max(segment.indexedTimestamp, batch.maxTimestamp)
  if (position - segment.indexedAt >= intervalBytes) {
    segment.index.push(batch.base - segment.base, position)
    segment.indexedAt = position
    const last = segment.timeIndex.at(-2) ?? segment.lastTimeEntry
    if (timestamp > last) segment.timeIndex.push(timestamp, batch.base - segment.base)
  }
  segment.indexedTimestamp = timestamp
}

export class SegmentIndexes {
  readonly #disk: Disk
  readonly #files: LogFiles
  readonly #intervalBytes: number
  /** Index files read, least recently used first. */
  readonly #cache = new Map<Segment, Uint8Array>()
  #cacheBytes = 0

  constructor (disk: Disk, files: LogFiles, intervalBytes: number) {
    this.#disk = disk
    this.#files = files
    this.#intervalBytes = intervalBytes
  }

  /** The last entry at or before `offset`; the begin of the segment when there is none. */
  async floor (log: LogState, segment: Segment, offset: number): Promise<IndexFloor> {
    await this.ready(log, segment)
    const wanted = offset - segment.base
    const { index } = segment
    for (let i = index.length - 2; i >= 0; i -= 2) {
      if (index[i]! <= wanted) return { offset: segment.base + index[i]!, position: index[i + 1]! }
    }
    const bytes = await this.#load(log, segment)
    let low = 0
    let high = bytes.length / INDEX_ENTRY
    while (low < high) {
      const middle = (low + high) >>> 1
      if (readInt32(bytes, middle * INDEX_ENTRY) >>> 0 <= wanted) low = middle + 1
      else high = middle
    }
    if (low === 0) return { offset: segment.base, position: 0 }
    const at = (low - 1) * INDEX_ENTRY
    return { offset: segment.base + (readInt32(bytes, at) >>> 0), position: readInt32(bytes, at + 4) >>> 0 }
  }

  /** An offset of the segment such that everything before it is older than `timestamp`. */
  async timeFloor (log: LogState, segment: Segment, timestamp: number): Promise<number> {
    await this.ready(log, segment)
    const path = this.#path(log, segment, timeIndexSuffix)
    const bytes = await this.#readPrefix(path, segment.timeIndexEntries, TIME_ENTRY)
    let floor = 0
    for (let at = 0; at < bytes.length && readInt64(bytes, at) < timestamp; at += TIME_ENTRY) {
      floor = readInt32(bytes, at + 8) >>> 0
    }
    for (let i = 0; i < segment.timeIndex.length && segment.timeIndex[i]! < timestamp; i += 2) {
      floor = segment.timeIndex[i + 1]!
    }
    return Math.min(segment.base + floor, segment.end)
  }

  /** Writes what is only in memory to the files. One at a time for a segment. */
  async flush (log: LogState, segment: Segment): Promise<void> {
    await this.ready(log, segment)
    const index = segment.index.splice(0)
    const times = segment.timeIndex.splice(0)
    if (index.length === 0) return
    const bytes = new Uint8Array(index.length / 2 * INDEX_ENTRY)
    index.forEach((value, i) => { writeInt32(bytes, i * 4, value) })
    const timeBytes = encodeTimes(times)
    const at = segment.indexEntries * INDEX_ENTRY
    const timeAt = segment.timeIndexEntries * TIME_ENTRY
    // Counted before they are written: a reader that comes between asks the file, and finds less.
    segment.indexEntries += bytes.length / INDEX_ENTRY
    segment.timeIndexEntries += timeBytes.length / TIME_ENTRY
    segment.lastTimeEntry = times.at(-2) ?? segment.lastTimeEntry
    await this.#files.writeOnce(this.#path(log, segment, indexSuffix), [bytes], at)
    if (timeBytes.length > 0) {
      await this.#files.writeOnce(this.#path(log, segment, timeIndexSuffix), [timeBytes], timeAt)
    }
    this.forget(segment)
  }

  /** Checks the files of a segment that an earlier process wrote, and mends them. */
  ready (log: LogState, segment: Segment): Promise<void> {
    if (segment.indexEntries >= 0) return Promise.resolve()
    segment.indexReady ??= this.#check(log, segment)
    return segment.indexReady
  }

  /** Makes the indexes again from the log: an entry pointed to nothing. */
  rebuild (log: LogState, segment: Segment): Promise<void> {
    if (segment.indexEntries < 0) return this.ready(log, segment)
    this.forget(segment)
    segment.indexEntries = -1
    segment.restoredBytes = segment.writtenBytes
    segment.restoredEnd = segment.writtenEnd
    segment.index = []
    segment.timeIndex = []
    segment.indexReady = this.#extend(log, segment, none, none)
    return segment.indexReady
  }

  /** Finds where the clipped end of a segment lies in its file; false when it is not there. */
  async findEnd (log: LogState, segment: Segment): Promise<boolean> {
    const { end } = segment
    const floor = await this.floor(log, segment, end)
    const path = this.#path(log, segment, logSuffix)
    const stop = await scanBatches((position, length) => this.#files.read(path, position, length), floor,
      segment.writtenBytes, header => header.lastOffset < end)
    if (segment.end !== end) return true
    if (stop.offset !== end) return false
    segment.bytes = segment.writtenBytes = stop.position
    segment.clipped = false
    this.forget(segment)
    return true
  }

  forget (segment: Segment): void {
    this.#cacheBytes -= this.#cache.get(segment)?.length ?? 0
    this.#cache.delete(segment)
  }

  async #check (log: LogState, segment: Segment): Promise<void> {
    const index = await this.#readPrefix(this.#path(log, segment, indexSuffix), Infinity, INDEX_ENTRY)
    const times = await this.#readPrefix(this.#path(log, segment, timeIndexSuffix), Infinity, TIME_ENTRY)
    const good = goodIndex(index, segment)
    const goodTimes = goodTimeIndex(times, segment)
    const last = good.length - INDEX_ENTRY
    if (last >= 0) {
      const position = readInt32(good, last + 4) >>> 0
      const chunk = await this.#files.read(this.#path(log, segment, logSuffix), position,
        Math.min(GAP_BYTES_MAX, segment.writtenBytes - position))
      const header = goodBatch(chunk, 0)
      const right = header === undefined ? chunk.length === GAP_BYTES_MAX
        : header.baseOffset === segment.base + (readInt32(good, last) >>> 0)
      const gap = segment.writtenBytes - position
      const timesThere = goodTimes.length > 0 || segment.maxTimestamp < 0
      if (right && timesThere) {
        if (gap <= GAP_BYTES_MAX) this.#settle(segment, good, goodTimes)
        else await this.#extend(log, segment, good, goodTimes)
        return
      }
    }
    await this.#extend(log, segment, none, none)
  }

  #settle (segment: Segment, index: Uint8Array, times: Uint8Array): void {
    segment.indexEntries = index.length / INDEX_ENTRY
    segment.timeIndexEntries = times.length / TIME_ENTRY
    segment.lastTimeEntry = times.length === 0 ? -1 : readInt64(times, times.length - TIME_ENTRY)
  }

  /** Goes on from the last good entry to the end of what is written, and writes the whole files. */
  async #extend (log: LogState, segment: Segment, index: Uint8Array, times: Uint8Array): Promise<void> {
    const last = index.length - INDEX_ENTRY
    const start = last < 0 ? { position: 0, offset: segment.base }
      : { position: readInt32(index, last + 4) >>> 0, offset: segment.base + (readInt32(index, last) >>> 0) }
    const entries: number[] = []
    const timeEntries: number[] = []
    const path = this.#path(log, segment, logSuffix)
    let indexedAt = start.position
    let timestamp = times.length === 0 ? -1 : readInt64(times, times.length - TIME_ENTRY)
    let timeEntry = timestamp
    const read: ReadAt = (position, length) => this.#files.read(path, position, length)
    await scanBatches(read, start, segment.restoredBytes, header => {
      timestamp = Math.max(timestamp, header.maxTimestamp)
      if (header.position - indexedAt < this.#intervalBytes) return true
      indexedAt = header.position
      entries.push(header.baseOffset - segment.base, header.position)
      if (timestamp > timeEntry) timeEntries.push(timestamp, header.baseOffset - segment.base)
      timeEntry = Math.max(timeEntry, timestamp)
      return true
    })
    const more = new Uint8Array(entries.length * 4)
    entries.forEach((value, i) => { writeInt32(more, i * 4, value) })
    const whole = Buffer.concat([index, more])
    const wholeTimes = Buffer.concat([times, encodeTimes(timeEntries)])
    await this.#files.writeOnce(this.#path(log, segment, indexSuffix), [whole], 0)
    await this.#files.writeOnce(this.#path(log, segment, timeIndexSuffix), [wholeTimes], 0)
    this.#settle(segment, whole, wholeTimes)
  }

  async #load (log: LogState, segment: Segment): Promise<Uint8Array> {
    const cached = this.#cache.get(segment)
    if (cached !== undefined) {
      this.#cache.delete(segment)
      this.#cache.set(segment, cached)
      return cached
    }
    const path = this.#path(log, segment, indexSuffix)
    const bytes = await this.#readPrefix(path, segment.indexEntries, INDEX_ENTRY)
    this.forget(segment)
    this.#cache.set(segment, bytes)
    this.#cacheBytes += bytes.length
    for (const oldest of this.#cache.keys()) {
      if (this.#cacheBytes <= CACHE_BYTES_MAX || oldest === segment) break
      this.forget(oldest)
    }
    return bytes
  }

  async #readPrefix (path: string, entries: number, entryBytes: number): Promise<Uint8Array> {
    try {
      const bytes = await this.#disk.read(path, INDEX_BYTES_MAX)
      const whole = Math.floor(bytes.length / entryBytes)
      return bytes.subarray(0, Math.min(whole, entries) * entryBytes)
    } catch (error) {
      if (error instanceof DiskError && error.kind !== 'no-space') return none
      throw error
    }
  }

  #path (log: LogState, segment: Segment, suffix: string): string {
    return this.#files.path(log, segment, suffix)
  }
}

function encodeTimes (times: readonly number[]): Uint8Array {
  assert(times.length % 2 === 0, 'pairs')
  const bytes = new Uint8Array(times.length / 2 * TIME_ENTRY)
  for (let i = 0; i < times.length; i += 2) {
    writeInt64(bytes, i / 2 * TIME_ENTRY, times[i]!)
    writeInt32(bytes, i / 2 * TIME_ENTRY + 8, times[i + 1]!)
  }
  return bytes
}

/** The entries from the first on that ascend and lie in what an earlier process wrote. */
function goodIndex (bytes: Uint8Array, segment: Segment): Uint8Array {
  let offset = 0
  let position = 0
  let at = 0
  for (; at < bytes.length; at += INDEX_ENTRY) {
    const [nextOffset, nextPosition] = [readInt32(bytes, at) >>> 0, readInt32(bytes, at + 4) >>> 0]
    if (nextOffset <= offset || nextPosition <= position) break
    if (segment.base + nextOffset >= segment.restoredEnd || nextPosition >= segment.restoredBytes) break
    offset = nextOffset
    position = nextPosition
  }
  return bytes.subarray(0, at)
}

function goodTimeIndex (bytes: Uint8Array, segment: Segment): Uint8Array {
  let timestamp = -1
  let offset = 0
  let at = 0
  for (; at < bytes.length; at += TIME_ENTRY) {
    const [nextTimestamp, nextOffset] = [readInt64(bytes, at), readInt32(bytes, at + 8) >>> 0]
    if (nextTimestamp <= timestamp || nextOffset <= offset) break
    if (segment.base + nextOffset >= segment.restoredEnd) break
    timestamp = nextTimestamp
    offset = nextOffset
  }
  return bytes.subarray(0, at)
}
