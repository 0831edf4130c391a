// Somebody who may plan, and may not ask the brokers themselves.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { Any } from '../../local/kube/client.ts'
import type { Nodes } from './nodes.ts'

/** @returns the path of their kubeconfig */
export async function plannerKubeconfig (nodes: Nodes): Promise<string> {
  await nodes.kubectlWith(`---
apiVersion: v1
kind: ServiceAccount
metadata: {name: planner}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: planner}
rules:
  - {apiGroups: [millrace.dev], resources: [clusters, topics], verbs: [get, list, create, patch]}
  - {apiGroups: [""], resources: [pods, persistentvolumeclaims], verbs: [get, list]}
  - {apiGroups: [apps], resources: [statefulsets], verbs: [get]}
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: planner}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: planner}
subjects: [{kind: ServiceAccount, name: planner}]
`, 'apply', '-f', '-')
  const token = (await nodes.kubectl('create', 'token', 'planner')).trim()
  const config = parse(await readFile(nodes.kubeconfig, 'utf8')) as Any
  config.users[0].user = { token }
  const path = join(nodes.folder, 'planner.kubeconfig')
  await writeFile(path, stringify(config))
  return path
}
