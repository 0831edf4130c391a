// What a broker may do in the Kubernetes API: its own tables and Lease, and read its own Services. RBAC
// cannot tie `create` to a name (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
import type { KubeObject } from '../kube/types.ts'
import { group } from '../schema/crd.ts'
import { tablesMax } from '../schema/partition-table.ts'
import type { Cluster } from '../schema/resources.ts'
import { names, owned } from './names.ts'

export function serviceAccount (cluster: Cluster): KubeObject {
  return owned(cluster, 'v1', 'ServiceAccount', names.serviceAccount(cluster.metadata.name), {})
}

/** @param brokers how many there are: those that are to go still need what they may do. */
export function role (cluster: Cluster, brokers: number = cluster.spec.brokers): KubeObject {
  const name = cluster.metadata.name
  const tables = Array.from({ length: tablesMax }, (_, index) => names.partitionTable(name, index))
  const pods = Array.from({ length: brokers }, (_, ordinal) => `${names.statefulSet(name)}-${ordinal}`)
  const services = [names.headlessService(name), names.bootstrapService(name)]
  return owned(cluster, 'rbac.authorization.k8s.io/v1', 'Role', names.serviceAccount(name), {
    rules: [
      rule(group, 'partitiontables', ['get', 'update', 'delete'], tables),
      rule(group, 'partitiontables', ['create', 'list']),
      rule('coordination.k8s.io', 'leases', ['get', 'update'], [names.lease(name)]),
      rule('coordination.k8s.io', 'leases', ['create']),
      rule('', 'pods', ['get'], pods),
      rule('', 'services', ['get'], services)
    ]
  })
}

export function roleBinding (cluster: Cluster): KubeObject {
  const name = names.serviceAccount(cluster.metadata.name)
  return owned(cluster, 'rbac.authorization.k8s.io/v1', 'RoleBinding', name, {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: cluster.metadata.namespace ?? 'default' }]
  })
}

type Texts = readonly string[]

function rule (apiGroup: string, resource: string, verbs: Texts, resourceNames?: Texts): object {
  return { apiGroups: [apiGroup], resources: [resource], verbs, ...resourceNames !== undefined && { resourceNames } }
}
