// How many brokers there are. More of them come at once. Of fewer the last one goes first: the controller moves
// everything away from it, it deletes its data, its pod ends, the controller forgets it; then the next.
import { WireError } from '../../wire/errors.ts'
import type { BrokerDrain } from '../../wire/messages.ts'
import { isKubeError } from '../kube/api.ts'
import { keyOf, kinds, type KubeObject } from '../kube/types.ts'
import { dataVolume } from '../objects/names.ts'
import { statefulSet } from '../objects/stateful-set.ts'
import { ordinalOf } from './caches.ts'
import type { ClusterContext } from './cluster-context.ts'
import { writeClusterStatus } from './cluster-status.ts'
import { isUnreachable } from './controller-client.ts'

/** How far a drain is stands in no table. */
const drainPollMs = 1_000
const comeBackMs = 5_000

/** Sets how many there are to be now: never fewer than there were. */
export function countBrokers (context: ClusterContext): void {
  const { caches, cluster } = context
  const live = caches.managed.statefulSet.get(keyOf(cluster))
  const size = (live?.['spec'] as { replicas?: number } | undefined)?.replicas ?? 0
  // Somebody may have deleted or shrunk the StatefulSet: the status remembers, and pods that it left say so.
  const remembered = cluster.status?.brokers?.total ?? 0
  const alive = live === undefined ? runningOrdinals(context).map(ordinal => ordinal + 1) : []
  context.replicas = Math.max(cluster.spec.brokers, size, remembered, ...alive)
}

/** Makes the StatefulSet as large as `context.replicas` says. */
export async function ensureStatefulSet (context: ClusterContext): Promise<void> {
  const { caches, cluster, image, clusterUid = '', replicas = cluster.spec.brokers } = context
  await caches.ensure('statefulSet', statefulSet(cluster, { image, replicas, clusterUid }))
}

/**
 * Brings the cluster one step nearer to fewer brokers. Never ends the pass: what else there is to do does
 * not wait for a drain.
 */
export async function drainBrokers (context: ClusterContext): Promise<void> {
  const { views, key } = context
  const leaving = leavingBrokers(context)
  // Told to go before, and may stay now.
  const told = [
    ...(views.get(key)?.brokers ?? []).flatMap(({ draining, brokerId }) => draining ? [brokerId] : []),
    ...(context.cluster.status?.draining ?? []).map(({ broker }) => broker)
  ]
  const isStale = told.some(broker => !leaving.includes(broker))
  if (leaving.length === 0 && !isStale) return
  let drains: readonly BrokerDrain[]
  try {
    drains = (await context.controllers.call(key, 'DrainBrokers', { brokerIds: leaving })).drains
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    context.comeBackMs = comeBackMs
    // What was heard last stands: nothing goes without the controller's word.
    context.draining = context.cluster.status?.draining ?? []
    const { message } = error
    if (!isUnreachable(error)) context.notes.scaleDownBlocked = `the controller refuses to drain: ${message}`
    return
  }
  if (isStale) views.poke(key)
  const known = new Map(drains.map(drain => [drain.brokerId, drain]))
  context.draining = leaving.map(broker => {
    const { replicasLeft = 0, dataLeft = 0, waitingFor = '' } = known.get(broker) ?? {}
    const entry = { broker, replicasLeft, dataLeft }
    return waitingFor === '' ? entry : { ...entry, waitingFor: waitingFor.slice(0, 1_024) }
  })
  if (leaving.length === 0) return
  context.notes.scaleDownBlocked = blocked(context, drains)
  // What it waits for may take days; most of that is told by tables and pods.
  context.comeBackMs = context.notes.scaleDownBlocked === undefined ? drainPollMs : comeBackMs
  if (await bringBack(context, drains)) return
  await releaseLast(context, leaving[0]!, known.get(leaving[0]!))
}

/** Every broker that shall be empty, the first to go first. */
function leavingBrokers (context: ClusterContext): number[] {
  const { caches, cluster, views, key, replicas = 0 } = context
  const ids = new Set(Array.from({ length: replicas }, (_, id) => id))
  for (const pod of caches.podsOf(cluster)) ids.add(ordinalOf(pod))
  for (const { brokerId } of views.get(key)?.brokers ?? []) ids.add(brokerId)
  // One that went before it had registered: its volume is yet to be seen to.
  for (const { broker } of cluster.status?.draining ?? []) ids.add(broker)
  return [...ids].filter(id => id >= cluster.spec.brokers).sort((a, b) => b - a)
}

/**
 * One that the StatefulSet does not count, but that rows name: its Cluster was made anew with fewer brokers. It
 * may be the only one that has some records.
 */
async function bringBack (context: ClusterContext, drains: readonly BrokerDrain[]): Promise<boolean> {
  const { views, key, replicas = 0 } = context
  // One that lives needs no pod: its volume came from another pod, whose number it keeps.
  const alive = new Set(views.get(key)?.brokers.flatMap(({ brokerId, fenced }) => fenced ? [] : [brokerId]))
  const missed = drains.filter(({ brokerId, replicasLeft }) =>
    brokerId >= replicas && replicasLeft > 0 && !alive.has(brokerId))
  if (missed.length === 0) return false
  context.replicas = Math.max(...missed.map(({ brokerId }) => brokerId)) + 1
  await ensureStatefulSet(context)
  return true
}

