// What is deleted goes, whoever is away meanwhile, and data only where a deletePolicy says so.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KubeApi } from '../../../operator/kube/api.ts'
import { onWrites } from './on-writes.ts'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'
const claims = 'persistentvolumeclaims'
const tables = 'partitiontables.millrace.dev'
const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
const dataToo = { storage: { size: '1Gi', deletePolicy: 'Delete' } }

let world: World

beforeEach(async () => { world = await World.start() })
afterEach(async () => { await world.close() })

async function running (spec: object = {}): Promise<void> {
  await world.startOperator()
  await world.createCluster(spec)
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
}

const claimsLeft = (): number => world.kube.list(claims, { namespace }).length

/** A claim that is deleted goes when its pod has gone. */
async function noClaimIsLeft (): Promise<void> {
  for (const ordinal of [0, 1, 2]) await world.untilGone(claims, `data-events-${ordinal}`)
  expect(claimsLeft()).toBe(0)
}

describe('while no operator is there', () => {
  it('a Cluster and a Topic that are deleted with their data wait, and go when one is back', async () => {
    await running(dataToo)
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.stopOperator()
    await world.kube.delete(topics, namespace, 'orders')
    await world.kube.delete(clusters, namespace, 'events')
    expect(claimsLeft()).toBe(3)
    await world.startOperator()
    await world.untilGone(topics, 'orders')
    await world.untilGone(clusters, 'events')
    await noClaimIsLeft()
    expect(world.get(tables, 'events-0')).toBeUndefined()
  })

  it('the last word of a deletePolicy counts: data that is to be kept after all is kept', async () => {
    await running(dataToo)
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.stopOperator()
    await world.kube.patch(topics, namespace, 'orders', { spec: { deletePolicy: 'Retain' } })
    await world.kube.patch(clusters, namespace, 'events', { spec: { storage: { deletePolicy: 'Retain' } } })
    await world.kube.delete(topics, namespace, 'orders')
    await world.kube.delete(clusters, namespace, 'events')
    await world.startOperator()
    await world.untilGone(topics, 'orders')
    await world.untilGone(clusters, 'events')
    expect(world.controller.deleted).toEqual([])
    expect(claimsLeft()).toBe(3)
    expect(world.get(tables, 'events-0')).toBeDefined()
  })

  it('what keeps its data goes at once: it has no finalizer', async () => {
    await running()
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.stopOperator()
    await world.kube.delete(topics, namespace, 'orders')
    await world.kube.delete(clusters, namespace, 'events')
    expect([world.get(topics, 'orders'), world.get(clusters, 'events')]).toEqual([undefined, undefined])
    expect(claimsLeft()).toBe(3)
  })
})

describe('with another cascade', () => {
  it('a Cluster that leaves its objects as orphans is taken up again as it was: nothing restarts', async () => {
    await running()
    const pods = (): unknown => world.kube.list('pods', { namespace }).map(({ metadata }) => metadata.uid)
    const before = pods()
    await world.kube.delete(clusters, namespace, 'events', { propagationPolicy: 'Orphan' })
    await world.untilGone(clusters, 'events')
    await world.settled()
    expect(world.get('statefulsets.apps', 'events')?.metadata.ownerReferences ?? []).toEqual([])
    await world.createCluster()
    const { metadata } = await world.condition(clusters, 'events', 'Ready', 'True')
    await world.settled()
    expect(world.get('statefulsets.apps', 'events')!.metadata.ownerReferences).toMatchObject([{ uid: metadata.uid }])
    expect(pods()).toEqual(before)
  })

  it('one whose data goes too ends as well when whoever deletes it waits for what it owns', async () => {
    await running(dataToo)
    await world.kube.delete(clusters, namespace, 'events', { propagationPolicy: 'Foreground' })
    await world.untilGone(clusters, 'events')
    await noClaimIsLeft()
  })
})

