// What the steps of one Cluster share.
import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'
import type { ClusterStatus } from '../schema/cluster.ts'
import type { Surroundings } from './context.ts'

export interface ClusterContext extends Surroundings {
  readonly cluster: Cluster & KubeObject
  /** `namespace/name` */
  readonly key: string
  /** Size of the StatefulSet, as found or made in this pass. */
  replicas?: number
  /** Whose data the volumes hold. */
  clusterUid?: string
  /** Brokers that are to go, the next one first, and what they still hold. */
  draining: NonNullable<ClusterStatus['draining']>
  /** Brokers that may be away, and what they lead still. */
  maintenance: NonNullable<ClusterStatus['maintenance']>
  /** What goes on without an event: when to look again. */
  comeBackMs?: number
  /** What the status has to say beside what can be seen; each for people. */
  readonly notes: {
    invalid?: string
    failed?: string
    /** Why fewer brokers cannot be had now, and what to do. */
    scaleDownBlocked?: string | undefined
    /** Volumes of another cluster are in the way, and what to do. */
    foreignVolumes?: string
    resizing?: string
    rolling?: string
    /** What waits for Kubernetes, as the address of a load balancer. */
    waiting?: string
    /** Which broker does not come up with the template that is wanted, and why. */
    rollFailed?: string
    /** Nothing is changed: a person said so. */
    paused?: string
  }
}

export function isReady (pod: KubeObject): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false
  const status = pod['status'] as { conditions?: { type: string, status: string }[] } | undefined
  return status?.conditions?.some(entry => entry.type === 'Ready' && entry.status === 'True') ?? false
}
