// What a topic shall be: the Topic's own words, then what it already is, then the cluster's defaults.
// Pure.
import type { ApplyTopicRequest, TopicInfo } from '../../wire/messages.ts'
import type { Cluster, Topic } from '../schema/resources.ts'
import { parseBytes, parseDuration, unlimited } from '../schema/quantities.ts'

const retentionMsDefault = 168 * 3_600_000
const segmentBytesDefault = 1024 ** 3
const replicasDefaultMax = 3

/** spec.name, or the name of the object. */
export function topicName (topic: Topic): string {
  return topic.spec.name ?? topic.metadata.name
}

/** Would a new topic get something from the cluster's defaults that later changes of them leave as it is? */
export function leavesOpen ({ spec }: Topic): boolean {
  return spec.partitions === undefined || spec.replicas === undefined
}

/**
 * @param existing the topic as the controller has it. What the Topic leaves open stays as it is, so that
 *   a change of the cluster's defaults, or adopting an orphan, never resizes a topic.
 * @throws InvalidValueError
 */
export function topicSettings (topic: Topic, cluster: Cluster, existing: TopicInfo | undefined): ApplyTopicRequest {
  const { spec } = topic
  const defaults = cluster.spec.topicDefaults
  const replicas = spec.replicas ?? existing?.replicas ?? defaults.replicas ??
    Math.min(replicasDefaultMax, cluster.spec.brokers)
  return {
    name: topicName(topic),
    partitions: spec.partitions ?? existing?.partitions ?? defaults.partitions,
    replicas,
    minInSync: spec.minInSync ?? minInSyncDefault(spec.replicas, replicas, defaults.minInSync, existing),
    retentionMs: duration(spec.retention?.age, 'spec.retention.age') ??
      duration(defaults.retention?.age, 'topicDefaults.retention.age') ?? retentionMsDefault,
    retentionBytes: bytes(spec.retention?.bytes, 'spec.retention.bytes') ??
      bytes(defaults.retention?.bytes, 'topicDefaults.retention.bytes') ?? unlimited,
    segmentBytes: bytes(spec.segmentBytes, 'spec.segmentBytes') ??
      bytes(defaults.segmentBytes, 'topicDefaults.segmentBytes') ?? segmentBytesDefault,
    ownerUid: topic.metadata.uid ?? ''
  }
}

/** A topic that says its replicas gets their majority; the cluster's minInSync goes with its replicas. */
function minInSyncDefault (said: number | undefined, replicas: number, clusterDefault: number | undefined,
  existing: TopicInfo | undefined): number {
  if (existing !== undefined && existing.replicas === replicas) return existing.minInSync
  const majority = Math.floor(replicas / 2) + 1
  return said === undefined && clusterDefault !== undefined ? Math.min(clusterDefault, replicas) : majority
}

/** The settings in which the controller's topic is not what it shall be; empty when it is. */
export function differences (wanted: ApplyTopicRequest, info: TopicInfo): string[] {
  const fields = ['partitions', 'replicas', 'minInSync', 'retentionMs', 'retentionBytes', 'segmentBytes'] as const
  return fields.filter(field => wanted[field] !== info[field])
}

function duration (text: string | undefined, field: string): number | undefined {
  return text === undefined ? undefined : parseDuration(text, field)
}

function bytes (text: string | undefined, field: string): number | undefined {
  return text === undefined ? undefined : parseBytes(text, field)
}
