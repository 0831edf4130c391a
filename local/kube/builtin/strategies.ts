// What a real server's Go code does with a kind beyond its schema: which resource has which.
import type { Strategy } from '../registry/resource.ts'
import { crdStrategy } from './crd.ts'
import {
  bindingStrategy, clusterRoleStrategy, configMapStrategy, coreEventStrategy, eventStrategy, leaseStrategy,
  namespaceStrategy, roleStrategy, secretStrategy
} from './others.ts'
import {
  disruptionBudgetStrategy, endpointSliceStrategy, endpointsStrategy, networkPolicyStrategy, serviceStrategy
} from './services.ts'
import { claimStrategy, storageClassStrategy, volumeStrategy } from './volumes.ts'
import { deploymentStrategy, podStrategy, replicaSetStrategy, statefulSetStrategy } from './workloads.ts'

export const strategies: Record<string, Strategy> = {
  configmaps: configMapStrategy,
  endpoints: endpointsStrategy,
  events: coreEventStrategy,
  namespaces: namespaceStrategy,
  persistentvolumeclaims: claimStrategy,
  persistentvolumes: volumeStrategy,
  pods: podStrategy,
  secrets: secretStrategy,
  services: serviceStrategy,
  'deployments.apps': deploymentStrategy,
  'replicasets.apps': replicaSetStrategy,
  'statefulsets.apps': statefulSetStrategy,
  'poddisruptionbudgets.policy': disruptionBudgetStrategy,
  'networkpolicies.networking.k8s.io': networkPolicyStrategy,
  'clusterroles.rbac.authorization.k8s.io': clusterRoleStrategy,
  'clusterrolebindings.rbac.authorization.k8s.io': bindingStrategy,
  'roles.rbac.authorization.k8s.io': roleStrategy,
  'rolebindings.rbac.authorization.k8s.io': bindingStrategy,
  'leases.coordination.k8s.io': leaseStrategy,
  'endpointslices.discovery.k8s.io': endpointSliceStrategy,
  'storageclasses.storage.k8s.io': storageClassStrategy,
  'events.events.k8s.io': eventStrategy,
  'customresourcedefinitions.apiextensions.k8s.io': crdStrategy
}
