// A release's life with the real helm, on the embedded API: installed, upgraded, uninstalled, installed again. What
// people keep in the API goes through all of it.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { startKubeApi, type KubeApi } from '../../local/kube/api.ts'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { helm, type Helm } from '../kubernetes/helm.ts'
import type { Any } from '../local/kube/client.ts'
import { chart, chartOfVersion, image } from './render.ts'

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
let folder: string
let api: KubeApi
let run: Helm

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-release-'))
  api = await startKubeApi({ folder: join(folder, 'kube') })
  const kubeconfig = join(folder, 'kubeconfig')
  writeKubeconfig(kubeconfig, { url: api.url })
  run = await helm(kubeconfig)
})
afterAll(async () => {
  await api.close()
  rmSync(folder, { recursive: true })
})

/** As an earlier release may have been: its Cluster knows one column fewer. */
function earlierChart (): string {
  const earlier = join(folder, 'earlier')
  cpSync(chart, earlier, { recursive: true })
  const path = join(earlier, 'files/crds/millrace.dev_clusters.yaml')
  const definition = parse(readFileSync(path, 'utf8')) as Any
  definition.spec.versions[0].additionalPrinterColumns.pop()
  writeFileSync(path, stringify(definition))
  return earlier
}

function columns (): number {
  const { versions: [version] } = (api.get(definitions, '', 'clusters.millrace.dev') as Any).spec
  return version.additionalPrinterColumns.length as number
}

async function keepSomething (): Promise<void> {
  await api.create('clusters.millrace.dev', {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events', namespace: 'default' },
    spec: { brokers: 3, storage: { size: '1Gi' } }
  })
}

const deployment = (): Any => api.get('deployments.apps', 'ops', 'millrace')
const cluster = (): Any => api.get('clusters.millrace.dev', 'default', 'events')

it('is installed with its definitions', async () => {
  await run('install', 'millrace', earlierChart(), ...image, '--namespace', 'ops', '--create-namespace')
  expect(deployment()).toBeDefined()
  await expect.poll(columns).toBeGreaterThan(3)
  await expect.poll(async () => { await keepSomething(); return cluster() !== undefined }).toBe(true)
})

it('brings the definitions up to date when it is upgraded', async () => {
  const before = { columns: columns(), uid: cluster().metadata.uid as string }
  const later = chartOfVersion('0.1.1')
  await run('upgrade', 'millrace', later, ...image, '--namespace', 'ops')
  rmSync(later, { recursive: true })
  expect(deployment().metadata.labels['app.kubernetes.io/version']).toBe('0.1.1')
  expect(columns()).toBe(before.columns + 1)
  expect(cluster().metadata.uid).toBe(before.uid)
})

it('leaves definitions and what was asked for behind when it is uninstalled', async () => {
  const { uid } = cluster().metadata
  expect(await run('uninstall', 'millrace', '--namespace', 'ops')).toContain('kept')
  expect(deployment()).toBeUndefined()
  expect(api.get('serviceaccounts', 'ops', 'millrace')).toBeUndefined()
  expect(api.get(definitions, '', 'clusters.millrace.dev')).toBeDefined()
  expect(cluster().metadata.uid).toBe(uid)
})

it('is installed again beside what was left', async () => {
  await run('install', 'millrace', chart, ...image, '--namespace', 'ops')
  expect(deployment()).toBeDefined()
  expect(cluster()).toBeDefined()
})

it('is taken over by a release of another name, when told so', async () => {
  await run('uninstall', 'millrace', '--namespace', 'ops')
  await expect(run('install', 'streams', chart, ...image, '--namespace', 'ops')).rejects.toThrow('ownership')
  await run('install', 'streams', chart, ...image, '--namespace', 'ops', '--take-ownership')
  expect(cluster()).toBeDefined()
})
