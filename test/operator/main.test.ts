// The operator as a process.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startKubeApi, type KubeApi, type Writable } from '../../local/kube/api.ts'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { customResourceDefinition } from '../../operator/schema/crd.ts'
import { resources } from '../../operator/schema/resources.ts'

const main = join(import.meta.dirname, '../../operator/main.ts')

let kube: KubeApi
let folder: string
let child: ChildProcess | undefined
let errors: string

beforeEach(async () => {
  kube = await startKubeApi()
  for (const resource of resources) {
    await kube.create('customresourcedefinitions.apiextensions.k8s.io', customResourceDefinition(resource) as Writable)
  }
  folder = mkdtempSync(join(tmpdir(), 'millrace-operator-'))
  writeKubeconfig(join(folder, 'kubeconfig'), { url: kube.url })
})

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await kube.close()
  rmSync(folder, { recursive: true })
})

function start (env: Record<string, string>): void {
  errors = ''
  child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, KUBECONFIG: join(folder, 'kubeconfig'), MILLRACE_POD_NAME: 'operator-0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  child.stdout!.on('data', (data: Buffer) => { errors += data.toString() })
  child.stderr!.on('data', (data: Buffer) => { errors += data.toString() })
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

async function page (port: number, path: string): Promise<{ status: number, text: string }> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, text: await response.text() }
  } catch {
    return { status: 0, text: '' }
  }
}

const leaseHolder = (): string | undefined => {
  const lease = kube.get('leases.coordination.k8s.io', 'default', 'millrace-operator')
  return (lease?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity
}

it('serves health and metrics, leads, reconciles, and ends cleanly on SIGTERM with its Lease released', async () => {
  const port = await freePort()
  start({ MILLRACE_LISTEN_METRICS: `127.0.0.1:${port}` })
  await expect.poll(async () => (await page(port, '/readyz')).status, { timeout: 10_000 }).toBe(200)
  expect((await page(port, '/livez')).text).toBe('ok\n')
  await expect.poll(leaseHolder).toBe('operator-0')
  await kube.create('clusters.millrace.dev', {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'events', namespace: 'default' },
    spec: { storage: { size: '1Gi' } }
  })
  await expect.poll(() => kube.get('statefulsets.apps', 'default', 'events'), { timeout: 10_000 }).toBeDefined()
  const { text } = await page(port, '/metrics')
  expect(text).toContain('millrace_operator_leader 1\n')
  expect(text).toContain('millrace_operator_objects{kind="Cluster"} 1\n')
  expect(text).toContain('millrace_operator_writes_total{verb="apply",kind="StatefulSet"} 1\n')
  expect(text).toMatch(/^millrace_build_info\{version="[0-9.]+"\} 1$/m)
  expect(text).toMatch(/^millrace_kubernetes_requests_total [1-9]/m)
  expect(text).toContain('millrace_operator_reconciles_total{kind="Topic",result="failed"} 0\n')
  expect(text).toContain('millrace_kubernetes_errors_total 0\n')
  expect(text).toContain('millrace_operator_watch_restarts_total{kind="Cluster"} 0\n')
  expect(text).toContain('process_resident_memory_bytes ')
  child!.kill('SIGTERM')
  expect(await once(child!, 'exit')).toEqual([0, null])
  expect(leaseHolder()).toBe('')
  expect(errors).toBe('')
})

it('says in one line that it cannot listen, and exits with 1', async () => {
  start({ MILLRACE_LISTEN_METRICS: kube.url.replace('http://', '') })
  expect(await once(child!, 'exit')).toEqual([1, null])
  expect(errors).toBe(`operator: cannot listen on 127.0.0.1:${kube.port}: ` +
    `listen EADDRINUSE: address already in use 127.0.0.1:${kube.port}\n`)
})

it('says in one line what is wrong with a setting', async () => {
  start({ MILLRACE_LISTEN_METRICS: 'nowhere' })
  expect(await once(child!, 'exit')).toEqual([1, null])
  expect(errors).toBe("operator: MILLRACE_LISTEN_METRICS must be host:port, not 'nowhere'\n")
})
