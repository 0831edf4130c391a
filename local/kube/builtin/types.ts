// The built-in kinds as served resources.
import type { ResourceType } from '../registry/resource.ts'
import { tableOf } from '../registry/catalog.ts'
import type { NameRule } from '../registry/resource.ts'
import { definition } from '../schema/schema.ts'
import { builtinColumns } from './columns.ts'
import { builtinKinds } from './kinds.ts'
import type { BuiltinKind } from './kinds.ts'
import { strategies } from './strategies.ts'

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const nameRules: Record<string, NameRule> = {
  namespaces: 'label',
  services: 'label',
  'roles.rbac.authorization.k8s.io': 'path',
  'rolebindings.rbac.authorization.k8s.io': 'path',
  'clusterroles.rbac.authorization.k8s.io': 'path',
  'clusterrolebindings.rbac.authorization.k8s.io': 'path',
  'statefulsets.apps': 'label'
}

const selectable: Record<string, string[]> = {
  pods: ['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName',
    'spec.hostNetwork', 'status.phase', 'status.podIP', 'status.nominatedNodeName'],
  events: ['involvedObject.kind', 'involvedObject.namespace', 'involvedObject.name', 'involvedObject.uid',
    'involvedObject.apiVersion', 'involvedObject.resourceVersion', 'involvedObject.fieldPath', 'reason',
    'reportingComponent', 'source', 'type'],
  'events.events.k8s.io': ['regarding.kind', 'regarding.namespace', 'regarding.name', 'regarding.uid',
    'reason', 'reportingController', 'type'],
  namespaces: ['status.phase'],
  nodes: ['spec.unschedulable'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type']
}

function resourceType (kind: BuiltinKind): ResourceType {
  const name = tableOf(kind)
  const table = kind.storedAs ?? name
  return {
    ...kind,
    table,
    storageApiVersion: kind.storedAs !== undefined || kind.group === '' ? 'v1' : `${kind.group}/${kind.version}`,
    schema: definition(kind.definition),
    custom: false,
    preferred: true,
    hasStatus: kind.status,
    ...kind.scale && {
      scale: { spec: '.spec.replicas', status: '.status.replicas', selector: '.spec.selector' }
    },
    columns: builtinColumns(table),
    nameRule: nameRules[name] ?? 'subdomain',
    selectableFields: selectable[name] ?? [],
    strategy: strategies[name] ?? {}
  } as ResourceType
}

export function builtinTypes (): ResourceType[] {
  return builtinKinds.map(resourceType)
}
