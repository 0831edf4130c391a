// One partition of __groups while this broker leads it.
import { WireError } from '../../wire/errors.ts'
import type { Clock } from '../../wire/ports.ts'
import { batches } from '../../wire/record-batch.ts'
import type { Log } from '../io/ports.ts'
import { fetchBytesPerMessageMax, groupsPerPartitionMax } from '../limits.ts'
import type { PartitionRef, Partitions } from '../partition/contract.ts'
import { decodeOffsets, encodeOffsets, type GroupOffset } from './offset-record.ts'

/** A snapshot is due when this much was appended since the last, and four times what it would hold. */
export const snapshotBytesMin = 1024 * 1024
const loadRetryMs = 200
/** Commits that wait for a snapshot to begin; beyond it BROKER_BUSY. */
const waitingMax = 10_000

export interface GroupPartitionPorts {
  readonly clock: Clock
  readonly log: Log
  readonly partitions: Partitions
  /** False for a topic that is gone: its offsets leave with the next snapshot. */
  readonly topicExists: (topicId: string) => boolean
}

interface Waiting {
  readonly offsets: readonly GroupOffset[]
  readonly done: (error: WireError | undefined) => void
}

export class GroupPartition {
  readonly #ports: GroupPartitionPorts
  readonly #ref: PartitionRef
  /** group → "topicId/partition" → offset, both in order of first commit. */
  #groups = new Map<string, Map<string, GroupOffset>>()
  /** Raised by each change of leadership: what began under an earlier one must not touch the state. */
  #term = 0
  #ready = false
  #underWay = 0
  #waiting: Waiting[] = []
  #bytesSinceSnapshot = 0
  #snapshotBytes = 0
  #closed = false

  constructor (ports: GroupPartitionPorts, ref: PartitionRef) {
    this.#ports = ports
    this.#ref = ref
  }

  get ready (): boolean { return this.#ready }
  get groupsCount (): number { return this.#groups.size }

  lead (): void {
    this.resign()
    const term = this.#term
    this.#load(term).catch((error: unknown) => {
      this.#ports.log.warn({ error, partition: this.#ref.partition }, 'loading committed offsets failed; trying again')
      this.#ports.clock.setTimer(loadRetryMs, () => { if (term === this.#term && !this.#closed) this.lead() })
    })
  }

  /** Forgets everything; commits that wait are refused, those in the log may still commit there. */
  resign (): void {
    this.#term++
    this.#ready = false
    this.#underWay = 0
    this.#groups = new Map()
    const waiting = this.#waiting
    this.#waiting = []
    for (const { done } of waiting) done(new WireError('NOT_COORDINATOR'))
  }

  close (): void {
    this.#closed = true
    this.resign()
  }

  /** Throws COORDINATOR_LOADING until the log has been read. */
  committed (group: string): readonly GroupOffset[] {
    if (!this.#ready) throw new WireError('COORDINATOR_LOADING')
    return [...this.#groups.get(group)?.values() ?? []]
  }

  /** `done` is called when the offsets are committed on the quorum, or with the reason why that is not known. */
  commit (offsets: readonly GroupOffset[], done: (error: WireError | undefined) => void): void {
    if (!this.#ready) { done(new WireError('COORDINATOR_LOADING')); return }
    const group = offsets[0]?.group
    if (group !== undefined && !this.#groups.has(group) && this.#groups.size >= groupsPerPartitionMax) {
      done(new WireError('BROKER_BUSY', `the coordinator holds ${groupsPerPartitionMax} groups, its limit`))
      return
    }
    if (this.#snapshotDue() && this.#underWay > 0) {
      if (this.#waiting.length >= waitingMax) done(new WireError('BROKER_BUSY'))
      else this.#waiting.push({ offsets, done })
      return
    }
    if (this.#snapshotDue()) this.#snapshot()
    this.#append(offsets, done)
  }

  #append (offsets: readonly GroupOffset[], done: (error: WireError | undefined) => void): void {
    const term = this.#term
    const encoded = encodeOffsets(offsets, this.#ports.clock.wallTime())
    let open = encoded.length
    let failed: WireError | undefined
    this.#underWay++
    for (const batch of encoded) {
      this.#bytesSinceSnapshot += batch.length
      this.#ports.partitions.append(this.#ref, batch, error => {
        failed ??= error
        if (--open > 0) return
        this.#settle(term, failed, offsets)
        done(failed)
      })
    }
  }

  #settle (term: number, failed: WireError | undefined, offsets: readonly GroupOffset[]): void {
    if (term !== this.#term) return
    this.#underWay--
    if (failed === undefined) for (const entry of offsets) this.#apply(entry)
    if (this.#underWay > 0 || this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const { offsets, done } of waiting) this.commit(offsets, done)
  }

  #apply (entry: GroupOffset): void {
    const offsets = this.#groups.get(entry.group) ?? new Map<string, GroupOffset>()
    offsets.set(`${entry.topicId}/${entry.partition}`, entry)
    this.#groups.set(entry.group, offsets)
  }

  #snapshotDue (): boolean {
    return this.#bytesSinceSnapshot > Math.max(snapshotBytesMin, 4 * this.#snapshotBytes)
  }

  /** Writes the whole state again and gives up the log before it, once it is committed. */
  #snapshot (): void {
    const term = this.#term
    for (const [group, offsets] of this.#groups) {
      for (const [key, entry] of offsets) if (!this.#ports.topicExists(entry.topicId)) offsets.delete(key)
      if (offsets.size === 0) this.#groups.delete(group)
    }
    const encoded = encodeOffsets(this.#entries(), this.#ports.clock.wallTime())
    this.#bytesSinceSnapshot = 0
    this.#snapshotBytes = encoded.reduce((sum, batch) => sum + batch.length, 0)
    let open = encoded.length
    let from = Infinity
    let failed = false
    for (const batch of encoded) {
      this.#ports.partitions.append(this.#ref, batch, (error, baseOffset) => {
        if (error === undefined) from = Math.min(from, baseOffset)
        else failed = true
        if (--open === 0 && !failed && term === this.#term) {
          this.#ports.partitions.deleteRecordsBefore(this.#ref, from)
        }
      })
    }
  }

  * #entries (): Generator<GroupOffset> {
    for (const offsets of this.#groups.values()) yield * offsets.values()
  }

  async #load (term: number): Promise<void> {
    const { partitions } = this.#ports
    let position = partitions.earliest(this.#ref).offset
    let bytes = 0
    while (term === this.#term) {
      const end = this.#end()
      if (end !== undefined && position >= end) {
        this.#bytesSinceSnapshot = bytes
        this.#ready = true
        return
      }
      const records = end === undefined
        ? undefined
        : (await partitions.fetch(this.#ref, position, -1, fetchBytesPerMessageMax)).records
      if (term !== this.#term) return
      if (records === undefined || records.length === 0) {
        await new Promise<void>(resolve => { partitions.whenChanged(this.#ref, resolve) })
        continue
      }
      bytes += records.length
      for (const header of batches(records)) {
        for (const entry of decodeOffsets(records, header)) this.#apply(entry)
        position = header.lastOffset + 1
      }
    }
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
}
