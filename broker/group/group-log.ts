// One partition of __groups as a log of records: what is committed in it is applied, in order, while this
// broker leads it, from the beginning on; nothing else changes the state. Snapshots keep it short.
//
// A snapshot is the state as of an offset, written somewhere behind it; then the log begins at that offset.
// So nothing has to stand still for it: what was on its way when it was made lies behind that offset.
import { WireError } from '../../wire/errors.ts'
import type { Clock, Timer } from '../../wire/ports.ts'
import { batches } from '../../wire/record-batch.ts'
import type { Log } from '../io/ports.ts'
import { fetchBytesPerMessageMax } from '../limits.ts'
import type { PartitionRef, Partitions } from '../partition/contract.ts'
import type { GroupRecord, LoggedRecord } from './records.ts'
import { decode, encode, recordBatchBytesMax, sizeOf } from './records.ts'
import type { Verdict } from './group.ts'
import { GroupsState } from './state.ts'

/** A snapshot is due when this much was appended since the last, and four times what it held. */
export const snapshotBytesMin = 1024 * 1024
const retryMs = 200
/** Verdicts kept for answers that come after their record was applied. */
const refusedMax = 10_000

export interface GroupLogPorts {
  readonly clock: Clock
  readonly log: Log
  readonly partitions: Partitions
}

/** Who keeps groups by this log. */
export interface GroupLogOwner {
  /** Everything that earlier leaders committed has been applied. */
  ready (): void
  applied (record: GroupRecord, offset: number): void
}

/** What became of a record, or why it is not known to be committed. */
export type Appended = (error: WireError | undefined, verdict: Verdict) => void

export class GroupLog {
  readonly state = new GroupsState()
  readonly #ports: GroupLogPorts
  readonly #ref: PartitionRef
  readonly #owner: GroupLogOwner
  /** Raised by each change of leadership: what began under an earlier one must not touch the state. */
  #term = 0
  #ready = false
  /** Everything below it is applied. */
  #position = 0
  /** By offset: who waits for the record. */
  #waiting = new Map<number, Appended>()
  readonly #refused = new Map<number, Verdict>()
  /** While the log's beginning stands for a snapshot that was not met yet: what came since that beginning. */
  #unexplained: LoggedRecord[] | undefined
  #bytesSinceSnapshot = 0
  #snapshotBytes = 0
  #snapshotting = false
  #cancelWait: (() => void) | undefined
  #retryTimer: Timer | undefined

  constructor (ports: GroupLogPorts, ref: PartitionRef, owner: GroupLogOwner) {
    this.#ports = ports
    this.#ref = ref
    this.#owner = owner
  }

