// What the operator may cost, counted instead of timed: requests, calls, and what it keeps. In two sizes: a small one
// in every `npm test`, the one that is promised in `npm run test:scale`.
import { expect } from 'vitest'
import { keyOf } from '../../../operator/kube/types.ts'
import { ScaleWorld } from './scale-world.ts'
import { clusters, topics } from './surroundings.ts'

const waitMs = 240_000
const events = { namespace: 'default', name: 'events' }
/** Kinds that are watched, and the operator's Lease. */
const kindsMax = 15
const pageSize = 500
/** Of one Topic, as JSON, with a name of ten characters. */
const topicBytesMax = 1_200

/** One cluster with so many topics: made, left alone, operator restarted, deleted. */
export async function manyTopics (count: number): Promise<void> {
  const world = await ScaleWorld.start()
  try {
    const { around } = world
    await around.createCluster(events, 3)
    await around.ready(clusters, 1, waitMs)
    await world.settled()
    around.requests.reset()
    await Promise.all([around.createTopics(events, 0, count), around.ready(topics, count, waitMs)])
    await world.settled()
    expectBoundedWork(world, count)
    await expectQuiet(world)
    expectKept(world, count)
    await expectSilentRestart(world, count)
    await expectQuiet(world)
    await around.deleteTopics(events, count)
    await world.settled()
    expectKept(world, 0)
  } finally {
    await world.close()
  }
}

/** So many clusters: all Ready, left alone, operator restarted. */
export async function manyClusters (count: number, brokers: number): Promise<void> {
  const world = await ScaleWorld.start()
  try {
    const { around } = world
    await Promise.all([
      around.ready(clusters, count, waitMs),
      ...Array.from({ length: count }, async (_, index) => {
        await around.createCluster({ namespace: `team-${index % 5}`, name: `events-${index}` }, brokers)
      })
    ])
    await world.settled()
    await expectQuiet(world)
    await expectSilentRestart(world, count * brokers)
    await expectQuiet(world)
    for (const cluster of world.operator.caches.clusters.values()) {
      expect(cluster.status, keyOf(cluster)).toMatchObject({ phase: 'Running', brokers: { ready: brokers } })
    }
  } finally {
    await world.close()
  }
}

/** A write and a call for each topic; nothing is read; the controller is asked for many at once. */
function expectBoundedWork ({ around }: ScaleWorld, count: number): void {
  const { requests } = around
  expect(requests.count('apply topics.millrace.dev/status')).toBe(count)
  expect(around.calls('ApplyTopic')).toBe(count)
  expect(requests.writes - count).toBeLessThanOrEqual(count / 5)
  expect(requests.reads).toBe(0)
  expect(around.calls('DescribeCluster')).toBeLessThanOrEqual(count / 2)
}

/** The resync looks at everything, asks each controller once, and finds nothing to write or to read. */
async function expectQuiet (world: ScaleWorld): Promise<void> {
  const { around } = world
  const controllers = around.kube.list(clusters).length
  around.requests.reset()
  const [asked, applied] = [around.calls('DescribeCluster'), around.calls('ApplyTopic')]
  world.ring()
  await world.settled()
  expect(around.requests.all()).toEqual([])
  expect(around.calls('DescribeCluster') - asked).toBe(controllers)
  expect(around.calls('ApplyTopic')).toBe(applied)
}

/** @param objects of the kind that there are most of */
async function expectSilentRestart (world: ScaleWorld, objects: number): Promise<void> {
  const { around } = world
  await world.stopOperator()
  around.requests.reset()
  const applied = around.calls('ApplyTopic')
  await world.startOperator()
  await world.settled()
  const lists = around.requests.all().filter(([request]) => request.startsWith('list '))
    .reduce((sum, [, count]) => sum + count, 0)
  expect(around.requests.writes).toBe(0)
  const controllers = around.kube.list(clusters).length
  // Each kind once, and of each cluster its claims, which may be another cluster's.
  expect(lists).toBeLessThanOrEqual(kindsMax + Math.ceil(objects / pageSize) * 2 + controllers)
  // Where the controller of each cluster is.
  expect(around.requests.reads - lists).toBeLessThanOrEqual(controllers)
  expect(around.calls('ApplyTopic')).toBe(applied)
}

/** What the copies hold is what there is, without what nobody reads. */
function expectKept ({ operator: { caches } }: ScaleWorld, count: number): void {
  expect(caches.topics.size).toBe(count)
  for (const topic of caches.topics.values()) expect(JSON.stringify(topic).length).toBeLessThan(topicBytesMax)
  for (const kept of [...caches.tables.values(), ...caches.leases.values()]) {
    expect(Object.keys(kept).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
  }
}
