// The order of rows and the identity of replicas: what partition, session and controller code agree on.
import type { PartitionKey, PartitionRow, ReplicaIdentity } from '../wire/messages.ts'

export type { PartitionKey, PartitionRow, ReplicaIdentity }

/** No leader, in PartitionRow.leader. */
export const nobody = -1

/**
 * The generation of a replica that the controller makes together with its partition: it is in the first
 * in-sync set before it exists. A replica made for any other reason gets a random one above it.
 */
export const firstReplicaGen = 0

export function sameIdentity (a: ReplicaIdentity, b: ReplicaIdentity): boolean {
  return a.brokerId === b.brokerId && a.volumeId === b.volumeId && a.replicaGen === b.replicaGen
}

export function hasIdentity (set: readonly ReplicaIdentity[], identity: ReplicaIdentity): boolean {
  return set.some(member => sameIdentity(member, identity))
}

/** 'brokerId/volumeId/replicaGen', for maps, logs and tables. */
export function identityText (identity: ReplicaIdentity): string {
  return `${identity.brokerId}/${identity.volumeId}/${identity.replicaGen}`
}

/** Rows are ordered by (leaderEpoch, version): is `a` newer than `b`? Undefined is older than any row. */
export function isNewerRow (a: PartitionRow, b: PartitionRow | undefined): boolean {
  if (b === undefined) return true
  return a.leaderEpoch > b.leaderEpoch || (a.leaderEpoch === b.leaderEpoch && a.version > b.version)
}

/** For maps. */
export function partitionKeyText (topicId: string, partition: number): string {
  return `${topicId}-${partition}`
}