  get ready (): boolean { return this.#ready }

  lead (): void {
    this.resign()
    this.#begin(this.#term)
  }

  #begin (term: number): void {
    this.#run(term).catch((error: unknown) => {
      if (term !== this.#term) return
      const { partition } = this.#ref
      this.#ports.log.warn({ error: String(error), partition }, 'reading groups failed; trying again')
      this.#retryTimer = this.#ports.clock.setTimer(retryMs, () => { this.#begin(term) })
    })
  }

  /** Forgets everything; who waits is told that it is not known what became of it. */
  resign (): void {
    this.#term++
    this.#ready = false
    this.#position = 0
    this.state.clear()
    this.#refused.clear()
    this.#unexplained = undefined
    this.#snapshotting = false
    this.#bytesSinceSnapshot = 0
    this.#cancelWait?.()
    this.#cancelWait = undefined
    this.#retryTimer?.cancel()
    const waiting = this.#waiting
    this.#waiting = new Map()
    for (const done of waiting.values()) done(new WireError('NOT_COORDINATOR'), 'ok')
  }

  /** `done` is called for each record, when it has been applied or with the reason why that is not known. */
  append (records: readonly GroupRecord[], done: readonly Appended[]): void {
    const term = this.#term
    let first = 0
    for (const batch of encode(records, this.#ports.clock.wallTime())) {
      const [header] = batches(batch)
      const mine = done.slice(first, first += header!.recordsCount)
      this.#ports.partitions.append(this.#ref, batch, (error, baseOffset) => {
        for (const [index, each] of mine.entries()) {
          if (error !== undefined || term !== this.#term) each(error ?? new WireError('NOT_COORDINATOR'), 'ok')
          else this.#whenApplied(baseOffset + index, each)
        }
      })
    }
  }

  #whenApplied (offset: number, done: Appended): void {
    if (offset < this.#position) done(undefined, this.#refused.get(offset) ?? 'ok')
    else this.#waiting.set(offset, done)
  }

  async #run (term: number): Promise<void> {
    const { partitions } = this.#ports
    if (this.#position === 0) {
      this.#position = partitions.earliest(this.#ref).offset
      if (this.#position > 0) this.#unexplained = []
    }
    while (term === this.#term) {
      // Before the read: what changes while it runs must not be missed.
      const changed = new Promise<void>(resolve => { this.#cancelWait = partitions.whenChanged(this.#ref, resolve) })
      const { records } = await partitions.fetch(this.#ref, this.#position, -1, fetchBytesPerMessageMax)
      if (term !== this.#term) return
      this.#read(records)
      this.#lookForEnd()
      if (records.length === 0) await changed
      else this.#cancelWait?.()
    }
  }

  #read (records: Uint8Array): void {
    for (const header of batches(records)) {
      for (const logged of decode(records, header)) {
        if (logged.offset < this.#position) continue
        this.#position = logged.offset + 1
        if (this.#unexplained === undefined) this.#apply(logged)
        else this.#explain(logged, this.#unexplained)
      }
      this.#position = header.lastOffset + 1
    }
    this.#bytesSinceSnapshot += records.length
    if (this.#ready && this.#snapshotDue) this.#snapshot()
  }

  #apply ({ offset, record }: LoggedRecord): void {
    const verdict = record === undefined ? 'ok' : this.state.apply(record, offset)
    const done = this.#waiting.get(offset)
    this.#waiting.delete(offset)
    if (done === undefined && verdict !== 'ok') this.#refuse(offset, verdict)
    if (this.#ready && record !== undefined) this.#owner.applied(record, offset)
    done?.(undefined, verdict)
  }

  #refuse (offset: number, verdict: Verdict): void {
    this.#refused.set(offset, verdict)
    if (this.#refused.size <= refusedMax) return
    for (const oldest of this.#refused.keys()) {
      this.#refused.delete(oldest)
      break
    }
  }

  /** The log does not begin at its first record: its state is that of the first whole snapshot in it. */
  #explain (logged: LoggedRecord, unexplained: LoggedRecord[]): void {
    const { record } = logged
    unexplained.push(logged)
    if (record?.kind !== 'snapshot') return
    if (record.asOf < this.#ports.partitions.earliest(this.#ref).offset) return
    const parts = unexplained.flatMap(({ record: part }) =>
      part?.kind === 'snapshot' && part.asOf === record.asOf ? part.records : [])
    if (!record.last) return
    this.#unexplained = undefined
    this.state.restore(parts)
    for (const each of unexplained) if (each.offset >= record.asOf) this.#apply(each)
  }

  #lookForEnd (): void {
    if (this.#ready) return
    const end = this.#end()
    if (end === undefined || this.#position < end) return
    if (this.#unexplained !== undefined) {
      const { partition } = this.#ref
      this.#ports.log.error({ partition }, 'the log of groups has lost its beginning: what came since is all there is')
      const unexplained = this.#unexplained
      this.#unexplained = undefined
      for (const each of unexplained) this.#apply(each)
    }
    this.#ready = true
    this.#owner.ready()
  }

  /** Undefined while a new leader does not know its end yet. */
  #end (): number | undefined {
    try {
      return this.#ports.partitions.latest(this.#ref).offset
    } catch (error) {
      if (error instanceof WireError && error.code === 'OFFSET_NOT_AVAILABLE') return undefined
      throw error
    }
  }

  // Snapshots

  get #snapshotDue (): boolean {
    return !this.#snapshotting && this.#bytesSinceSnapshot > Math.max(snapshotBytesMin, 4 * this.#snapshotBytes)
  }

  /** Writes the state as of now, and gives up the log before it once that is committed. */
  #snapshot (): void {
    const term = this.#term
    const asOf = this.#position
    const chunks = [...this.#chunks(asOf)]
    this.#snapshotting = true
    this.#bytesSinceSnapshot = 0
    this.#snapshotBytes = chunks.reduce((sum, chunk) => sum + sizeOf(chunk), 0)
    let open = chunks.length
    let failed = false
    const settled = (error: WireError | undefined): void => {
      failed ||= error !== undefined
      if (--open > 0 || term !== this.#term) return
      this.#snapshotting = false
      if (!failed) this.#ports.partitions.deleteRecordsBefore(this.#ref, asOf)
    }
    for (const chunk of chunks) this.append([chunk], [settled])
  }

  * #chunks (asOf: number): Generator<GroupRecord> {
    let records: GroupRecord[] = []
    let bytes = 0
    for (const record of this.state.snapshot()) {
      const size = sizeOf(record)
      if (records.length > 0 && bytes + size > recordBatchBytesMax) {
        yield { kind: 'snapshot', asOf, records, last: false }
        records = []
        bytes = 0
      }
      records.push(record)
      bytes += size
    }
    yield { kind: 'snapshot', asOf, records, last: true }
  }
}
