// Waiting in core code: by the clock that was given, ended early by a signal.
import type { Clock, Rng } from '../wire/ports.ts'
import { WireError } from '../wire/errors.ts'
import { Backoff } from './backoff.ts'
import type { CloseOptions } from './call-options.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'

export function cancelled (): MillraceError {
  return errorOf('CANCELLED', 'the caller\'s signal was aborted')
}

/** Resolves after `ms`; rejects with CANCELLED when the signal aborts first. */
export function sleep (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(cancelled())
      return
    }
    const aborted = (): void => {
      timer.cancel()
      reject(cancelled())
    }
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    })
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** Resolves when `done` is settled, after the timeout, or when the signal aborts. */
export function within (clock: Clock, { timeoutMs, signal }: CloseOptions, done = Promise.resolve()): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      timer?.cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, end)
    done.then(end, end)
    if (signal?.aborted === true) end()
    else signal?.addEventListener('abort', end, { once: true })
  })
}

export interface RetryOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** What is being waited for, for the message of a timeout. */
  readonly what: string
}

/**
 * Runs `attempt` until it succeeds, with backoff. Ends with the error that cannot be retried (or that
 * `isFinal` says so of), or with TIMED_OUT naming the last one.
 */
export async function retry<T> (options: RetryOptions, attempt: () => Promise<T>,
  isFinal: (error: MillraceError) => boolean = () => false): Promise<T> {
  const { clock, signal } = options
  const deadline = clock.now() + options.timeoutMs
  const backoff = new Backoff(options.rng)
  for (;;) {
    if (signal?.aborted === true) throw cancelled()
    let failure: MillraceError
    try {
      return await attempt()
    } catch (error) {
      failure = toMillraceError(error)
      if (!failure.retriable || isFinal(failure)) throw failure
    }
    const pause = backoff.next()
    if (clock.now() + pause >= deadline) {
      throw errorOf('TIMED_OUT', `${options.what}: ${failure.message} (waited ${options.timeoutMs / 1000} s)`,
        { topic: failure.topic, partition: failure.partition }, { cause: failure })
    }
    await sleep(clock, pause, signal)
  }
}

/** Throws the error that an answer carries in its `error` field. */
export function throwIfError (detail: Parameters<typeof WireError.fromDetail>[0] | undefined): void {
  if (detail !== undefined) throw WireError.fromDetail(detail)
}
