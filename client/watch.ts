// Looks every moment whether a consumer's partitions are still told of, and how long one could not be read.
import type { Timer } from '../wire/ports.ts'
import { errorOf } from './errors.ts'
import type { MillraceError } from './errors.ts'
import { doubtMs, quietMs } from './limits.ts'
import type { ClientPorts, Metadata } from './metadata.ts'
import type { PartitionReader } from './partition-reader.ts'

export interface Watched {
  readonly ports: ClientPorts
  readonly metadata: Metadata
  /** Undefined: a partition is waited for without end. */
  readonly waitTimeoutMs: number | undefined
  readers (): Iterable<PartitionReader>
  failed (error: MillraceError): void
}

export class Watch {
  readonly #host: Watched
  #tick: Timer | undefined

  constructor (host: Watched) {
    this.#host = host
  }

  start (): void {
    this.#tick ??= this.#next()
  }

  stop (): void {
    this.#tick?.cancel()
  }

  #next (): Timer {
    const { ports: { clock }, metadata, waitTimeoutMs } = this.#host
    return clock.setTimer(doubtMs, () => {
      this.#tick = this.#next()
      const now = clock.now()
      let quiet = false
      for (const reader of this.#host.readers()) {
        // Each is asked: it may have something to do.
        quiet = reader.isQuiet(now, quietMs) || quiet
        const stuck = waitTimeoutMs === undefined ? undefined : reader.stuckFor(now, waitTimeoutMs)
        if (stuck !== undefined) this.#host.failed(waitedTooLong(stuck, waitTimeoutMs ?? 0))
      }
      if (quiet) metadata.requestRefresh()
    })
  }
}

function waitedTooLong (cause: MillraceError, ms: number): MillraceError {
  const { topic, partition } = cause
  return errorOf('TIMED_OUT', `${topic}/${partition} could not be read for ${ms / 1000} s: ${cause.message}`,
    { topic, partition }, { cause })
}
