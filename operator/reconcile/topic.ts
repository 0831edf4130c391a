// One Topic: its wish goes to the controller of the cluster, what came of it into the status.
import { WireError } from '../../wire/errors.ts'
import type { ApplyTopicRequest, TopicStatus as ControllerStatus } from '../../wire/messages.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import type { Cluster, Topic } from '../schema/resources.ts'
import { InvalidValueError } from '../schema/quantities.ts'
import type { Surroundings } from './context.ts'
import { isUnreachable } from './controller-client.ts'
import { hasFinalizer, setFinalizer } from './finalizers.ts'
import { isPaused } from './paused.ts'
import { NextLoop, runSteps, type Step } from './steps.ts'
import { NotReady, type TopicContext } from './topic-context.ts'
import { deleteTopic } from './topic-delete.ts'
import { clusterKey } from './topic-index.ts'
import { differences, leavesOpen, topicName, topicSettings } from './topic-settings.ts'
import { writePausedTopic, writeTopicStatus } from './topic-status.ts'

/** When an event that was waited for did not come. */
const comeBackMs = 5_000

const steps: readonly Step<TopicContext>[] = [
  { name: 'findCluster', run: findCluster },
  { name: 'claimName', run: claimName },
  { name: 'setFinalizer', run: protect },
  { name: 'readSettings', run: readSettings },
  { name: 'applyTopic', run: applyTopic },
  { name: 'checkServing', run: checkServing }
]

/** @throws NextLoop to come back, StepFailed to be tried again with backoff. */
export async function reconcileTopic (surroundings: Surroundings, topic: Topic & KubeObject): Promise<void> {
  const context: TopicContext = { ...surroundings, topic, clusterKey: clusterKey(topic) }
  if (topic.metadata.deletionTimestamp !== undefined) {
    if (hasFinalizer(topic)) await runSteps([{ name: 'deleteTopic', run: deleteTopic }], context)
    return
  }
  if (await surroundings.ending.includes(topic.metadata.namespace ?? '', false)) return
  if (isPaused(topic)) {
    await writePausedTopic(context)
    return
  }
  let verdict: NotReady | undefined
  try {
    await runSteps(steps, context)
  } catch (error) {
    const cause: unknown = (error as Error).cause
    if (!(cause instanceof NotReady)) throw error
    verdict = cause
  }
  await writeTopicStatus(context, verdict)
  if (verdict?.retryAfterMs !== undefined) throw new NextLoop({ afterMs: verdict.retryAfterMs })
}

function findCluster (context: TopicContext): void {
  const cluster = context.caches.clusters.get(context.clusterKey)
  const { cluster: name } = context.topic.spec
  if (cluster === undefined) throw new NotReady('ClusterNotFound', `there is no Cluster ${name} in this namespace`)
  if (cluster.metadata.deletionTimestamp !== undefined) {
    throw new NotReady('ClusterNotFound', `Cluster ${name} is being deleted`)
  }
  context.cluster = cluster
}

function claimName (context: TopicContext): void {
  const name = topicName(context.topic)
  const owner = context.topicIndex.owner(context.clusterKey, name)
  if (owner === undefined || owner.metadata.uid === context.topic.metadata.uid) return
  throw new NotReady('Conflict',
    `topic ${name} belongs to the older Topic ${owner.metadata.name}; delete one of the two`)
}

/** Before the topic exists: a Topic that was deleted unseen could not keep its promise to delete. */
async function protect (context: TopicContext): Promise<void> {
  const { api, caches, topic } = context
  await setFinalizer(api, kinds.topic, caches.topics, topic, topic.spec.deletePolicy === 'Delete')
}

async function readSettings (context: TopicContext): Promise<void> {
  const { topic } = context
  try {
    if (context.views.get(context.clusterKey) === undefined) await context.views.refresh(context.clusterKey)
    const existing = known(context)?.topic
    if (existing === undefined && leavesOpen(topic) && isUnseen(topic)) await readCluster(context)
    context.settings = topicSettings(topic, context.cluster!, existing)
  } catch (error) {
    throw asNotReady(error)
  }
  const { minInSync, replicas } = context.settings
  if (minInSync > replicas) {
    throw new NotReady('InvalidSpec', `minInSync ${minInSync} is greater than replicas ${replicas}`)
  }
}

/** Nothing has been said yet of what it wishes now. When it is looked at again, the watches have caught up. */
function isUnseen ({ metadata, status }: Topic): boolean {
  return status?.observedGeneration !== metadata.generation
}

/**
 * What a topic takes from the defaults it keeps. Whoever changed these just before, perhaps in the same file, means the
 * new ones, and the watches of two kinds are not in step. Kept for this pass alone: a late answer must not bring back
 * what the watch has told to be gone.
 */
