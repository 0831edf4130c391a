// What every call that waits can be told.
import type { StartAt } from './consumer-options.ts'
import { operationTimeoutMs } from './limits.ts'
import type { Patience } from './offsets.ts'

/** How long a call waits. */
export interface CallOptions {
  /** How long brokers and leaders are waited for (30,000). */
  readonly timeoutMs?: number | undefined
  /** Ends the wait: the call rejects with CANCELLED. What was sent before may be carried out all the same. */
  readonly signal?: AbortSignal | undefined
}

/** How long `close` goes on: for ever, unless told otherwise. */
export interface CloseOptions {
  /** What is not through by then is given up. */
  readonly timeoutMs?: number | undefined
  /** What is not through when it aborts is given up. */
  readonly signal?: AbortSignal | undefined
}

/** How long `subscribe` waits, and where the group begins. */
export interface SubscribeOptions extends CallOptions {
  /** Where to begin when the group has committed nothing; by the consumer's `reset` unless set. */
  readonly from?: StartAt | undefined
}

export function patience (options: CallOptions): Patience {
  return { timeoutMs: options.timeoutMs ?? operationTimeoutMs, signal: options.signal }
}
