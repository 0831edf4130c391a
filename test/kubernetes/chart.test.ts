// The chart by itself: what helm says of it, what it renders, and whether a real API server takes that.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { media, type Any, type Client } from '../local/kube/client.ts'
import { ControlPlane } from './control-plane.ts'
import { helm, type Helm } from './helm.ts'
import { definitionsPath, installDefinitions, pathOf } from './objects.ts'

const chart = 'charts/millrace'
const image = ['--set', 'image.repository=example.com/millrace']

/** Plurals of what the chart renders; whole paths for what has no namespace. */
const plurals: Record<string, string> = {
  ServiceAccount: 'serviceaccounts', Deployment: 'deployments.apps', Role: 'roles.rbac.authorization.k8s.io',
  RoleBinding: 'rolebindings.rbac.authorization.k8s.io', NetworkPolicy: 'networkpolicies.networking.k8s.io',
  PodDisruptionBudget: 'poddisruptionbudgets.policy'
}
const clusterWide: Record<string, string> = {
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  CustomResourceDefinition: definitionsPath
}

const matrix: Record<string, readonly string[]> = {
  'nothing else said': [],
  'one namespace': ['--set', 'watchNamespace=default'],
  'one operator': ['--set', 'operator.replicas=1'],
  'a digest': ['--set', `image.digest=sha256:${'0'.repeat(64)}`],
  'everything off': ['--set', 'crds.install=false,rbac.create=false,serviceAccount.create=false,' +
    'networkPolicy.enabled=false,podDisruptionBudget.enabled=false'],
  'where it runs': ['--set', 'operator.nodeSelector.disk=fast,operator.priorityClassName=high',
    '--set', 'operator.tolerations[0].key=a,operator.tolerations[0].operator=Exists',
    '--set', 'image.pullSecrets[0].name=registry,operator.podLabels.team=streams']
}

let run: Helm

async function render (...values: readonly string[]): Promise<Any[]> {
  const text = await run('template', 'millrace', chart, '--namespace', 'default', ...values)
  return parseAllDocuments(text).map(document => document.toJS() as Any).filter(object => object !== null)
}

describe('the chart', () => {
  let plane: ControlPlane
  let client: Client

  beforeAll(async () => {
    run = await helm()
    plane = await ControlPlane.start()
    client = plane.client()
    await installDefinitions(client)
  })
  afterAll(async () => { await plane.stop() })

  it('passes helm lint --strict', async () => {
    expect(await run('lint', '--strict', chart, ...image)).toContain('0 chart(s) failed')
  })

  it('wants an image, and says what to do', async () => {
    await expect(render()).rejects.toThrow('image.repository is required')
  })

  it.each([
    ['operator.replicas=many'], ['operator.logLevel=loud'], ['image.digest=sha256:12'], ['watchNamespace=A'],
    ['operator.memory=1Gi'], ['replicas=3']
  ])('refuses %s', async value => {
    await expect(render(...image, '--set', value)).rejects.toThrow(/don't meet the specifications/)
  })

  it.each(Object.entries(matrix))('with %s renders what the server takes', async (_name, values) => {
    const objects = await render(...image, ...values)
    expect(objects.length).toBeGreaterThan(0)
    for (const object of objects) {
      const { kind, metadata: { name, namespace = 'default' } } = object
      const base = clusterWide[kind] ?? pathOf(plurals[kind] ?? '', namespace)
      const query = 'fieldManager=chart&dryRun=All&fieldValidation=Strict&force=true'
      const reply = await client.patch(`${base}/${name}?${query}`, media.apply, object)
      expect(reply.status, `${kind} ${name}: ${reply.text}`).toBeLessThan(300)
    }
  })

  it('keeps the definitions when it is uninstalled', async () => {
    const definitions = (await render(...image)).filter(({ kind }) => kind === 'CustomResourceDefinition')
    expect(definitions).toHaveLength(3)
    for (const { metadata } of definitions) expect(metadata.annotations['helm.sh/resource-policy']).toBe('keep')
  })

  it('gives the operator pods that pass the restricted policy', async () => {
    const name = 'restricted'
    await client.post('/api/v1/namespaces', {
      apiVersion: 'v1', kind: 'Namespace',
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }
    })
    const deployment = (await render(...image)).find(({ kind }) => kind === 'Deployment')
    const { metadata, spec } = deployment.spec.template
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'x' }, spec }
    const { serviceAccountName: _, ...anonymous } = pod.spec
    await client.eventually(pathOf('serviceaccounts', name, 'default'), ({ status }) => status === 200)
    const reply = await client.post(`${pathOf('pods', name)}?dryRun=All`, { ...pod, spec: anonymous })
    expect(reply.status, reply.text).toBe(201)
  })
})