describe('a namespace', () => {
  /** Of its own: the objects of the World are in another. */
  let own: string
  const both = [[clusters, 'held'], [topics, 'orders']] as const

  async function fill (wrap?: (api: KubeApi) => KubeApi): Promise<void> {
    own = await world.host.makeNamespace('own')
    await world.startOperator(wrap)
    await world.kube.create(clusters, {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'held', namespace: own },
      spec: { brokers: 1, ...dataToo }
    })
    await world.kube.create(topics, {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic', metadata: { name: 'orders', namespace: own },
      spec: { cluster: 'held', deletePolicy: 'Delete' }
    })
    for (const [resource, name] of both) {
      await world.until(resource, name, ({ metadata }) => metadata.finalizers?.length === 1)
    }
    await world.settled()
  }

  const isThere = (): boolean => world.kube.get('namespaces', undefined, own) !== undefined

  it('is emptied by an operator that lives elsewhere', async () => {
    await fill()
    await world.kube.delete('namespaces', undefined, own)
    await world.untilGone('namespaces', own)
  })

  it('waits for an operator that is away, and goes when it is back', async () => {
    await fill()
    await world.stopOperator()
    await world.kube.delete('namespaces', undefined, own)
    expect(isThere()).toBe(true)
    await world.startOperator()
    await world.untilGone('namespaces', own)
  })

  it('that takes the operator with it is let go by the operator before that ends', async () => {
    await fill()
    const { operator } = world
    await operator!.stop()
    await world.kube.delete('namespaces', undefined, own)
    expect(isThere()).toBe(true)
    await operator!.letGo(own)
    await world.untilGone('namespaces', own)
  })

  it('is let go when its first pod ends, while rights are there; one that lives again is held again', async () => {
    let isEnding = true
    await fill(api => ({
      ...onWrites(api, async (_verb, _kind, write) => await write()),
      get: async (kind, where, name) => {
        const found = await api.get(kind, where, name)
        if (kind.kind !== 'Namespace' || found === undefined || !isEnding) return found
        return { ...found, metadata: { ...found.metadata, deletionTimestamp: '2026-01-02T03:04:05Z' } }
      }
    }))
    const isHeld = ([resource, name]: typeof both[number], held: boolean): Promise<unknown> =>
      world.until(resource, name, ({ metadata }) => (metadata.finalizers?.length === 1) === held)
    const finalizers = ['example.com/slow']
    await world.until('pods', 'held-0', () => true)
    await world.kube.patch('pods', own, 'held-0', { metadata: { finalizers } })
    await world.kube.delete('pods', own, 'held-0')
    for (const each of both) await isHeld(each, false)
    for (const [, name] of both) {
      world.operator!.clusterQueue.add(`${own}/${name}`)
      world.operator!.topicQueue.add(`${own}/${name}`)
    }
    await world.settled()
    for (const each of both) await isHeld(each, false)
    isEnding = false
    world.operator!.clusterQueue.add(`${own}/held`)
    world.operator!.topicQueue.add(`${own}/orders`)
    for (const each of both) await isHeld(each, true)
    await world.kube.patch('pods', own, 'held-0', { metadata: { finalizers: null } })
  })

  it('that stays keeps its finalizers when the operator ends', async () => {
    await fill()
    await world.operator!.stop()
    await world.operator!.letGo(own)
    for (const [resource, name] of both) {
      expect(world.kube.get(resource, own, name)!.metadata.finalizers).toEqual(['millrace.dev/delete-data'])
    }
  })

  it('is let go although somebody else writes to its objects meanwhile', async () => {
    await fill()
    await world.operator!.stop()
    await world.kube.delete('namespaces', undefined, own)
    // Newer than what the operator, which watches no more, has read.
    await world.kube.patch(clusters, own, 'held', { metadata: { labels: { touched: 'true' } } })
    await world.operator!.letGo(own)
    await world.untilGone('namespaces', own)
  })
})

describe('a definition', () => {
  async function deleteDefinition (name: string): Promise<void> {
    await world.kube.delete(definitions, undefined, name)
    await world.untilGone(definitions, name)
  }

  it('of Clusters takes Clusters and pods, no volume and no table; made again, all is as before', async () => {
    await running()
    const kept = world.kube.list(claims, { namespace }).map(({ metadata }) => metadata.uid)
    const definition = world.kube.get(definitions, undefined, clusters)!
    await deleteDefinition(clusters)
    await world.untilGone('statefulsets.apps', 'events')
    expect(world.get(tables, 'events-0')).toBeDefined()
    const { apiVersion, kind, metadata: { name }, spec } = definition
    await world.kube.create(definitions, { apiVersion, kind, metadata: { name }, spec })
    await world.createCluster()
    await world.until('pods', 'events-2', () => true)
    await world.elect()
    await world.condition(clusters, 'events', 'Ready', 'True')
    expect(world.kube.list(claims, { namespace }).map(({ metadata }) => metadata.uid)).toEqual(kept)
  })

  it('of Clusters whose data goes with them waits for the operator, which does it', async () => {
    await running(dataToo)
    await deleteDefinition(clusters)
    await noClaimIsLeft()
  })

  it('of Topics leaves their data as orphans, deletes what says so, and never stops the operator', async () => {
    await running()
    const definition = world.kube.get(definitions, undefined, topics)!
    for (const [name, deletePolicy] of [['orders', 'Retain'], ['audit', 'Delete']] as const) {
      await world.createTopic(name, { deletePolicy })
      await world.condition(topics, name, 'Ready', 'True')
    }
    await deleteDefinition(topics)
    expect(world.controller.deleted).toEqual(['audit'])
    await expect.poll(() => world.controller.topics.get('orders')!.orphaned).toBe(true)
    const { apiVersion, kind, metadata: { name }, spec } = definition
    await world.kube.create(definitions, { apiVersion, kind, metadata: { name }, spec })
    const { topicId } = world.controller.topics.get('orders')!
    await world.createTopic('orders')
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(topic['status']).toMatchObject({ topicId })
    expect(conditionOf(topic, 'Ready')).toMatchObject({ reason: 'Serving' })
  })
})
