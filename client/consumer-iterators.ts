// The loops over a consumer: by batch and by record.
import type { RecordCursor } from '../wire/batch-reader.ts'
import type { ConsumedBatch } from './consumed-batch.ts'
import type { ConsumerRecord } from './consumer-options.ts'
import { toMillraceError } from './errors.ts'
import type { PartitionReader } from './partition-reader.ts'

export interface BatchOfReader {
  readonly reader: PartitionReader
  readonly batch: ConsumedBatch
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

const DONE = { done: true, value: undefined } as const

/** A batch is finished when the next one is asked for. One that the loop was left at is not. */
export class BatchIterator implements AsyncIterableIterator<ConsumedBatch> {
  readonly #source: BatchSource
  readonly #signal: AbortSignal | undefined
  #out: HandedOut | undefined

  constructor (source: BatchSource, signal: AbortSignal | undefined) {
    this.#source = source
    this.#signal = signal
  }

  async next (): Promise<IteratorResult<ConsumedBatch, undefined>> {
    const before = this.#out
    if (before !== undefined && before.generation === before.reader.generation) {
      before.reader.finished = before.batch.lastOffset + 1
    }
    this.#handBack()
    const next = await this.#source.nextBatch(this.#signal)
    if (next === undefined) return DONE
    this.#out = { ...next, generation: next.reader.generation }
    return { done: false, value: next.batch }
  }

  #handBack (): void {
    const out = this.#out
    this.#out = undefined
    if (out !== undefined) this.#source.handedBack(out.reader)
  }

  return (): Promise<IteratorResult<ConsumedBatch, undefined>> {
    this.#handBack()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator] (): this {
    return this
  }
}

/** A record is finished when the next one is asked for. One that the loop was left at is not. */
export class RecordIterator implements AsyncIterableIterator<ConsumerRecord> {
  readonly #source: BatchSource
  readonly #signal: AbortSignal | undefined
  #out: HandedOut | undefined
  #cursor: RecordCursor | undefined

  constructor (source: BatchSource, signal: AbortSignal | undefined) {
    this.#source = source
    this.#signal = signal
  }

  async next (): Promise<IteratorResult<ConsumerRecord, undefined>> {
    for (;;) {
      const record = this.#fromBatch()
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

  #fromBatch (): ConsumerRecord | undefined {
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
        return batch.record(cursor)
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

  return (): Promise<IteratorResult<ConsumerRecord, undefined>> {
    this.#leave()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator] (): this {
    return this
  }
}
