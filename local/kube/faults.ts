// Faults on demand, for tests: an API server that resets, stalls, refuses, forgets to answer or lies
// by omission. Without a `Faults` in the options none of this is reached.
import type { WatchEvent } from './object.ts'

/** What a fault decides on: one HTTP request, before it is handled. */
export interface FaultRequest {
  /** get list watch create update patch apply delete deletecollection, or `other`. */
  readonly verb: string
  /** `topics.millrace.dev`; empty when the path names no resource. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly userAgent: string
  /** Counts requests since the start, from 1. */
  readonly sequence: number
}

export type Fault =
  /** The connection breaks before the request is looked at. */
  | { readonly kind: 'reset' }
  /** No answer until `release` resolves (unset: never); the request is then handled. */
  | { readonly kind: 'stall', readonly release?: Promise<unknown> }
  /** 401 Unauthorized, 403 Forbidden, 409 Conflict, 500 InternalError. */
  | { readonly kind: 'refuse', readonly code: 401 | 403 | 409 | 500 }
  /** 429 TooManyRequests with this Retry-After. */
  | { readonly kind: 'throttle', readonly retryAfterSeconds: number }
  /** The request is handled and fsynced, then the connection breaks without an answer. */
  | { readonly kind: 'lostReply' }
  /** Watches: answers, then never sends an event, also no bookmark. */
  | { readonly kind: 'staleWatch' }

/** Hooks that tests set. Each is asked for every request or event while it is set. */
export interface Faults {
  /** Undefined: handle the request as usual. */
  onRequest? (request: FaultRequest): Fault | undefined
  /** True: this watcher never sees this event (its resourceVersion moves on all the same). */
  dropEvent? (request: FaultRequest, event: WatchEvent): boolean
}
