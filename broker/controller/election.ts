// Who leads: a member of the in-sync set of the last successful write, and nobody else, ever.
import type { PartitionRow, ReplicaEnds, ReplicaIdentity } from '../../wire/messages.ts'
import { hasIdentity, nobody, sameIdentity } from '../row.ts'

export interface Contest {
  readonly row: PartitionRow
  /** What members answered when asked for their ends. */
  readonly answers: readonly ReplicaEnds[]
  /** The highest high watermark known from anywhere else. */
  readonly highWatermarkSeen: number
  /** The highest that was answered before these were asked; undefined when they are asked for the first time. */
  readonly committedBefore?: number | undefined
  /** Only a live session with exactly this identity may lead. */
  canLead (identity: ReplicaIdentity): boolean
  /** Wins whatever its end, if it may lead: the return of a preferred leader. -1 for none. */
  readonly preferred: number
}

/**
 * The broker that shall lead, -1 when no member can: the one with the highest (last epoch, durable end),
 * then the order of `replicas`; never one that ends below a high watermark that any replica reports, for
 * that one has lost committed records.
 */
export function elect (contest: Contest): number {
  const { row, answers, canLead } = contest
  const committed = highWatermark(contest)
  const candidates = row.inSync.flatMap(identity => {
    const ends = answers.find(answer => answer.identity !== undefined && sameIdentity(answer.identity, identity))
    return ends !== undefined && ends.present && ends.durableEnd >= committed && canLead(identity) ? [ends] : []
  })
  if (candidates.some(ends => brokerOf(ends) === contest.preferred)) return contest.preferred
  candidates.sort((a, b) => b.lastEpoch - a.lastEpoch || b.durableEnd - a.durableEnd ||
    order(row, brokerOf(a)) - order(row, brokerOf(b)))
  return candidates[0] === undefined ? nobody : brokerOf(candidates[0])
}

/** Members whose answer shows that they lost committed records: to be reported, never to lead. */
export function damagedMembers (contest: Contest): ReplicaEnds[] {
  const committed = highWatermark(contest)
  return contest.answers.filter(ends => ends.present && ends.durableEnd < committed &&
    ends.identity !== undefined && hasIdentity(contest.row.inSync, ends.identity))
}

/**
 * Answers of one question are not of one moment: while a leader serves, one member tells its end, more is committed
 * with its acknowledgement, and another then tells the higher high watermark. Only an end that is newer than a high
 * watermark says that committed records are lost: such members are to be asked again.
 */
export function isDoubtful (contest: Contest): boolean {
  const { highWatermarkSeen, committedBefore } = contest
  return committedBefore === undefined &&
    damagedMembers(contest).some(({ durableEnd }) => durableEnd >= highWatermarkSeen)
}

export function answeredHighWatermark (answers: readonly ReplicaEnds[]): number {
  return Math.max(0, ...answers.map(ends => ends.present ? ends.highWatermark : 0))
}

function highWatermark ({ highWatermarkSeen, committedBefore, answers }: Contest): number {
  return Math.max(highWatermarkSeen, committedBefore ?? answeredHighWatermark(answers))
}

function brokerOf (ends: ReplicaEnds): number {
  return ends.identity?.brokerId ?? nobody
}

/** Replicas that are not listed, as those that are being removed, come last. */
function order (row: PartitionRow, brokerId: number): number {
  const index = row.replicas.indexOf(brokerId)
  return index < 0 ? row.replicas.length : index
}
