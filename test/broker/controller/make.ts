// Rows, topics and facts for tests of pure rules.
import type { Facts, MemberState, Standing } from '../../../broker/controller/facts.ts'
import type { TopicEntry } from '../../../broker/controller/table.ts'
import { emptyTable } from '../../../broker/controller/table.ts'
import type { Table } from '../../../broker/controller/table.ts'
import type { BrokerInfo, PartitionRow, ReplicaEnds, ReplicaIdentity } from '../../../wire/messages.ts'

export const topicId = '00112233445566aa'

export function volumeOf (brokerId: number): string {
  return brokerId.toString(16).padStart(16, 'a')
}

export function id (brokerId: number, replicaGen = 0, volumeId = volumeOf(brokerId)): ReplicaIdentity {
  return { brokerId, volumeId, replicaGen }
}

export function row (changes: Partial<PartitionRow> = {}): PartitionRow {
  return {
    topicId, partition: 0, replicas: [0, 1, 2], leader: 0, leaderEpoch: 5, inSync: [id(0), id(1), id(2)], version: 9,
    minInSync: 2, adding: [], removing: [], barred: [], ...changes
  }
}

export function topic (changes: Partial<TopicEntry> = {}): TopicEntry {
  return {
    topicId, name: 'orders', internal: false, partitions: 1, replicas: 3, minInSync: 2, retentionMs: -1,
    retentionBytes: -1, segmentBytes: 1_048_576, deleting: false, orphaned: false, ownerUid: 'uid', ...changes
  }
}

export function broker (brokerId: number, changes: Partial<BrokerInfo> = {}): BrokerInfo {
  return {
    brokerId, volumeId: volumeOf(brokerId), brokerEpoch: 3, incarnation: brokerId.toString(16).padStart(16, 'c'),
    fenced: false, stopping: false, clientAddress: `b${brokerId}:9090`, peerAddress: `b${brokerId}:9091`, rack: '',
    draining: false, listeners: [], maintenance: false,
    ...changes
  }
}

export function ends (
  brokerId: number, lastEpoch: number, durableEnd: number, changes: Partial<ReplicaEnds> = {}
): ReplicaEnds {
  return {
    topicId, partition: 0, identity: id(brokerId), lastEpoch, durableEnd, highWatermark: 0, present: true, ...changes
  }
}

/** By broker id: the state of its member with generation 0 on its volume; every other identity is dead. */
export function facts (states: Record<number, MemberState>, options: {
  standing?: Standing, unfit?: number[], epochs?: Record<number, number>, highWatermark?: number,
  gens?: Record<number, number>, cutOff?: readonly [brokerId: number, leader: number][]
  stalled?: readonly number[]
} = {}): Facts {
  const state = (identity: ReplicaIdentity): MemberState => {
    const known = identity.volumeId === volumeOf(identity.brokerId) &&
      identity.replicaGen === (options.gens?.[identity.brokerId] ?? 0)
    return known ? states[identity.brokerId] ?? 'dead' : 'dead'
  }
  return {
    member: (_topicId, _partition, identity) => state(identity),
    leadership: () => options.standing ?? 'stands',
    registered: brokerId => {
      const live = states[brokerId] === 'live' || states[brokerId] === 'stopping'
      return live ? broker(brokerId, { brokerEpoch: options.epochs?.[brokerId] ?? 3 }) : undefined
    },
    isFit: (_row, brokerId) => options.unfit?.includes(brokerId) !== true,
    isCutOff: (brokerId, leader) => options.cutOff?.some(([a, b]) => a === brokerId && b === leader) === true,
    isStalled: brokerId => options.stalled?.includes(brokerId) === true,
    highWatermarkSeen: () => options.highWatermark ?? 0
  }
}

export function table (changes: Partial<Table> = {}): Table {
  return {
    ...emptyTable({ name: 'events-0', labels: { 'millrace.dev/cluster': 'events' } }),
    uid: 'u1', resourceVersion: '7', ...changes
  }
}
