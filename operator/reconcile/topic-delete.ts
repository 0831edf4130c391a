// A deleted Topic whose deletePolicy is Delete: the data goes first. Its finalizer never holds an object
// for ever: a cluster that is gone, or does not answer for ten minutes, lets go.
import { WireError } from '../../wire/errors.ts'
import { kinds } from '../kube/types.ts'
import { isUnknownTopic, isUnreachable } from './controller-client.ts'
import { setFinalizer } from './finalizers.ts'
import { NextLoop } from './steps.ts'
import { NotReady, type TopicContext } from './topic-context.ts'
import { topicName } from './topic-settings.ts'
import { writeTopicStatus } from './topic-status.ts'

const deadlineMs = 10 * 60_000
const comeBackMs = 5_000

export async function deleteTopic (context: TopicContext): Promise<void> {
  const { caches, clusterKey, topic, events } = context
  const cluster = caches.clusters.get(clusterKey)
  const clusterIsGone = cluster === undefined || cluster.metadata.deletionTimestamp !== undefined
  if (clusterIsGone || topic.spec.deletePolicy === 'Retain') {
    await release(context)
    return
  }
  try {
    await deleteData(context)
  } catch (error) {
    const unreachable = isUnreachable(error)
    if (!unreachable && !(error instanceof WireError)) throw error
    if (context.deadlines.waitedMs(topic.metadata.uid ?? '') < deadlineMs) {
      await writeTopicStatus(context, new NotReady('Deleting', `the data is not deleted yet: ${error.message}`))
      throw new NextLoop({ afterMs: comeBackMs })
    }
    events.record(topic, {
      type: 'Warning',
      reason: 'DataLeftBehind',
      action: 'DeleteTopic',
      note: `the controller did not delete topic ${topicName(topic)} (${error.message}); its data is kept as orphaned`
    })
  }
  await release(context)
}

async function deleteData (context: TopicContext): Promise<void> {
  const { controllers, views, clusterKey, topic } = context
  const name = topicName(topic)
  let topicId = topic.status?.topicId
  if (topicId === undefined) {
    // The operator may have stopped between creating the topic and saying so.
    const held = (await views.refresh(clusterKey)).topics.get(name)
    if (held?.topic === undefined || held.ownerUid !== topic.metadata.uid) return
    topicId = held.topic.topicId
  }
  try {
    await controllers.call(clusterKey, 'DeleteTopic', { name, topicId, deleteData: true })
  } catch (error) {
    if (!isUnknownTopic(error)) throw error
  }
  views.poke(clusterKey)
}

async function release (context: TopicContext): Promise<void> {
  const { api, caches, deadlines, topic } = context
  deadlines.forget(topic.metadata.uid ?? '')
  await setFinalizer(api, kinds.topic, caches.topics, topic, false)
}
