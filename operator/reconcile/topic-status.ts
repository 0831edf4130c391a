// The status of a Topic, written when it says something new.
import type { Happening } from '../kube/events.ts'
import { kinds } from '../kube/types.ts'
import { same } from '../same.ts'
import type { TopicStatus } from '../schema/topic.ts'
import { condition, conditions, type Verdict } from './conditions.ts'
import { pausedMessage, pausedNews, pausedVerdicts } from './paused.ts'
import type { NotReady, TopicContext } from './topic-context.ts'
import { topicName } from './topic-settings.ts'

/** How many partitions an Event names. */
const partitionsNamedMax = 20

export async function writeTopicStatus (context: TopicContext, verdict: NotReady | undefined): Promise<void> {
  const { topic, events } = context
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
    }, progressing(context)], generation, context.clock.wallTime())
  }
  if (!await store(context, status)) return
  const happening = worthTelling(before?.reason, verdict)
  if (happening !== undefined) events.record(topic, happening)
  for (const each of pausedNews(previous?.conditions, undefined)) events.record(topic, each)
  for (const each of recoveries(previous?.recovered ?? [], status.recovered ?? [])) events.record(topic, each)
}

/** What was known stands; the Topic may have been paused before it was anything. */
export async function writePausedTopic (context: TopicContext): Promise<void> {
  const { topic, events } = context
  const { status: previous, metadata: { generation = 0 } } = topic
  const kept = (previous?.conditions ?? []).filter(({ type }) => type !== 'Paused')
  const never: Verdict = { type: 'Ready', status: false, reason: 'Paused', message: pausedMessage }
  const verdicts = [...kept.length === 0 ? [never] : [], ...pausedVerdicts(pausedMessage)]
  const status: TopicStatus = {
    observedGeneration: generation,
    ...previous,
    conditions: [...kept, ...conditions(previous?.conditions, verdicts, generation, context.clock.wallTime())]
  }
  if (!await store(context, status)) return
  for (const each of pausedNews(previous?.conditions, pausedMessage)) events.record(topic, each)
}

/** False when it says nothing new. */
async function store ({ api, caches, topic }: TopicContext, status: TopicStatus): Promise<boolean> {
  if (same(topic.status, status)) return false
  const { apiVersion, kind, metadata: { name, namespace } } = topic
  caches.topics.observe(await api.apply(kinds.topic, {
    apiVersion, kind, metadata: { name, ...namespace !== undefined && { namespace } }, status
  }, 'status'))
  return true
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
      offline: result!.offline,
      moving: result!.moving,
      ...result!.recovered.length > 0 && { recovered: result!.recovered }
    }
  }
  const owner = topicIndex.owner(clusterKey, topicName(topic))?.metadata.name
  // Somebody else's topic: none of the numbers are this object's.
  if (owner !== undefined && owner !== topic.metadata.name) return { owner }
  const { observedGeneration: _now, conditions: _judged, ...known } = topic.status ?? {}
  return { ...known, owner }
}

/** Getting or losing replicas: the topic takes and gives records all the while. */
function progressing ({ topic, result }: TopicContext): Verdict {
  const moving = result?.moving ?? topic.status?.moving ?? 0
  if (moving === 0) {
    return { type: 'Progressing', status: false, reason: 'Settled', message: 'nothing is being changed' }
  }
  const { partitions = 0, replicas = 0 } = result?.topic ?? topic.status ?? {}
  return {
    type: 'Progressing',
    status: true,
    reason: 'Moving',
    message: `${moving} of ${partitions} partitions get other replicas, ${replicas} each`
  }
}

/** Records may be gone: what a person decided is to be seen afterwards too. */
function recoveries (before: readonly number[], now: readonly number[]): Happening[] {
  const added = now.filter(partition => !before.includes(partition))
  if (added.length === 0) return []
  const list = added.length <= partitionsNamedMax
    ? added.join(', ')
    : `${added.slice(0, partitionsNamedMax).join(', ')} and ${added.length - partitionsNamedMax} more`
  return [{
    type: 'Warning',
    reason: 'RecoveredWithDataLoss',
    action: 'RecoverPartition',
    note: `${added.length === 1 ? 'partition' : 'partitions'} ${list}: a person recovered without the in-sync set; ` +
      'records that only its members had are lost'
  }]
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
