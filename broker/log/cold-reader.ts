// Reads of segment files: bounded in number and size, every batch checked before it leaves.
import { WireError } from '../../wire/errors.ts'
import { DiskError } from '../io/ports.ts'
import type { LogFiles } from './log-files.ts'
import type { LogState } from './log-state.ts'
import type { ReplicaLogImpl } from './replica-log.ts'
import { logSuffix, segmentName, snapshotSuffix } from './segment.ts'
import type { Segment } from './segment.ts'
import type { SegmentIndexes } from './segment-index.ts'
import { claimedBytes, goodBatch } from './segment-scan.ts'
import { decodeSnapshot } from './snapshot-file.ts'
import type { VolumeSettings } from './settings.ts'

/** A read that lost a race with truncation or retention is tried again, so often. */
const attemptsMax = 8
const empty = new Uint8Array(0)

interface Found {
  readonly bytes: Uint8Array
  /** The log moved under the read, or an index entry was wrong: try again. */
  readonly again: boolean
}

export class ColdReader {
  readonly #files: LogFiles
  readonly #indexes: SegmentIndexes
  readonly #settings: VolumeSettings
  #running = 0
  readonly #waiting: (() => void)[] = []
  /** Where the last read of a log ended: a reader that goes on needs no index. */
  readonly #ends = new WeakMap<Segment, { offset: number, position: number }>()
  reads = 0

  constructor (files: LogFiles, indexes: SegmentIndexes, settings: VolumeSettings) {
    this.#files = files
    this.#indexes = indexes
    this.#settings = settings
  }

  /** As ReplicaLog.read, for what is not in memory. */
  async read (log: ReplicaLogImpl, offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array> {
    await this.#acquire()
    try {
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        log.checkRange(offset)
        const inMemory = log.readTail(offset, offsetEnd, bytesMax)
        if (inMemory !== undefined) return inMemory
        const found = await this.#attempt(log, offset, offsetEnd, bytesMax)
        if (!found.again) return found.bytes
      }
      throw new WireError('UNAVAILABLE', 'the log changed again and again while it was read')
    } finally {
      this.#release()
    }
  }

  async timeFloor (log: ReplicaLogImpl, timestamp: number): Promise<number> {
    const { state } = log
    const segment = state.segments.find(candidate => candidate.maxTimestamp >= timestamp)
    if (segment === undefined) return state.logEnd
    if (!segment.created) return segment.base
    return await this.#indexes.timeFloor(state, segment, timestamp)
  }

  /** The newest readable producer snapshot at or below `offset`. */
  async readSnapshot (state: LogState, offset: number):
    Promise<{ offset: number, state: Uint8Array } | undefined> {
    for (const snapshot of state.snapshots.toReversed()) {
      if (snapshot.offset > offset || snapshot.offset < state.logStart) continue
      if (snapshot.bytes !== undefined) return { offset: snapshot.offset, state: snapshot.bytes }
      const path = `${this.#files.folder(state)}/${segmentName(snapshot.offset, snapshotSuffix)}`
      const bytes = await this.#readWhole(path)
      const contents = bytes === undefined ? undefined : decodeSnapshot(bytes, snapshot.offset)
      if (contents !== undefined) return { offset: snapshot.offset, state: contents }
    }
    return undefined
  }

  async #readWhole (path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#files.read(path, 0, Infinity)
    } catch (error) {
      // Producer state can be rebuilt from the log, only more slowly.
      if (error instanceof DiskError) return undefined
      throw error
    } finally {
      this.#files.forget(path)
    }
  }

  async #attempt (log: ReplicaLogImpl, offset: number, offsetEnd: number, bytesMax: number): Promise<Found> {
    const { state } = log
    const { truncations, logStart } = state
    const segment = state.segments.find(candidate => candidate.end > offset)
    if (segment === undefined) return { bytes: empty, again: true }
    const moved = (): boolean => log.removed || state.truncations !== truncations ||
      (state.logStart !== logStart && offset < state.logStart)
    try {
      const end = Math.min(offsetEnd, segment.writtenEnd)
      const bytes = await this.#readSegment(state, segment, offset, end, bytesMax)
      if (moved()) return { bytes: empty, again: true }
      if (bytes !== undefined) return { bytes, again: false }
    } catch (error) {
      if (moved()) return { bytes: empty, again: true }
      if (!(error instanceof DiskError)) throw error
      log.markDamaged(`offset ${offset} cannot be read: ${error.message}`)
      throw new WireError('VOLUME_FAILED', `${state.topic}-${state.partition}: ${error.message}`, {}, { cause: error })
    }
    const reason = `the batch at offset ${offset} in segment ${segment.base} is damaged`
    log.markDamaged(reason)
    throw new WireError('CORRUPT_BATCH', `${state.topic}-${state.partition}: ${reason}`)
  }

  /** Undefined: the batch that holds `offset` is not where it has to be, even by a new index. */
  async #readSegment (state: LogState, segment: Segment, offset: number, offsetEnd: number,
    bytesMax: number): Promise<Uint8Array | undefined> {
    const known = this.#ends.get(segment)
    if (known?.offset === offset) {
      const bytes = await this.#readFrom(state, segment, known, offset, offsetEnd, bytesMax)
      if (bytes !== undefined) return bytes
    }
    const floor = await this.#indexes.floor(state, segment, offset)
    const bytes = await this.#readFrom(state, segment, floor, offset, offsetEnd, bytesMax)
    if (bytes !== undefined) return bytes
    await this.#indexes.rebuild(state, segment)
    const again = await this.#indexes.floor(state, segment, offset)
    return await this.#readFrom(state, segment, again, offset, offsetEnd, bytesMax)
  }

  /** Reads on from a batch that begins at `from` to the one that holds `offset`, and what fits after it. */
  async #readFrom (state: LogState, segment: Segment, from: { offset: number, position: number },
    offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array | undefined> {
    const path = this.#files.path(state, segment, logSuffix)
    const want = Math.min(this.#settings.coldReadBytesMax, bytesMax + 2 * this.#settings.indexIntervalBytes)
    let { position } = from
    let next = from.offset
    while (position < segment.writtenBytes) {
      let chunk = await this.#read(path, position, want, segment)
      const claimed = claimedBytes(chunk, 0)
      if (claimed > chunk.length) chunk = await this.#read(path, position, claimed, segment)
      let at = 0
      let start = -1
      for (;;) {
        const header = goodBatch(chunk, at)
        if (header === undefined || header.baseOffset !== next || !state.isInItsEpoch(header)) break
        const last = header.lastOffset + 1 > offsetEnd
        const full = start >= 0 && at + header.sizeBytes - start > bytesMax
        if (last || full) return chunk.subarray(Math.max(start, 0), start < 0 ? 0 : at)
        if (start < 0 && header.lastOffset >= offset) start = at
        at += header.sizeBytes
        position += header.sizeBytes
        next = header.lastOffset + 1
        this.#ends.set(segment, { offset: next, position })
      }
      if (start >= 0) return chunk.subarray(start, at)
      if (at === 0) return undefined
    }
    return undefined
  }

  async #read (path: string, position: number, length: number, segment: Segment): Promise<Uint8Array> {
    this.reads++
    return await this.#files.read(path, position, Math.min(length, segment.writtenBytes - position))
  }

  async #acquire (): Promise<void> {
    if (this.#running < this.#settings.coldReadsMax) {
      this.#running++
      return
    }
    await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  #release (): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#running--
    else next()
  }
}
