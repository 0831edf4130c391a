// What would become of a Topic. Pure.
import type { TopicStatus } from '../../wire/messages.ts'
import { differences, topicName, topicSettings } from '../reconcile/topic-settings.ts'
import type { Cluster, Topic } from '../schema/resources.ts'

export interface TopicFacts {
  /** Undefined: there is no such Cluster. */
  readonly cluster: Cluster | undefined
  /** As the controller has it; undefined: it has none of that name, or could not be asked. */
  readonly existing?: TopicStatus
  /** Name of an older Topic that speaks of the same topic. */
  readonly owner?: string
  /** About how large a replica is. */
  readonly replicaBytes?: number
}

export interface TopicPlan {
  readonly topic: string
  /** What is set otherwise than it is: `partitions`, from 6 to 12. */
  readonly changes: readonly { readonly setting: string, readonly from: number | null, readonly to: number }[]
  readonly partitionsAdded: number
  readonly replicasAdded: number
  /** What the added replicas copy, about; null: not known. */
  readonly bytes: number | null
  readonly refused?: string
}

/** @throws InvalidValueError */
export function planTopic (wanted: Topic, { cluster, existing, owner, replicaBytes }: TopicFacts): TopicPlan {
  const topic = topicName(wanted)
  const nothing = { topic, changes: [], partitionsAdded: 0, replicasAdded: 0, bytes: 0 }
  if (cluster === undefined) {
    return { ...nothing, refused: `there is no Cluster ${wanted.spec.cluster} in this namespace` }
  }
  if (owner !== undefined) {
    return { ...nothing, refused: `topic ${topic} belongs to the older Topic ${owner}; delete one of the two` }
  }
  const info = existing?.topic
  const settings = topicSettings(wanted, cluster, info)
  const refused = refusal(settings, cluster, info?.partitions ?? 0)
  if (info === undefined) {
    const { partitions, replicas, minInSync } = settings
    return {
      ...nothing,
      changes: Object.entries({ partitions, replicas, minInSync })
        .map(([setting, to]) => ({ setting, from: null, to })),
      partitionsAdded: partitions,
      ...refused !== undefined && { refused }
    }
  }
  const changes = differences(settings, info)
    .map(setting => setting as 'partitions').map(setting => ({ setting, from: info[setting], to: settings[setting] }))
  const replicasAdded = Math.max(0, settings.replicas - info.replicas) * info.partitions
  return {
    topic,
    changes,
    partitionsAdded: Math.max(0, settings.partitions - info.partitions),
    replicasAdded,
    bytes: replicasAdded === 0 ? 0 : replicaBytes === undefined ? null : replicasAdded * replicaBytes,
    ...refused !== undefined && { refused }
  }
}

function refusal (settings: ReturnType<typeof topicSettings>, cluster: Cluster,
  partitionsNow: number): string | undefined {
  const { minInSync, replicas, partitions } = settings
  const { brokers } = cluster.spec
  if (minInSync > replicas) return `minInSync ${minInSync} is greater than replicas ${replicas}`
  if (replicas > brokers) return `${replicas} replicas need as many brokers, the Cluster has ${brokers}`
  if (partitions < partitionsNow) return `the topic has ${partitionsNow} partitions already: they do not get fewer`
  return undefined
}
