// The status of a Topic, written when it says something new.
import type { Happening } from '../kube/events.ts'
import { kinds } from '../kube/types.ts'
import { hash } from '../objects/hash.ts'
import type { TopicStatus } from '../schema/topic.ts'
import { condition, conditions } from './conditions.ts'
import type { NotReady, TopicContext } from './topic-context.ts'
import { topicName } from './topic-settings.ts'

export async function writeTopicStatus (context: TopicContext, verdict: NotReady | undefined): Promise<void> {
  const { api, caches, topic, events } = context
  const previous = topic.status
  const before = condition(previous?.conditions, 'Ready')
  const generation = topic.metadata.generation ?? 0
  // A controller that is moving house makes no topic unready.
  if (verdict?.passing === true && before?.status === 'True' && before.observedGeneration === generation) return
  const status: TopicStatus = {
    ...facts(context),
    observedGeneration: generation,
    conditions: conditions(previous?.conditions, [{
      type: 'Ready',
      status: verdict === undefined,
      reason: verdict?.reason ?? 'Serving',
      message: verdict?.message ?? servingMessage(context)
    }], generation, context.clock.wallTime())
  }
  if (previous !== undefined && hash(previous) === hash(status)) return
  const { name, namespace } = topic.metadata
  const { apiVersion, kind } = topic
  caches.topics.observe(await api.apply(kinds.topic, {
    apiVersion, kind, metadata: { name, ...namespace !== undefined && { namespace } }, status
  }, 'status'))
  const happening = worthTelling(before?.reason, verdict)
  if (happening !== undefined) events.record(topic, happening)
}

function facts (context: TopicContext): TopicStatus {
  const { topic, result, topicIndex, clusterKey } = context
  const info = result?.topic
  if (info !== undefined) {
    return {
      topicId: info.topicId,
      owner: topic.metadata.name,
      partitions: info.partitions,
      replicas: info.replicas,
      minInSync: info.minInSync,
      underReplicated: result!.underReplicated,
      offline: result!.offline
    }
  }
  const owner = topicIndex.owner(clusterKey, topicName(topic))?.metadata.name
  // Somebody else's topic: none of the numbers are this object's.
  if (owner !== undefined && owner !== topic.metadata.name) return { owner }
  const { topicId, partitions, replicas, minInSync, underReplicated, offline } = topic.status ?? {}
  return { topicId, owner, partitions, replicas, minInSync, underReplicated, offline }
}

function servingMessage (context: TopicContext): string {
  const { underReplicated, topic } = context.result!
  if (underReplicated === 0) return 'every partition has a leader and all its replicas'
  const { partitions, replicas } = topic!
  return `every partition has a leader; ${underReplicated} of ${partitions} have fewer than ${replicas} in sync`
}

/** Waiting for brokers to start is no news; what needs a person is. */
function worthTelling (before: string | undefined, verdict: NotReady | undefined): Happening | undefined {
  if (verdict === undefined || verdict.passing || verdict.reason === before) return undefined
  if (verdict.reason === 'PartitionsOffline') return undefined
  return { type: 'Warning', reason: verdict.reason, action: 'ApplyTopic', note: verdict.message }
}
