// Names and labels of everything that belongs to a Cluster. Selector labels never change: a StatefulSet's
// selector is immutable, and a version in a label has cost others their volumes (redpanda-operator#1866).
import { apiVersion, group } from '../schema/crd.ts'
import type { KubeObject, OwnerReference } from '../kube/types.ts'
import type { Cluster } from '../schema/resources.ts'

export const clusterLabel = `${group}/cluster`
/** On the Services of spec.listeners: the name of the listener. */
export const listenerLabel = `${group}/listener`
export const configHashAnnotation = `${group}/config-hash`
export const templateHashAnnotation = `${group}/template-hash`
/** Hash of the object as the operator wanted it last; tells when a field was taken away. */
export const appliedAnnotation = `${group}/applied`
/** On volumes: the cluster whose data they hold, by the uid that its Cluster object had at first. */
export const clusterUidAnnotation = `${group}/cluster-uid`
/** On volumes: the uid of the claim itself, as the operator found it; a copy of the claim has another uid. */
export const claimUidAnnotation = `${group}/claim-uid`
/** On a Cluster, by people: the uid of the cluster whose volumes it shall take over. */
export const adoptVolumesAnnotation = `${group}/adopt-volumes`
export const controllerAddressAnnotation = `${group}/controller-address`
/** On a Cluster: `pod/uid` of the broker that was restarted last, written before its pod is deleted. */
export const restartAnnotation = `${group}/restart`
/** On Clusters and Topics, by people: "true" keeps the operator from changing anything. */
export const pausedAnnotation = `${group}/paused`
/** On Clusters and Topics whose deletePolicy is Delete. */
export const finalizer = `${group}/delete-data`

export const ports = { client: 9090, peer: 9091, metrics: 9100 } as const
export const brokerContainer = 'broker'
export const dataVolume = 'data'
export const dataFolder = '/var/lib/millrace'
export const configFolder = '/etc/millrace'
export const configFile = 'config.json'

export const names = {
  statefulSet: (cluster: string) => cluster,
  headlessService: (cluster: string) => `${cluster}-brokers`,
  bootstrapService: (cluster: string) => `${cluster}-bootstrap`,
  /** 63 characters at most: 50 of the cluster, 9 of the listener, 2 of the ordinal. */
  listenerService: (cluster: string, listener: string, ordinal: number) => `${cluster}-${listener}-${ordinal}`,
  pod: (cluster: string, ordinal: number) => `${cluster}-${ordinal}`,
  configMap: (cluster: string) => `${cluster}-config`,
  podDisruptionBudget: (cluster: string) => cluster,
  networkPolicy: (cluster: string) => cluster,
  serviceAccount: (cluster: string) => `${cluster}-broker`,
  lease: (cluster: string) => `${cluster}-controller`,
  partitionTable: (cluster: string, index: number) => `${cluster}-${index}`
} as const

/** Whose table it is, by name alone: `events-0` is one of `events`, `events-1-0` one of `events-1`. */
export function clusterOfTable (table: string): string | undefined {
  return /^(.+)-[0-9]+$/.exec(table)?.[1]
}

/** Labels that select the broker pods of a cluster. */
export function selectorLabels (cluster: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'millrace',
    'app.kubernetes.io/component': 'broker',
    [clusterLabel]: cluster
  }
}

/** Labels of every object that the operator makes for a cluster. */
export function labels (cluster: string): Record<string, string> {
  return { ...selectorLabels(cluster), 'app.kubernetes.io/managed-by': 'millrace-operator' }
}

/** What the operator's watches select by. */
export const managedSelector = 'app.kubernetes.io/managed-by=millrace-operator'
export const brokerPodSelector = 'app.kubernetes.io/name=millrace,app.kubernetes.io/component=broker'

export function selectorText (cluster: string): string {
  return Object.entries(selectorLabels(cluster)).map(([name, value]) => `${name}=${value}`).join(',')
}

export function ownerReference (cluster: Cluster): OwnerReference {
  return {
    apiVersion,
    kind: 'Cluster',
    name: cluster.metadata.name,
    uid: cluster.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true
  }
}

/** An object of the cluster: named, labelled, and gone when the Cluster is. */
export function owned (cluster: Cluster, apiVersion: string, kind: string, name: string, fields: object): KubeObject {
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: cluster.metadata.namespace ?? 'default',
      labels: labels(cluster.metadata.name),
      ownerReferences: [ownerReference(cluster)]
    },
    ...fields
  }
}
