// In which rack brokers are: what they are told of nodes, and what people are told where nobody can know.
import type { KubeObject } from '../kube/types.ts'
import { hostnameKey, racksOf, type Racks } from '../objects/racks.ts'
import { ordinalOf } from './caches.ts'
import type { ClusterContext } from './cluster-context.ts'

/** How many are named to a person. */
const namedMax = 5

/** For the ConfigMap; empty while Nodes cannot be read. */
export function findRacks (context: ClusterContext): Racks {
  const { caches, cluster } = context
  const used = new Set(caches.podsOf(cluster).map(nodeOf))
  const racks = racksOf(cluster, caches.nodes?.values() ?? [], used)
  sayUnknown(context, racks)
  return racks
}

/** An Event, when it is so and whenever it is so of others; not of one broker after the other as they are placed. */
function sayUnknown ({ caches, cluster, events, key, racksSaid, replicas = 0 }: ClusterContext, racks: Racks): void {
  const { topologyKey } = cluster.spec
  const pods = caches.podsOf(cluster)
  if (topologyKey === hostnameKey || pods.length < replicas || pods.some(pod => nodeOf(pod) === '')) return
  const mayRead = caches.nodes?.isSynced === true
  const unknown = pods.filter(pod => racks[nodeOf(pod)] === undefined &&
    (pod.metadata.labels?.[topologyKey] ?? '') === '' &&
    // A node that was not seen yet is no news, and where there are none (a laptop) there is nothing to spread over.
    (!mayRead || caches.nodes?.get(`/${nodeOf(pod)}`) !== undefined))
  const said = racksSaid.get(key)
  const note = noteOf(unknown.map(pod => ordinalOf(pod)), topologyKey, mayRead)
  racksSaid.set(key, note)
  if (note === '' || note === said) return
  events.record(cluster, { type: 'Normal', reason: 'RacksUnknown', action: 'Place', note })
}

function noteOf (brokers: readonly number[], topologyKey: string, mayRead: boolean): string {
  if (brokers.length === 0) return ''
  const more = brokers.length > namedMax ? ` and ${brokers.length - namedMax} more` : ''
  const named = `broker${brokers.length === 1 ? '' : 's'} ${brokers.slice(0, namedMax).join(', ')}${more}`
  const cause = mayRead
    ? `no label ${topologyKey} on the node of ${named}`
    : `the operator may not read Nodes (rbac.nodes of the chart), which say the ${topologyKey} of ${named}`
  return `${cause}: replicas are spread by broker there`
}

function nodeOf (pod: KubeObject): string {
  return (pod['spec'] as { nodeName?: string } | undefined)?.nodeName ?? ''
}
