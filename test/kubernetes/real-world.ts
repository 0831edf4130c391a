// What the suites of a whole millrace share: a control plane, one node whose pods are processes, helm, and what a
// person does with them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Millrace } from '../../client/index.ts'
import { portsAnnotation } from '../../local/pods/types.ts'
import { image } from '../chart/render.ts'
import { type Any, type Client, type Reply } from '../local/kube/client.ts'
import { ControlPlane } from './control-plane.ts'
import { helm, type Helm } from './helm.ts'
import { pathOf } from './objects.ts'
import { ProcessNode } from './process-node.ts'

const waitMsMax = 50_000
export const tag = 'tested'
/** One broker, and topics that need no other. */
export const single = {
  brokers: 1, storage: { size: '1Gi' }, topicDefaults: { partitions: 1, replicas: 1, minInSync: 1 }
}

export class RealWorld {
  readonly plane: ControlPlane
  readonly node: ProcessNode
  readonly client: Client
  readonly helm: Helm

  private constructor (plane: ControlPlane, node: ProcessNode, run: Helm) {
    this.plane = plane
    this.node = node
    this.client = plane.client()
    this.helm = run
  }

  static async start (): Promise<RealWorld> {
    const plane = await ControlPlane.start()
    return new RealWorld(plane, await ProcessNode.start(plane), await helm(plane.kubeconfig))
  }

  async stop (): Promise<void> {
    await this.node.stop()
    await this.plane.stop()
  }

  /** Until its ServiceAccount is there, without which no pod is made. */
  async makeNamespace (name: string): Promise<void> {
    await this.make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    await this.client.eventually(pathOf('serviceaccounts', name, 'default'), ({ status }) => status === 200)
  }

  /** The operator of a release called millrace, until its pods are ready. */
  async install (namespace: string, ...values: readonly string[]): Promise<void> {
    await this.helm('install', 'millrace', 'charts/millrace', '-n', namespace, ...image, '--set', `image.tag=${tag}`,
      '--set', 'operator.logLevel=info', ...values)
    await this.operatorReady(namespace)
  }

  async operatorReady (namespace: string, replicas = 2): Promise<void> {
    await this.client.eventually(pathOf('deployments.apps', namespace, 'millrace'), ({ body }) => {
      const { metadata, status = {} } = body as Any
      const { observedGeneration, updatedReplicas = 0, readyReplicas = 0, replicas: all = 0 } = status
      return observedGeneration === metadata.generation &&
        [updatedReplicas, readyReplicas, all].every(count => count === replicas)
    }, waitMsMax)
  }

  async make (path: string, object: object): Promise<Any> {
    const reply = await this.client.post(path, object)
    if (reply.status !== 201) throw new Error(reply.text)
    return reply.body
  }

  async makeCluster (namespace: string, name: string, spec: object = single): Promise<Any> {
    return await this.make(pathOf('clusters.millrace.dev', namespace), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name }, spec
    })
  }

  async makeTopic (namespace: string, name: string, spec: object): Promise<Any> {
    return await this.make(pathOf('topics.millrace.dev', namespace), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name }, spec
    })
  }

  async condition (path: string, type = 'Ready', status = 'True'): Promise<Reply> {
    return await this.client.eventually(path, ({ body }) =>
      ((body as Any)?.status?.conditions ?? []).some((each: Any) => each.type === type && each.status === status),
    waitMsMax)
  }

  async gone (path: string): Promise<void> {
    await this.client.eventually(path, ({ status }) => status === 404, waitMsMax)
  }

  async delete (path: string, options?: object): Promise<void> {
    const { status, text } = await this.client.delete(path, options)
    if (status >= 300) throw new Error(text)
  }

  async items (resource: string, namespace: string, selector = ''): Promise<Any[]> {
    const { body } = await this.client.get(`${pathOf(resource, namespace)}?labelSelector=${selector}`)
    return (body as Any).items
  }

  async names (resource: string, namespace: string, selector = ''): Promise<string[]> {
    return (await this.items(resource, namespace, selector)).map(({ metadata }) => metadata.name as string).sort()
  }

  /** `pod uid` of each broker: the same again when none was restarted. */
  async brokers (namespace: string, cluster: string): Promise<string[]> {
    const pods = await this.items('pods', namespace, `millrace.dev/cluster=${cluster}`)
    return pods.map(({ metadata }) => `${metadata.name} ${metadata.uid}`).sort()
  }

  async write (namespace: string, cluster: string, topic: string, values: readonly string[]): Promise<void> {
    await this.#with(namespace, cluster, async millrace => {
      const producer = millrace.producer()
      await Promise.all(values.map(async value => { await producer.send({ topic, key: value, value }) }))
    })
  }

  /** The first `count` values of all partitions, sorted. */
  async read (namespace: string, cluster: string, topic: string, count: number): Promise<string[]> {
    const seen: string[] = []
    await this.#with(namespace, cluster, async millrace => {
      const consumer = millrace.consumer()
      await consumer.assign([{ topic, partitions: 'all' }])
      for await (const { value } of consumer) {
        seen.push(Buffer.from(value ?? []).toString())
        if (seen.length === count) break
      }
    })
    return seen.sort()
  }

  async #with (namespace: string, cluster: string, use: (millrace: Millrace) => Promise<void>): Promise<void> {
    const pods = await this.items('pods', namespace, `millrace.dev/cluster=${cluster}`)
    const bootstrap = pods.flatMap(({ metadata }) => {
      const { client } = JSON.parse(metadata.annotations?.[portsAnnotation] ?? '{}') as { client?: number }
      return client === undefined ? [] : [`127.0.0.1:${client}`]
    })
    const millrace = new Millrace({ bootstrap })
    try {
      await use(millrace)
    } finally {
      await millrace.close()
    }
  }

  /** The folder that plays the volume of a claim; it goes with the claim. */
  volumeFolder (namespace: string, claim: string): string {
    return join(this.plane.folder, 'node/volumes', namespace === 'default' ? claim : `${namespace}_${claim}`)
  }

  /** What every pod of this Deployment has printed so far. */
  async logs (namespace: string, release = 'millrace'): Promise<string> {
    const pods = await this.names('pods', namespace, `app.kubernetes.io/instance=${release}`)
    const texts = pods.map(async pod => {
      const file = namespace === 'default' ? pod : `${namespace}_${pod}`
      return await readFile(join(this.plane.folder, 'node/logs', `${file}.log`), 'utf8').catch(() => '')
    })
    return (await Promise.all(texts)).join('')
  }
}
