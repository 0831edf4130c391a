// spec.topologyKey as brokers are told of it: which node is in which rack (a zone, a hall, a rack). Kubernetes tells a
// pod the name of its node, and of the node's labels zone and region alone, from 1.35 on (KEP-4742). Pure.
import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'

/** The value of the label by the name of the node. */
export type Racks = Readonly<Record<string, string>>

/** The name of the node, which every pod knows by itself. */
export const hostnameKey = 'kubernetes.io/hostname'

/**
 * Nodes that are told of. A name has 253 characters and a value 63 at most: 1,000 of the longest are a third of what a
 * ConfigMap may have (1 MiB). Where there are more, only those are told that brokers of the Cluster run on.
 */
export const rackNodesMax = 1_000

/** Empty: the node has no such label, or nobody needs to be told. */
export function rackOf ({ spec }: Cluster, node: KubeObject | undefined): string {
  return spec.topologyKey === hostnameKey ? '' : node?.metadata.labels?.[spec.topologyKey] ?? ''
}

/** Nodes that others than brokers of the Cluster run on are none of its business. */
function mayHold ({ spec }: Cluster, node: KubeObject | undefined): boolean {
  if (node === undefined) return false
  return Object.entries(spec.pod?.nodeSelector ?? {}).every(([name, value]) => node.metadata.labels?.[name] === value)
}

/** Whether brokers of the Cluster may have to be told of what has become of a node. Heartbeats are nothing to them. */
export function concerns (cluster: Cluster, node: KubeObject | undefined, previous: KubeObject | undefined): boolean {
  const [is, was] = [mayHold(cluster, node), mayHold(cluster, previous)]
  const rack = rackOf(cluster, node)
  if (rack === rackOf(cluster, previous) && (rack === '' || is === was)) return false
  // A broker may run where its selector no longer lets it.
  return is || was || (node !== undefined && previous !== undefined)
}

/**
 * In order of the names, so that the same nodes are the same text.
 *
 * @param nodes all that there are
 * @param used names of those that brokers of the Cluster run on
 */
export function racksOf (cluster: Cluster, nodes: Iterable<KubeObject>, used: ReadonlySet<string>): Racks {
  const known = [...nodes].filter(node => rackOf(cluster, node) !== '' &&
    (used.has(node.metadata.name) || mayHold(cluster, node)))
  const told = known.length > rackNodesMax ? known.filter(({ metadata }) => used.has(metadata.name)) : known
  return Object.fromEntries(told.map(node => [node.metadata.name, rackOf(cluster, node)] as const)
    .sort(([a], [b]) => a < b ? -1 : 1))
}
