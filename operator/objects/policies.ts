import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'
import { names, owned, ports, selectorLabels } from './names.ts'

/** A drain takes one broker at a time: with two of three gone, partitions would stop taking records. */
export function podDisruptionBudget (cluster: Cluster): KubeObject {
  const name = cluster.metadata.name
  return owned(cluster, 'policy/v1', 'PodDisruptionBudget', names.podDisruptionBudget(name), {
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorLabels(name) } }
  })
}

/** Clients and metrics from anywhere; the peer port from brokers of the cluster and the operator. */
export function networkPolicy (cluster: Cluster): KubeObject {
  const name = cluster.metadata.name
  const from = (port: number, peers?: readonly object[]): object =>
    ({ ports: [{ protocol: 'TCP', port }], ...peers !== undefined && { from: peers } })
  return owned(cluster, 'networking.k8s.io/v1', 'NetworkPolicy', names.networkPolicy(name), {
    spec: {
      podSelector: { matchLabels: selectorLabels(name) },
      policyTypes: ['Ingress'],
      ingress: [
        from(ports.client),
        ...(cluster.spec.listeners ?? []).map(({ port }) => from(port)),
        from(ports.peer, [
          { podSelector: { matchLabels: selectorLabels(name) } },
          {
            namespaceSelector: {},
            podSelector: {
              matchLabels: { 'app.kubernetes.io/name': 'millrace', 'app.kubernetes.io/component': 'operator' }
            }
          }
        ]),
        from(ports.metrics)
      ]
    }
  })
}
