// From what a client names to a replica, or to the error that tells the client where to go.
import { WireError } from '../../wire/errors.ts'
import { nobody } from '../row.ts'
import type { PartitionRow } from '../row.ts'
import type { ClusterView } from '../session/contract.ts'
import type { PartitionRef } from './contract.ts'

/** The replica that `ref` means, whether it leads or not. */
export function resolve<R> (view: ClusterView, brokerId: number, ref: PartitionRef,
  find: (topicId: string, partition: number) => R | undefined): R | WireError {
  if (!view.loaded) return new WireError('LEADER_NOT_AVAILABLE', 'the broker has not joined the cluster yet')
  const topic = ref.topicId === '' ? view.topicByName(ref.topic) : view.topicById(ref.topicId)
  if (topic === undefined) {
    return ref.topicId === '' || view.topicByName(ref.topic) === undefined
      ? new WireError('UNKNOWN_TOPIC', `no topic ${ref.topic}`)
      : new WireError('UNKNOWN_TOPIC_ID')
  }
  if (!Number.isInteger(ref.partition) || ref.partition < 0 || ref.partition >= topic.partitions) {
    return new WireError('UNKNOWN_PARTITION',
      `topic ${topic.name} has ${topic.partitions} partitions, not ${ref.partition}`)
  }
  const { topicId } = topic
  return find(topicId, ref.partition) ?? noLeader(view, brokerId, view.row(topicId, ref.partition))
}

/** Why this broker does not lead, with what is known of who does. */
export function noLeader (view: ClusterView, brokerId: number, row: PartitionRow | undefined): WireError {
  // A row may name this broker while it does not lead: it waits to be elected again.
  if (row === undefined || row.leader === nobody || row.leader === brokerId) {
    return new WireError('LEADER_NOT_AVAILABLE', undefined, { leaderEpoch: row?.leaderEpoch ?? -1 })
  }
  return new WireError('NOT_LEADER', undefined, {
    leader: row.leader,
    leaderEpoch: row.leaderEpoch,
    leaderAddress: view.broker(row.leader)?.clientAddress ?? ''
  })
}
