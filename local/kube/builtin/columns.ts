// What `kubectl get` prints of the built-in kinds, after k8s.io/kubernetes/pkg/printers.
import type { KubeObject } from '../object.ts'
import { isObject } from '../object.ts'
import type { Column } from '../registry/resource.ts'
import { age, labelsText, orNone, selectorText } from '../table/format.ts'
import { ageColumn, nameColumn } from '../table/table.ts'
import { at, count, list, text } from './fields.ts'
import type { Dict } from './fields.ts'

type Cell = string | number | boolean | null
function column (name: string, value: (object: KubeObject, now: number) => Cell, priority = 0,
  type = 'string'): Column {
  return { name, type, priority, value }
}

function containers (object: KubeObject): Dict[] {
  return list(at(object, 'spec', 'template', 'spec').containers)
}

const templateColumns: Column[] = [
  column('Containers', object => containers(object).map(one => text(one.name)).join(','), 1),
  column('Images', object => containers(object).map(one => text(one.image)).join(','), 1)
]

/** The one word that says how a pod is doing. */
function podPhase (pod: KubeObject): string {
  const status = at(pod, 'status')
  let reason = text(status.reason) || text(status.phase) || 'Pending'
  for (const container of list(status.containerStatuses).toReversed()) {
    const waiting = at(container, 'state', 'waiting')
    const terminated = at(container, 'state', 'terminated')
    if (text(waiting.reason) !== '') reason = text(waiting.reason)
    else if (text(terminated.reason) !== '') reason = text(terminated.reason)
    else if (typeof terminated.signal === 'number') reason = `Signal:${terminated.signal}`
    else if (typeof terminated.exitCode === 'number') reason = `ExitCode:${terminated.exitCode}`
  }
  return pod.metadata.deletionTimestamp === undefined ? reason : 'Terminating'
}

const podColumns: Column[] = [
  nameColumn,
  column('Ready', pod => {
    const statuses = list(at(pod, 'status').containerStatuses)
    return `${statuses.filter(one => one.ready === true).length}/${list(at(pod, 'spec').containers).length}`
  }),
  column('Status', podPhase),
  column('Restarts', (pod, now) => {
    const statuses = list(at(pod, 'status').containerStatuses)
    const restarts = statuses.reduce((sum, one) => sum + count(one.restartCount), 0)
    const last = statuses.map(one => text(at(one, 'lastState', 'terminated').finishedAt)).toSorted().at(-1)
    const isFresh = restarts === 0 || last === undefined || last === ''
    return isFresh ? String(restarts) : `${restarts} (${age(last, now)} ago)`
  }),
  ageColumn,
  column('IP', pod => orNone(text(at(pod, 'status').podIP)), 1),
  column('Node', pod => orNone(text(at(pod, 'spec').nodeName)), 1),
  column('Nominated Node', pod => orNone(text(at(pod, 'status').nominatedNodeName)), 1),
  column('Readiness Gates', () => '<none>', 1)
]

const serviceColumns: Column[] = [
  nameColumn,
  column('Type', service => text(at(service, 'spec').type)),
  column('Cluster-IP', service => orNone(text(at(service, 'spec').clusterIP))),
  column('External-IP', service => {
    const spec = at(service, 'spec')
    if (spec.type === 'ExternalName') return text(spec.externalName)
    const ips = Array.isArray(spec.externalIPs) ? spec.externalIPs.join(',') : ''
    const ingress = list(at(service, 'status', 'loadBalancer').ingress).map(one => text(one.ip) || text(one.hostname))
    const all = [ips, ...ingress].filter(one => one !== '').join(',')
    return all === '' && spec.type === 'LoadBalancer' ? '<pending>' : orNone(all)
  }),
  column('Port(s)', service => orNone(list(at(service, 'spec').ports).map(port => port.nodePort === undefined
    ? `${text(port.port)}/${text(port.protocol)}`
    : `${text(port.port)}:${text(port.nodePort)}/${text(port.protocol)}`).join(','))),
  ageColumn,
  column('Selector', service => labelsText(at(service, 'spec').selector), 1)
]

const statefulSetColumns: Column[] = [
  nameColumn,
  column('Ready', set => `${count(at(set, 'status').readyReplicas)}/${count(at(set, 'spec').replicas)}`),
  ageColumn,
  ...templateColumns
]

