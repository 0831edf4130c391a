// What ApplyTopic and DeleteTopic do to the table that holds the topic. Pure: drafts in, drafts changed.
import { WireError } from '../../wire/errors.ts'
import type { ApplyTopicRequest, BrokerInfo, DeleteTopicRequest, PartitionRow } from '../../wire/messages.ts'
import * as limits from '../limits.ts'
import { firstReplicaGen } from '../row.ts'
import type { Facts } from './facts.ts'
import { retarget, targetOf } from './moves.ts'
import { addLoad, dropLoad, loadOf, place, ranked, withLeader } from './placement.ts'
import type { Load } from './placement.ts'
import type { TableDraft, TopicEntry } from './table.ts'

export const groupsTopic = '__groups'
const groupsPartitions = 8
const internalPrefix = '__'
const replicasDefault = 3
const namePattern = /^[a-zA-Z0-9._-]+$/

/** What a topic shall be, checked, with defaults filled in. */
export interface TopicWish {
  readonly name: string
  readonly internal: boolean
  readonly partitions: number
  readonly replicas: number
  readonly minInSync: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly segmentBytes: number
  readonly ownerUid: string
}

export interface PlacementFacts {
  /** Every broker of the root table that may get replicas. */
  readonly brokers: readonly BrokerInfo[]
  readonly members: Facts
  /** Registered, not stopping. */
  isLive (brokerId: number): boolean
  /** Over all tables; counts what is placed. */
  readonly load: Load
}

/** Throws INVALID_TOPIC. @param brokers that the cluster has or is to have */
export function checkTopic (request: ApplyTopicRequest, brokers: number): TopicWish {
  const { name, partitions, ownerUid } = request
  if (!namePattern.test(name) || name.length > limits.topicNameLengthMax || name === '.' || name === '..') {
    throw new WireError('INVALID_TOPIC', `the name '${name.slice(0, 300)}' is not allowed`)
  }
  if (name.startsWith(internalPrefix)) {
    throw new WireError('INVALID_TOPIC', `'${name}': names with __ are the broker's own`)
  }
  between('partitions', partitions, 1, limits.partitionsPerTopicMax)
  const replicas = orDefault(request.replicas, defaultReplicas(brokers))
  between('replicas', replicas, 1, limits.replicasMax)
  const minInSync = orDefault(request.minInSync, quorum(replicas))
  between('minInSync', minInSync, 1, replicas)
  const segmentBytes = orDefault(request.segmentBytes, limits.segmentBytesDefault)
  between('segmentBytes', segmentBytes, limits.segmentBytesMin, limits.segmentBytesDefault)
  return {
    name,
    internal: false,
    partitions,
    replicas,
    minInSync,
    retentionMs: orDefault(request.retentionMs, limits.retentionMsDefault),
    retentionBytes: orDefault(request.retentionBytes, -1),
    segmentBytes,
    ownerUid
  }
}

/** Committed offsets of groups; kept by their coordinators, so without retention. */
export function groupsWish (brokers: number): TopicWish {
  const replicas = defaultReplicas(brokers)
  return {
    name: groupsTopic,
    internal: true,
    partitions: groupsPartitions,
    replicas,
    minInSync: quorum(replicas),
    retentionMs: -1,
    retentionBytes: -1,
    segmentBytes: limits.groupsSegmentBytes,
    ownerUid: ''
  }
}

/** Makes the topic. Throws NOT_ENOUGH_BROKERS, also while too few of them live for the floor. */
export function createTopic (draft: TableDraft, wish: TopicWish, topicId: string, facts: PlacementFacts): void {
  requireBrokers(wish, facts)
  draft.setTopic({ ...settingsOf(wish), topicId, name: wish.name, internal: wish.internal, deleting: false })
  addPartitions(draft, topicId, 0, wish, facts)
}

function addPartitions (
  draft: TableDraft, topicId: string, from: number, wish: TopicWish, facts: PlacementFacts
): void {
  const own = loadOf(draft.rows(topicId))
  for (let partition = from; partition < wish.partitions; partition += 1) {
    draft.setRow(newRow(topicId, partition, wish, facts, own))
  }
}

/** Makes a topic as wished. Throws TOPIC_CONFLICT, PARTITIONS_SHRINK, NOT_ENOUGH_BROKERS, INVALID_TOPIC. */
export function alterTopic (draft: TableDraft, topic: TopicEntry, wish: TopicWish, facts: PlacementFacts): void {
  if (!topic.orphaned && topic.ownerUid !== wish.ownerUid) {
    throw new WireError('TOPIC_CONFLICT', `topic '${topic.name}' belongs to the Topic object ${topic.ownerUid}`)
  }
  if (wish.partitions < topic.partitions) {
    throw new WireError('PARTITIONS_SHRINK', `topic '${topic.name}' has ${topic.partitions} partitions`)
  }
  if (wish.partitions > topic.partitions || wish.replicas > topic.replicas) requireBrokers(wish, facts)
  const next: TopicEntry = { ...topic, ...settingsOf(wish) }
  if (Object.entries(next).some(([field, value]) => topic[field as keyof TopicEntry] !== value)) draft.setTopic(next)
  resize(draft, topic.topicId, wish.replicas, facts)
  addPartitions(draft, topic.topicId, topic.partitions, wish, facts)
}

