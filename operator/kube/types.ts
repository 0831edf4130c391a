// Kubernetes objects as raw JSON, and the kinds that the operator works with. Typed models drop the
// fields that they do not know, so there are none.
import { apiVersion as millraceVersion } from '../schema/crd.ts'

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** As read from the API server; what the operator writes is a subset. */
export interface ObjectMeta {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
}

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** Where a kind lives: /apis/{apiVersion}/namespaces/{namespace}/{plural}, or /api for the core group. */
export interface Kind {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
}

function kind (apiVersion: string, name: string, plural: string): Kind {
  return { apiVersion, kind: name, plural }
}

export const kinds = {
  cluster: kind(millraceVersion, 'Cluster', 'clusters'),
  topic: kind(millraceVersion, 'Topic', 'topics'),
  partitionTable: kind(millraceVersion, 'PartitionTable', 'partitiontables'),
  configMap: kind('v1', 'ConfigMap', 'configmaps'),
  persistentVolumeClaim: kind('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  pod: kind('v1', 'Pod', 'pods'),
  service: kind('v1', 'Service', 'services'),
  serviceAccount: kind('v1', 'ServiceAccount', 'serviceaccounts'),
  statefulSet: kind('apps/v1', 'StatefulSet', 'statefulsets'),
  role: kind('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  roleBinding: kind('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  podDisruptionBudget: kind('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  networkPolicy: kind('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies'),
  lease: kind('coordination.k8s.io/v1', 'Lease', 'leases'),
  event: kind('events.k8s.io/v1', 'Event', 'events'),
  // In no namespace themselves.
  namespace: kind('v1', 'Namespace', 'namespaces'),
  node: kind('v1', 'Node', 'nodes')
} as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

/** `namespace/name`: how caches and queues name an object. */
export function keyOf (object: { readonly metadata: ObjectMeta }): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

export function splitKey (key: string): { namespace: string, name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