const deploymentColumns: Column[] = [
  nameColumn,
  column('Ready', one => `${count(at(one, 'status').readyReplicas)}/${count(at(one, 'spec').replicas)}`),
  column('Up-to-date', one => count(at(one, 'status').updatedReplicas)),
  column('Available', one => count(at(one, 'status').availableReplicas)),
  ageColumn,
  ...templateColumns,
  column('Selector', one => selectorText(at(one, 'spec').selector), 1)
]

const replicaSetColumns: Column[] = [
  nameColumn,
  column('Desired', set => count(at(set, 'spec').replicas), 0, 'integer'),
  column('Current', set => count(at(set, 'status').replicas), 0, 'integer'),
  column('Ready', set => count(at(set, 'status').readyReplicas), 0, 'integer'),
  ageColumn,
  ...templateColumns,
  column('Selector', set => selectorText(at(set, 'spec').selector), 1)
]

const accessModes: Record<string, string> =
  { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }

function modes (value: unknown): string {
  return Array.isArray(value) ? value.map(mode => accessModes[String(mode)] ?? String(mode)).join(',') : ''
}

function phaseOf (object: KubeObject): string {
  return object.metadata.deletionTimestamp === undefined ? text(at(object, 'status').phase) : 'Terminating'
}

const claimColumns: Column[] = [
  nameColumn,
  column('Status', phaseOf),
  column('Volume', claim => text(at(claim, 'spec').volumeName)),
  column('Capacity', claim => text(at(claim, 'status', 'capacity').storage)),
  column('Access Modes', claim => modes(at(claim, 'status').accessModes)),
  column('StorageClass', claim => text(at(claim, 'spec').storageClassName)),
  column('VolumeAttributesClass', () => '<unset>'),
  ageColumn,
  column('VolumeMode', claim => text(at(claim, 'spec').volumeMode) || '<unset>', 1)
]

const volumeColumns: Column[] = [
  nameColumn,
  column('Capacity', volume => text(at(volume, 'spec', 'capacity').storage)),
  column('Access Modes', volume => modes(at(volume, 'spec').accessModes)),
  column('Reclaim Policy', volume => text(at(volume, 'spec').persistentVolumeReclaimPolicy)),
  column('Status', phaseOf),
  column('Claim', volume => {
    const claim = at(volume, 'spec', 'claimRef')
    return claim.name === undefined ? '' : `${text(claim.namespace)}/${text(claim.name)}`
  }),
  column('StorageClass', volume => text(at(volume, 'spec').storageClassName)),
  column('VolumeAttributesClass', () => '<unset>'),
  column('Reason', volume => text(at(volume, 'status').reason)),
  ageColumn,
  column('VolumeMode', volume => text(at(volume, 'spec').volumeMode) || '<unset>', 1)
]

function lastSeen (event: KubeObject, now: number): string {
  const seen = text(at(event, 'series').lastObservedTime) || text(event.lastTimestamp) || text(event.eventTime) ||
    text(event.firstTimestamp)
  return seen === '' ? age(event.metadata.creationTimestamp, now) : age(seen, now)
}

/** The names of events.k8s.io for what core events call otherwise. */
function about (event: KubeObject): Dict {
  return event.involvedObject === undefined ? at(event, 'regarding') : at(event, 'involvedObject')
}

function source (event: KubeObject): string {
  const old = { ...at(event, 'source'), ...at(event, 'deprecatedSource') }
  const parts = text(old.component) === ''
    ? [event.reportingComponent ?? event.reportingController, event.reportingInstance]
    : [old.component, old.host]
  return parts.map(text).filter(part => part !== '').join(', ')
}

const eventColumns: Column[] = [
  column('Last Seen', lastSeen),
  column('Type', event => text(event.type)),
  column('Reason', event => text(event.reason)),
  column('Object', event => {
    const object = about(event)
    return `${text(object.kind).toLowerCase()}/${text(object.name)}`
  }),
  column('Subobject', event => text(about(event).fieldPath), 1),
  column('Source', source, 1),
  column('Message', event => text(event.message ?? event.note).trim()),
  column('First Seen', (event, now) => age(event.firstTimestamp ?? event.eventTime, now), 1),
  column('Count', event => count(at(event, 'series').count ?? event.count) || 1, 1),
  { ...nameColumn, priority: 1 }
]

