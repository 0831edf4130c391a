// What GrpcNet can be told, and what it does untold.
import type { ChannelOptions } from '@grpc/grpc-js'

export interface GrpcNetOptions {
  /** One message, either way. */
  readonly messageBytesMax: number
  /** Calls open at once on the connection to one address; more get BROKER_BUSY. */
  readonly streamsPerConnectionMax: number
  /** Connections that one listener keeps; more are closed at once. */
  readonly connectionsMax: number
  /** A dial that takes longer is given up: a paused process accepts connections but never answers. */
  readonly connectTimeoutMs: number
}

const MiB = 1024 * 1024

export const defaultOptions: GrpcNetOptions = {
  messageBytesMax: 8 * MiB + 64 * 1024,
  streamsPerConnectionMax: 128,
  connectionsMax: 2_000,
  connectTimeoutMs: 2_000
}

/** Larger than what is in flight on any link within a region; grpc-js' own is 64 KiB. */
const windowBytes = 8 * MiB
/** A connection whose peer is gone without a word is noticed after these two, if calls are open. */
const keepaliveMs = 5_000
const keepaliveTimeoutMs = 3_000

export function channelOptions (options: GrpcNetOptions): ChannelOptions {
  return {
    'grpc-node.flow_control_window': windowBytes,
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    // A retry is the caller's decision, and needs no second copy of what was sent.
    'grpc.enable_retries': 0,
    // Brokers are dialled directly whatever the environment says.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    // No DNS lookup of a service configuration.
    'grpc.service_config_disable_resolution': 1,
    // A subchannel that failed is not shared with the next channel, which is to dial at once.
    'grpc.use_local_subchannel_pool': 1
  }
}

export function serverOptions (options: GrpcNetOptions): ChannelOptions {
  return {
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.streamsPerConnectionMax,
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
    'grpc.enable_channelz': 0
  }
}
