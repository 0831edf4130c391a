// The chart by itself: what helm says of it, what it renders, and whether the embedded API would take that. A real
// API server is asked in test/kubernetes/chart.test.ts.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startKubeApi, type KubeApi } from '../../local/kube/api.ts'
import { dashboards } from '../../scripts/dashboards.ts'
import { helm, type Helm } from '../kubernetes/helm.ts'
import { installMonitorDefinitions } from '../kubernetes/monitor-definitions.ts'
import { installDefinitions } from '../kubernetes/objects.ts'
import { Client, type Any } from '../local/kube/client.ts'
import { readRules } from '../monitoring/alerts.ts'
import { chart, expectTaken, image, matrix, monitoring, objectsIn, render } from './render.ts'

let run: Helm

beforeAll(async () => { run = await helm() })

async function ofKind (kind: string, ...values: readonly string[]): Promise<Any[]> {
  return (await render(...image, ...values)).filter(object => object.kind === kind)
}

describe('values', () => {
  it('pass helm lint --strict', async () => {
    for (const values of Object.values(matrix)) {
      expect(await run('lint', '--strict', chart, ...image, ...values)).toContain('0 chart(s) failed')
    }
  })

  it('want an image, and say what to do', async () => {
    await expect(render()).rejects.toThrow(
      'image.repository is required: no image is published yet. Build one and name it, as in --set image.repository=')
  })

  it.each([
    ['operator.replicas=many'], ['operator.logLevel=loud'], ['image.digest=sha256:12'], ['watchNamespaces={A}'],
    ['watchNamespaces=shop'], ['watchNamespaces={a,a}'],
    ['operator.memory=1Gi'], ['replicas=3'], ['podMonitor.interval=soon'], ['prometheusRule.runbookUrl=docs'],
    ['dashboards.namespace=A'], ['networkPolicy=false'],
    ['rbac.nodes=true'], ['rbac.nodes=sometimes']
  ])('%s is refused', async value => {
    await expect(render(...image, '--set', value)).rejects.toThrow(/don't meet the specifications/)
  })

  it('are all in the schema, which knows no others', () => {
    const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Any
    const missing: string[] = []
    const visit = (values: Any, known: Any, path: string): void => {
      if (known.properties === undefined) return
      expect(known.additionalProperties, path).toBe(false)
      for (const [name, value] of Object.entries<Any>(values)) {
        const at = known.properties[name]
        if (at === undefined) missing.push(`${path}${name}`)
        else if (typeof value === 'object' && !Array.isArray(value)) visit(value, at, `${path}${name}.`)
      }
    }
    visit(parse(readFileSync(join(chart, 'values.yaml'), 'utf8')), schema, '')
    expect(missing).toEqual([])
  })
})

describe('what Artifact Hub shows', () => {
  const about = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Any
  const annotation = (name: string): Any => parse(about.annotations[`artifacthub.io/${name}`])

  it('is of this version, and of the definitions that there are', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as Any
    expect([about.version, about.appVersion]).toEqual([version, version])
    const there = readdirSync('crds').map(file => parse(readFileSync(join('crds', file), 'utf8')) as Any)
      .map(({ metadata: { name }, spec: { names: { kind }, versions } }) => ({ name, kind, version: versions[0].name }))
    const shown = annotation('crds').map(({ name, kind, version: of }: Any) => ({ name, kind, version: of }))
    expect(new Set(shown)).toEqual(new Set(there))
    for (const { displayName, description } of annotation('crds')) expect([displayName, description]).not.toContain('')
  })

  it('has values of its own lists, and changes that say of which kind they are', () => {
    expect(about.annotations).toMatchObject({
      'artifacthub.io/license': 'Apache-2.0', 'artifacthub.io/operator': 'true',
      'artifacthub.io/category': 'streaming-messaging'
    })
    expect(['Basic Install', 'Seamless Upgrades', 'Full Lifecycle', 'Deep Insights', 'Auto Pilot'])
      .toContain(about.annotations['artifacthub.io/operatorCapabilities'])
    for (const { kind, description } of annotation('changes')) {
      expect(['added', 'changed', 'deprecated', 'removed', 'fixed', 'security']).toContain(kind)
      expect(description).toBeTruthy()
    }
  })
})

