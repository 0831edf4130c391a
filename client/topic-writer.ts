// Many records to one topic, without a promise or an object for each.
import type { Clock } from '../wire/ports.ts'
import type { Header } from '../wire/batch-builder.ts'
import type { ProduceLane } from './produce-lane.ts'
import type { ProducerTopic } from './producer-topic.ts'

/** What `producer.writer()` can be told. */
export interface TopicWriterOptions {
  /** Of every record. */
  readonly headers?: readonly Header[] | undefined
  /** Overrides the partitioner for every record. */
  readonly partition?: number | undefined
  /** How long the topic's metadata is waited for (30,000). */
  readonly timeoutMs?: number | undefined
  /** Ends the wait for metadata: making the writer rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined
}

/** What a writer needs of its producer. */
export interface WriterHost {
  readonly clock: Clock
  readonly isFull: boolean
  append (lane: ProduceLane, timestamp: number, key: Uint8Array, keyStart: number, keyEnd: number,
    value: Uint8Array, valueStart: number, valueEnd: number, headers: Uint8Array): void
  /** Resolves when there is room again. */
  ready (): Promise<void>
}

/** Writes to one topic without a promise and an object per record. Made by `producer.writer()`. */
export class TopicWriter {
  readonly #host: WriterHost
  readonly #topic: ProducerTopic
  readonly #headers: Uint8Array
  readonly #partition: number

  /** Made by Producer.writer(). */
  constructor (host: WriterHost, topic: ProducerTopic, headers: Uint8Array, partition: number | undefined) {
    this.#host = host
    this.#topic = topic
    this.#headers = headers
    this.#partition = partition === undefined ? -1 : topic.checked(partition)
  }

  /**
   * Takes a record whose key and value are ranges of `bytes`, which are copied. A start below 0 means null.
   * False: the buffer is full, await `ready()` before the next (this one is taken all the same).
   * @throws MillraceError RECORD_TOO_LARGE, CLOSED.
   */
  write (bytes: Uint8Array, keyStart: number, keyEnd: number, valueStart: number, valueEnd: number): boolean {
    const host = this.#host
    const topic = this.#topic
    let partition = this.#partition
    if (partition < 0) {
      partition = keyStart < 0
        ? topic.partitionWithoutKey(valueEnd - valueStart)
        : topic.partitionOfRange(bytes, keyStart, keyEnd)
    }
    host.append(topic.lane(partition), host.clock.wallTime(), bytes, keyStart, keyEnd, bytes, valueStart, valueEnd,
      this.#headers)
    return !host.isFull
  }

  /** Resolves when half of the producer's buffer is free. */
  ready (): Promise<void> {
    return this.#host.ready()
  }
}
