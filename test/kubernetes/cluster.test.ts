// `helm install`, `kubectl apply`, and it runs: the chart, the operator and the brokers on a real control plane, each
// with its own ServiceAccount's token and nothing more. Pods are processes here (process-node.ts).
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Millrace } from '../../client/index.ts'
import { portsAnnotation } from '../../local/pods/types.ts'
import { chartOfVersion, image } from '../chart/render.ts'
import { media, type Any, type Client, type Reply } from '../local/kube/client.ts'
import { ControlPlane } from './control-plane.ts'
import { helm, type Helm } from './helm.ts'
import { pathOf } from './objects.ts'
import { nodeName, ProcessNode } from './process-node.ts'

const namespace = 'default'
const tag = 'tested'
const clusters = (name?: string): string => pathOf('clusters.millrace.dev', namespace, name)
const topics = (name?: string): string => pathOf('topics.millrace.dev', namespace, name)
const pods = (name?: string): string => pathOf('pods', namespace, name)

let plane: ControlPlane
let node: ProcessNode
let client: Client
let run: Helm

beforeAll(async () => {
  plane = await ControlPlane.start()
  client = plane.client()
  node = await ProcessNode.start(plane)
  run = await helm(plane.kubeconfig)
})
afterAll(async () => {
  await node.stop()
  await plane.stop()
})

/** What the upgrade begins with: no release is there to begin with, or it is not used. */
function upgradeFrom (): string {
  const tags = execFileSync('git', ['tag', '--list', 'v*', '--sort=-version:refname'], { encoding: 'utf8' })
  const [last = ''] = tags.split('\n')
  const instead = last === '' ? 'there is no v* tag yet' : `not from ${last}`
  return `from 0.1.0 to 0.1.1, the same source with another version string: ${instead}`
}

async function condition (path: string, type: string, status = 'True', timeoutMs = 60_000): Promise<Reply> {
  return await client.eventually(path, ({ body }) =>
    ((body as Any)?.status?.conditions ?? []).some((each: Any) => each.type === type && each.status === status),
  timeoutMs)
}

async function addresses (): Promise<string[]> {
  const { body } = await client.get(`${pods()}?labelSelector=millrace.dev/cluster=events`)
  return (body as Any).items.map((pod: Any) =>
    `127.0.0.1:${(JSON.parse(pod.metadata.annotations?.[portsAnnotation] ?? '{}') as Any).client}`)
}

describe('from the chart to the first record', () => {
  it('helm install', async () => {
    await run('install', 'millrace', 'charts/millrace', ...image, '--set', `image.tag=${tag}`)
    await client.eventually(pathOf('deployments.apps', namespace, 'millrace'),
      ({ body }) => (body as Any).status?.readyReplicas === 2, 60_000)
  })

  it('a Cluster becomes ready', async () => {
    const reply = await client.post(clusters(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events' },
      spec: { brokers: 3, storage: { size: '1Gi' } }
    })
    expect(reply.status, reply.text).toBe(201)
    await condition(clusters('events'), 'Ready')
  })

  it('its brokers know the zone of their node, by which replicas are spread', async () => {
    const { body } = await client.get(pathOf('partitiontables.millrace.dev', namespace, 'events-0'))
    // In the order in which they registered.
    const racks = new Map((body as Any).spec.brokers.map(({ id, rack }: Any) => [id, rack]))
    expect(racks).toEqual(new Map([[0, 'a'], [1, 'a'], [2, 'a']]))
  })

  it('and so they do of a label that Kubernetes tells no pod; of another value of it without a restart', async () => {
    const reply = await client.post(clusters(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'halls' },
      spec: { brokers: 1, storage: { size: '1Gi' }, topologyKey: 'example.com/hall' }
    })
    expect(reply.status, reply.text).toBe(201)
    await condition(clusters('halls'), 'Ready')
    const table = pathOf('partitiontables.millrace.dev', namespace, 'halls-0')
    const rack = async (): Promise<string> => ((await client.get(table)).body as Any).spec.brokers[0].rack
    expect(await rack()).toBe('north')
    const { metadata: { uid } } = (await client.get(pods('halls-0'))).body as Any
    await client.patch(`/api/v1/nodes/${nodeName}`, media.merge, {
      metadata: { labels: { 'example.com/hall': 'south' } }
    })
    await expect.poll(rack, { timeout: 60_000 }).toBe('south')
    expect(((await client.get(pods('halls-0'))).body as Any).metadata.uid).toBe(uid)
  })

  it('a Topic becomes ready', async () => {
    await client.post(topics(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name: 'orders' },
      spec: { cluster: 'events', partitions: 6 }
    })
    const { body } = await condition(topics('orders'), 'Ready')
    expect((body as Any).status).toMatchObject({ partitions: 6, replicas: 3 })
  })

  it('records go in and come out', async () => {
    const millrace = new Millrace({ bootstrap: await addresses() })
    const producer = millrace.producer()
    await Promise.all(Array.from({ length: 100 }, (_, i) =>
      producer.send({ topic: 'orders', key: `k${i}`, value: `v${i}` })))
    const seen = new Set<string>()
    const consumer = millrace.consumer()
    await consumer.assign([{ topic: 'orders', partitions: 'all' }])
    for await (const { value } of consumer) {
      seen.add(Buffer.from(value ?? []).toString())
      if (seen.size === 100) break
    }
    await millrace.close()
    expect(seen.size).toBe(100)
  })

  it('nobody was refused anything: everybody has the rights that they need', () => {
    expect(node.refusals).toEqual([])
  })

  it('a Cluster that is deleted takes its brokers with it', async () => {
    await client.delete(clusters('halls'))
    await client.eventually(pods('halls-0'), ({ status }) => status === 404, 60_000)
  })
})

