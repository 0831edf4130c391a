// The records of one partition from an offset on, one by one, as long as they are asked for.
import type { Decompress, RecordCursor } from '../wire/batch-reader.ts'
import type { Timer } from '../wire/ports.ts'
import type { ConsumedBatch } from './consumed-batch.ts'
import type { ConsumerRecord, TopicPartition } from './consumer-options.ts'
import { OffsetOutOfRangeError, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { FetchChannel } from './fetch-channel.ts'
import { queueAheadRetryMs } from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import { PartitionReader } from './partition-reader.ts'

export interface FeedHost {
  readonly ports: ClientPorts
  readonly metadata: Metadata
  readonly prefetchBytes: number
  readonly decompress: Decompress
  channel (address: string): FetchChannel
  failed (error: MillraceError): void
}

export interface FeedPlace extends TopicPartition {
  readonly topicId: string
}

export class OffsetFeed {
  readonly #host: FeedHost
  readonly #place: FeedPlace
  readonly #ready: () => void
  readonly #gone: (logStart: number) => void
  #reader: PartitionReader | undefined
  #current: { readonly batch: ConsumedBatch<unknown, unknown>, readonly cursor: RecordCursor } | undefined
  #next = -1
  #timer: Timer | undefined

  /**
   * @param ready there is something to take
   * @param gone retention has removed what lies before the offset
   */
  constructor (host: FeedHost, place: FeedPlace, ready: () => void, gone: (logStart: number) => void) {
    this.#host = host
    this.#place = place
    this.#ready = ready
    this.#gone = gone
  }

  get reader (): PartitionReader | undefined { return this.#reader }

  /** The next record to be taken is at or behind it; -1: it is nowhere. */
  get next (): number { return this.#next }

  seek (offset: number): void {
    const reader = this.#reader ??= this.#open(offset)
    const { batch, cursor } = this.#current ?? {}
    this.#next = offset
    if (cursor !== undefined && cursor.offset < offset && offset <= batch!.lastOffset) return
    this.#current = undefined
    if (reader.position >= 0 && reader.position <= offset && offset <= reader.fetched) return
    reader.startAt(offset)
  }

  #open (offset: number): PartitionReader {
    const { topic, partition, topicId } = this.#place
    return new PartitionReader({
      ...this.#host,
      channel: address => this.#host.channel(address),
      rack: '',
      reset: 'none',
      isMember: true,
      onReset: undefined,
      opening: { decompress: this.#host.decompress },
      unresolved: () => {},
      ready: () => { this.#ready() },
      failed: error => { this.#failed(error) }
    }, topic, partition, topicId, offset)
  }

  #failed (error: MillraceError): void {
    if (!(error instanceof OffsetOutOfRangeError)) {
      this.#host.failed(error)
      return
    }
    const { logStart, highWatermark } = error
    const isGone = this.#next < logStart
    // A leader that lags behind says this for a moment; after a loss of records a person has to say where to go on.
    if (!isGone) {
      const { topic, partition } = this.#place
      const why = `the group stands at ${this.#next}, behind its end at ${highWatermark}: see group reset`
      this.#host.ports.onWaiting(`${topic}/${partition} (${why})`)
    }
    this.#timer?.cancel()
    this.#timer = this.#host.ports.clock.setTimer(isGone ? 0 : queueAheadRetryMs, () => {
      if (this.#reader === undefined) return
      this.#reader.startAt(isGone ? logStart : this.#next)
      this.#current = undefined
      if (isGone) this.#gone(logStart)
    })
  }

  /**
   * The next record at or behind `next`; undefined when none is here yet: `ready` follows.
   * @throws MillraceError UNSUPPORTED_COMPRESSION, CORRUPT_BATCH ...
   */
  take (): ConsumerRecord | undefined {
    for (;;) {
      if (this.#current === undefined) {
        const batch = this.#reader?.next()
        if (batch === undefined) return undefined
        this.#current = { batch, cursor: batch.cursor() }
      }
      const { batch, cursor } = this.#current
      try {
        while (cursor.next()) {
          if (cursor.offset < this.#next) continue
          this.#next = cursor.offset + 1
          return batch.record(cursor) as ConsumerRecord
        }
      } catch (error) {
        throw toMillraceError(error, this.#place)
      }
      this.#current = undefined
      this.#next = Math.max(this.#next, batch.lastOffset + 1)
    }
  }

  stop (): void {
    this.#timer?.cancel()
    this.#reader?.stop()
    this.#reader = undefined
    this.#current = undefined
    this.#next = -1
  }
}
