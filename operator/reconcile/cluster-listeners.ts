// spec.listeners: the Services, and through the ConfigMap what brokers tell clients. Addresses that come later, as that
// of a load balancer, or that change, reach running brokers by the same way: no step waits for them.
import { bracketed } from '../../wire/address.ts'
import { kinds } from '../kube/types.ts'
import type { KubeObject } from '../kube/types.ts'
import { configMap } from '../objects/config-map.ts'
import { isExternal, listenerAddresses, listenerService, type ListenerAddresses } from '../objects/listeners.ts'
import { clusterLabel, listenerLabel, names } from '../objects/names.ts'
import { addressesShownMax, type ClusterStatus } from '../schema/cluster.ts'
import type { Listener } from '../schema/listeners.ts'
import type { ClusterContext } from './cluster-context.ts'
import { findRacks } from './cluster-racks.ts'

export async function makeListeners (context: ClusterContext): Promise<void> {
  const { api, caches, cluster, replicas = 0 } = context
  const { name, namespace = '', uid } = cluster.metadata
  const wanted = new Set<string>()
  for (const listener of (cluster.spec.listeners ?? []).filter(isExternal)) {
    for (let ordinal = 0; ordinal < replicas; ordinal++) {
      const { metadata } = await caches.ensure('service', listenerService(cluster, listener, ordinal))
      wanted.add(metadata.name)
    }
  }
  // Of listeners and brokers that are no more.
  for (const { metadata: service } of [...caches.managed.service.values()]) {
    const isOurs = service.namespace === namespace && service.labels?.[clusterLabel] === name &&
      service.labels[listenerLabel] !== undefined && service.ownerReferences?.some(owner => owner.uid === uid) === true
    if (!isOurs || wanted.has(service.name) || service.deletionTimestamp !== undefined) continue
    await api.delete(kinds.service, namespace, service.name, {
      ...service.uid !== undefined && { uid: service.uid }
    })
  }
}

export async function makeConfigMap (context: ClusterContext): Promise<void> {
  const { caches, cluster, replicas } = context
  const listeners = addressesOf(context)
  await caches.ensure('configMap', configMap(cluster, replicas, listeners, findRacks(context)))
  const missing = missingAddresses(context, listeners)
  if (missing.length > 0) context.notes.waiting = `no address yet: ${missing.join(', ')}`
}

function addressesOf ({ caches, cluster, replicas = 0 }: ClusterContext): ListenerAddresses[] {
  const { name, namespace = '' } = cluster.metadata
  const serviceOf = ({ name: listener }: Listener, ordinal: number): KubeObject | undefined =>
    caches.managed.service.get(`${namespace}/${names.listenerService(name, listener, ordinal)}`)
  return listenerAddresses(cluster, replicas, serviceOf)
}

/** How many are told to a person. */
const namedMax = 5

function missingAddresses ({ cluster, replicas = 0 }: ClusterContext,
  listeners: readonly ListenerAddresses[]): string[] {
  return listeners.flatMap(({ name, addresses }) =>
    Array.from({ length: replicas }, (_, ordinal) => ordinal).filter(ordinal => addresses[ordinal] === undefined)
      .map(ordinal => names.listenerService(cluster.metadata.name, name, ordinal))).slice(0, namedMax)
}

/** As people give them to clients, to begin with: `{node}` is where the pod runs now, `{pod}` is shown as its name. */
export function shownListeners (context: ClusterContext): NonNullable<ClusterStatus['listeners']> {
  const { caches, cluster } = context
  const { name, namespace = '' } = cluster.metadata
  const nodes = new Map(caches.podsOf(cluster).map(({ metadata, ...pod }) =>
    [metadata.name, (pod['status'] as { hostIP?: string } | undefined)?.hostIP ?? '']))
  return addressesOf(context).map(({ name: listener, addresses }) => ({
    name: listener,
    addresses: Object.entries(addresses).flatMap(([ordinal, template]) => {
      const pod = names.pod(name, Number(ordinal))
      const address = template.replaceAll('{pod}', `${pod}.${names.headlessService(name)}.${namespace}.svc`)
      if (!address.includes('{node}')) return [address]
      const node = nodes.get(pod) ?? ''
      return node === '' ? [] : [address.replaceAll('{node}', bracketed(node))]
    }).slice(0, addressesShownMax)
  }))
}
