// The outside world as core code sees it: time, chance and the network. Real adapters are in
// wire/adapters/, simulated ones in test/sim/; both pass the conformance suites in test/wire/.
import type { Methods, Sent } from './messages.ts'
import type { WireError } from './errors.ts'

/** Time. All of a process' time comes from here. */
export interface Clock {
  /** Monotonic milliseconds (fractions allowed) from an arbitrary origin; never goes back. */
  now (): number
  /** Milliseconds since 1970 by the wall clock, integer. May jump; never used to decide anything. */
  wallTime (): number
  /** Calls `callback` once, `afterMs` from now at the earliest. Does not keep the process alive. */
  setTimer (afterMs: number, callback: () => void): Timer
  /** Calls `callback` soon, after what is already queued (setImmediate). */
  defer (callback: () => void): void
}

export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel (): void
}

/** Chance. Seeded in the simulator. */
export interface Rng {
  /** Uniform integer in [0, exclusiveMax), exclusiveMax <= 2^53. */
  integer (exclusiveMax: number): number
  /** Uniform in [0, 1). */
  fraction (): number
  /** `length` random bytes as lower-case hex. */
  hex (length: number): string
}

export type Method = keyof Methods
export type StreamMethod = { [M in Method]: Methods[M]['stream'] extends true ? M : never }[Method]
export type UnaryMethod = Exclude<Method, StreamMethod>
export type RequestOf<M extends Method> = Methods[M]['request']
export type ResponseOf<M extends Method> = Methods[M]['response']

/** One side of an open stream. */
export interface Stream<Out> {
  /**
   * Queues a message, in order. False: the other side is slower than this one, send no more until
   * `drain` is called (what was sent is not lost). Ignored once the stream has closed.
   */
  send (message: Sent<Out>): boolean
  /** No more from this side; what was sent still arrives. Idempotent. */
  end (): void
  /** Breaks the stream: the other side sees `error` (UNAVAILABLE without one). Idempotent. */
  destroy (error?: WireError): void
  /** Asks the transport not to deliver more messages, for back-pressure; a few may still come. */
  pause (): void
  resume (): void
}

export interface StreamHandlers<In> {
  /** One message, in the order of sending. Byte fields may be views of a larger buffer. */
  message (message: In): void
  /** May send again after a `send` that answered false. */
  drain? (): void
  /**
   * The other side will send no more. Exactly once, the last call; `error` unset for a clean end.
   * CONNECTION_REFUSED when nobody listens, UNAVAILABLE for a connection that broke, and so on.
   */
  close (error: WireError | undefined): void
}

/** Who called, for limits and logs. */
export interface CallContext {
  /** The caller's address, host:port. */
  readonly peer: string
}

/** What a listener serves; a method that is left out answers UNIMPLEMENTED. */
export interface Services {
  readonly streams?: { readonly [M in StreamMethod]?:
    (stream: Stream<ResponseOf<M>>, context: CallContext) => StreamHandlers<RequestOf<M>> }
  /** A rejection with a WireError reaches the caller as that error, any other as INTERNAL. */
  readonly unary?: { readonly [M in UnaryMethod]?:
    (request: RequestOf<M>, context: CallContext) => Promise<Sent<ResponseOf<M>>> }
}

export interface Listener {
  /** host:port as bound (the port that was chosen when 0 was asked for). */
  readonly address: string
  /** Stops accepting, lets calls end for graceMs, then breaks what is left. */
  close (graceMs: number): Promise<void>
}

export interface ListenOptions {
  /** Callers that answer no ping for so long are taken for gone: their calls end. */
  readonly keepaliveMs?: number
  /** What its cluster is called. A caller that means another gets WRONG_BROKER; one that says nothing is served. */
  readonly clusters?: readonly string[]
}

/** The network. Connections to one address are shared and opened again by themselves when used. */
export interface Net {
  /** Opens a stream; failure to connect arrives through `handlers.close`. Never throws. */
  open<M extends StreamMethod> (address: string, method: M,
    handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>>
  /** One request, one answer. Rejects with a WireError; TIMED_OUT when timeoutMs passes. */
  call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>,
    timeoutMs: number): Promise<ResponseOf<M>>
  /** Rejects with a WireError ADDRESS_IN_USE when somebody listens there. */
  listen (address: string, services: Services, options?: ListenOptions): Promise<Listener>
  /**
   * Which cluster is meant, with every call that is begun from now on; '' says nothing. Addresses of pods pass to
   * others: whoever has one now refuses what is not meant for it.
   */
  identify (cluster: string): void
  /** Lets go of the connection to an address that will not be used any more. */
  forget (address: string): void
  /** Breaks every connection and stream this side opened. */
  close (): Promise<void>
}
