// What the controller does to a row by itself: elect, drop dead members, complete moves, follow the topic's floor.
// Level-triggered: looks at how things are, after every change, and not at what happened.
import type { PartitionRow, ReplicaEnds, ReplicaIdentity } from '../../wire/messages.ts'
import { hasIdentity, nobody } from '../row.ts'
import { answeredHighWatermark, damagedMembers, elect, isDoubtful } from './election.ts'
import type { Contest } from './election.ts'
import type { Poll, Wish } from './elections.ts'
import type { Facts, Standing } from './facts.ts'
import { effectiveFloor, isHeldUp, nextRow, shrink } from './in-sync.ts'
import { completed, completion } from './moves.ts'
import type { TopicEntry } from './table.ts'

export interface RowPlan {
  /** The same object when nothing is to be done. */
  readonly row: PartitionRow
  /** Only members that follow well, and whose brokers stop, leave the set: that may wait for its turn. */
  readonly isGentle: boolean
  /** A poll that is needed before more can be decided. */
  readonly wish: Wish | undefined
  /** What a poll led to. doubtful: to the same question once more. */
  readonly outcome: 'none' | 'elected' | 'failed' | 'doubtful'
  /** Members that answered with less than what is committed. */
  readonly damaged: readonly ReplicaEnds[]
}

export function planRow (row: PartitionRow, topic: TopicEntry, facts: Facts, poll: Poll | undefined): RowPlan {
  if (topic.deleting) {
    return idle(withoutLeader(row))
  }
  const standing = facts.leadership(row)
  if (standing === 'stands' && (poll === undefined || poll.preferred === nobody)) {
    return { ...calm(row, topic, facts), wish: moveWish(row, facts) }
  }
  const able = row.inSync.filter(member => isLive(facts, row, member) &&
    (standing === 'lost' || (member.brokerId !== row.leader && facts.isFit(row, member.brokerId))))
  if (able.length === 0) return standing === 'lost' ? idle(withoutLeader(row)) : calm(row, topic, facts)
  if (poll !== undefined) return contested(row, topic, facts, standing, poll, able)
  const isGentle = standing === 'leaving' && row.inSync.some(member => member.brokerId === row.leader &&
    facts.member(row.topicId, row.partition, member) === 'stopping')
  const wish = { row, ask: answering(row, facts), candidates: idsOf(able), preferred: nobody, isGentle }
  // A leader that only is to leave goes on leading meanwhile.
  return { ...standing === 'lost' ? idle(row) : calm(row, topic, facts), wish }
}

function contested (row: PartitionRow, topic: TopicEntry, facts: Facts, standing: Standing, poll: Poll,
  able: readonly ReplicaIdentity[]): RowPlan {
  // A leader that stands gives way to the one that is preferred, or to whoever is to stay when its replica goes.
  const heirs = standing === 'stands' ? heirsOf(row, facts) : []
  const fit = heirs.length > 0 ? heirs : able.filter(member => facts.isFit(row, member.brokerId))
  const contest: Contest = {
    row,
    answers: poll.answers,
    highWatermarkSeen: facts.highWatermarkSeen(row.topicId, row.partition),
    committedBefore: poll.committedBefore,
    preferred: poll.preferred,
    canLead: identity => able.includes(identity) && (standing === 'lost' || fit.includes(identity))
  }
  if (isDoubtful(contest)) {
    const { preferred, answers } = poll
    const ask = answering(row, facts)
    const wish = { row, ask, candidates: idsOf(able), preferred, committedBefore: answeredHighWatermark(answers) }
    return { ...standing === 'lost' ? idle(row) : calm(row, topic, facts), wish, outcome: 'doubtful' }
  }
  let leader = elect({ ...contest, canLead: identity => fit.includes(identity) })
  if (leader === nobody) leader = elect(contest)
  const damaged = damagedMembers(contest)
  if (standing === 'stands' && heirs.length === 0 && leader !== poll.preferred) leader = nobody
  if (leader === nobody) {
    const rest = standing === 'lost' ? idle(withoutLeader(row)) : calm(row, topic, facts)
    return { ...rest, outcome: 'failed', damaged }
  }
  const inSync = [...shrink(row, leader, facts)]
  const minInSync = effectiveFloor(row.minInSync, topic.minInSync, inSync.length)
  const next = nextRow(row, { leader, leaderEpoch: row.leaderEpoch + 1, inSync, minInSync })
  return { ...idle({ ...next, ...completed(next, facts) }), outcome: 'elected', damaged }
}

