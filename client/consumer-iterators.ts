// The loops over a consumer: by batch and by record.
import type { RecordCursor } from '../wire/batch-reader.ts'
import type { ConsumedBatch } from './consumed-batch.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { DeserializationError, toMillraceError } from './errors.ts'
import type { PartitionReader } from './partition-reader.ts'

export interface BatchOfReader {
  readonly reader: PartitionReader
  readonly batch: ConsumedBatch<unknown, unknown>
}

export interface BatchSource {
  nextBatch (signal: AbortSignal | undefined): Promise<BatchOfReader | undefined>
  /** Nothing of the reader is in the caller's hands any more. */
  handedBack (reader: PartitionReader): void
}

interface HandedOut extends BatchOfReader {
  /** Of the reader, when the batch was handed out: a seek since then makes it void. */
  readonly generation: number
}

type OnUndecodable = (error: DeserializationError) => void | Promise<void>

const DONE = { done: true, value: undefined } as const

/** The record that the cursor is at, or why it is none. */
export function recordOf (batch: BatchOfReader['batch'], cursor: RecordCursor):
ConsumerRecord<unknown, unknown> | DeserializationError {
  try {
    return batch.record(cursor)
  } catch (error) {
    if (error instanceof DeserializationError) return error
    throw error
  }
}

/** A batch is finished when the next one is asked for. One that the loop was left at is not. */
export class BatchIterator<K, V> implements AsyncIterableIterator<ConsumedBatch<K, V>> {
  readonly #source: BatchSource
  readonly #signal: AbortSignal | undefined
  #out: HandedOut | undefined

  constructor (source: BatchSource, signal: AbortSignal | undefined) {
    this.#source = source
    this.#signal = signal
  }

  async next (): Promise<IteratorResult<ConsumedBatch<K, V>, undefined>> {
    const before = this.#out
    if (before !== undefined && before.generation === before.reader.generation) {
      before.reader.finished = before.batch.lastOffset + 1
    }
    this.#handBack()
    const next = await this.#source.nextBatch(this.#signal)
    if (next === undefined) return DONE
    this.#out = { ...next, generation: next.reader.generation }
    return { done: false, value: next.batch as ConsumedBatch<K, V> }
  }

  #handBack (): void {
    const out = this.#out
    this.#out = undefined
    if (out !== undefined) this.#source.handedBack(out.reader)
  }

  return (): Promise<IteratorResult<ConsumedBatch<K, V>, undefined>> {
    this.#handBack()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator] (): this {
    return this
  }
}

/** A record is finished when the next one is asked for. One that the loop was left at is not. */
export class RecordIterator<K, V> implements AsyncIterableIterator<ConsumerRecord<K, V>> {
  readonly #source: BatchSource
  readonly #signal: AbortSignal | undefined
  #out: HandedOut | undefined
  #cursor: RecordCursor | undefined
  readonly #onUndecodable: OnUndecodable | undefined

  constructor (source: BatchSource, signal: AbortSignal | undefined, onUndecodable: OnUndecodable | undefined) {
    this.#source = source
    this.#signal = signal
    this.#onUndecodable = onUndecodable
  }

  async next (): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    for (;;) {
      const record = this.#fromBatch()
      if (record instanceof DeserializationError) {
        await this.#passOver(record)
        continue
      }
      if (record !== undefined) return { done: false, value: record }
      const next = await this.#source.nextBatch(this.#signal)
      if (next === undefined) return DONE
      this.#out = { ...next, generation: next.reader.generation }
      next.reader.position = next.batch.firstOffset
      try {
        this.#cursor = next.batch.cursor()
      } catch (error) {
        this.#leave()
        throw error
      }
    }
  }

  async #passOver (error: DeserializationError): Promise<void> {
    try {
      if (this.#onUndecodable === undefined) throw error
      await this.#onUndecodable(error)
    } catch (failure) {
      // It was not handed out: whoever goes on without a seek meets it again.
      const out = this.#out
      if (out !== undefined && out.generation === out.reader.generation) out.reader.position = error.offset
      this.#leave()
      throw failure
    }
  }

  #fromBatch (): ConsumerRecord<K, V> | DeserializationError | undefined {
    const out = this.#out
    const cursor = this.#cursor
    if (out === undefined || cursor === undefined) return undefined
    const { reader, batch, generation } = out
    if (generation !== reader.generation) {
      this.#forget()
      return undefined
    }
    try {
      if (cursor.offset >= batch.firstOffset) reader.finished = cursor.offset + 1
      reader.progress++
      if (reader.isRevoked) {
        this.#forget()
        return undefined
      }
      while (cursor.next()) {
        if (cursor.offset < batch.firstOffset) continue
        reader.position = cursor.offset + 1
        return recordOf(batch, cursor) as ConsumerRecord<K, V> | DeserializationError
      }
    } catch (error) {
      // Nothing is passed over: whoever goes on without a seek meets it again.
      this.#leave()
      throw toMillraceError(error, reader.place)
    }
    // Offsets that compaction took away are finished as well.
    reader.position = batch.lastOffset + 1
    reader.finished = batch.lastOffset + 1
    this.#forget()
    return undefined
  }

  #forget (): void {
    const out = this.#out
    this.#out = undefined
    this.#cursor = undefined
    if (out !== undefined) this.#source.handedBack(out.reader)
  }

  /** What is left of the batch is for the next loop. */
  #leave (): void {
    const out = this.#out
    const isTheirs = out !== undefined && out.generation === out.reader.generation && !out.reader.isRevoked
    if (isTheirs) out.reader.putBack(out.batch)
    this.#forget()
  }

  return (): Promise<IteratorResult<ConsumerRecord<K, V>, undefined>> {
    this.#leave()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator] (): this {
    return this
  }
}