async function readCluster (context: TopicContext): Promise<void> {
  const { api, topic, cluster } = context
  const { cluster: name } = topic.spec
  const stored = await api.get(kinds.cluster, topic.metadata.namespace ?? '', name)
  if (stored?.metadata.uid !== cluster!.metadata.uid || stored?.metadata.deletionTimestamp !== undefined) {
    throw new NotReady('ClusterNotFound', `Cluster ${name} is being deleted`, { retryAfterMs: comeBackMs })
  }
  context.cluster = stored as Cluster & KubeObject
}

async function applyTopic (context: TopicContext): Promise<void> {
  const settings = context.settings!
  const status = known(context)
  const asWanted = status?.topic !== undefined && !status.orphaned && status.ownerUid === settings.ownerUid &&
    differences(settings, status.topic).length === 0
  if (asWanted) {
    context.result = status
    return
  }
  try {
    context.result = await askController(context, settings)
  } catch (error) {
    const isShort = error instanceof WireError && error.code === 'NOT_ENOUGH_BROKERS'
    if (isShort && settings.replicas <= context.cluster!.spec.brokers) {
      // They are on their way, or will be back.
      throw new NotReady('WaitingForBrokers', error.message, { retryAfterMs: comeBackMs, passing: true })
    }
    throw asNotReady(error)
  }
}

async function askController (context: TopicContext, settings: ApplyTopicRequest): Promise<ControllerStatus> {
  const { controllers, views, clusterKey: cluster } = context
  for (let attempt = 0; ; attempt++) {
    try {
      const { topic: result } = await controllers.call(cluster, 'ApplyTopic', settings)
      if (result?.topic === undefined) throw new WireError('INTERNAL', 'the controller answered without a topic')
      views.learn(cluster, result)
      return result
    } catch (error) {
      if (attempt > 0 || !(error instanceof WireError && error.code === 'TOPIC_CONFLICT')) throw error
      await releaseFormerOwner(context, settings, error)
    }
  }
}

/** The controller still knows an owner whose object is gone (deleted while no operator watched). */
async function releaseFormerOwner (context: TopicContext, settings: ApplyTopicRequest,
  conflict: WireError): Promise<void> {
  const { views, controllers, topicIndex, clusterKey: cluster } = context
  const held = (await views.refresh(cluster)).topics.get(settings.name)
  // Released meanwhile, or gone: asking again is enough.
  if (held?.topic === undefined || held.orphaned) return
  if (topicIndex.hasUid(held.ownerUid)) throw conflict
  await controllers.call(cluster, 'DeleteTopic', {
    name: settings.name, topicId: held.topic.topicId, deleteData: false
  })
}

function checkServing (context: TopicContext): void {
  const { settings, result } = context
  const kept = differences(settings!, result!.topic!)
  if (kept.length > 0) {
    const [wanted, info] = [settings!, result!.topic!]
    const list = kept.map(field => `${field} ${info[field as 'replicas']} instead of ${wanted[field as 'replicas']}`)
    throw new NotReady('NotApplied', `the controller kept ${list.join(', ')}`)
  }
  // The tables' watch tells when that changes.
  if (result!.offline > 0) {
    const { offline, topic } = result!
    throw new NotReady('PartitionsOffline', `${offline} of ${topic!.partitions} partitions have no leader`,
      { retryAfterMs: comeBackMs })
  }
}

function known (context: TopicContext): ControllerStatus | undefined {
  return context.views.get(context.clusterKey)?.topics.get(topicName(context.topic))
}

const reasons: Readonly<Record<string, string>> = {
  NOT_ENOUGH_BROKERS: 'NotEnoughBrokers',
  TOPIC_CONFLICT: 'Conflict',
  INVALID_TOPIC: 'InvalidSpec',
  INVALID_REQUEST: 'InvalidSpec',
  PARTITIONS_SHRINK: 'InvalidSpec'
}

function asNotReady (error: unknown): unknown {
  if (error instanceof InvalidValueError) return new NotReady('InvalidSpec', error.message)
  if (isUnreachable(error)) {
    return new NotReady('ClusterNotReady', `the cluster's controller cannot be asked: ${error.message}`,
      { retryAfterMs: comeBackMs, passing: true })
  }
  if (!(error instanceof WireError)) return error
  const options = error.retriable ? { retryAfterMs: comeBackMs } : {}
  return new NotReady(reasons[error.code] ?? 'ApplyFailed', error.message, options)
}

/** Keys of the Topics to look at again when those of `cluster` that are not Ready may become so. */
export function unready (surroundings: Surroundings, cluster: string): string[] {
  return [...surroundings.topicIndex.ofCluster(cluster)].filter(key => {
    const topic = surroundings.caches.topics.get(key)
    return topic?.status?.conditions?.find(entry => entry.type === 'Ready')?.status !== 'True'
  })
}

/** Keys of the other Topics that speak of the same topic. */
export function rivals (surroundings: Surroundings, topic: Topic): string[] {
  return surroundings.topicIndex.ofName(clusterKey(topic), topicName(topic)).filter(key => key !== keyOf(topic))
}