describe('the operator', () => {
  it('runs as nobody, on a root that it cannot write', async () => {
    const [deployment] = await ofKind('Deployment')
    const { securityContext, containers: [container] } = deployment.spec.template.spec
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }
    })
    expect(deployment.spec.replicas).toBe(2)
  })

  it('is selected by labels that no version changes', async () => {
    const [deployment] = await ofKind('Deployment')
    expect(deployment.spec.selector.matchLabels).toEqual({
      'app.kubernetes.io/name': 'millrace',
      'app.kubernetes.io/instance': 'millrace',
      'app.kubernetes.io/component': 'operator'
    })
  })

  it('is reached for metrics alone', async () => {
    const [policy] = await ofKind('NetworkPolicy')
    const [deployment] = await ofKind('Deployment')
    expect(policy.spec.podSelector).toEqual(deployment.spec.selector)
    expect(policy.spec.ingress).toEqual([{ ports: [{ protocol: 'TCP', port: 9100 }] }])
  })

  it('may act in the namespaces that it watches, and in its own hold its Lease', async () => {
    const [everywhere] = await ofKind('ClusterRole')
    expect(await ofKind('Role')).toEqual([])
    const some = ['--set', 'watchNamespaces={shop,stock}']
    expect(await ofKind('ClusterRole', ...some)).toEqual([])
    expect(await ofKind('ClusterRoleBinding', ...some)).toEqual([])
    const [shop, stock, lease] = await ofKind('Role', ...some)
    expect([shop, stock].map(({ metadata }) => metadata.namespace)).toEqual(['shop', 'stock'])
    expect(shop.rules).toEqual(everywhere.rules)
    expect(stock.rules).toEqual(everywhere.rules)
    expect(lease.metadata).toMatchObject({ name: 'millrace-lease' })
    expect(lease.rules.flatMap(({ resources }: Any) => resources)).toEqual(['leases', 'leases'])
    const bindings = await ofKind('RoleBinding', ...some)
    expect(bindings.map(({ metadata, roleRef }) => [metadata.namespace, roleRef.name]))
      .toEqual([['shop', 'millrace'], ['stock', 'millrace'], [undefined, 'millrace-lease']])
    const [deployment] = await ofKind('Deployment', ...some)
    expect(deployment.spec.template.spec.containers[0].env)
      .toContainEqual({ name: 'MILLRACE_NAMESPACES', value: 'shop,stock' })
  })

  it.each<[string, readonly string[], boolean]>([
    ['all namespaces', [], true],
    ['all namespaces, never', ['--set', 'rbac.nodes=never'], false],
    ['some namespaces', ['--set', 'watchNamespaces={shop}'], false],
    ['some namespaces, always', ['--set', 'watchNamespaces={shop},rbac.nodes=always'], true]
  ])('may list and watch Nodes, and asks for them, with %s: %s', async (_what, values, does) => {
    const own = (objects: Any[]): Any[] => objects.filter(({ metadata }) => metadata.name.includes('nodes'))
    const roles = own(await ofKind('ClusterRole', ...values))
    const bindings = own(await ofKind('ClusterRoleBinding', ...values))
    const [deployment] = await ofKind('Deployment', ...values)
    expect(deployment.spec.template.spec.containers[0].env)
      .toContainEqual({ name: 'MILLRACE_READ_NODES', value: String(does) })
    expect([roles.length, bindings.length]).toEqual(does ? [1, 1] : [0, 0])
    if (!does) return
    expect(roles[0].rules).toEqual([{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }])
    // In no namespace: two releases of one name in two namespaces have one each.
    expect(bindings[0].roleRef.name).toBe(roles[0].metadata.name)
    expect(roles[0].metadata.name).toBe('millrace-nodes-default')
    expect(bindings[0].subjects).toEqual([{ kind: 'ServiceAccount', name: 'millrace', namespace: 'default' }])
  })

  it('has no right that it was not given', async () => {
    expect(await ofKind('ClusterRole', '--set', 'rbac.create=false')).toEqual([])
  })

  it('leaves its definitions when it is uninstalled', async () => {
    const definitions = await ofKind('CustomResourceDefinition')
    expect(definitions).toHaveLength(3)
    for (const { metadata } of definitions) expect(metadata.annotations['helm.sh/resource-policy']).toBe('keep')
  })
})

