// The custom resources, in the order in which they are installed, and their objects as stored.
import type { ObjectMeta } from '../kube/types.ts'
import type { ClusterSpec, ClusterStatus } from './cluster.ts'
import { clusterResource } from './cluster.ts'
import type { Resource } from './crd.ts'
import type { PartitionTableSpec } from './partition-table.ts'
import { partitionTableResource } from './partition-table.ts'
import type { TopicSpec, TopicStatus } from './topic.ts'
import { topicResource } from './topic.ts'

export const resources: readonly Resource[] = [clusterResource, topicResource, partitionTableResource]

interface CustomObject<Spec> {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: Spec
}

export interface Cluster extends CustomObject<ClusterSpec> { readonly status?: ClusterStatus }
export interface Topic extends CustomObject<TopicSpec> { readonly status?: TopicStatus }
export type PartitionTable = CustomObject<PartitionTableSpec>
