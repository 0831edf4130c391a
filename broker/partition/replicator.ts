// The follower's side of replication: one Replicate stream to each broker that leads partitions followed
// here, a subscription for each of them, acknowledgements of what is fsynced.
import type { Clock, Net, Rng } from '../../wire/ports.ts'
import type { BrokerInfo } from '../../wire/messages.ts'
import type { PartitionRow } from '../row.ts'
import type { Follower, FollowerNext } from './follower.ts'
import { LeaderStream } from './leader-stream.ts'

/** What following needs of the host. */
export interface ReplicatorHost {
  readonly clock: Clock
  readonly rng: Rng
  readonly net: Net
  readonly brokerEpoch: number
  broker (brokerId: number): BrokerInfo | undefined
  /** A row that a leader sent. */
  adopt (row: PartitionRow): void
  /** A message made the follower wish for something that its stream cannot do. */
  refused (follower: Follower, next: FollowerNext): void
  /** True while what was received waits for the disk: receive no more for now. */
  readonly saturated: boolean
  /** Calls back when what waits for the disk now is there. */
  whenDurable (callback: () => void): void
}

export class Replicator {
  readonly #host: ReplicatorHost
  /** By broker id of the leader. */
  readonly #streams = new Map<number, LeaderStream>()

  constructor (host: ReplicatorHost) {
    this.#host = host
  }

  follow (follower: Follower): void {
    let stream = this.#streams.get(follower.leader)
    if (stream === undefined) {
      stream = new LeaderStream(this.#host, follower.leader)
      this.#streams.set(follower.leader, stream)
    }
    stream.follow(follower)
  }

  unfollow (follower: Follower): void {
    const stream = this.#streams.get(follower.leader)
    if (stream === undefined) return
    stream.unfollow(follower)
    if (!stream.idle) return
    this.#streams.delete(follower.leader)
    stream.close()
  }

  acknowledge (follower: Follower): void {
    this.#streams.get(follower.leader)?.acknowledge(follower)
  }

  /** Addresses may have changed. */
  brokersChanged (): void {
    for (const stream of this.#streams.values()) stream.brokersChanged()
  }

  /** There is room on the disk again, or none: goes on receiving, or pauses. */
  tick (): void {
    for (const stream of this.#streams.values()) stream.throttle()
  }

  /** Leaders that cannot be reached, in order of broker id. */
  unreachable (): number[] {
    const ids: number[] = []
    for (const [brokerId, stream] of this.#streams) if (stream.unreachable) ids.push(brokerId)
    return ids.sort((a, b) => a - b)
  }

  close (): void {
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
  }
}
