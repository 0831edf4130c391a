// Deleting on a real control plane, with its garbage collector and its namespace controller: nothing hangs, and data
// goes only where a deletePolicy says so, or with its namespace.
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { image } from '../chart/render.ts'
import { media, type Any } from '../local/kube/client.ts'
import { definitionsPath, pathOf } from './objects.ts'
import { RealWorld, single, tag } from './real-world.ts'

const where = 'stock'
/** The garbage collector learns of a kind that is new within half a minute. */
const collectedMsMax = 120_000
const dataToo = { ...single, storage: { size: '1Gi', deletePolicy: 'Delete' } }
const threeBrokers = { brokers: 3, storage: { size: '1Gi' }, topicDefaults: { partitions: 3 } }
const values = Array.from({ length: 50 }, (_, index) => String(index).padStart(3, '0'))
const more = values.map(value => `more ${value}`)
const cluster = (name: string, namespace = where): string => pathOf('clusters.millrace.dev', namespace, name)
const topic = (name: string, namespace = where): string => pathOf('topics.millrace.dev', namespace, name)

let world: RealWorld

beforeAll(async () => {
  world = await RealWorld.start()
  for (const name of [where, 'apart', 'whole']) await world.makeNamespace(name)
  await world.install('default', '--set', `watchNamespaces={${where},apart}`)
  await world.install('whole', '--set', 'watchNamespaces={whole},crds.install=false')
  await world.makeCluster(where, 'events', threeBrokers)
  await world.condition(cluster('events'))
  await readyTopic('audit', { cluster: 'events', deletePolicy: 'Delete' })
  await world.write(where, 'events', 'audit', values)
})
afterAll(async () => {
  await world?.stop()
})

async function operatorPods (): Promise<string[]> {
  const pods = await world.items('pods', 'default', 'app.kubernetes.io/name=millrace')
  return pods.map(({ metadata, status }) => `${metadata.uid} ${status.containerStatuses[0].restartCount}`).sort()
}

async function readyTopic (name: string, spec: object = { cluster: 'events' }, namespace = where): Promise<Any> {
  await world.makeTopic(namespace, name, spec)
  return (await world.condition(topic(name, namespace))).body
}

/** The same release again, for all namespaces. */
async function upgrade (): Promise<void> {
  await world.helm('upgrade', 'millrace', 'charts/millrace', ...image, '--set', `image.tag=${tag}`,
    '--set', 'operator.logLevel=info')
  await world.operatorReady('default')
}

/** Folders of partitions of a topic, on all volumes of a cluster. */
async function folders (name: string): Promise<string[]> {
  const volumes = ['data-events-0', 'data-events-1', 'data-events-2'].map(claim => world.volumeFolder(where, claim))
  const all = await Promise.all(volumes.map(async volume => await readdir(join(volume, 'topics')).catch(() => [])))
  return all.flat().filter(folder => folder.startsWith(`${name}-`))
}

describe('a namespace', () => {
  /** With what holds it: a Cluster and a Topic whose data is to go. */
  async function fill (namespace: string): Promise<void> {
    await world.makeCluster(namespace, 'held', dataToo)
    await world.condition(cluster('held', namespace))
    await readyTopic('orders', { cluster: 'held', deletePolicy: 'Delete' }, namespace)
    for (const path of [cluster('held', namespace), topic('orders', namespace)]) {
      expect(((await world.client.get(path)).body as Any).metadata.finalizers).toEqual(['millrace.dev/delete-data'])
    }
  }

  async function scaleOperator (replicas: number): Promise<void> {
    await world.client.patch(`${pathOf('deployments.apps', 'default', 'millrace')}/scale`, media.merge,
      { spec: { replicas } })
    await world.operatorReady('default', replicas)
  }

  it('goes, although the operator\'s Role there goes first; and the one that holds its operator, which ends too',
    async () => {
      await fill('apart')
      await world.makeCluster('apart', 'kept')
      await world.condition(cluster('kept', 'apart'))
      await fill('whole')
      for (const name of ['apart', 'whole']) await world.delete(`/api/v1/namespaces/${name}`)
      for (const name of ['apart', 'whole']) await world.gone(`/api/v1/namespaces/${name}`)
      // Claims are objects of the namespace like all others: this is what deletePolicy cannot change.
      expect(existsSync(world.volumeFolder('apart', 'data-kept-0'))).toBe(false)
    }, collectedMsMax)

  it('says what it waits for while no operator is there, and goes when one is back', async () => {
    await upgrade()
    await world.makeNamespace('left')
    await fill('left')
    await scaleOperator(0)
    await expect.poll(async () => await world.names('pods', 'default', 'app.kubernetes.io/name=millrace'),
      { timeout: 30_000 }).toEqual([])
    await world.delete('/api/v1/namespaces/left')
    const { body } = await world.condition('/api/v1/namespaces/left', 'NamespaceFinalizersRemaining')
    expect(JSON.stringify(body)).toContain('millrace.dev/delete-data in 2 resource instances')
    await scaleOperator(2)
    await world.gone('/api/v1/namespaces/left')
  }, collectedMsMax)
})

