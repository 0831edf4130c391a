// queue.run: records handed to a function, several at once.
import { MillraceError } from './errors.ts'
import { queueRetryMs, queueRetryMsMax } from './limits.ts'
import type { QueueOptions, QueueRecord } from './queue-options.ts'

export interface QueueRunHost<K, V> {
  /** Undefined: no more. */
  next (signal: AbortSignal | undefined): Promise<QueueRecord<K, V> | undefined>
  process (record: QueueRecord<K, V>): Promise<unknown>
  readonly retryDelayMs: QueueOptions['retryDelayMs']
}

export class QueueRun<K, V> {
  readonly #host: QueueRunHost<K, V>
  readonly #concurrency: number
  /** Aborted by the caller, or when one of the loops has failed. */
  readonly #stop: AbortSignal
  readonly #failed = new AbortController()

  constructor (host: QueueRunHost<K, V>, concurrency: number, signal: AbortSignal | undefined) {
    this.#host = host
    this.#concurrency = concurrency
    this.#stop = signal === undefined ? this.#failed.signal : AbortSignal.any([signal, this.#failed.signal])
  }

  async run (): Promise<void> {
    const ends = await Promise.allSettled(Array.from({ length: this.#concurrency }, () => this.#loop()))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  async #loop (): Promise<void> {
    try {
      for (;;) {
        const record = await this.#host.next(this.#stop)
        if (record === undefined) return
        await this.#handle(record).catch((error: unknown) => { ignoreUnsettled(error) })
      }
    } catch (error) {
      this.#failed.abort()
      throw error
    }
  }

  async #handle (record: QueueRecord<K, V>): Promise<void> {
    try {
      await this.#host.process(record)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (!record.isSettled) await record.release({ reason, delayMs: this.#delayMs(record.deliveries) })
      return
    }
    if (!record.isSettled) await record.acknowledge()
  }

  #delayMs (deliveries: number): number {
    const { retryDelayMs } = this.#host
    if (typeof retryDelayMs === 'function') return retryDelayMs(deliveries)
    return retryDelayMs ?? Math.min(queueRetryMs * 2 ** (deliveries - 1), queueRetryMsMax)
  }
}

/** The record is another member's, or it is not known whether it is settled: it comes again unless it is. */
export function ignoreUnsettled (error: unknown): void {
  const passes = error instanceof MillraceError && ['LEASE_LOST', 'TIMED_OUT', 'CLOSED'].includes(error.code)
  if (!passes) throw error
}
