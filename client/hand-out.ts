// What a consumer has received and not handed out yet, partition by partition in turn, and who waits for it.
import type { BatchOfReader } from './consumer-iterators.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { PartitionReader } from './partition-reader.ts'

export class HandOut {
  /** Readers with something to hand out, each in turn, so that none holds up another. */
  readonly #ready = new Set<PartitionReader>()
  /** Nothing is handed out: others may read what this member reads. */
  #onHold = false
  #wake: (() => void) | undefined
  #failure: MillraceError | undefined
  #closed = false

  get failure (): MillraceError | undefined { return this.#failure }
  get isClosed (): boolean { return this.#closed }
  get isOnHold (): boolean { return this.#onHold }

  /** Somebody waits for `changed`. */
  get isAwaited (): boolean { return this.#wake !== undefined }

  /** The reader has something. */
  add (reader: PartitionReader): void {
    this.#ready.add(reader)
    this.wake()
  }

  remove (reader: PartitionReader): void {
    this.#ready.delete(reader)
    this.wake()
  }

  hold (is: boolean): void {
    this.#onHold = is
    this.wake()
  }

  fail (error: MillraceError): void {
    this.#failure ??= error
    this.wake()
  }

  close (): void {
    this.#closed = true
    this.wake()
  }

  /**
   * The next batch of whichever partition has one, in turn; undefined when none has.
   * @param wanted passes over readers whose time has not come.
   * @throws MillraceError when reading has failed.
   */
  take (wanted?: (reader: PartitionReader) => boolean): BatchOfReader | undefined {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#onHold) return undefined
    for (const reader of this.#ready) {
      if (wanted?.(reader) === false) continue
      this.#ready.delete(reader)
      if (reader.paused) continue
      const batch = reader.next()
      if (reader.hasReceived) this.#ready.add(reader)
      if (batch === undefined) continue
      reader.isInHand = true
      return { reader, batch }
    }
    return undefined
  }

  /** Resolves when there may be something, or no more, to take. One may wait at a time. */
  changed (signal: AbortSignal | undefined): Promise<void> {
    if (this.#wake !== undefined) {
      return Promise.reject(errorOf('INVALID_REQUEST', 'a consumer is read by one loop at a time'))
    }
    return new Promise<void>(resolve => {
      const done = (): void => {
        signal?.removeEventListener('abort', done)
        this.#wake = undefined
        resolve()
      }
      this.#wake = done
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  wake (): void {
    this.#wake?.()
  }
}
