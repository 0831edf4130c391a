// The built-in kinds that are served, and what discovery says of them.

export interface BuiltinKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly status: boolean
  readonly scale: boolean
  /** Name in schema.json. */
  readonly definition: string
  /** Another resource that holds the objects: events.k8s.io/events are stored as core events. */
  readonly storedAs?: string
}

interface Options {
  short?: string[]
  all?: boolean
  cluster?: boolean
  status?: boolean
  scale?: boolean
  storedAs?: string
  definition?: string
  plural?: string
}

function kind (group: string, version: string, name: string, options: Options = {}): BuiltinKind {
  const singular = name.toLowerCase()
  // `rbac.authorization.k8s.io` is defined in io.k8s.api.rbac.v1, the core group in .core.v1.
  const folder = group === '' ? 'core' : group.split('.', 1)[0] ?? group
  return {
    group,
    version,
    kind: name,
    singular,
    plural: options.plural ?? (/(ss|y)$/.test(singular)
      ? singular.replace(/y$/, 'ie').replace(/s$/, 'se') + 's'
      : singular + 's'),
    namespaced: options.cluster !== true,
    shortNames: options.short ?? [],
    categories: options.all === true ? ['all'] : [],
    status: options.status === true,
    scale: options.scale === true,
    definition: options.definition ?? `io.k8s.api.${folder}.${version}.${name}`,
    ...options.storedAs !== undefined && { storedAs: options.storedAs }
  }
}

const rbac = 'rbac.authorization.k8s.io'

export const builtinKinds: readonly BuiltinKind[] = [
  kind('', 'v1', 'ConfigMap', { short: ['cm'] }),
  kind('', 'v1', 'Endpoints', { short: ['ep'], plural: 'endpoints' }),
  kind('', 'v1', 'Event', { short: ['ev'] }),
  kind('', 'v1', 'Namespace', { short: ['ns'], cluster: true, status: true }),
  kind('', 'v1', 'Node', { short: ['no'], cluster: true, status: true }),
  kind('', 'v1', 'PersistentVolumeClaim', { short: ['pvc'], status: true }),
  kind('', 'v1', 'PersistentVolume', { short: ['pv'], cluster: true, status: true }),
  kind('', 'v1', 'Pod', { short: ['po'], all: true, status: true }),
  kind('', 'v1', 'Secret'),
  kind('', 'v1', 'ServiceAccount', { short: ['sa'] }),
  kind('', 'v1', 'Service', { short: ['svc'], all: true, status: true }),
  kind('apps', 'v1', 'ControllerRevision'),
  kind('apps', 'v1', 'Deployment', { short: ['deploy'], all: true, status: true, scale: true }),
  kind('apps', 'v1', 'ReplicaSet', { short: ['rs'], all: true, status: true, scale: true }),
  kind('apps', 'v1', 'StatefulSet', { short: ['sts'], all: true, status: true, scale: true }),
  kind('policy', 'v1', 'PodDisruptionBudget', { short: ['pdb'], status: true }),
  kind('networking.k8s.io', 'v1', 'NetworkPolicy', { short: ['netpol'] }),
  kind(rbac, 'v1', 'ClusterRole', { cluster: true }),
  kind(rbac, 'v1', 'ClusterRoleBinding', { cluster: true }),
  kind(rbac, 'v1', 'Role'),
  kind(rbac, 'v1', 'RoleBinding'),
  kind('coordination.k8s.io', 'v1', 'Lease'),
  kind('discovery.k8s.io', 'v1', 'EndpointSlice'),
  kind('storage.k8s.io', 'v1', 'StorageClass', { short: ['sc'], cluster: true }),
  kind('events.k8s.io', 'v1', 'Event', { short: ['ev'], storedAs: 'events' }),
  kind('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', {
    short: ['crd', 'crds'],
    cluster: true,
    status: true,
    definition: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition'
  })
]
