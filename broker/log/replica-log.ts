// One replica's log as the partition sees it: every change goes to the state and to the frame that gathers,
// in the same turn.
import { assert } from '../assert.ts'
import type { Clock } from '../../wire/ports.ts'
import type { PartitionRow } from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import { batchSizeBytes, parseBatchHeader } from '../../wire/record-batch.ts'
import * as limits from '../limits.ts'
import type { EpochEntry, ReplicaLog, ReplicaLogSettings } from './contract.ts'
import { BATCH_ENTRY_BYTES } from './entry.ts'
import type { FrameBuilder, FrameMember } from './frame.ts'
import { rowToJson } from './log-state.ts'
import type { LogState, RollRule } from './log-state.ts'
import { findTimestamp } from './timestamp.ts'
import type { FoundTimestamp } from './timestamp.ts'
import { COPY_BYTES_MAX } from './tail.ts'
import type { Ring } from './tail.ts'

/** What a log needs of its volume. */
export interface LogHost {
  readonly clock: Clock
  readonly ring: Ring
  readonly segmentAgeMsMax: number
  /** Space is low: what may go should go soon. */
  readonly low: boolean
  /** The frame that gathers, with room for so many bytes. */
  frame (bytes: number): FrameBuilder
  /** The high watermark wants to be recorded. */
  mark (log: ReplicaLogImpl): void
  /** So many bytes more (or fewer) wait to be written to segments. */
  unwritten (log: ReplicaLogImpl, bytes: number): void
  readCold (log: ReplicaLogImpl, offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array>
  /** Every record before the offset returned is older than `timestamp`. */
  timeFloor (log: ReplicaLogImpl, timestamp: number): Promise<number>
  readSnapshot (log: ReplicaLogImpl, offset: number): Promise<{ offset: number, state: Uint8Array } | undefined>
}

const empty = new Uint8Array(0)
/** Room that an entry without a batch may need; rows are the largest. */
const SMALL_ENTRY_BYTES = 64

export class ReplicaLogImpl implements ReplicaLog, FrameMember {
  readonly state: LogState
  readonly #host: LogHost
  settings: ReplicaLogSettings = {
    retentionMs: -1, retentionBytes: -1, segmentBytes: limits.segmentBytesDefault
  }

  frameSequence = 0
  frameIndex = 0
  onDurable: ((durableEnd: number) => void) | undefined
  snapshotProducers: (() => Uint8Array) | undefined
  onDamaged: ((reason: string) => void) | undefined
  #durableEnd: number
  #recordedHighWatermark: number
  #removed = false
  /** The partition appended: its producer state is that of the log from now on. */
  #appended = false

  constructor (state: LogState, host: LogHost) {
    this.state = state
    this.#host = host
    this.#durableEnd = state.logEnd
    this.#recordedHighWatermark = state.highWatermark
    host.ring.join(state.tail)
    host.ring.changed(state.tail, state.tail.bytes)
    host.unwritten(this, state.tail.unwrittenBytes)
  }

