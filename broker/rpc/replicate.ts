// Replicate: a follower's stream goes to the partitions as it is.
import type { Services } from '../../wire/ports.ts'
import type { PartitionHost } from '../partition/host.ts'

export function replicateServices (host: PartitionHost): Services {
  return { streams: { Replicate: stream => host.replicate(stream) } }
}
