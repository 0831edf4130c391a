// What GrpcNet can be told, and what it does untold.
const KiB = 1024
const MiB = 1024 * KiB

export interface GrpcNetOptions {
  /** One message, either way. */
  readonly messageBytesMax: number
  /** Calls open at once on one connection; more get BROKER_BUSY. */
  readonly streamsPerConnectionMax: number
  /** Connections that one listener keeps; more are closed at once. */
  readonly connectionsMax: number
  /** A dial that takes longer is given up: a paused process accepts connections but never answers. */
  readonly connectTimeoutMs: number
  /** Who is dialled and does not answer a ping for so long is gone; it is asked twice as often. */
  readonly keepaliveMs: number
  /** A message that has begun must be whole after this, or its call ends. */
  readonly messageDeadlineMs: number
  /** A connection without calls is closed by the listener after this. */
  readonly idleMs: number
}

export const defaultOptions: GrpcNetOptions = {
  messageBytesMax: 8 * MiB + 64 * KiB,
  streamsPerConnectionMax: 128,
  connectionsMax: 2_000,
  connectTimeoutMs: 2_000,
  keepaliveMs: 4_000,
  messageDeadlineMs: 30_000,
  idleMs: 5 * 60_000
}

/** Whoever dialled and does not answer a ping for so long is gone. A client's handler may keep its thread busy. */
export const listenerKeepaliveMs = 30_000
/** What a stream may have in flight; larger than what any link within a region holds. HTTP/2 begins with 64 KiB. */
export const streamWindowBytes = 8 * MiB
export const connectionWindowBytes = 16 * MiB
/** DATA frames, 16 KiB unless said otherwise: fewer and larger cost less. */
export const frameBytesMax = 1 * MiB
/** What Node keeps for one connection, in megabytes: messages that wait for a slow reader among it. */
export const sessionMemoryMegabytes = 256
/** Header that says which cluster a call is meant for. */
export const clusterName = 'millrace-cluster'
/** Names of headers and their values, all together. */
export const headerBytesMax = 16 * KiB
