import { afterEach, beforeEach, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'
let world: World

beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

async function pause (resource: string, name: string, value: string | null): Promise<void> {
  await world.kube.patch(resource, namespace, name, { metadata: { annotations: { 'millrace.dev/paused': value } } })
}

function reasons (): unknown[] {
  return world.kube.list('events.events.k8s.io', { namespace }).map(event => event['reason'])
}

it('a paused Cluster is left as it is, says so, and gets what was asked for once it is resumed', async () => {
  await pause(clusters, 'events', 'true')
  await world.condition(clusters, 'events', 'Paused', 'True')
  const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
  await world.kube.patch(clusters, namespace, 'events', { spec: { brokers: 5, pod: { labels: { team: 'a' } } } })
  await world.kube.delete('poddisruptionbudgets.policy', namespace, 'events')
  const cluster = await world.condition(clusters, 'events', 'Progressing', 'False', 'Paused')
  await world.settled()
  expect(conditionOf(cluster, 'Ready')?.status).toBe('True')
  expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
  expect(world.get('poddisruptionbudgets.policy', 'events')).toBeUndefined()
  // What can be seen is told all the same.
  world.controller.underReplicated = 2
  await world.writeTable()
  await world.condition(clusters, 'events', 'Degraded', 'True', 'UnderReplicated')
  world.controller.underReplicated = 0
  await world.writeTable()

  await pause(clusters, 'events', null)
  await world.until('pods', 'events-4', () => true)
  await world.until(clusters, 'events', object => conditionOf(object, 'Paused') === undefined &&
    conditionOf(object, 'Progressing')?.reason === 'Settled')
  expect(world.get('poddisruptionbudgets.policy', 'events')).toBeDefined()
  expect(reasons()).toEqual(expect.arrayContaining(['Paused', 'Resumed']))
})

it('a value that is not "true" pauses nothing', async () => {
  await pause(clusters, 'events', 'yes')
  await world.kube.patch(clusters, namespace, 'events', { spec: { brokers: 4 } })
  await world.until('pods', 'events-3', () => true)
})

it('a paused Cluster can be deleted', async () => {
  await pause(clusters, 'events', 'true')
  await world.kube.patch(clusters, namespace, 'events', { spec: { storage: { deletePolicy: 'Delete' } } })
  await world.kube.delete(clusters, namespace, 'events')
  await world.untilGone('statefulsets.apps', 'events')
  await world.untilGone(clusters, 'events')
})

it('a paused Topic is not handed to the controller, and keeps what was known of it', async () => {
  await world.createTopic('orders', { partitions: 3 })
  await world.condition(topics, 'orders', 'Ready', 'True')
  await pause(topics, 'orders', 'true')
  await world.condition(topics, 'orders', 'Paused', 'True')
  const asked = world.controller.count('ApplyTopic')
  await world.kube.patch(topics, namespace, 'orders', { spec: { partitions: 6 } })
  await world.settled()
  expect(world.controller.count('ApplyTopic')).toBe(asked)
  const topic = world.get(topics, 'orders')!
  expect(topic['status']).toMatchObject({ partitions: 3 })
  expect(conditionOf(topic, 'Ready')?.status).toBe('True')
  await pause(topics, 'orders', 'false')
  await world.until(topics, 'orders', object => (object['status'] as { partitions: number }).partitions === 6 &&
    conditionOf(object, 'Paused') === undefined)
})

it('a Topic that is paused before it was anything is not Ready, and says why', async () => {
  await world.kube.create(topics, {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic',
    metadata: { name: 'orders', namespace, annotations: { 'millrace.dev/paused': 'true' } },
    spec: { cluster: 'events' }
  })
  await world.condition(topics, 'orders', 'Ready', 'False', 'Paused')
  await world.settled()
  expect(world.controller.count('ApplyTopic')).toBe(0)
})
