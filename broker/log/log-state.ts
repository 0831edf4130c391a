// What a replica's log is, apart from where its bytes lie: the same changes are made by live calls and by
// recovery, so that what was journaled leads to the same state again.
import { assert } from '../assert.ts'
import type { BatchHeader } from '../../wire/record-batch.ts'
import type { PartitionRow } from '../../wire/messages.ts'
import { utf8 } from '../../wire/bytes.ts'
import type { EpochEntry } from './contract.ts'
import { replicaKey } from './entry.ts'
import type { EntryWriter, ReplicaKey } from './entry.ts'
import { Segment } from './segment.ts'
import { Tail } from './tail.ts'

/** A producer snapshot; the bytes until they are in their file. */
export interface Snapshot {
  readonly offset: number
  bytes: Uint8Array | undefined
  /** At a segment roll: kept as long as the segment. */
  readonly atRoll: boolean
}

export interface RollRule {
  readonly segmentBytes: number
  readonly segmentAgeMs: number
  readonly wallTime: number
}

/** Snapshots that are kept besides those at rolls. */
const extraSnapshotsMax = 2

export class LogState {
  readonly key: ReplicaKey
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  replicaGen: number
  /** What a read found damaged: gets its new generation at the next opening. */
  damaged = ''
  /** Why it got a new generation at this opening. */
  renewed = ''
  logStart = 0
  logEnd = 0
  highWatermark = 0
  leaderEpochSeen = -1
  epochs: EpochEntry[] = []
  row: PartitionRow | undefined
  rowJson: Uint8Array | undefined
  /** Contiguous, ascending; the last one takes batches unless it is closed. */
  segments: Segment[] = []
  /** Left the log; their files are to go once the frame that says so is durable. */
  condemned: { readonly segment: Segment, readonly sequence: number }[] = []
  condemnedSnapshots: number[] = []
  /** Ascending offsets. */
  snapshots: Snapshot[] = []
  /** Bytes appended since the last snapshot. */
  bytesSinceSnapshot = 0
  readonly tail = new Tail()
  truncations = 0
  /** Its folder is there. */
  hasFolder = false
  /** Files in the folder that are no part of the log; to be removed before the first is made. */
  leftovers: string[] = []

