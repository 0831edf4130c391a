import type { KubeObject } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'
import { names, owned, ports, selectorLabels } from './names.ts'

type PortName = keyof typeof ports

function service (cluster: Cluster, name: string, portNames: readonly PortName[], spec: object): KubeObject {
  return owned(cluster, 'v1', 'Service', name, {
    spec: {
      ...spec,
      type: 'ClusterIP',
      selector: selectorLabels(cluster.metadata.name),
      ports: portNames.map(port => ({ name: port, port: ports[port], targetPort: port, protocol: 'TCP' }))
    }
  })
}

/** Gives each pod a name. Brokers find each other before they are ready, so unready ones are listed too. */
export function headlessService (cluster: Cluster): KubeObject {
  return service(cluster, names.headlessService(cluster.metadata.name), ['client', 'peer', 'metrics'],
    { clusterIP: 'None', publishNotReadyAddresses: true })
}

/** Where a client begins: any ready broker tells it about all. */
export function bootstrapService (cluster: Cluster): KubeObject {
  return service(cluster, names.bootstrapService(cluster.metadata.name), ['client'], {})
}

/** host:port of the bootstrap Service inside Kubernetes. */
export function bootstrapAddress (cluster: Cluster): string {
  const { name, namespace } = cluster.metadata
  return `${names.bootstrapService(name)}.${namespace ?? 'default'}.svc:${ports.client}`
}
