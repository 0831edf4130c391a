import type { Cluster } from '../../../operator/schema/resources.ts'
import type { ClusterSpec } from '../../../operator/schema/cluster.ts'

/** A Cluster as the API server stores it: defaults filled in. */
export function clusterOf (spec: Partial<ClusterSpec> = {}, name = 'events'): Cluster {
  return {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name, namespace: 'streams', uid: '4f4d0a3e-0000-4000-8000-000000000001', generation: 1 },
    spec: {
      brokers: 3,
      storage: { size: '10Gi', deletePolicy: 'Retain' },
      topicDefaults: { partitions: 6 },
      topologyKey: 'topology.kubernetes.io/zone',
      logLevel: 'warn',
      ...spec
    }
  }
}