async function releaseLast (context: ClusterContext, broker: number, drain: BrokerDrain | undefined): Promise<void> {
  const { caches, cluster, replicas = 0 } = context
  if (!await isEmpty(context, broker, drain) || !await areTablesWhole(context, broker)) return
  if (broker < replicas) {
    context.replicas = broker
    say(context, broker, 'its pod to end')
    // First: a StatefulSet that somebody else shrinks is enlarged again by what the status remembers.
    await writeClusterStatus(context)
    await ensureStatefulSet(context)
    return
  }
  // Until the StatefulSet controller has seen the number, it may still make the pod.
  if (!isSeen(caches.managed.statefulSet.get(keyOf(cluster))) ||
    caches.podsOf(cluster).some(pod => ordinalOf(pod) === broker)) {
    say(context, broker, 'its pod to end')
    return
  }
  await forgetBroker(context, broker)
}

/** Whether its controller has acted on what the object wishes now. */
function isSeen (set: KubeObject | undefined): boolean {
  if (set === undefined) return true
  const { observedGeneration = 0 } = set['status'] as { observedGeneration?: number } | undefined ?? {}
  return observedGeneration >= (set.metadata.generation ?? 0)
}

/** What the controller does not know holds nothing. */
async function isEmpty ({ views, key }: ClusterContext, broker: number,
  drain: BrokerDrain | undefined): Promise<boolean> {
  if (drain !== undefined) return drain.replicasLeft === 0 && drain.dataLeft === 0
  try {
    return !(await views.refresh(key)).brokers.some(({ brokerId }) => brokerId === broker)
  } catch (error) {
    if (!isUnreachable(error)) throw error
    return false
  }
}

/** Rows that are lost name nobody: a broker that seems to hold nothing may hold all that there is. */
async function areTablesWhole (context: ClusterContext, broker: number): Promise<boolean> {
  try {
    const { tables } = await context.controllers.call(context.key, 'RestoreTables', { dryRun: true, without: [] })
    if (tables.every(({ reason }) => reason === '')) return true
    say(context, broker, 'partition tables to be restored: millrace cluster restore --dry-run')
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    say(context, broker, `the controller to say that its tables are whole: ${error.message}`)
  }
  return false
}

/** Its pod is gone. The volume goes first: afterwards nobody would know that there was one. */
async function forgetBroker (context: ClusterContext, broker: number): Promise<void> {
  const { api, cluster, controllers, views, events, key } = context
  const { name, namespace = '' } = cluster.metadata
  const pod = `${name}-${broker}`
  const isKept = cluster.spec.storage.deletePolicy !== 'Delete'
  if (!isKept) await api.delete(kinds.persistentVolumeClaim, namespace, `${dataVolume}-${pod}`)
  try {
    await controllers.call(key, 'RemoveBroker', { brokerId: broker })
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    // Forgotten by an earlier pass, or never known.
    if (error.code !== 'UNKNOWN_BROKER') {
      say(context, broker, `the controller to forget it: ${error.message}`)
      return
    }
  }
  context.draining = context.draining.filter(entry => entry.broker !== broker)
  events.record(cluster, {
    type: 'Normal',
    reason: 'BrokerRemoved',
    action: 'Scale',
    note: `${pod} held nothing any more and is gone; its volume is ${isKept ? 'kept' : 'deleted'}`
  })
  await views.refresh(key).catch((error: unknown) => {
    if (!isUnreachable(error) && !isKubeError(error)) throw error
  })
}

function say (context: ClusterContext, broker: number, waitingFor: string): void {
  context.draining = context.draining.map(entry =>
    entry.broker === broker ? { ...entry, waitingFor: waitingFor.slice(0, 1_024) } : entry)
}

function runningOrdinals ({ caches, cluster }: ClusterContext): number[] {
  return caches.podsOf(cluster).filter(pod => pod.metadata.deletionTimestamp === undefined).map(ordinalOf)
}

/** How many topics are named to a person. */
const namedMax = 5

/** Why the drain cannot go on, and what a person can do; undefined while it goes on. */
function blocked ({ cluster, views, key }: ClusterContext, drains: readonly BrokerDrain[]): string | undefined {
  const { brokers } = cluster.spec
  const topics = [...views.get(key)?.topics.values() ?? []]
  const wide = topics.filter(({ topic }) => topic !== undefined && !topic.internal && topic.replicas > brokers)
  const isHeld = drains.some(({ replicasLeft }) => replicasLeft > 0)
  if (wide.length > 0 && isHeld) {
    const most = Math.max(...wide.map(({ topic }) => topic!.replicas))
    const names = wide.slice(0, namedMax).map(({ topic, orphaned }) =>
      `${topic!.name} (${topic!.replicas} replicas${orphaned ? ', without a Topic object' : ''})`).join(', ')
    const more = wide.length > namedMax ? ` and ${wide.length - namedMax} more` : ''
    return `spec.brokers is ${brokers}, but topic ${names}${more} needs more brokers than that: set spec.replicas of ` +
      `the Topic to ${brokers} or less, or spec.brokers to ${most}`
  }
  const waiting = drains.find(({ waitingFor, replicasLeft, dataLeft }) =>
    waitingFor !== '' && replicasLeft + dataLeft > 0)
  return waiting === undefined ? undefined : `broker ${waiting.brokerId} cannot be drained now: ${waiting.waitingFor}`
}