/** Every partition gets its number of replicas, as a move: who is added joins by catching up, then others leave. */
function resize (draft: TableDraft, topicId: string, replicas: number, facts: PlacementFacts): void {
  const own = loadOf(draft.rows(topicId))
  for (const row of draft.rows(topicId)) {
    const target = targetOf(row)
    if (target.length === replicas) continue
    dropLoad(own, target)
    dropLoad(facts.load, target)
    const next = target.length < replicas ? grown(target, replicas, own, facts) : shrunk(row, replicas, own, facts)
    addLoad(own, next)
    addLoad(facts.load, next)
    if (next.length !== target.length) draft.setRow(retarget(row, next, facts.members))
  }
}

function grown (target: readonly number[], replicas: number, own: Load, facts: PlacementFacts): number[] {
  const next = [...target]
  while (next.length < replicas) {
    const others = facts.brokers.filter(broker => !next.includes(broker.brokerId))
    const live = others.filter(broker => facts.isLive(broker.brokerId))
    const [best] = ranked(live.length > 0 ? live : others, known(next, facts), own, facts.load)
    if (best === undefined) return next
    next.push(best.brokerId)
  }
  return next
}

/** The replicas that stay: the leader, then those in sync, then where there is least. */
function shrunk (row: PartitionRow, replicas: number, own: Load, facts: PlacementFacts): number[] {
  const target = targetOf(row)
  const isMember = (id: number): boolean => row.inSync.some(member => member.brokerId === id &&
    facts.members.member(row.topicId, row.partition, member) === 'live')
  const stay = target.filter(id => id === row.leader)
  while (stay.length < replicas) {
    const rest = target.filter(id => !stay.includes(id))
    const members = rest.filter(isMember)
    const [best] = ranked(known(members.length > 0 ? members : rest, facts), known(stay, facts), own, facts.load)
    const next = best?.brokerId ?? rest[0]
    if (next === undefined) break
    stay.push(next)
  }
  const next = target.filter(id => stay.includes(id))
  return next[0] === target[0] ? next : withLeader(next, row.leader, facts.load)
}

function known (ids: readonly number[], facts: PlacementFacts): BrokerInfo[] {
  return ids.flatMap(id => facts.brokers.find(broker => broker.brokerId === id) ?? [])
}

/**
 * Throws UNKNOWN_TOPIC. Without `deleteData` the topic is orphaned and keeps being served; with it the
 * topic goes when every broker has removed its replicas.
 */
export function deleteTopic (draft: TableDraft, topic: TopicEntry, request: DeleteTopicRequest): void {
  if (topic.internal) throw new WireError('INVALID_TOPIC', `'${topic.name}' is the broker's own`)
  if (request.deleteData) {
    if (!topic.deleting) draft.setTopic({ ...topic, deleting: true })
  } else if (!topic.orphaned) {
    draft.setTopic({ ...topic, orphaned: true, ownerUid: '' })
  }
}

function requireBrokers (wish: TopicWish, facts: PlacementFacts): void {
  const { brokers } = facts
  if (wish.replicas > brokers.length) {
    throw new WireError('NOT_ENOUGH_BROKERS', `topic '${wish.name}' wants ${wish.replicas} replicas, ` +
      `the cluster has ${brokers.length} ${brokers.length === 1 ? 'broker' : 'brokers'}`)
  }
  const live = brokers.filter(broker => facts.isLive(broker.brokerId)).length
  if (live < wish.minInSync) {
    throw new WireError('NOT_ENOUGH_BROKERS',
      `topic '${wish.name}' waits for ${wish.minInSync} live brokers, there are ${live}`)
  }
}

/** The members of the first set are empty and in sync by that; brokers that are away join later. */
function newRow (topicId: string, partition: number, wish: TopicWish, facts: PlacementFacts, own: Load): PartitionRow {
  const brokers = facts.brokers.map(broker => facts.isLive(broker.brokerId) ? broker : { ...broker, fenced: true })
  const replicas = place(brokers, wish.replicas, own, facts.load, partition)
  const live = replicas.filter(brokerId => facts.isLive(brokerId))
  const inSync = live.map(brokerId => ({
    brokerId,
    volumeId: facts.brokers.find(broker => broker.brokerId === brokerId)?.volumeId ?? '',
    replicaGen: firstReplicaGen
  }))
  const [leader] = live
  if (leader === undefined) throw new WireError('NOT_ENOUGH_BROKERS', 'no broker lives')
  return {
    topicId, partition, replicas, leader, leaderEpoch: 1, inSync, version: 1, minInSync: wish.minInSync,
    adding: [], removing: [], barred: []
  }
}

function settingsOf (wish: TopicWish): Omit<TopicEntry, 'topicId' | 'name' | 'internal' | 'deleting'> {
  const { partitions, replicas, minInSync, retentionMs, retentionBytes, segmentBytes, ownerUid } = wish
  return { partitions, replicas, minInSync, retentionMs, retentionBytes, segmentBytes, ownerUid, orphaned: false }
}

function defaultReplicas (brokers: number): number {
  return Math.max(1, Math.min(replicasDefault, brokers))
}

function quorum (replicas: number): number {
  return Math.floor(replicas / 2) + 1
}

function orDefault (value: number, ifUnset: number): number {
  return value === 0 ? ifUnset : value
}

function between (what: string, value: number, min: number, max: number): void {
  if (value < min || value > max) throw new WireError('INVALID_TOPIC', `${what} is ${value}, must be ${min} to ${max}`)
}
