// Changes of the in-sync set: what the controller does by itself, and what a leader may ask for.
import { WireError } from '../../wire/errors.ts'
import type {
  PartitionRow, ReplicaIdentity, SessionRequest_AddedMember, SessionRequest_ChangeInSync
} from '../../wire/messages.ts'
import { hasIdentity, identityText, sameIdentity } from '../row.ts'
import type { Facts } from './facts.ts'

/** The row with changes, one version up. */
export function nextRow (row: PartitionRow, changes: Partial<PartitionRow>): PartitionRow {
  return { ...row, ...changes, version: row.version + 1 }
}

/**
 * The set without its dead and stopping members if those that remain and live are at least minInSync,
 * else the set itself: every member of a set at the floor keeps counting, dead or not. Members of
 * unknown fate stay. The leader always stays. Then without those that are held up, if minInSync live members are not:
 * otherwise it is the leader that is to go, to a member that reaches the others, or all wait.
 */
export function shrink (row: PartitionRow, leader: number, facts: Facts): readonly ReplicaIdentity[] {
  let live = 0
  const remaining = row.inSync.filter(member => {
    const state = facts.member(row.topicId, row.partition, member)
    if (state === 'live') live += 1
    return state === 'live' || state === 'missing' || (state === 'stopping' && member.brokerId === leader)
  })
  const rest = live >= row.minInSync && remaining.length < row.inSync.length ? remaining : row.inSync
  const near = rest.filter(member => member.brokerId === leader || !isHeldUp(member.brokerId, leader, facts))
  if (near.length === rest.length) return rest
  const reached = near.filter(member => facts.member(row.topicId, row.partition, member) === 'live').length
  return reached >= row.minInSync ? near : rest
}

/** A member that lives and follows, and yet acknowledges nothing. */
export function isHeldUp (brokerId: number, leader: number, facts: Facts): boolean {
  return facts.isCutOff(brokerId, leader) || facts.isStalled(brokerId)
}

/** A floor lowered takes effect at once, one raised when the set has that many members. */
export function effectiveFloor (current: number, wanted: number, members: number): number {
  return wanted <= current || members >= wanted ? wanted : current
}

export interface Sender {
  readonly brokerId: number
  /** As registered. */
  readonly brokerEpoch: number
  /** A wiped volume begins to count its openings anew: only this tells its process from the one before. */
  readonly incarnation: string
}

/** Is the row that the request was made from newer than any that this controller has written? */
export function isFromTheFuture (row: PartitionRow, request: SessionRequest_ChangeInSync): boolean {
  return request.leaderEpoch > row.leaderEpoch ||
    (request.leaderEpoch === row.leaderEpoch && request.version > row.version)
}

/**
 * Why the leader's request must be refused, undefined when it may be written. Looks at the added members
 * and the sender alone: a strict check of all members would keep a leader from ending a pending change.
 * Whoever calls has dealt with requests from the future.
 */
export function refuseChange (row: PartitionRow, request: SessionRequest_ChangeInSync, sender: Sender,
  facts: Facts): WireError | undefined {
  if (request.leaderEpoch !== row.leaderEpoch || request.version !== row.version || row.leader !== sender.brokerId) {
    return new WireError('STALE_ROW', undefined, { leader: row.leader, leaderEpoch: row.leaderEpoch })
  }
  const asker = facts.registered(sender.brokerId)
  if (asker?.brokerEpoch !== sender.brokerEpoch || asker.incarnation !== sender.incarnation) {
    return new WireError('INELIGIBLE_REPLICA', 'the leader is not registered')
  }
  const { inSync } = request
  if (inSync.some((member, index) => hasIdentity(inSync.slice(0, index), member))) {
    return new WireError('INVALID_REQUEST', 'a member is named twice')
  }
  if (!inSync.some(member => member.brokerId === row.leader && hasIdentity(row.inSync, member))) {
    return new WireError('INVALID_REQUEST', 'a leader stays in its in-sync set')
  }
  for (const member of inSync) {
    if (hasIdentity(row.inSync, member)) continue
    const added = request.added.find(claim => claim.identity !== undefined && sameIdentity(claim.identity, member))
    const reason = ineligible(row, member, added, facts)
    if (reason !== '') return new WireError('INELIGIBLE_REPLICA', `${identityText(member)} ${reason}`)
  }
  return belowFloor(row, inSync, facts)
}

function ineligible (
  row: PartitionRow, member: ReplicaIdentity, added: SessionRequest_AddedMember | undefined, facts: Facts
): string {
  if (!row.replicas.includes(member.brokerId) && !row.adding.includes(member.brokerId)) return 'is no replica'
  if (hasIdentity(row.barred, member)) return 'was declared lost'
  const broker = facts.registered(member.brokerId)
  if (broker === undefined) return 'is fenced'
  // It would be dropped again at once.
  if (facts.isCutOff(member.brokerId, row.leader)) return 'cannot reach the leader'
  if (facts.isStalled(member.brokerId)) return 'has a disk that takes nothing'
  // KIP-903: a rebooted follower may have lost what the leader saw it acknowledge.
  if (added?.brokerEpoch !== broker.brokerEpoch) return 'has restarted since'
  const state = facts.member(row.topicId, row.partition, member)
  return state === 'live' ? '' : `is ${state}`
}

function belowFloor (row: PartitionRow, inSync: readonly ReplicaIdentity[], facts: Facts): WireError | undefined {
  if (row.inSync.every(member => hasIdentity(inSync, member))) return undefined
  const live = inSync.filter(member => facts.member(row.topicId, row.partition, member) === 'live').length
  if (live >= row.minInSync) return undefined
  return new WireError('BELOW_FLOOR', `${live} members would remain and live, minInSync is ${row.minInSync}`)
}