  get topic (): string { return this.state.topic }
  get topicId (): string { return this.state.topicId }
  get partition (): number { return this.state.partition }
  get replicaGen (): number { return this.state.replicaGen }
  get damaged (): string { return this.state.damaged }
  get renewed (): string { return this.state.renewed }
  get logStart (): number { return this.state.logStart }
  get logEnd (): number { return this.state.logEnd }
  get durableEnd (): number { return this.#durableEnd }
  get highWatermark (): number { return this.state.highWatermark }
  get epochs (): readonly EpochEntry[] { return this.state.epochs }
  get leaderEpochSeen (): number { return this.state.leaderEpochSeen }
  get row (): PartitionRow | undefined { return this.state.row }
  get truncations (): number { return this.state.truncations }
  get removed (): boolean { return this.#removed }
  get sizeBytes (): number {
    let bytes = 0
    for (const segment of this.state.segments) bytes += segment.bytes
    return bytes
  }

  bytesFrom (offset: number): number {
    const { segments } = this.state
    let bytes = 0
    for (let i = segments.length - 1; i >= 0 && segments[i]!.end > offset; i--) {
      const { base, end, bytes: all } = segments[i]!
      bytes += offset <= base ? all : Math.ceil(all * (end - offset) / (end - base))
    }
    return bytes
  }

  setRow (row: PartitionRow): void {
    const { state } = this
    const json = rowToJson(row)
    const frame = this.#frame(SMALL_ENTRY_BYTES + json.length)
    state.setRow(row, json)
    frame.entries.row(state.key, json)
    frame.touch(this)
  }

  beginEpoch (epoch: number): void {
    const frame = this.#frame(SMALL_ENTRY_BYTES)
    this.state.beginEpoch(epoch, this.logEnd)
    frame.entries.epoch(this.state.key, epoch, this.logEnd)
    frame.touch(this)
  }

  append (batches: Uint8Array): void {
    const { state } = this
    const isMost = largeBytes(batches) * 2 >= batches.buffer.byteLength
    const rule: RollRule = {
      segmentBytes: this.#segmentBytes(),
      segmentAgeMs: this.#host.segmentAgeMsMax,
      wallTime: this.#host.clock.wallTime()
    }
    let rolled = false
    this.#appended = true
    this.#changeMemory(() => {
      for (let position = 0; position < batches.length;) {
        const header = parseBatchHeader(batches, position)
        const end = position + header.sizeBytes
        assert(end <= batches.length, 'the last batch is cut off')
        const batch = batches.subarray(position, end)
        const frame = this.#frame(BATCH_ENTRY_BYTES + batch.length)
        const first = state.segments.length === 0
        if (state.append(batch, header, frame.sequence, rule, isMost) && !first) rolled = true
        frame.entries.batch(state.key, header.baseOffset, header.leaderEpoch, batch.length)
        frame.body(batch)
        frame.touch(this)
        position = end
      }
    })
    // Later, when the caller has taken the batches into its producer state.
    if (rolled) this.#host.clock.defer(() => { this.snapshot(true) })
  }

  /** Segments go as a whole: smaller ones lose what is too old earlier, and nothing that is not. */
  #segmentBytes (): number {
    const { segmentBytes, retentionMs, retentionBytes } = this.settings
    const keepsAll = retentionMs < 0 && retentionBytes < 0
    return keepsAll || !this.#host.low ? segmentBytes : segmentBytes / limits.lowSpaceSegmentsPerSegment
  }