/** A move that waits for nothing but a leader in its target: who that could be, in order of preference. */
function heirsOf (row: PartitionRow, facts: Facts): readonly ReplicaIdentity[] {
  const inSync = completion(row, facts) ?? []
  if (inSync.some(member => member.brokerId === row.leader)) return []
  return inSync.filter(member => isLive(facts, row, member) && facts.isFit(row, member.brokerId))
    .sort((a, b) => row.replicas.indexOf(a.brokerId) - row.replicas.indexOf(b.brokerId))
}

function moveWish (row: PartitionRow, facts: Facts): Wish | undefined {
  const [heir] = heirsOf(row, facts)
  if (heir === undefined) return undefined
  return { row, ask: answering(row, facts), preferred: heir.brokerId }
}

/**
 * A row whose leader stays: dead members go, the floor follows the topic, and a move that is through is completed:
 * a new leader epoch, so that nothing of those that left counts any more.
 */
function settled (row: PartitionRow, topic: TopicEntry, facts: Facts): PartitionRow {
  const lowered = Math.min(row.minInSync, topic.minInSync)
  const inSync = shrink(lowered === row.minInSync ? row : { ...row, minInSync: lowered }, row.leader, facts)
  const minInSync = effectiveFloor(lowered, topic.minInSync, inSync.length)
  const next = { ...row, inSync: [...inSync], minInSync }
  const done = completed(next, facts)
  if (done !== undefined) {
    const members = done.inSync?.length ?? 0
    return nextRow(next, {
      ...done, leaderEpoch: row.leaderEpoch + 1, minInSync: effectiveFloor(minInSync, topic.minInSync, members)
    })
  }
  return inSync === row.inSync && minInSync === row.minInSync ? row : nextRow(row, { inSync: [...inSync], minInSync })
}

/** No member can lead now: clients are told so, and the set stays whole. */
function withoutLeader (row: PartitionRow): PartitionRow {
  return row.leader === nobody ? row : nextRow(row, { leader: nobody })
}

function isLive (facts: Facts, row: PartitionRow, member: ReplicaIdentity): boolean {
  return facts.member(row.topicId, row.partition, member) === 'live'
}

/** Brokers to ask. Who leaves can still tell its end and its high watermark. */
function answering (row: PartitionRow, facts: Facts): number[] {
  const members = row.inSync.filter(member => {
    const state = facts.member(row.topicId, row.partition, member)
    return state === 'live' || state === 'stopping'
  })
  return idsOf(members)
}

function idsOf (members: readonly ReplicaIdentity[]): number[] {
  return [...new Set(members.map(member => member.brokerId))]
}

function idle (row: PartitionRow): RowPlan {
  return { row, isGentle: false, wish: undefined, outcome: 'none', damaged: [] }
}

/** Its leader stays. */
function calm (row: PartitionRow, topic: TopicEntry, facts: Facts): RowPlan {
  const next = settled(row, topic, facts)
  const isGentle = next !== row && next.leaderEpoch === row.leaderEpoch && next.minInSync === row.minInSync &&
    row.inSync.every(member => hasIdentity(next.inSync, member) ||
      (facts.member(row.topicId, row.partition, member) === 'stopping' &&
        !isHeldUp(member.brokerId, row.leader, facts)))
  return { ...idle(next), isGentle }
}
