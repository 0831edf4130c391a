// Watches the objects of the example until everything of it is ready.
import type { KubeApi, KubeObject } from './kube/api.ts'
import { clusterName, topicName } from './manifests.ts'
import { isReady } from './pods/types.ts'
import type { Condition, Pod } from './pods/types.ts'
import type { Progress } from './progress.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'

function readyCondition (object: KubeObject): Condition | undefined {
  const { conditions = [] } = (object.status ?? {}) as { conditions?: Condition[] }
  return conditions.find(({ type }) => type === 'Ready')
}

function isConditionReady (object: KubeObject): boolean {
  return readyCondition(object)?.status === 'True'
}

/** What the object says of itself, in one line. */
function story (object: KubeObject): string {
  const condition = readyCondition(object)
  if (condition === undefined) return 'waiting for the operator'
  if (condition.status === 'True') return 'ready'
  return condition.message ?? condition.reason ?? 'not ready'
}

/**
 * What was ready when a cluster was stopped is not when it starts: nobody says so while it is down. Called
 * before the operator starts, which says what is true then.
 */
export async function forgetReadiness (api: KubeApi): Promise<void> {
  await Promise.all([clusters, topics].flatMap(resource => api.list(resource).map(async object => {
    const { conditions } = (object.status ?? {}) as { conditions?: Condition[] }
    if (conditions === undefined || !isConditionReady(object)) return
    const changed = conditions.map(condition => condition.type !== 'Ready'
      ? condition
      : { ...condition, status: 'Unknown', reason: 'Starting', message: 'the local cluster is starting' })
    const { namespace, name } = object.metadata
    await api.patch(resource, namespace, name, { status: { conditions: changed } }, { subresource: 'status' })
  })))
}

/** Resolves when the Cluster, its pods and the Topic are ready. Shows news of them meanwhile. */
export async function everythingReady (api: KubeApi, progress: Progress): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const ready = new Map<string, boolean>([[clusters, false], [topics, false]])
  const news = (label: string, key: string, text: string, isDone: boolean): void => {
    ready.set(key, isDone)
    progress.set(label, text, isDone)
    if ([...ready.values()].every(Boolean)) resolve()
  }
  const ends = [
    api.watch('pods', ({ type, object }) => {
      const label = `pod ${object.metadata.name}`
      if (type === 'DELETED') {
        ready.delete(label)
        progress.drop(label)
      } else news(label, label, podStory(object as Pod), isReady(object as Pod))
    }),
    api.watch(clusters, ({ object }) => {
      if (object.metadata.name === clusterName) {
        news(`cluster ${clusterName}`, clusters, story(object), isConditionReady(object))
      }
    }),
    api.watch(topics, ({ object }) => {
      if (object.metadata.name === topicName) {
        news(`topic ${topicName}`, topics, story(object), isConditionReady(object))
      }
    })
  ]
  await promise
  for (const end of ends) end()
}

function podStory (pod: Pod): string {
  if (isReady(pod)) return 'ready'
  const state = (pod.status?.containerStatuses?.[0]?.state ?? {}) as { waiting?: { reason: string, message?: string } }
  if (state.waiting === undefined) return 'starting'
  const { reason, message } = state.waiting
  if (message !== undefined) return message
  return reason === 'CrashLoopBackOff' ? `its process ended; see kubectl logs -p ${pod.metadata.name}` : 'starting'
}
