// Restarts brokers whose pod is older than the template: one at a time, only when the controller says
// that nothing would be missed, the controller's own broker last. Two operators, or one that knows old things, take
// no second broker down: a restart is written into the Cluster first (restart-turn.ts). A restart after which the
// broker does not come up is the last one.
import type { DeletePreconditions } from '../kube/api.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { templateHashAnnotation } from '../objects/names.ts'
import type { PodTemplate } from '../objects/pod-template.ts'
import { ordinalOf } from './caches.ts'
import { isReady, type ClusterContext } from './cluster-context.ts'
import { isResting } from './cluster-maintenance.ts'
import { isUnreachable } from './controller-client.ts'
import { restartReason } from './restart-reason.ts'
import { seekTurn } from './restart-turn.ts'
import { NextLoop } from './steps.ts'
import { isUnscheduled, stuckReason } from './stuck.ts'
import type { View } from './views.ts'

/** When an event that was waited for did not come. */
const comeBackMs = 10_000
/** One that is not ready for so long, and nobody says why, does not become so by waiting. */
const unreadyMsMax = 10 * 60_000
/** Volumes and nodes take their time: one that no node takes for so long is worth a warning. */
const unscheduledMsMax = 10_000

export async function rollBrokers (context: ClusterContext): Promise<void> {
  const { caches, cluster, notes } = context
  const template = currentTemplate(context)
  if (template === undefined) return
  const all = caches.podsOf(cluster)
  const pods = rollable(context, all)
  noteFailed(context, pods, template)
  const outdated = pods.filter(pod => isOutdated(pod, template))
  if (outdated.length === 0) return
  notes.rolling = `${outdated.length} of ${all.length} brokers are yet to be restarted`
  if (notes.rollFailed !== undefined) notes.rolling += `; ${notes.rollFailed}`

  // One that cannot come up loses nothing by its restart, and may need the new template to come up at all.
  const broken = outdated.find(pod => isStuck(context, pod))
  if (broken !== undefined) {
    const { resourceVersion } = broken.metadata
    // As it was seen: one that is ready by now may be the only one that is.
    await restart(context, broken, template, { ...resourceVersion !== undefined && { resourceVersion } })
    throw new NextLoop()
  }
  if (!isComplete(context, pods)) throw new NextLoop({ afterMs: comeBackMs })
  await restartNext(context, template)
  throw new NextLoop()
}

/** Everything is asked anew: what is decided here takes a broker down that serves. */
async function restartNext (context: ClusterContext, template: PodTemplate): Promise<void> {
  const { cluster, notes, replicas = 0 } = context
  const turn = await seekTurn(context)
  if (turn.begun !== undefined) {
    await restart(context, turn.begun, template)
    return
  }
  const pods = rollable(context, turn.pods)
  const outdated = pods.filter(pod => isOutdated(pod, template))
  const view = isComplete(context, pods) && outdated.length > 0 ? await freshView(context) : undefined
  if (view === undefined || !isWhole(view, replicas, cluster.spec.maintenance ?? [])) {
    throw new NextLoop({ afterMs: comeBackMs })
  }
  const free = outdated.filter(pod => !view.indispensable.includes(ordinalOf(pod)))
  if (free.length === 0) {
    notes.rolling += '; they wait for brokers in maintenance: with one more away partitions would take no records'
    throw new NextLoop({ afterMs: comeBackMs })
  }
  const next = nextToRestart(free, `${cluster.metadata.name}-${view.controller}`)!
  await turn.take(next)
  await restart(context, next, template)
}

/** Those in maintenance are left in peace: they get the template when they are back. */
function rollable (context: ClusterContext, pods: readonly KubeObject[]): KubeObject[] {
  return pods.filter(pod => !isResting(context, pod))
}

/** All that may be restarted are there and ready. */
function isComplete ({ cluster, replicas = 0 }: ClusterContext, pods: readonly KubeObject[]): boolean {
  const resting = (cluster.spec.maintenance ?? []).filter(id => id < replicas).length
  return pods.length >= replicas - resting && pods.every(isReady)
}

/** A current pod that does not come up: what was asked for is wrong, and no other broker shall get it. */
function noteFailed (context: ClusterContext, pods: readonly KubeObject[], template: PodTemplate): void {
  const { deadlines, notes } = context
  for (const pod of pods) {
    const key = `unscheduled/${pod.metadata.uid ?? ''}`
    if (!isUnscheduled(pod)) deadlines.forget(key)
    const reason = isReady(pod) || isOutdated(pod, template) ? undefined : stuckReason(pod)
    if (reason === undefined) continue
    const graceMs = isUnscheduled(pod) ? unscheduledMsMax - deadlines.waitedMs(key) : 0
    if (graceMs > 0) {
      context.comeBackMs = Math.min(context.comeBackMs ?? Infinity, graceMs)
      continue
    }
    notes.rollFailed = `${pod.metadata.name} does not come up: ${reason}`
    return
  }
}

function isStuck ({ deadlines }: ClusterContext, pod: KubeObject): boolean {
  const key = `unready/${pod.metadata.uid ?? ''}`
  if (isReady(pod)) deadlines.forget(key)
  if (isReady(pod) || pod.metadata.deletionTimestamp !== undefined) return false
  return stuckReason(pod) !== undefined || deadlines.waitedMs(key) >= unreadyMsMax
}

export function currentTemplate ({ caches, cluster }: ClusterContext): PodTemplate | undefined {
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  return (live?.['spec'] as { template?: PodTemplate } | undefined)?.template
}

export function isOutdated (pod: KubeObject, template: PodTemplate): boolean {
  return pod.metadata.annotations?.[templateHashAnnotation] !== template.metadata.annotations[templateHashAnnotation]
}

/** Every broker is there and every partition has all its replicas in sync, but for those in maintenance. */
function isWhole (view: View, brokers: number, resting: readonly number[]): boolean {
  return view.underReplicatedUnexpectedly === 0 && view.offline === 0 && view.brokers.length >= brokers &&
    view.brokers.every(({ brokerId, fenced, stopping }) => resting.includes(brokerId) || (!fenced && !stopping))
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
  const stuck = isReady(pod) ? undefined : stuckReason(pod)
  const why = restartReason(pod, template)
  events.record(cluster, {
    type: 'Normal',
    reason: 'BrokerRestart',
    action: 'Roll',
    note: `${name} is restarted: ${why}${stuck === undefined ? '' : `; it was stuck: ${stuck}`}`
  })
  await api.delete(kinds.pod, namespace, name, { ...uid !== undefined && { uid }, ...preconditions })
  caches.pods.observeDeleted(pod)
}

/** The last of them, the controller's own broker when no other is left. */
export function nextToRestart (outdated: readonly KubeObject[], controllerPod: string): KubeObject | undefined {
  return outdated.filter(pod => pod.metadata.name !== controllerPod).at(-1) ?? outdated.at(-1)
}
