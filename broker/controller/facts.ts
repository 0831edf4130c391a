// What the rules of election and of the in-sync set need to know of the brokers. Implemented by roster.ts.
import type { BrokerInfo, PartitionRow, ReplicaIdentity } from '../../wire/messages.ts'

/**
 * live: a session with exactly this identity, and the replica is sound. stopping: the same, but its broker is on
 * its way out. missing: no session, and not yet known to be gone. dead: the broker is gone, or the identity is: its
 * volume was wiped, its replica damaged or lost.
 */
export type MemberState = 'live' | 'stopping' | 'missing' | 'dead'

/** stands: nothing to do. leaving: lives, but another is to lead if one can. lost: a new leader is needed. */
export type Standing = 'stands' | 'leaving' | 'lost'

export interface Facts {
  member (topicId: string, partition: number, identity: ReplicaIdentity): MemberState
  leadership (row: PartitionRow): Standing
  /** A broker with a session, registered: not fenced, its row in the root table as it registered. */
  registered (brokerId: number): BrokerInfo | undefined
  /** Could the broker lead well: its disk answers, and it reaches minInSync members? */
  isFit (row: PartitionRow, brokerId: number): boolean
  /** Both live, but for a while now nothing has come from the leader to the broker. */
  isCutOff (brokerId: number, leader: number): boolean
  /** It lives, but for a while now nothing has become durable there: its disk hangs, or is full. */
  isStalled (brokerId: number): boolean
  /** The highest high watermark that any replica of the partition reported when it registered. */
  highWatermarkSeen (topicId: string, partition: number): number
}