describe('a Topic that keeps its data', () => {
  it('is served on, and taken up again by the next of its name', async () => {
    const { status: { topicId } } = await readyTopic('orders')
    await world.write(where, 'events', 'orders', values)
    await world.delete(topic('orders'))
    await world.gone(topic('orders'))
    expect(await world.read(where, 'events', 'orders', values.length)).toEqual(values)
    expect((await readyTopic('orders')).status.topicId).toBe(topicId)
    expect(await world.read(where, 'events', 'orders', values.length)).toEqual(values)
  })
})

describe('a Cluster', () => {
  it('that keeps its data leaves volumes and tables; the next of its name has all records', async () => {
    const volumes = await world.items('persistentvolumeclaims', where)
    await world.delete(cluster('events'))
    await world.gone(cluster('events'))
    for (const resource of ['statefulsets.apps', 'pods', 'services', 'leases.coordination.k8s.io']) {
      await expect.poll(async () => await world.names(resource, where, 'millrace.dev/cluster=events'),
        { timeout: 60_000 }).toEqual([])
    }
    await world.makeCluster(where, 'events', threeBrokers)
    await world.condition(cluster('events'))
    await world.condition(topic('orders'))
    expect(await world.read(where, 'events', 'orders', values.length)).toEqual(values)
    const claims = await world.items('persistentvolumeclaims', where)
    expect(claims.map(({ metadata }) => metadata.uid)).toEqual(volumes.map(({ metadata }) => metadata.uid))
  }, collectedMsMax)

  it('that leaves its objects as orphans is taken up again: no broker restarts', async () => {
    const before = await world.brokers(where, 'events')
    await world.delete(cluster('events'), { propagationPolicy: 'Orphan' })
    await world.gone(cluster('events'))
    await world.write(where, 'events', 'orders', more)
    const { metadata: { uid } } = await world.makeCluster(where, 'events', threeBrokers)
    await world.condition(cluster('events'))
    await world.client.eventually(pathOf('statefulsets.apps', where, 'events'), ({ body }) =>
      (body as Any).metadata.ownerReferences?.[0]?.uid === uid)
    expect(await world.brokers(where, 'events')).toEqual(before)
  })

  it('whose data goes takes volumes and tables with it, and none of another Cluster', async () => {
    await world.makeCluster(where, 'events-1', dataToo)
    await world.condition(cluster('events-1'))
    await readyTopic('gone', { cluster: 'events-1', deletePolicy: 'Delete' })
    await world.write(where, 'events-1', 'gone', values)
    const folder = world.volumeFolder(where, 'data-events-1-0')
    expect(existsSync(folder)).toBe(true)
    const others = await world.names('persistentvolumeclaims', where, 'millrace.dev/cluster=events')
    await world.delete(cluster('events-1'), { propagationPolicy: 'Foreground' })
    await world.gone(cluster('events-1'))
    await world.client.eventually(pathOf('persistentvolumeclaims', where, 'data-events-1-0'),
      ({ status }) => status === 404, 30_000)
    await expect.poll(() => existsSync(folder), { timeout: 30_000 }).toBe(false)
    expect(await world.names('partitiontables.millrace.dev', where)).toEqual(['events-0'])
    expect(await world.names('persistentvolumeclaims', where, 'millrace.dev/cluster=events')).toEqual(others)
    // Its Topic can go too: nobody is left to ask.
    await world.delete(topic('gone'))
    await world.gone(topic('gone'))
  })
})

describe('a Topic whose data goes', () => {
  it('leaves nothing on any volume', async () => {
    // Since brokers have started with it, it is in folders of its own and no longer in their journals.
    expect(await folders('audit')).toHaveLength(9)
    await world.delete(topic('audit'))
    await world.gone(topic('audit'))
    await expect.poll(async () => await folders('audit'), { timeout: 30_000 }).toEqual([])
  })
})

describe('definitions', () => {
  const all = ['topics', 'partitiontables', 'clusters'].map(plural => `${definitionsPath}/${plural}.millrace.dev`)
  let operators: string[]

  beforeAll(async () => { operators = await operatorPods() })

  it('that are deleted take objects and pods, and no volume; brokers serve without Topics and tables', async () => {
    const [topics, tables, clusters] = all as [string, string, string]
    const before = await world.brokers(where, 'events')
    for (const definition of [topics, tables]) {
      await world.delete(definition)
      await world.gone(definition)
    }
    expect(await world.brokers(where, 'events')).toEqual(before)
    expect(await world.read(where, 'events', 'orders', values.length + more.length)).toEqual([...values, ...more])
    await world.delete(clusters)
    await world.gone(clusters)
    await expect.poll(async () => await world.names('pods', where), { timeout: 60_000 }).toEqual([])
    expect(await world.names('persistentvolumeclaims', where))
      .toEqual(['data-events-0', 'data-events-1', 'data-events-2'])
  })

  it('that are there again by helm upgrade bring back everything that is applied again', async () => {
    await upgrade()
    await world.makeCluster(where, 'events', threeBrokers)
    await world.condition(cluster('events'))
    await readyTopic('orders')
    expect(await world.read(where, 'events', 'orders', values.length + more.length)).toEqual([...values, ...more])
    await world.write(where, 'events', 'orders', ['afterwards'])
  })

  it('no operator ended meanwhile', async () => {
    expect(await operatorPods()).toEqual(operators)
    expect(world.node.troubles).toEqual([])
  })
})
