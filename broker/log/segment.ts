// A segment: a range of a replica's log in a file of its own, and what is known of it in memory.
import type { DiskFile } from '../io/ports.ts'
import type { SegmentState } from './entry.ts'

export const logSuffix = '.log'
export const indexSuffix = '.index'
export const timeIndexSuffix = '.timeindex'
export const snapshotSuffix = '.snapshot'
export const deletedSuffix = '.deleted'

export function segmentName (base: number, suffix: string): string {
  return String(base).padStart(20, '0') + suffix
}

/** Base offset and suffix of a file in a replica's folder; undefined for other names. */
export function parseSegmentName (name: string): { base: number, suffix: string } | undefined {
  const match = /^([0-9]{20})(\.[a-z]+)$/.exec(name)
  return match === null ? undefined : { base: Number(match[1]), suffix: match[2] ?? '' }
}

export class Segment {
  readonly base: number
  /** Offset after the last batch, written to the file or still in memory. */
  end: number
  /** Bytes of all batches; of more than `end` says while `clipped`. */
  bytes = 0
  /** What the file holds for sure as seen by this process. */
  writtenEnd: number
  writtenBytes = 0
  maxTimestamp = -1
  readonly createdAt: number
  /** Takes no more batches. */
  closed = false
  /** `end` was lowered, where it lies in the file is not known yet. */
  clipped = false
  /** The file is there; its contents may be anything beyond writtenBytes. */
  created = false
  /** Written since the last sync. */
  dirty = false
  /** Open for writing, from the first write until a sync at least. */
  file: DiskFile | undefined
  /** Entries that are not in the index files yet: relative offset, position; timestamp, relative offset. */
  index: number[] = []
  timeIndex: number[] = []
  /** Entries in the files; -1: not known, the files are to be checked first. */
  indexEntries = 0
  timeIndexEntries = 0
  indexReady: Promise<void> | undefined
  /** Position of the last entry, largest timestamp written, timestamp of the last entry. */
  indexedAt = 0
  indexedTimestamp = -1
  lastTimeEntry = -1
  /** What an earlier process wrote and synced. */
  restoredBytes = 0
  restoredEnd = 0

  constructor (base: number, createdAt: number) {
    this.base = this.end = this.writtenEnd = base
    this.createdAt = createdAt
  }

  /** As a checkpoint left it. */
  static restore (state: SegmentState): Segment {
    const segment = new Segment(state.base, state.createdAt)
    segment.end = segment.writtenEnd = state.end
    segment.bytes = segment.writtenBytes = state.bytes
    segment.maxTimestamp = state.maxTimestamp
    segment.clipped = segment.closed = state.clipped
    segment.created = true
    segment.indexEntries = segment.timeIndexEntries = -1
    segment.indexedAt = state.bytes
    segment.indexedTimestamp = segment.lastTimeEntry = state.maxTimestamp
    segment.restoredBytes = state.bytes
    segment.restoredEnd = state.end
    return segment
  }

  /** What of it is in the file. */
  get state (): SegmentState {
    return {
      base: this.base,
      end: this.writtenEnd,
      bytes: this.writtenBytes,
      clipped: this.clipped,
      maxTimestamp: this.maxTimestamp,
      createdAt: this.createdAt
    }
  }
}