describe('what watches it', () => {
  it('is off unless asked for', async () => {
    expect(await ofKind('PodMonitor')).toEqual([])
    expect(await ofKind('PrometheusRule')).toEqual([])
    expect(await ofKind('ConfigMap')).toEqual([])
  })

  it('tells clusters apart by the label that alerts and dashboards use', async () => {
    const monitors = await ofKind('PodMonitor', ...monitoring)
    expect(monitors.map(({ metadata }) => metadata.name)).toEqual(['millrace-operator', 'millrace-broker'])
    const [, broker] = monitors
    expect(broker.spec.podMetricsEndpoints[0].relabelings).toEqual([
      { sourceLabels: ['__meta_kubernetes_pod_label_millrace_dev_cluster'], targetLabel: 'millrace_cluster' }
    ])
    expect(broker.spec.namespaceSelector).toEqual({ any: true })
  })

  it('has the alerts of files/alerts.yaml, with runbooks where they are served', async () => {
    const address = 'https://example.com/millrace/'
    const [rule] = await ofKind('PrometheusRule', ...monitoring, '--set', `prometheusRule.runbookUrl=${address}`)
    const expected = readRules()
    for (const { rules } of expected.groups) {
      for (const alert of rules) {
        Object.assign(alert.annotations, { runbook_url: `${address}docs/operations/runbooks/${alert.alert}.md` })
      }
    }
    expect(rule.spec).toEqual(expected)
  })

  it('has a ConfigMap that Grafana reads for each dashboard', async () => {
    const maps = await ofKind('ConfigMap', ...monitoring)
    const uids = maps.map(({ metadata, data }) => {
      expect(metadata.labels.grafana_dashboard).toBe('1')
      const [[file, text]] = Object.entries<string>(data) as [[string, string]]
      const dashboard = JSON.parse(text) as Any
      expect(file).toBe(`${dashboard.uid}.json`)
      return dashboard.uid as string
    })
    expect(uids.sort()).toEqual(dashboards.map(({ file }) => `millrace-${file}`).sort())
  })
})

describe('the embedded API', () => {
  let folder: string
  let api: KubeApi
  let client: Client

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-chart-'))
    api = await startKubeApi({ folder })
    client = new Client({ url: api.url })
    await installDefinitions(client)
    await installMonitorDefinitions(client)
  })
  afterAll(async () => {
    await api.close()
    rmSync(folder, { recursive: true })
  })

  it.each(Object.entries(matrix))('takes what is rendered with %s', async (_name, values) => {
    await expectTaken(client, await render(...image, ...values))
  })

  it('takes the example of the notes, and that of Artifact Hub', async () => {
    const text = await run('install', 'millrace', chart, ...image, '--dry-run=client', '--namespace', 'default')
    const notes = text.slice(text.indexOf('NOTES:'))
    const example = /<<EOF\n([^]*?)\n *EOF/.exec(notes)?.[1]?.replaceAll(/^ {2}/gm, '') ?? ''
    const { annotations } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Any
    const objects = [...objectsIn(example), ...parse(annotations['artifacthub.io/crdsExamples']) as Any[]]
    expect(objects.map(({ kind }) => kind)).toEqual(['Cluster', 'Topic', 'Cluster', 'Topic'])
    for (const object of objects) {
      const path = `/apis/millrace.dev/v1alpha1/namespaces/default/${object.kind.toLowerCase()}s`
      const reply = await client.post(`${path}?dryRun=All&fieldValidation=Strict`, object)
      expect(reply.status, reply.text).toBe(201)
    }
  })
})
