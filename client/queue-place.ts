// One partition as a member of a queue group reads it: it looks ahead for the group when asked, and gets the bytes of
// what it was granted, from what it has just found or once more from the leader.
import type { QueueResponse_Scan } from '../wire/messages.ts'
import { murmur2 } from '../wire/murmur2.ts'
import { toRanges } from '../wire/ranges.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { toMillraceError } from './errors.ts'
import { queueAheadRetryMs, queueFoundMax } from './limits.ts'
import { OffsetFeed } from './offset-feed.ts'
import type { FeedHost, FeedPlace } from './offset-feed.ts'
import type { PartitionReader } from './partition-reader.ts'

/** What was found in a partition, as the coordinator is told. */
export interface FoundRecords {
  readonly scan: number
  readonly topicId: string
  readonly partition: number
  readonly from: number
  readonly end: number
  readonly records: readonly number[]
  readonly keys: readonly number[]
}

export interface QueuePlaceHost extends FeedHost {
  /** Where the partition begins for a group that knows nothing of it. */
  start (place: FeedPlace): Promise<number>
  found (found: FoundRecords): void
  arrived (place: QueuePlace, record: ConsumerRecord): void
  /** Retention has removed it. */
  gone (place: QueuePlace, offset: number): void
}

/** 0: none. */
function hashOf (key: Uint8Array | null): number {
  return key === null ? 0 : (murmur2(key) >>> 0) || 1
}

export class QueuePlace implements FeedPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly #host: QueuePlaceHost
  readonly #ahead: OffsetFeed
  readonly #again: OffsetFeed
  #scan: { readonly id: number, readonly from: number, readonly recordsMax: number } | undefined
  /** Found lately: what is granted next is likely among them. */
  readonly #found = new Map<number, ConsumerRecord>()
  readonly #wanted = new Set<number>()

  constructor (host: QueuePlaceHost, { topic, topicId, partition }: FeedPlace) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.#host = host
    this.#ahead = new OffsetFeed(host, this, () => { this.#guarded(() => { this.#look() }) }, () => {})
    this.#again = new OffsetFeed(host, this, () => { this.#guarded(() => { this.#fetch() }) },
      logStart => { this.#guarded(() => { this.#passOver(logStart) }) })
  }

  get readers (): PartitionReader[] {
    return [this.#ahead.reader, this.#again.reader].filter(reader => reader !== undefined)
  }

  #guarded (run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#host.failed(toMillraceError(error, this))
    }
  }

  // For the group

  scan (scan: QueueResponse_Scan): void {
    const { scan: id, from, recordsMax } = scan
    this.#scan = { id, from, recordsMax }
    if (from >= 0) {
      this.#begin(from)
      return
    }
    this.#host.start(this).then(start => {
      if (this.#scan?.id !== id) return
      this.#scan = { id, from: start, recordsMax }
      this.#begin(start)
    }, (cause: unknown) => {
      if (this.#scan?.id !== id) return
      const error = toMillraceError(cause, this)
      if (error.code === 'TIMED_OUT') this.scan(scan)
      else if (error.code === 'UNKNOWN_PARTITION' || error.code === 'UNKNOWN_TOPIC') this.#scanLater(scan)
      else this.#host.failed(error)
    })
  }

  /** A coordinator may know a new partition before others do. */
  #scanLater (scan: QueueResponse_Scan): void {
    const { metadata, ports } = this.#host
    metadata.requestRefresh()
    ports.clock.setTimer(queueAheadRetryMs, () => { if (this.#scan?.id === scan.scan) this.scan(scan) })
  }

  #begin (from: number): void {
    this.#guarded(() => {
      if (this.#ahead.next !== from) this.#ahead.seek(from)
      this.#look()
    })
  }

  /** The stream that asked for it is over. */
  forgetScan (): void {
    this.#scan = undefined
  }

  halt (id: number): void {
    if (this.#scan?.id === id) this.#scan = undefined
  }

  /** What is here is told at once: who waits for more to come delays what there is. */
  #look (): void {
    const scan = this.#scan
    if (scan === undefined || scan.from < 0) return
    const offsets: number[] = []
    const keys: number[] = []
    while (offsets.length < scan.recordsMax) {
      const record = this.#ahead.take()
      if (record === undefined) break
      offsets.push(record.offset)
      keys.push(hashOf(record.key))
      this.#found.set(record.offset, record)
    }
    if (offsets.length === 0) return
    this.#scan = undefined
    this.#forgetOld()
    const { topicId, partition } = this
    this.#host.found({
      scan: scan.id, topicId, partition, from: scan.from, end: this.#ahead.next, records: toRanges(offsets), keys
    })
  }

  #forgetOld (): void {
    for (const offset of this.#found.keys()) {
      if (this.#found.size <= queueFoundMax) return
      this.#found.delete(offset)
    }
  }

  // For this member

  /** `arrived` follows for each, or `gone`. */
  want (offsets: readonly number[]): void {
    for (const offset of offsets) {
      const record = this.#found.get(offset)
      this.#found.delete(offset)
      if (record === undefined) this.#wanted.add(offset)
      else this.#host.arrived(this, record)
    }
    this.#guarded(() => { this.#fetch() })
  }

  unwant (offset: number): void {
    this.#wanted.delete(offset)
  }

  #fetch (): void {
    while (this.#wanted.size > 0) {
      const first = Math.min(...this.#wanted)
      if (this.#again.next !== first) this.#again.seek(first)
      const record = this.#again.take()
      if (record === undefined) return
      if (record.offset > first) this.#passOver(record.offset)
      if (this.#wanted.delete(record.offset)) this.#host.arrived(this, record)
    }
    this.#again.stop()
  }

  /** What lies before it is not there any more. */
  #passOver (end: number): void {
    for (const offset of [...this.#wanted]) {
      if (offset >= end) continue
      this.#wanted.delete(offset)
      this.#host.gone(this, offset)
    }
  }

  stop (): void {
    this.#scan = undefined
    this.#wanted.clear()
    this.#found.clear()
    this.#ahead.stop()
    this.#again.stop()
  }
}
