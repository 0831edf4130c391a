// What the worlds of one file share: a control plane with a node that has no pods' processes, volumes, the definitions,
// and the operator's ServiceAccount with the rights that the chart gives it, and no others.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { loadCredentials, type Credentials } from '../../../operator/kube/credentials.ts'
import { HttpApi } from '../../../operator/kube/http-api.ts'
import { image, render } from '../../chart/render.ts'
import { media, type Any, type Client, type Target } from '../../local/kube/client.ts'
import { ControlPlane } from '../control-plane.ts'
import { installDefinitions, pathOf } from '../objects.ts'
import { beat, beatMs, makeNode, makeStorageClass, nodeName } from '../process-node.ts'
import { Kubelet } from './kubelet.ts'
import { RealApi, type RealApiParts } from './real-api.ts'
import { SyncReads } from './sync-reads.ts'

const serviceAccount = 'millrace'
const rights: Readonly<Record<string, string>> = {
  ServiceAccount: pathOf('serviceaccounts', 'default'),
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  Role: pathOf('roles.rbac.authorization.k8s.io', 'default'),
  RoleBinding: pathOf('rolebindings.rbac.authorization.k8s.io', 'default')
}

export class Installation {
  readonly client: Client
  readonly kubelet: Kubelet
  readonly #plane: ControlPlane
  readonly #parts: Omit<RealApiParts, 'shows'>
  readonly #provisioner: ChildProcess
  readonly #kubeconfig: string
  readonly #beat: NodeJS.Timeout
  #worlds = 0

  private constructor (plane: ControlPlane, parts: Omit<RealApiParts, 'shows'>, kubeconfig: string) {
    this.#plane = plane
    this.#parts = parts
    this.#kubeconfig = kubeconfig
    this.client = parts.client
    this.#provisioner = spawn(plane.binary, ['provisioner', '--dir', plane.folder], { stdio: 'ignore' })
    this.#beat = setInterval(() => { void beat(parts.client) }, beatMs)
    this.kubelet = new Kubelet(this.api(() => true))
  }

  static async start (): Promise<Installation> {
    const plane = await ControlPlane.start()
    const client = plane.client()
    await installDefinitions(client)
    await makeNode(client)
    await client.patch(`/api/v1/nodes/${nodeName}`, media.merge, { metadata: { labels: { disk: 'nvme' } } })
    await makeStorageClass(client)
    for (const object of await render(...image)) {
      const path = rights[object.kind]
      if (path === undefined) continue
      const { status, text } = await client.post(path, object)
      if (status !== 201) throw new Error(text)
    }
    const http = new HttpApi({
      credentials: await loadCredentials({ KUBECONFIG: plane.kubeconfig }), clock: new NodeClock(),
      userAgent: 'kubelet/test'
    })
    const parts = { url: plane.url, client, reads: await SyncReads.start(plane.admin), http }
    return new Installation(plane, parts, await operatorKubeconfig(plane))
  }

  /** As the administrator. */
  api (shows: (namespace: string) => boolean): RealApi {
    return new RealApi({ ...this.#parts, shows })
  }

  /** The operator's ServiceAccount, with the rights of the chart. */
  async operatorTarget (): Promise<Target> {
    return await this.#plane.as('default', serviceAccount)
  }

  async operatorCredentials (): Promise<Credentials> {
    return await loadCredentials({ KUBECONFIG: this.#kubeconfig })
  }

  /** Those that a world has deleted. */
  async restoreDefinitions (): Promise<void> {
    await installDefinitions(this.client)
  }

  /** A name that no other world has. */
  async makeNamespace (name = `world-${++this.#worlds}`): Promise<string> {
    const reply = await this.client.post('/api/v1/namespaces', {
      apiVersion: 'v1', kind: 'Namespace', metadata: { name }
    })
    if (reply.status !== 201) throw new Error(reply.text)
    await this.client.eventually(pathOf('serviceaccounts', name, 'default'), ({ status }) => status === 200)
    return name
  }

  /** Nobody waits until it is gone; no Cluster or Topic is in it any more. */
  async leaveNamespace (name: string): Promise<void> {
    for (const resource of ['topics.millrace.dev', 'clusters.millrace.dev']) {
      const { body, status } = await this.client.get(pathOf(resource, name))
      if (status !== 200) continue
      for (const { metadata } of (body as Any).items) {
        const path = pathOf(resource, name, metadata.name)
        await this.client.patch(path, media.merge, { metadata: { finalizers: null } })
        await this.client.delete(path)
        await this.client.eventually(path, reply => reply.status === 404)
      }
    }
    await this.client.delete(`/api/v1/namespaces/${name}`)
  }

  async stop (): Promise<void> {
    clearInterval(this.#beat)
    await this.kubelet.stop()
    this.#parts.http.close()
    await this.#parts.reads.stop()
    const ended = once(this.#provisioner, 'exit')
    if (this.#provisioner.kill()) await ended
    await this.#plane.stop()
  }
}

async function operatorKubeconfig (plane: ControlPlane): Promise<string> {
  const { url, ca, token } = await plane.as('default', serviceAccount)
  const path = join(plane.folder, 'operator.kubeconfig')
  await writeFile(path, stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'operator',
    clusters: [{
      name: 'real',
      cluster: { server: url, 'certificate-authority-data': Buffer.from(ca ?? '').toString('base64') }
    }],
    users: [{ name: 'operator', user: { token } }],
    contexts: [{ name: 'operator', context: { cluster: 'real', user: 'operator' } }]
  }))
  return path
}
