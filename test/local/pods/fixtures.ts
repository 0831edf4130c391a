// An embedded API with the local controllers on it, and the objects that tests put there.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileCacheFolder } from '../../../local/child.ts'
import { startKubeApi } from '../../../local/kube/api.ts'
import type { KubeApi } from '../../../local/kube/api.ts'
import { PodRunner } from '../../../local/pods/pod-runner.ts'
import type { Proxy } from '../../../local/pods/proxy.ts'
import { ServiceController } from '../../../local/pods/service-controller.ts'
import { StatefulSetController } from '../../../local/pods/stateful-set-controller.ts'
import { isReady, pidAnnotation } from '../../../local/pods/types.ts'
import type { Pod, StatefulSet } from '../../../local/pods/types.ts'

// Children start faster when they find their programs compiled.
process.env.NODE_COMPILE_CACHE = compileCacheFolder

export const labels = { app: 'fake' }

export function statefulSet (replicas: number, env: Record<string, string> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'events', namespace: 'default' },
    spec: {
      replicas,
      serviceName: 'events-brokers',
      selector: { matchLabels: labels },
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      template: {
        metadata: { labels: { ...labels, 'app.kubernetes.io/component': 'broker' } },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [{
            name: 'broker',
            image: 'millrace:test',
            args: ['broker'],
            env: [
              { name: 'MILLRACE_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'MILLRACE_DATA', value: '/data' },
              { name: 'CONFIG', value: '/etc/fake/config.json' },
              { name: 'HOST', value: '$(MILLRACE_POD_NAME).events-brokers' },
              ...Object.entries(env).map(([name, value]) => ({ name, value }))
            ],
            ports: [{ name: 'client', containerPort: 9090 }, { name: 'metrics', containerPort: 9100 }],
            startupProbe: { httpGet: { path: '/livez', port: 'metrics' }, periodSeconds: 1, failureThreshold: 30 },
            readinessProbe: { httpGet: { path: '/readyz', port: 'metrics' }, periodSeconds: 1, failureThreshold: 1 },
            volumeMounts: [{ name: 'data', mountPath: '/data' }, { name: 'config', mountPath: '/etc/fake' }]
          }],
          volumes: [{ name: 'config', configMap: { name: 'events-config' } }]
        }
      },
      volumeClaimTemplates: [{
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
      }]
    } as StatefulSet['spec']
  }
}

export class LocalWorld {
  readonly folder: string
  readonly api: KubeApi
  readonly runner: PodRunner
  readonly errors: unknown[] = []
  readonly #sets: StatefulSetController
  readonly #services: ServiceController

  private constructor (folder: string, api: KubeApi, proxies: ReadonlyMap<string, Proxy>) {
    this.folder = folder
    this.api = api
    const onError = (key: string, error: unknown): void => { this.errors.push([key, error]) }
    this.runner = new PodRunner({
      api,
      dataFolder: folder,
      onError,
      program: ({ args }) => args?.[0] === 'broker'
        ? { file: join(import.meta.dirname, 'fake-pod.ts'), args: [] }
        : undefined
    })
    this.#sets = new StatefulSetController(api, onError)
    this.#services = new ServiceController({
      api, onError, proxies, isRunning: pod => this.runner.isRunning(pod)
    })
  }

  static async start (proxies: ReadonlyMap<string, Proxy> = new Map()): Promise<LocalWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-pods-'))
    const api = await startKubeApi({})
    await api.create('configmaps', {
      metadata: { name: 'events-config', namespace: 'default' }, data: { 'config.json': '{"a":1}' }
    })
    return new LocalWorld(folder, api, proxies)
  }

  async close (): Promise<void> {
    await this.#sets.stop()
    await this.runner.stop(2_000)
    await this.#services.stop()
    await this.api.close()
    rmSync(this.folder, { recursive: true })
  }

  async createSet (set: StatefulSet): Promise<void> {
    await this.api.create('statefulsets.apps', { ...set, metadata: { ...set.metadata } })
  }

  pods (): Pod[] { return this.api.list('pods', { namespace: 'default' }) as Pod[] }
  pod (name: string): Pod | undefined { return this.api.get('pods', 'default', name) as Pod | undefined }

  pid (name: string): number {
    return Number(this.pod(name)?.metadata.annotations?.[pidAnnotation] ?? 0)
  }

  async ready (count: number): Promise<void> {
    await until(`${count} ready pods`, () => this.pods().length === count && this.pods().every(isReady),
      () => JSON.stringify([this.errors, this.pods().map(pod => [pod.metadata.annotations, pod.status])], undefined, 1))
  }

  async log (name: string, previous = false): Promise<string> {
    let text = ''
    const response = await fetch(`${this.api.url}/api/v1/namespaces/default/pods/${name}/log?previous=${previous}`)
    text += await response.text()
    return text
  }
}

export async function until (what: string, condition: () => boolean, seen = (): string => ''): Promise<void> {
  const giveUpAt = performance.now() + 15_000
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`it did not come about: ${what}\n${seen()}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

export function alive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** What the server at the port says first; empty when it closes. */
export async function hear (port: number): Promise<string> {
  return await new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => {})
    socket.on('close', () => { resolve('') })
    socket.once('data', data => {
      resolve(data.toString())
      socket.destroy()
    })
  })
}
