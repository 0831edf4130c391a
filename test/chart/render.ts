// What the chart renders over a matrix of values, and a server that is asked whether it would take it.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { helm } from '../kubernetes/helm.ts'
import { monitoringPath } from '../kubernetes/monitor-definitions.ts'
import { definitionsPath, pathOf } from '../kubernetes/objects.ts'
import { media, type Any, type Client } from '../local/kube/client.ts'

export const chart = 'charts/millrace'
export const image = ['--set', 'image.repository=example.com/millrace']

export const monitoring = ['--set', 'podMonitor.enabled=true,prometheusRule.enabled=true,dashboards.enabled=true']

export const matrix: Readonly<Record<string, readonly string[]>> = {
  'nothing else said': [],
  'one namespace': ['--set', 'watchNamespaces={default}'],
  'some namespaces': ['--set', 'watchNamespaces={default,kube-public}', ...monitoring],
  'some namespaces, and Nodes': ['--set', 'watchNamespaces={default},rbac.nodes=always'],
  'no Nodes': ['--set', 'rbac.nodes=never'],
  'values taken away': ['--set', 'watchNamespaces=null,rbac.nodes=null'],
  'one operator': ['--set', 'operator.replicas=1'],
  'a digest': ['--set', `image.digest=sha256:${'0'.repeat(64)}`],
  'everything off': ['--set', 'crds.install=false,rbac.create=false,serviceAccount.create=false,' +
    'networkPolicy.enabled=false,podDisruptionBudget.enabled=false'],
  'where it runs': ['--set', 'operator.nodeSelector.disk=fast,operator.priorityClassName=high',
    '--set', 'operator.tolerations[0].key=a,operator.tolerations[0].operator=Exists',
    '--set', 'image.pullSecrets[0].name=registry,operator.podLabels.team=streams'],
  'everything that is watched': [...monitoring],
  'monitors of one namespace, with labels': [...monitoring, '--set', 'watchNamespaces={default},podMonitor.interval=1m',
    '--set', 'podMonitor.labels.release=prometheus,prometheusRule.labels.release=prometheus',
    '--set', 'prometheusRule.runbookUrl=https://example.com/millrace/,dashboards.annotations.folder=millrace'],
  'a long name': ['--set', `fullnameOverride=${'m'.repeat(52)}`, ...monitoring]
}

const plurals: Readonly<Record<string, string>> = {
  ServiceAccount: 'serviceaccounts',
  ConfigMap: 'configmaps',
  Deployment: 'deployments.apps',
  Role: 'roles.rbac.authorization.k8s.io',
  RoleBinding: 'rolebindings.rbac.authorization.k8s.io',
  NetworkPolicy: 'networkpolicies.networking.k8s.io',
  PodDisruptionBudget: 'poddisruptionbudgets.policy'
}
/** Whole paths: without a namespace, or of groups that are not ours. */
const paths: Readonly<Record<string, (namespace: string) => string>> = {
  ClusterRole: () => '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: () => '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  CustomResourceDefinition: () => definitionsPath,
  PodMonitor: namespace => `${monitoringPath}/namespaces/${namespace}/podmonitors`,
  PrometheusRule: namespace => `${monitoringPath}/namespaces/${namespace}/prometheusrules`
}

/** The same source with another version string, in a folder of its own: what a later release would be. */
export function chartOfVersion (version: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chart-'))
  cpSync(chart, folder, { recursive: true })
  const path = join(folder, 'Chart.yaml')
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replaceAll(/^(version|appVersion): .*$/gm, `$1: ${version}`))
  return folder
}

export function objectsIn (text: string): Any[] {
  return parseAllDocuments(text).map(document => document.toJS() as Any).filter(object => object !== null)
}

export async function render (...values: readonly string[]): Promise<Any[]> {
  const run = await helm()
  return objectsIn(await run('template', 'millrace', chart, '--namespace', 'default', ...values))
}

/** Server-side dry run of each, strictly. The definitions of what is rendered must be installed. */
export async function expectTaken (client: Client, objects: readonly Any[]): Promise<void> {
  expect(objects.length).toBeGreaterThan(0)
  for (const object of objects) {
    const { kind, metadata: { name, namespace = 'default' } } = object
    const base = paths[kind]?.(namespace) ?? pathOf(plurals[kind] ?? '', namespace)
    const query = 'fieldManager=chart&dryRun=All&fieldValidation=Strict&force=true'
    const reply = await client.patch(`${base}/${name}?${query}`, media.apply, object)
    expect(reply.status, `${kind} ${name}: ${reply.text}`).toBeLessThan(300)
  }
}
