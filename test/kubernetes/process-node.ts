// One node whose pods are processes: everything of Kubernetes is real (scheduler, StatefulSet and Deployment
// controllers, volumes' binder, garbage collector, RBAC) but the kubelet and the containers. Each process speaks
// to the API with the token of its pod's ServiceAccount, and with nothing else.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { rootFolder } from '../../local/child.ts'
import { PodRunner } from '../../local/pods/pod-runner.ts'
import type { Container, Pod } from '../../local/pods/types.ts'
import { media, type Any, type Client } from '../local/kube/client.ts'
import type { ControlPlane } from './control-plane.ts'
import { RemoteApi } from './remote-api.ts'
import { TokenProxy } from './token-proxy.ts'

export const nodeName = 'processes'
/** Nodes that are silent for 40 s are taken for dead. */
export const beatMs = 5_000

export class ProcessNode {
  readonly api: RemoteApi
  /** What went wrong in the kubelet's part. */
  readonly troubles: string[] = []
  /** What pods were refused for want of a right: `namespace/pod: GET /path`. */
  readonly refusals: string[] = []
  readonly #plane: ControlPlane
  readonly #runner: PodRunner
  readonly #proxies = new Map<string, Promise<TokenProxy>>()
  readonly #provisioner: ChildProcess
  #timer: NodeJS.Timeout | undefined

  private constructor (plane: ControlPlane, api: RemoteApi, provisioner: ChildProcess) {
    this.#plane = plane
    this.api = api
    this.#provisioner = provisioner
    this.#runner = new PodRunner({
      api,
      kubeUrl: async pod => await this.#apiFor(pod),
      dataFolder: join(plane.folder, 'node'),
      program: programOf,
      onError: (key, error) => { this.troubles.push(`${key}: ${(error as Error).message}`) }
    })
  }

  static async start (plane: ControlPlane): Promise<ProcessNode> {
    const client = plane.client()
    await makeNode(client)
    await makeStorageClass(client)
    const provisioner = spawn(plane.binary, ['provisioner', '--dir', plane.folder], { stdio: 'ignore' })
    const api = await RemoteApi.start(plane.url, client, plane.kubeconfig)
    const node = new ProcessNode(plane, api, provisioner)
    node.#timer = setInterval(() => {
      beat(client).catch(() => { /* The API server may be away: that is one of the tests. */ })
    }, beatMs)
    return node
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.#runner.stop(10_000)
    this.api.close()
    for (const proxy of await Promise.allSettled(this.#proxies.values())) {
      if (proxy.status === 'fulfilled') proxy.value.stop()
    }
    const ended = once(this.#provisioner, 'exit')
    if (this.#provisioner.kill()) await ended
  }

  /** http://127.0.0.1:port, where requests get the token of the pod, which is good as long as pod and account live. */
  async #apiFor (pod: Pod): Promise<string> {
    const key = pod.metadata.uid!
    let proxy = this.#proxies.get(key)
    if (proxy === undefined) {
      proxy = this.#startProxy(pod)
      this.#proxies.set(key, proxy)
      // No token for a pod that was deleted meanwhile; the next try asks again.
      proxy.catch(() => { this.#proxies.delete(key) })
    }
    return (await proxy).url
  }

  async #startProxy ({ metadata, spec: { serviceAccountName = 'default' } }: Pod): Promise<TokenProxy> {
    const { namespace = 'default', name, uid } = metadata
    const target = await this.#plane.as(namespace, serviceAccountName, { apiVersion: 'v1', kind: 'Pod', name, uid })
    return await TokenProxy.start(target, {
      onAnswer: ({ method, path }, status) => {
        if (status === 403) this.refusals.push(`${namespace}/${name}: ${method} ${path}`)
      }
    })
  }
}

/** What the image of a container does, told by its arguments. */
function programOf ({ args = [] }: Container): { file: string, args: readonly string[] } | undefined {
  const [what] = args
  if (what !== 'broker' && what !== 'operator') return undefined
  return { file: join(rootFolder, what, 'main.ts'), args: args.slice(1) }
}

export async function makeNode (client: Client): Promise<void> {
  const reply = await client.post('/api/v1/nodes', {
    apiVersion: 'v1', kind: 'Node',
    metadata: {
      name: nodeName,
      labels: { 'kubernetes.io/hostname': nodeName, 'topology.kubernetes.io/zone': 'a', 'example.com/hall': 'north' }
    }
  })
  if (reply.status !== 201) throw new Error(reply.text)
  await beat(client)
  // The controller takes away the taint that every new node is given.
  await client.eventually(`/api/v1/nodes/${nodeName}`, ({ body }) => ((body as Any).spec.taints ?? []).length === 0)
}

export async function beat (client: Client): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+Z/, 'Z')
  const capacity = { cpu: '16', memory: '64Gi', pods: '200', 'ephemeral-storage': '100Gi' }
  const condition = (type: string, status: string): object =>
    ({ type, status, reason: 'Kubelet', lastHeartbeatTime: now, lastTransitionTime: now })
  const reply = await client.patch(`/api/v1/nodes/${nodeName}/status`, media.merge, {
    status: {
      capacity, allocatable: capacity, addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      conditions: [
        condition('Ready', 'True'), condition('MemoryPressure', 'False'), condition('DiskPressure', 'False'),
        condition('PIDPressure', 'False')
      ]
    }
  })
  if (reply.status !== 200) throw new Error(reply.text)
}

export async function makeStorageClass (client: Client): Promise<void> {
  const reply = await client.post('/apis/storage.k8s.io/v1/storageclasses', {
    apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass',
    metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kube.test/local', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate', allowVolumeExpansion: true
  })
  if (reply.status !== 201) throw new Error(reply.text)
}
