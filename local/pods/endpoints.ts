// Endpoints and EndpointSlices of a Service. Pure. Every local pod has the same address and ports of its
// own, so each gets a subset and a slice to itself.
import type { KubeObject, OwnerReference } from '../kube/api.ts'
import { address, isReady, nodeName, portsOf } from './types.ts'
import type { Pod, Service, ServicePort } from './types.ts'

interface Target {
  readonly pod: Pod
  readonly ports: { readonly name: string, readonly port: number }[]
  readonly ready: boolean
}

/** Port of the pod's process that a Service's port leads to; undefined while there is none. */
export function targetPort (pod: Pod, { port, targetPort = port }: ServicePort): number | undefined {
  const name = typeof targetPort === 'string'
    ? targetPort
    : pod.spec.containers.flatMap(({ ports = [] }) => ports).find(each => each.containerPort === targetPort)?.name
  return portsOf(pod)[name ?? '']
}

function targets (service: Service, pods: readonly Pod[]): Target[] {
  return [...pods].sort((a, b) => a.metadata.name < b.metadata.name ? -1 : 1).map(pod => ({
    pod,
    ports: (service.spec.ports ?? []).flatMap(each => {
      const port = targetPort(pod, each)
      return port === undefined ? [] : [{ name: each.name ?? '', port }]
    }),
    ready: isReady(pod) || service.spec.publishNotReadyAddresses === true
  })).filter(({ ports }) => ports.length > 0)
}

function targetRef ({ metadata }: Pod): object {
  return { kind: 'Pod', name: metadata.name, namespace: metadata.namespace, uid: metadata.uid }
}

function owner (service: Service): OwnerReference {
  const { name, uid = '' } = service.metadata
  return { apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true }
}

export function endpoints (service: Service, pods: readonly Pod[]): KubeObject {
  const { name, namespace = 'default', labels = {} } = service.metadata
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace, labels, ownerReferences: [owner(service)] },
    subsets: targets(service, pods).map(({ pod, ports, ready }) => ({
      [ready ? 'addresses' : 'notReadyAddresses']: [{ ip: address, nodeName, targetRef: targetRef(pod) }],
      ports: ports.map(port => ({ ...port, protocol: 'TCP' }))
    }))
  }
}

export function endpointSlices (service: Service, pods: readonly Pod[]): KubeObject[] {
  const { name, namespace = 'default', labels = {} } = service.metadata
  return targets(service, pods).map(({ pod, ports, ready }) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${pod.metadata.name}`,
      namespace,
      labels: {
        ...labels,
        'kubernetes.io/service-name': name,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io'
      },
      ownerReferences: [owner(service)]
    },
    addressType: 'IPv4',
    endpoints: [{
      addresses: [address],
      conditions: { ready, serving: isReady(pod), terminating: pod.metadata.deletionTimestamp !== undefined },
      nodeName,
      targetRef: targetRef(pod)
    }],
    ports: ports.map(port => ({ ...port, protocol: 'TCP' }))
  }))
}