describe('what may happen to it', () => {
  it('a pod that is deleted comes back with its volume', async () => {
    const before = (await client.get(pods('events-1'))).body as Any
    await client.delete(pods('events-1'))
    await client.eventually(pods('events-1'), ({ body }) => (body as Any)?.metadata?.uid !== undefined &&
      (body as Any).metadata.uid !== before.metadata.uid, 30_000)
    await condition(pods('events-1'), 'Ready')
    await condition(clusters('events'), 'Ready')
    const { body } = await client.get(pathOf('persistentvolumeclaims', namespace, 'data-events-1'))
    expect((body as Any).status.phase).toBe('Bound')
  })

  it('the API server is killed: records go on; then it is back and so is the operator', async () => {
    const bootstrap = await addresses()
    const millrace = new Millrace({ bootstrap })
    const producer = millrace.producer()
    await producer.send({ topic: 'orders', value: 'before' })
    await plane.kill()
    for (let i = 0; i < 20; i++) await producer.send({ topic: 'orders', value: `during ${i}` })
    await plane.resume()
    await producer.send({ topic: 'orders', value: 'after' })
    await millrace.close()
    await client.post(topics(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name: 'later' },
      spec: { cluster: 'events', partitions: 1 }
    })
    await condition(topics('later'), 'Ready')
  })

  it('kubectl scale adds a broker', async () => {
    const reply = await client.patch(`${clusters('events')}/scale`, media.merge, { spec: { replicas: 4 } })
    expect(reply.status, reply.text).toBe(200)
    await client.eventually(clusters('events'), ({ body }) => (body as Any).status?.brokers?.ready === 4, 60_000)
  })

  it('and takes it away again, empty, when it is asked to', async () => {
    await client.patch(`${clusters('events')}/scale`, media.merge, { spec: { replicas: 3 } })
    await client.eventually(clusters('events'), ({ body }) => {
      const { brokers, draining } = (body as Any).status ?? {}
      return brokers?.total === 3 && brokers.ready === 3 && draining === undefined
    }, 60_000)
    await client.eventually(`${pathOf('pods', namespace)}/events-3`, ({ status }) => status === 404, 30_000)
    expect((await client.get(`${pathOf('persistentvolumeclaims', namespace)}/data-events-3`)).status).toBe(200)
  })

  it('who applies a field of the operator\'s is told of the conflict; by force it is set back, what is theirs stays',
    async () => {
      const path = pathOf('poddisruptionbudgets.policy', namespace, 'events')
      const theirs = {
        apiVersion: 'policy/v1', kind: 'PodDisruptionBudget',
        metadata: { name: 'events', labels: { team: 'streams' } }, spec: { maxUnavailable: 2 }
      }
      const refused = await client.apply(path, theirs, 'somebody')
      expect(refused.status, refused.text).toBe(409)
      expect(refused.text).toContain('millrace-operator')
      const forced = await client.apply(path, theirs, 'somebody', '&force=true')
      expect((forced.body as Any).spec.maxUnavailable).toBe(2)
      await client.eventually(path, ({ body }) => (body as Any).spec.maxUnavailable === 1)
      expect(((await client.get(path)).body as Any).metadata.labels.team).toBe('streams')
    })

  it('what others own stays: a label, and the size that an autoscaler sets by the scale subresource', async () => {
    const path = clusters('events')
    const mine = {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events', labels: { team: 'streams' } },
      spec: { brokers: 3, storage: { size: '1Gi' }, groupExpiry: '30d' }
    }
    const applied = await client.apply(path, mine, 'kubectl', '&force=true')
    expect(applied.status, applied.text).toBe(200)
    const scaled = await client.patch(`${path}/scale?fieldManager=autoscaler`, media.merge, { spec: { replicas: 4 } })
    expect(scaled.status, scaled.text).toBe(200)
    // Who applies their file again, which still says 3, is told who has changed that.
    const refused = await client.apply(path, mine, 'kubectl')
    expect(refused.status, refused.text).toBe(409)
    expect(refused.text).toContain('autoscaler')
    const { spec: { brokers: _theirs, ...rest } } = mine
    const yielded = await client.apply(path, { ...mine, spec: rest }, 'kubectl')
    expect(yielded.status, yielded.text).toBe(200)
    const { body } = await client.eventually(path, reply => (reply.body as Any).status?.brokers?.ready === 4, 60_000)
    expect((body as Any).spec).toMatchObject({ brokers: 4, groupExpiry: '30d' })
    expect((body as Any).metadata.labels.team).toBe('streams')
    await client.patch(`${path}/scale?fieldManager=autoscaler`, media.merge, { spec: { replicas: 3 } })
    await client.eventually(path, reply => {
      const { brokers, draining } = (reply.body as Any).status
      return brokers.total === 3 && brokers.ready === 3 && draining === undefined
    }, 60_000)
    await client.eventually(pods('events-3'), ({ status }) => status === 404, 30_000)
  })

  it('the operator that acts ends: the other one has its Lease, and acts', async () => {
    const path = pathOf('leases.coordination.k8s.io', namespace, 'millrace-operator')
    const holderOf = ({ body }: Reply): string => (body as Any).spec.holderIdentity
    const first = holderOf(await client.get(path))
    await client.delete(pods(first))
    const second = await client.eventually(path, reply => !['', first].includes(holderOf(reply)), 30_000)
    expect((second.body as Any).spec.leaseTransitions).toBeGreaterThan(0)
    await client.post(topics(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name: 'by-the-other' },
      spec: { cluster: 'events', partitions: 1 }
    })
    await condition(topics('by-the-other'), 'Ready')
  })

  it(`an upgrade of the operator alone restarts no broker (${upgradeFrom()})`, async () => {
    const brokers = async (): Promise<string[]> => {
      const { body } = await client.get(`${pods()}?labelSelector=millrace.dev/cluster=events`)
      return (body as Any).items.map((pod: Any) => `${pod.metadata.name} ${pod.metadata.uid}`).sort()
    }
    const before = await brokers()
    // The same source with another version string; the image stays, as where a Cluster names its own.
    const later = chartOfVersion('0.1.1')
    await run('upgrade', 'millrace', later, ...image, '--set', `image.tag=${tag}`)
    const isNew = (labels: Any): boolean => labels?.['app.kubernetes.io/version'] === '0.1.1'
    await client.eventually(pathOf('deployments.apps', namespace, 'millrace'), ({ body }) => {
      const { metadata, status } = body as Any
      return isNew(metadata.labels) && status.updatedReplicas === 2 && status.readyReplicas === 2 &&
        status.replicas === 2
    }, 120_000)
    // It acts: what is asked for now is done by the new one.
    await client.post(topics(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name: 'after-upgrade' },
      spec: { cluster: 'events', partitions: 1 }
    })
    await condition(topics('after-upgrade'), 'Ready')
    await condition(clusters('events'), 'Ready')
    expect(await brokers()).toEqual(before)
    rmSync(later, { recursive: true })
  })

  it('a Topic that is deleted with its data leaves nothing', async () => {
    await client.patch(topics('later'), media.merge, { spec: { deletePolicy: 'Delete' } })
    await client.delete(topics('later'))
    await client.eventually(topics('later'), ({ status }) => status === 404, 30_000)
  })

  it('a Cluster that is deleted leaves its volumes and its tables, and nothing else', async () => {
    await client.delete(clusters('events'))
    await client.eventually(clusters('events'), ({ status }) => status === 404, 60_000)
    for (const resource of ['statefulsets.apps', 'services', 'roles.rbac.authorization.k8s.io']) {
      await client.eventually(`${pathOf(resource, namespace)}?labelSelector=millrace.dev/cluster=events`,
        ({ body }) => (body as Any).items.length === 0, 60_000)
    }
    const claims = (await client.get(pathOf('persistentvolumeclaims', namespace))).body as Any
    expect(claims.items.map((claim: Any) => claim.metadata.name)).toContain('data-events-0')
    const tables = (await client.get(pathOf('partitiontables.millrace.dev', namespace))).body as Any
    expect(tables.items.length).toBeGreaterThan(0)
  })

  it('helm uninstall keeps the definitions', async () => {
    await run('uninstall', 'millrace')
    const { status } = await client.get('/apis/millrace.dev/v1alpha1/clusters')
    expect(status).toBe(200)
    expect(node.troubles).toEqual([])
  })
})
