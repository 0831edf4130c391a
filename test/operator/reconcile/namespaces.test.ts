// Several Clusters in a namespace, several namespaces, and none but those that are watched.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { KubeError } from '../../../operator/kube/api.ts'
import { onWrites } from './on-writes.ts'
import { namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World
let stock: string
let other: string

beforeEach(async () => {
  world = await World.start()
  stock = await world.host.makeNamespace('stock')
  other = await world.host.makeNamespace('other')
})
afterEach(async () => { await world.close() })

async function create (where: string, name: string): Promise<void> {
  await world.kube.create(clusters, {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name, namespace: where },
    spec: { brokers: 1, storage: { size: '1Gi' } }
  })
}

function sets (): string[] {
  return world.kube.list('statefulsets.apps').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()
}

it('the Clusters of the namespaces that are watched, and no request goes anywhere else', async () => {
  world.namespaces = [namespace, stock]
  // As the chart does: Nodes are in no namespace.
  world.readsNodes = false
  const asked = new Set<string>()
  await world.startOperator(api => ({
    ...onWrites(api, async (_verb, _kind, write) => await write()),
    list: async (kind, query) => {
      asked.add(query.namespace)
      return await api.list(kind, query)
    },
    watch: (kind, query, handlers) => {
      asked.add(query.namespace)
      return api.watch(kind, query, handlers)
    }
  }))
  for (const where of [namespace, stock, other]) await create(where, 'events')
  await world.kube.create(clusters, {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'more', namespace },
    spec: { brokers: 1, storage: { size: '1Gi' } }
  })
  for (const where of [namespace, stock]) {
    await world.until(clusters, 'events', ({ metadata, status }) =>
      metadata.namespace === where && status !== undefined)
  }
  await world.until(clusters, 'more', ({ status }) => status !== undefined)
  await world.settled()
  expect(sets()).toEqual([`${namespace}/events`, `${namespace}/more`, `${stock}/events`].sort())
  expect([...asked].sort()).toEqual([namespace, stock])
  expect(world.operator!.caches.clusters.size).toBe(3)
})

it('Clusters of one namespace are apart: objects, controllers, topics, deletion', async () => {
  await world.startOperator()
  await world.createCluster({ brokers: 1 })
  await world.createCluster({ brokers: 1 }, 'events-1')
  for (const name of ['events', 'events-1']) {
    await world.until('pods', `${name}-0`, () => true)
    await world.elect(name)
    await world.condition(clusters, name, 'Ready', 'True')
  }
  await world.settled()
  await world.kube.delete(clusters, namespace, 'events')
  await world.untilGone('statefulsets.apps', 'events')
  await world.settled()
  expect(sets()).toEqual([`${namespace}/events-1`])
  expect(world.get('services', 'events-1-bootstrap')).toBeDefined()
  await world.condition(clusters, 'events-1', 'Ready', 'True')
})

it('one that cannot be read keeps nobody from the others, and is served when it can be', async () => {
  world.namespaces = [namespace, stock]
  await create(namespace, 'events')
  await create(stock, 'events')
  let isRefused = true
  const written: string[] = []
  await world.startOperator(api => ({
    ...onWrites(api, async (_verb, _kind, write) => await write()),
    apply: async (kind, object, subresource) => {
      written.push(object.metadata.namespace ?? '')
      return await api.apply(kind, object, subresource)
    },
    list: async (kind, query) => {
      // Not all of it: what can be read of such a namespace is not acted upon either.
      if (isRefused && query.namespace === stock && kind.kind !== 'Cluster') {
        throw new KubeError(403, 'Forbidden', 'the Role is gone')
      }
      return await api.list(kind, query)
    }
  }))
  expect(world.operator!.unread).toEqual([])
  await world.until('statefulsets.apps', 'events', ({ metadata }) => metadata.namespace === namespace)
  await world.settled()
  expect(sets()).toEqual([`${namespace}/events`])
  expect(written).not.toContain(stock)
  isRefused = false
  await world.until('statefulsets.apps', 'events', ({ metadata }) => metadata.namespace === stock)
  await world.condition(clusters, 'events', 'Ready', 'False')
})