  constructor (topic: string, topicId: string, partition: number, replicaGen: number) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.replicaGen = replicaGen
    this.key = replicaKey(topicId, partition)
  }

  get lastEpoch (): number { return this.epochs.at(-1)?.epoch ?? -1 }

  /**
   * Is this batch of its disk stamped with the epoch that its place belongs to? The CRC covers only what the
   * producer wrote: nothing else would notice a flipped bit there, and followers would take it for a leader's.
   */
  isInItsEpoch ({ baseOffset, leaderEpoch }: BatchHeader): boolean {
    const entry = this.epochs.findLast(({ startOffset }) => startOffset <= baseOffset)
    return entry === undefined || entry.epoch === leaderEpoch
  }

  /**
   * Appends one batch; true when it began a segment.
   * @param isMost a large batch may stay in its message: such ones are most of it
   */
  append (bytes: Uint8Array, header: BatchHeader, sequence: number, rule: RollRule, isMost: boolean): boolean {
    const { baseOffset: base, leaderEpoch, maxTimestamp } = header
    assert(base === this.logEnd, `a batch at ${base} cannot follow ${this.logEnd}`)
    assert(leaderEpoch >= this.lastEpoch, `epoch ${leaderEpoch} after ${this.lastEpoch}`)
    if (leaderEpoch > this.lastEpoch) this.beginEpoch(leaderEpoch, base)
    const before = this.segments.at(-1)
    const segment = this.#segmentFor(bytes.length, rule)
    const end = header.lastOffset + 1
    this.tail.push({ base, end, bytes, maxTimestamp, segment, position: segment.bytes, sequence }, isMost)
    segment.bytes += bytes.length
    segment.end = this.logEnd = end
    segment.maxTimestamp = Math.max(segment.maxTimestamp, maxTimestamp)
    this.bytesSinceSnapshot += bytes.length
    return segment !== before
  }

  beginEpoch (epoch: number, startOffset: number): void {
    assert(epoch > this.lastEpoch, `epoch ${epoch} cannot follow ${this.lastEpoch}`)
    assert(startOffset === this.logEnd, `epoch ${epoch} begins at ${startOffset}, not at ${this.logEnd}`)
    // An epoch that wrote nothing leaves no trace (Kafka: LeaderEpochFileCache.assign).
    if (this.epochs.at(-1)?.startOffset === startOffset) this.epochs.pop()
    this.epochs.push({ epoch, startOffset })
    this.leaderEpochSeen = Math.max(this.leaderEpochSeen, epoch)
  }

  setRow (row: PartitionRow, json: Uint8Array): void {
    this.row = row
    this.rowJson = json
    this.leaderEpochSeen = Math.max(this.leaderEpochSeen, row.leaderEpoch)
  }

  setHighWatermark (offset: number): void {
    this.highWatermark = Math.max(this.highWatermark, Math.min(offset, this.logEnd))
  }

  truncate (offset: number, sequence: number): void {
    assert(offset >= this.logStart, `truncation to ${offset} below the log start ${this.logStart}`)
    while ((this.epochs.at(-1)?.startOffset ?? -1) >= offset) this.epochs.pop()
    if (offset >= this.logEnd) return
    this.truncations++
    const cut = this.tail.truncate(offset)
    for (let last = this.segments.at(-1); last !== undefined && last.base >= offset; last = this.segments.at(-1)) {
      this.#condemn(last, sequence)
      this.segments.pop()
    }
    const last = this.segments.at(-1)
    if (last !== undefined && last.end > offset) {
      this.#clip(last, offset, cut?.segment === last && cut.base === offset ? cut.position : -1)
    }
    this.#dropSnapshots(snapshot => snapshot.offset > offset)
    this.logEnd = offset
    this.highWatermark = Math.min(this.highWatermark, offset)
  }

  reset (offset: number, sequence: number): void {
    this.truncations++
    this.tail.clear()
    for (const segment of this.segments.splice(0)) this.#condemn(segment, sequence)
    this.#dropSnapshots(() => true)
    this.epochs = []
    this.logStart = this.logEnd = this.highWatermark = offset
  }

  advanceLogStart (offset: number): void {
    assert(offset <= this.logEnd, `log start ${offset} past the end ${this.logEnd}`)
    if (offset <= this.logStart) return
    this.logStart = offset
    this.highWatermark = Math.max(this.highWatermark, offset)
    // The epoch that the log begins in stays, with the offset at which it really began. Kafka moves that to the
    // log start (truncateFromStart); a follower's tail of an older epoch between the two would pass for committed.
    while ((this.epochs[1]?.startOffset ?? Infinity) <= offset) this.epochs.shift()
  }

  /** Takes segments that lie below the log start out of the log. */
  dropBelowLogStart (sequence: number): void {
    for (let first = this.segments[0]; first !== undefined && first.end <= this.logStart; first = this.segments[0]) {
      // Batches in memory would be written to a file that is not there any more.
      if (first.writtenEnd < first.end) break
      this.#condemn(first, sequence)
      this.segments.shift()
    }
    const base = this.segments[0]?.base ?? this.logStart
    if (this.snapshots.length > 1) {
      const newest = this.snapshots.at(-1)
      this.#dropSnapshots(snapshot => snapshot.offset < base && snapshot !== newest)
    }
  }

  addSnapshot (bytes: Uint8Array, atRoll: boolean): void {
    this.bytesSinceSnapshot = 0
    const same = this.snapshots.at(-1)
    if (same?.offset === this.logEnd) this.snapshots.pop()
    const extra = this.snapshots.filter(snapshot => !snapshot.atRoll)
    if (!atRoll && extra.length >= extraSnapshotsMax) this.#dropSnapshots(snapshot => snapshot === extra[0])
    this.snapshots.push({ offset: this.logEnd, bytes, atRoll: atRoll || same?.atRoll === true })
  }

  /** A checkpoint was loaded: brings its segments, which may be older or newer, in line with its state. */
  restored (): void {
    for (let last = this.segments.at(-1); last !== undefined && last.base >= this.logEnd; last = this.segments.at(-1)) {
      this.#condemn(last, 0)
      this.segments.pop()
    }
    const last = this.segments.at(-1)
    if (last !== undefined && last.end > this.logEnd) this.#clip(last, this.logEnd, -1)
    // What the journal adds goes to new segments: of a file that earlier processes may have removed since
    // the checkpoint, nothing may be needed but what was in it at the checkpoint.
    for (const segment of this.segments) segment.closed = true
    this.snapshots = this.snapshots.filter(snapshot => snapshot.offset <= this.logEnd)
  }

  /** The journal was replayed: a last segment that is as the checkpoint left it takes batches again. */
  resume (): void {
    const last = this.segments.at(-1)
    if (last === undefined || !last.created || last.clipped) return
    if (last.end === last.restoredEnd && last.bytes === last.restoredBytes) last.closed = false
  }

  /** All of it but the segments' contents, for a checkpoint. */
  writeTo (entries: EntryWriter): void {
    const { key } = this
    entries.created(key, this.replicaGen, this.topic)
    for (const { epoch, startOffset } of this.epochs) entries.epoch(key, epoch, startOffset)
    entries.state(key, this.logStart, this.logEnd, this.highWatermark, this.leaderEpochSeen)
    if (this.rowJson !== undefined) entries.row(key, this.rowJson)
    if (this.damaged !== '') entries.damaged(key, 0, this.damaged)
  }

  #segmentFor (bytes: number, rule: RollRule): Segment {
    const last = this.segments.at(-1)
    if (last !== undefined && !last.closed) {
      const fits = last.bytes === 0 || last.bytes + bytes <= rule.segmentBytes
      if (fits && rule.wallTime - last.createdAt < rule.segmentAgeMs) return last
      last.closed = true
    }
    const segment = new Segment(this.logEnd, rule.wallTime)
    this.segments.push(segment)
    return segment
  }

  /** `position`: where `offset` lies in the segment, -1 when that must be looked up. */
  #clip (segment: Segment, offset: number, position: number): void {
    segment.end = offset
    segment.closed = true
    if (segment.writtenEnd > offset) segment.writtenEnd = offset
    if (position < 0) {
      segment.clipped = true
      return
    }
    segment.bytes = position
    segment.writtenBytes = Math.min(segment.writtenBytes, position)
    segment.indexedAt = Math.min(segment.indexedAt, position)
    while ((segment.index.at(-1) ?? -1) >= position) segment.index.length -= 2
    while ((segment.timeIndex.at(-1) ?? -1) >= offset - segment.base) segment.timeIndex.length -= 2
  }

  #condemn (segment: Segment, sequence: number): void {
    if (segment.created) this.condemned.push({ segment, sequence })
  }

  #dropSnapshots (which: (snapshot: Snapshot) => boolean): void {
    for (const snapshot of this.snapshots) {
      if (which(snapshot) && snapshot.bytes === undefined) this.condemnedSnapshots.push(snapshot.offset)
    }
    this.snapshots = this.snapshots.filter(snapshot => !which(snapshot))
  }
}

export function rowToJson (row: PartitionRow): Uint8Array {
  return utf8(JSON.stringify(row))
}

export function rowFromJson (json: string): PartitionRow {
  const row = JSON.parse(json) as PartitionRow
  // Journaled before there were barred identities.
  return (row.barred as unknown) === undefined ? { ...row, barred: [] } : row
}