const nodeColumns: Column[] = [
  nameColumn,
  column('Status', node => {
    const ready = list(at(node, 'status').conditions).find(one => one.type === 'Ready')
    const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
    return at(node, 'spec').unschedulable === true ? `${word},SchedulingDisabled` : word
  }),
  column('Roles', node => orNone(Object.keys(node.metadata.labels ?? {})
    .filter(label => label.startsWith('node-role.kubernetes.io/')).map(label => label.slice(24)).toSorted().join(','))),
  ageColumn,
  column('Version', node => text(at(node, 'status', 'nodeInfo').kubeletVersion)),
  column('Internal-IP', node => orNone(text(list(at(node, 'status').addresses)
    .find(one => one.type === 'InternalIP')?.address)), 1)
]

function keys (value: unknown): number {
  return isObject(value) ? Object.keys(value).length : 0
}

function roleRef (binding: KubeObject): string {
  const ref = at(binding, 'roleRef')
  return `${text(ref.kind)}/${text(ref.name)}`
}

const columns: Record<string, Column[]> = {
  pods: podColumns,
  services: serviceColumns,
  'statefulsets.apps': statefulSetColumns,
  'deployments.apps': deploymentColumns,
  'replicasets.apps': replicaSetColumns,
  persistentvolumeclaims: claimColumns,
  persistentvolumes: volumeColumns,
  events: eventColumns,
  nodes: nodeColumns,
  namespaces: [nameColumn, column('Status', one => text(at(one, 'status').phase)), ageColumn],
  configmaps: [nameColumn, column('Data', one => keys(one.data) + keys(one.binaryData)), ageColumn],
  secrets: [
    nameColumn, column('Type', one => text(one.type)), column('Data', one => keys(one.data)), ageColumn
  ],
  serviceaccounts: [nameColumn, ageColumn],
  endpoints: [
    nameColumn,
    column('Endpoints', one => orNone(list(one.subsets).flatMap(subset => list(subset.addresses).flatMap(address =>
      list(subset.ports).map(port => `${text(address.ip)}:${text(port.port)}`))).slice(0, 3).join(','))),
    ageColumn
  ],
  'endpointslices.discovery.k8s.io': [
    nameColumn,
    column('AddressType', one => text(one.addressType)),
    column('Ports', one => orNone(list(one.ports).map(port => text(port.port)).join(',')).replace('<none>', '<unset>')),
    column('Endpoints', one => orNone(list(one.endpoints).flatMap(end => Array.isArray(end.addresses)
      ? end.addresses.map(String)
      : []).join(','))),
    ageColumn
  ],
  'poddisruptionbudgets.policy': [
    nameColumn,
    column('Min Available', one => text(at(one, 'spec').minAvailable) || 'N/A'),
    column('Max Unavailable', one => text(at(one, 'spec').maxUnavailable) || 'N/A'),
    column('Allowed Disruptions', one => count(at(one, 'status').disruptionsAllowed), 0, 'integer'),
    ageColumn
  ],
  'networkpolicies.networking.k8s.io': [
    nameColumn, column('Pod-Selector', one => selectorText(at(one, 'spec').podSelector)), ageColumn
  ],
  'leases.coordination.k8s.io': [
    nameColumn, column('Holder', one => text(at(one, 'spec').holderIdentity)), ageColumn
  ],
  'storageclasses.storage.k8s.io': [
    nameColumn,
    column('Provisioner', one => text(one.provisioner)),
    column('ReclaimPolicy', one => text(one.reclaimPolicy)),
    column('VolumeBindingMode', one => text(one.volumeBindingMode)),
    column('AllowVolumeExpansion', one => one.allowVolumeExpansion === true, 0, 'string'),
    ageColumn
  ],
  'customresourcedefinitions.apiextensions.k8s.io': [
    nameColumn, { ...column('Created At', one => one.metadata.creationTimestamp ?? ''), format: 'date' }
  ],
  'controllerrevisions.apps': [
    nameColumn,
    column('Controller', one => {
      const owner = one.metadata.ownerReferences?.find(reference => reference.controller === true)
      return owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}.apps/${owner.name}`
    }),
    column('Revision', one => count(one.revision), 0, 'integer'),
    ageColumn
  ],
  'roles.rbac.authorization.k8s.io': [nameColumn, column('Created At', one => one.metadata.creationTimestamp ?? '')],
  'clusterroles.rbac.authorization.k8s.io':
    [nameColumn, column('Created At', one => one.metadata.creationTimestamp ?? '')],
  'rolebindings.rbac.authorization.k8s.io': [nameColumn, column('Role', roleRef), ageColumn],
  'clusterrolebindings.rbac.authorization.k8s.io': [nameColumn, column('Role', roleRef), ageColumn]
}

export function builtinColumns (table: string): Column[] {
  return columns[table] ?? [nameColumn, ageColumn]
}
