// spec.listeners: a Service for each broker where clients come from outside, and the addresses that brokers tell them.
import { bracketed } from '../../wire/address.ts'
import type { KubeObject } from '../kube/types.ts'
import type { Listener } from '../schema/listeners.ts'
import type { Cluster } from '../schema/resources.ts'
import { listenerLabel, names, owned, selectorLabels } from './names.ts'

/**
 * Of one listener, by ordinal of the pod. `{pod}` is the pod's address, `{node}` that of its node; unknown ones are
 * left out.
 */
export interface ListenerAddresses {
  readonly name: string
  readonly port: number
  readonly addresses: Readonly<Record<string, string>>
}

export function isExternal ({ type }: Listener): boolean {
  return type !== 'internal'
}

/**
 * To one broker alone. Unready brokers are reached too: a client that comes back to a broker which has just started
 * is told where to go, rather than refused.
 */
export function listenerService (cluster: Cluster, listener: Listener, ordinal: number): KubeObject {
  const name = cluster.metadata.name
  const service = owned(cluster, 'v1', 'Service', names.listenerService(name, listener.name, ordinal), {
    spec: {
      type: listener.type === 'nodePort' ? 'NodePort' : 'LoadBalancer',
      publishNotReadyAddresses: true,
      selector: { ...selectorLabels(name), 'statefulset.kubernetes.io/pod-name': names.pod(name, ordinal) },
      ports: [{ name: listener.name, port: listener.port, targetPort: listener.port, protocol: 'TCP' }]
    }
  })
  const { metadata } = service
  return { ...service, metadata: { ...metadata, labels: { ...metadata.labels, [listenerLabel]: listener.name } } }
}

interface ServiceFields {
  readonly spec?: { readonly ports?: readonly { readonly nodePort?: number }[] }
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { hostname?: string, ip?: string }[] } }
}

/**
 * What the broker of a pod tells clients of the listener; empty while Kubernetes has not said it.
 *
 * @param service as stored, for an external listener
 */
export function advertisedAddress (listener: Listener, ordinal: number, service: KubeObject | undefined): string {
  const { spec, status } = (service ?? {}) as ServiceFields
  let [host, port] = ['{pod}', listener.port]
  if (listener.type === 'nodePort') {
    host = '{node}'
    port = spec?.ports?.[0]?.nodePort ?? 0
  } else if (listener.type === 'loadBalancer') {
    const [ingress] = status?.loadBalancer?.ingress ?? []
    host = ingress?.hostname ?? bracketed(ingress?.ip ?? '')
  }
  if (listener.advertised === undefined) return host === '' || port === 0 ? '' : `${host}:${port}`
  const template = listener.advertised.replaceAll('{broker}', String(ordinal))
  const [, said = '', saidPort] = /^(.*?)(?::([0-9]+))?$/.exec(template)!
  const shown = saidPort ?? (port === 0 ? '' : String(port))
  return shown === '' ? '' : `${said}:${shown}`
}

export function listenerAddresses (cluster: Cluster, brokers: number,
  serviceOf: (listener: Listener, ordinal: number) => KubeObject | undefined): ListenerAddresses[] {
  return (cluster.spec.listeners ?? []).map(listener => {
    const known = Array.from({ length: brokers }, (_, ordinal) =>
      [String(ordinal), advertisedAddress(listener, ordinal, serviceOf(listener, ordinal))] as const)
    const addresses = Object.fromEntries(known.filter(([, address]) => address !== ''))
    return { name: listener.name, port: listener.port, addresses }
  })
}