  setHighWatermark (offset: number): void {
    const { state } = this
    state.setHighWatermark(offset)
    if (state.highWatermark > this.#recordedHighWatermark) this.#host.mark(this)
  }

  truncate (offset: number): void {
    const frame = this.#frame(SMALL_ENTRY_BYTES)
    this.#changeMemory(() => { this.state.truncate(offset, frame.sequence) })
    this.#lowerMarks()
    frame.entries.offset('truncate', this.state.key, offset)
    frame.touch(this)
  }

  reset (offset: number): void {
    const frame = this.#frame(SMALL_ENTRY_BYTES)
    this.#changeMemory(() => { this.state.reset(offset, frame.sequence) })
    this.#durableEnd = this.#recordedHighWatermark = offset
    frame.entries.offset('reset', this.state.key, offset)
    frame.touch(this)
  }

  advanceLogStart (offset: number): void {
    if (offset <= this.logStart) return
    const frame = this.#frame(SMALL_ENTRY_BYTES)
    this.state.advanceLogStart(offset)
    this.state.dropBelowLogStart(frame.sequence)
    frame.entries.offset('logStart', this.state.key, offset)
    frame.touch(this)
  }

  configure (settings: ReplicaLogSettings): void {
    assert(settings.segmentBytes < 2 ** 31, 'positions in the index are 32 bits')
    this.settings = settings
  }

  readTail (offset: number, offsetEnd: number, bytesMax: number): Uint8Array | undefined {
    if (offset >= this.logEnd || offset >= offsetEnd) return empty
    return this.state.tail.read(offset, offsetEnd, bytesMax)
  }

  async read (offset: number, offsetEnd: number, bytesMax: number): Promise<Uint8Array> {
    this.checkRange(offset)
    return this.readTail(offset, offsetEnd, bytesMax) ??
      await this.#host.readCold(this, offset, Math.min(offsetEnd, this.logEnd), bytesMax)
  }

  /** @throws WireError OFFSET_OUT_OF_RANGE unless logStart <= offset <= logEnd. */
  checkRange (offset: number): void {
    const { logStart, logEnd, highWatermark } = this.state
    if (this.#removed) throw new WireError('UNKNOWN_PARTITION', 'the replica was removed')
    if (offset >= logStart && offset <= logEnd) return
    throw new WireError('OFFSET_OUT_OF_RANGE',
      `offset ${offset} is not in the log, which is ${logStart} to ${logEnd}`, { logStart, highWatermark })
  }

  async offsetForTimestamp (timestamp: number, offsetEnd: number): Promise<FoundTimestamp | undefined> {
    const from = await this.#host.timeFloor(this, timestamp)
    return findTimestamp(this, timestamp, Math.max(from, this.logStart), offsetEnd)
  }

  producerSnapshot (offset: number): Promise<{ offset: number, state: Uint8Array } | undefined> {
    return this.#host.readSnapshot(this, offset)
  }

  // For the volume.

  /** A frame that ended with this log end is durable. */
  frameDurable (end: number, truncations: number): void {
    if (this.#removed || truncations !== this.state.truncations || end <= this.#durableEnd) return
    this.#durableEnd = end
    this.onDurable?.(end)
  }

  /** Adds the high watermark to a frame that closes. */
  recordHighWatermark (frame: FrameBuilder): void {
    const { key, highWatermark } = this.state
    if (this.#removed || highWatermark <= this.#recordedHighWatermark) return
    this.#recordedHighWatermark = highWatermark
    frame.entries.offset('highWatermark', key, highWatermark)
  }

  snapshot (atRoll: boolean): void {
    if (this.#removed || !this.#appended || this.snapshotProducers === undefined) return
    this.state.addSnapshot(this.snapshotProducers(), atRoll)
  }

  /** Its next `count` unwritten batches are in their segment. */
  wrote (count: number): void {
    this.#changeMemory(() => { this.state.tail.wrote(count) })
  }

  markDamaged (reason: string): void {
    if (this.state.damaged !== '' || this.#removed) return
    this.state.damaged = reason
    const frame = this.#frame(SMALL_ENTRY_BYTES + reason.length * 3)
    frame.entries.damaged(this.state.key, 0, reason)
    this.onDamaged?.(reason)
  }

  /** No call is valid afterwards; the frame that says so. */
  markRemoved (): number {
    const frame = this.#frame(SMALL_ENTRY_BYTES)
    frame.entries.removed(this.state.key)
    this.#removed = true
    this.#host.unwritten(this, -this.state.tail.unwrittenBytes)
    this.#host.ring.leave(this.state.tail)
    this.state.tail.clear()
    return frame.sequence
  }

  #frame (bytes: number): FrameBuilder {
    assert(!this.#removed, 'the replica was removed')
    return this.#host.frame(bytes)
  }

  #lowerMarks (): void {
    this.#durableEnd = Math.min(this.#durableEnd, this.logEnd)
    this.#recordedHighWatermark = Math.min(this.#recordedHighWatermark, this.highWatermark)
  }

  #changeMemory (change: () => void): void {
    const { tail } = this.state
    const { bytes, unwrittenBytes } = tail
    change()
    this.#host.ring.changed(tail, tail.bytes - bytes)
    this.#host.unwritten(this, tail.unwrittenBytes - unwrittenBytes)
  }
}

/** A small view keeps all of a large buffer alive: how much of it would be views. */
function largeBytes (batches: Uint8Array): number {
  if (batches.length <= COPY_BYTES_MAX) return 0
  let bytes = 0
  for (let at = 0, size = 0; at < batches.length; at += size) {
    size = batchSizeBytes(batches, at)
    if (size > COPY_BYTES_MAX) bytes += size
  }
  return bytes
}
