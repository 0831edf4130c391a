// What would become of a Cluster. Pure.
import type { BrokerDrain, PartitionMove } from '../../wire/messages.ts'
import type { KubeObject } from '../kube/types.ts'
import { claimOrdinal, judgeClaims } from '../objects/claims.ts'
import { podTemplate, type PodTemplate } from '../objects/pod-template.ts'
import { clusterUidOf } from '../objects/stateful-set.ts'
import { ordinalOf } from '../reconcile/caches.ts'
import { isResting } from '../reconcile/cluster-maintenance.ts'
import { isOutdated, nextToRestart } from '../reconcile/cluster-roll.ts'
import { hasSize, sizeOf } from '../reconcile/cluster-volumes.ts'
import { restartReason } from '../reconcile/restart-reason.ts'
import type { Cluster } from '../schema/resources.ts'

/** How things are. */
export interface ClusterFacts {
  /** Undefined: the Cluster would be new. */
  readonly live?: Cluster
  readonly statefulSet?: KubeObject
  /** Of the cluster, by ordinal. */
  readonly pods: readonly KubeObject[]
  /** Of the namespace. */
  readonly claims: readonly KubeObject[]
  /** Broker id of the controller; -1: it does not say. */
  readonly controller: number
  /** What the controller foresees with that many brokers; undefined: it could not be asked. */
  readonly foreseen?: { readonly moves: readonly PartitionMove[], readonly drains: readonly BrokerDrain[] }
  /** About how large a replica of each topic is. */
  readonly replicaBytes: ReadonlyMap<string, number>
}

export interface ClusterPlan {
  readonly brokers: { readonly from: number, readonly to: number }
  /** In this order, one at a time. */
  readonly restarts: readonly { readonly broker: number, readonly why: string }[]
  /** Brokers in maintenance, which would be restarted if they were not: they are when they are taken out. */
  readonly resting: readonly number[]
  readonly volumes: readonly { readonly claim: string, readonly from: string, readonly to: string }[]
  /** Volumes of another cluster are in the way: the operator would say this. */
  readonly refused?: string
  /** Volumes of an earlier Cluster of this name that the new one takes over. */
  readonly adopted: readonly string[]
  readonly drains: readonly { readonly broker: number, readonly blocked: string }[]
  /** Undefined: not known. */
  readonly moves: readonly PlannedMove[] | undefined
}

export interface PlannedMove {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
  /** About so many; null: not known. */
  readonly bytes: number | null
}

/** @param wanted as the API server would store it, with its defaults */
export function planCluster (wanted: Cluster, facts: ClusterFacts): ClusterPlan {
  const { live, claims, foreseen } = facts
  const from = live === undefined ? 0 : Math.max(live.status?.brokers?.total ?? 0, live.spec.brokers)
  const to = wanted.spec.brokers
  const { size } = wanted.spec.storage
  const ordinal = (claim: KubeObject): number => claimOrdinal(wanted.metadata.name, claim.metadata.name)
  const own = claims.filter(claim => ordinal(claim) >= 0)
  const { refused, adopted } = live === undefined
    ? judgeClaims(wanted, own)
    : judgeClaims(wanted, own.filter(claim => ordinal(claim) >= from),
      clusterUidOf(facts.statefulSet) ?? live.metadata.uid)
  return {
    brokers: { from, to },
    ...live === undefined ? { restarts: [], resting: [] } : restarts(wanted, live, facts),
    volumes: live === undefined
      ? []
      : own.filter(claim => !hasSize(claim, size))
        .map(claim => ({ claim: claim.metadata.name, from: sizeOf(claim) ?? '?', to: size })),
    ...refused !== undefined && { refused },
    adopted: live !== undefined ? [] : adopted,
    drains: Array.from({ length: Math.max(0, from - to) }, (_, index) => from - 1 - index).map(broker => {
      const { waitingFor = '', replicasLeft = 0 } = foreseen?.drains.find(({ brokerId }) => brokerId === broker) ?? {}
      return { broker, blocked: replicasLeft > 0 ? waitingFor : '' }
    }),
    moves: from === to ? [] : live === undefined ? [] : foreseen?.moves.map(move => plannedMove(move, facts))
  }
}

function plannedMove ({ topic, partition, replicas, adding, removing }: PartitionMove,
  { replicaBytes }: ClusterFacts): PlannedMove {
  const each = replicaBytes.get(topic)
  return { topic, partition, replicas, adding, removing, bytes: each === undefined ? null : adding.length * each }
}

/**
 * Which pods the roll would take, in its order. Both templates come from this program's builder, so that one that is
 * newer or older than the operator does not see a change where a person made none.
 */
function restarts (wanted: Cluster, live: Cluster, facts: ClusterFacts): Pick<ClusterPlan, 'restarts' | 'resting'> {
  const now = (facts.statefulSet?.['spec'] as { template?: PodTemplate } | undefined)?.template
  if (now === undefined) return { restarts: [], resting: [] }
  const options = { image: imageOf(now), clusterUid: clusterUidOf(facts.statefulSet) ?? '' }
  const before = podTemplate(live, options)
  const after = podTemplate(wanted, options)
  const changes = isOutdated(asPod(before), after)
  const all = facts.pods.filter(pod => ordinalOf(pod) < wanted.spec.brokers && (changes || isOutdated(pod, now)))
  let left = all.filter(pod => !isResting({ cluster: wanted }, pod))
  const controllerPod = `${wanted.metadata.name}-${facts.controller}`
  const order: { broker: number, why: string }[] = []
  for (let next = nextToRestart(left, controllerPod); next !== undefined; next = nextToRestart(left, controllerPod)) {
    const why = changes ? restartReason(asPod(before), after) : restartReason(next, now)
    order.push({ broker: ordinalOf(next), why })
    left = left.filter(pod => pod !== next)
  }
  return { restarts: order, resting: all.map(ordinalOf).filter(id => wanted.spec.maintenance?.includes(id) === true) }
}

function asPod (template: PodTemplate): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: '', ...template.metadata }, spec: template.spec }
}

function imageOf (template: PodTemplate): string {
  return (template.spec as { containers?: { image?: string }[] }).containers?.[0]?.image ?? ''
}
