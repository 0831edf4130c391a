// Restarts brokers whose pod is older than the template: one at a time, only when the controller says
// that nothing would be missed, the controller's own broker last. Two operators, or one that knows old things, take
// no second broker down: a restart is written into the Cluster first (restart-turn.ts).
import type { DeletePreconditions } from '../kube/api.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { templateHashAnnotation } from '../objects/names.ts'
import type { PodTemplate } from '../objects/pod-template.ts'
import { isReady, type ClusterContext } from './cluster-context.ts'
import { isUnreachable } from './controller-client.ts'
import { restartReason } from './restart-reason.ts'
import { seekTurn } from './restart-turn.ts'
import { NextLoop } from './steps.ts'
import type { View } from './views.ts'

/** When an event that was waited for did not come. */
const comeBackMs = 10_000

export async function rollBrokers (context: ClusterContext): Promise<void> {
  const { caches, cluster, notes, replicas = 0 } = context
  const template = currentTemplate(context)
  if (template === undefined) return
  const pods = caches.podsOf(cluster)
  const outdated = pods.filter(pod => isOutdated(pod, template))
  if (outdated.length === 0) return
  notes.rolling = `${outdated.length} of ${pods.length} brokers are yet to be restarted`

  // One that does not serve loses nothing by its restart, and may need the new template to serve at all.
  const broken = outdated.find(pod => !isReady(pod))
  if (broken !== undefined) {
    const { resourceVersion } = broken.metadata
    // As it was seen: one that is ready by now may be the only one that is.
    if (broken.metadata.deletionTimestamp === undefined) {
      await restart(context, broken, template, { ...resourceVersion !== undefined && { resourceVersion } })
    }
    throw new NextLoop()
  }
  if (pods.length < replicas || !pods.every(isReady)) throw new NextLoop({ afterMs: comeBackMs })
  await restartNext(context, template)
  throw new NextLoop()
}

/** Everything is asked anew: what is decided here takes a broker down that serves. */
async function restartNext (context: ClusterContext, template: PodTemplate): Promise<void> {
  const { cluster, replicas = 0 } = context
  const turn = await seekTurn(context)
  if (turn.begun !== undefined) {
    await restart(context, turn.begun, template)
    return
  }
  const outdated = turn.pods.filter(pod => isOutdated(pod, template))
  const isCalm = turn.pods.length >= replicas && turn.pods.every(isReady)
  const view = isCalm && outdated.length > 0 ? await freshView(context) : undefined
  if (view === undefined || !isWhole(view, replicas)) throw new NextLoop({ afterMs: comeBackMs })
  const next = nextToRestart(outdated, `${cluster.metadata.name}-${view.controller}`)!
  await turn.take(next)
  await restart(context, next, template)
}

export function currentTemplate ({ caches, cluster }: ClusterContext): PodTemplate | undefined {
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  return (live?.['spec'] as { template?: PodTemplate } | undefined)?.template
}

export function isOutdated (pod: KubeObject, template: PodTemplate): boolean {
  return pod.metadata.annotations?.[templateHashAnnotation] !== template.metadata.annotations[templateHashAnnotation]
}

/** Every broker is there and every partition has all its replicas in sync. */
function isWhole (view: View, brokers: number): boolean {
  return view.underReplicated === 0 && view.offline === 0 && view.brokers.length >= brokers &&
    view.brokers.every(broker => !broker.fenced && !broker.stopping)
}

/** Asked now, not read from memory: what is decided here takes a broker down. */
async function freshView ({ views, key }: ClusterContext): Promise<View | undefined> {
  try {
    // An answer under way may have been made before the last restart.
    await views.refresh(key)
    return await views.refresh(key)
  } catch (error) {
    if (!isUnreachable(error)) throw error
    return undefined
  }
}

async function restart (context: ClusterContext, pod: KubeObject, template: PodTemplate,
  preconditions: DeletePreconditions = {}): Promise<void> {
  const { api, caches, cluster, events } = context
  const { name, namespace = '', uid } = pod.metadata
  events.record(cluster, {
    type: 'Normal',
    reason: 'BrokerRestart',
    action: 'Roll',
    note: `${name} is restarted: ${restartReason(pod, template)}`
  })
  await api.delete(kinds.pod, namespace, name, { ...uid !== undefined && { uid }, ...preconditions })
  caches.pods.observeDeleted(pod)
}

/** The last of them, the controller's own broker when no other is left. */
export function nextToRestart (outdated: readonly KubeObject[], controllerPod: string): KubeObject | undefined {
  return outdated.filter(pod => pod.metadata.name !== controllerPod).at(-1) ?? outdated.at(-1)
}
