// Requests over HTTP fail in every way that there is: the result is the same. What becomes of an operator that dies
// is in ../crashes/.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Fault, FaultRequest, Faults } from '../../../local/kube/faults.ts'
import { namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'

/** Runs `run` in a world of its own. */
async function inWorld<T> (run: (world: World) => Promise<T>, faults?: Faults): Promise<T> {
  const world = await World.start(faults)
  try {
    return await run(world)
  } finally {
    await world.close()
  }
}

/** A Cluster and a Topic that deletes its data: it has a finalizer. */
async function wish (world: World): Promise<void> {
  await world.createCluster()
  await world.createTopic('audit', { deletePolicy: 'Delete', partitions: 2 })
}

/** What brokers do once there are some. */
async function brokersStart (world: World): Promise<void> {
  await world.until('pods', 'events-2', () => true)
  await world.elect()
}

async function converged (world: World): Promise<void> {
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.condition(topics, 'audit', 'Ready', 'True')
  // The controller in memory has made the topic without a table to write it into, which the operator would hear of.
  await world.writeTable()
  await world.until(clusters, 'events', cluster =>
    (cluster['status'] as { partitions: { total: number } }).partitions.total === 2)
  await world.until('leases.coordination.k8s.io', 'events-controller', lease =>
    lease.metadata.ownerReferences !== undefined)
  for (const ordinal of [0, 1, 2]) {
    await world.until('persistentvolumeclaims', `data-events-${ordinal}`, ({ metadata }) =>
      metadata.annotations?.['millrace.dev/claim-uid'] !== undefined)
  }
  await world.settled()
}

const kept = [
  clusters, topics, 'serviceaccounts', 'roles.rbac.authorization.k8s.io', 'rolebindings.rbac.authorization.k8s.io',
  'configmaps', 'services', 'networkpolicies.networking.k8s.io', 'poddisruptionbudgets.policy', 'statefulsets.apps',
  'leases.coordination.k8s.io', 'persistentvolumeclaims', 'pods'
]

/** Everything that the world is at the end, but for what no two runs share. */
function outcome (world: World): unknown {
  const uid = world.get(clusters, 'events')!.metadata.uid!
  const objects = kept.flatMap(resource => world.kube.list(resource, { namespace })).map(object => {
    const { managedFields: _m, uid: _u, resourceVersion: _r, creationTimestamp: _c, ...metadata } = object.metadata
    return { ...object, metadata }
  })
  const made = [...world.controller.topics].sort(([a], [b]) => a < b ? -1 : 1)
  const text = JSON.stringify({ objects, topics: made })
    .replaceAll(uid, 'UID')
    .replaceAll(/"(uid|ownerUid|topicId)":"[^"]*"/g, '"$1":"-"')
    .replaceAll(/"(millrace.dev\/(?:applied|template-hash|claim-uid))":"[^"]*"/g, '"$1":"-"')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/"(clusterIPs?)":(\["[^"]*"\]|"[^"]*")/g, '"$1":"-"')
  return JSON.parse(text)
}

let wanted: unknown

beforeAll(async () => {
  wanted = await inWorld(async world => {
    await world.startOperator()
    await wish(world)
    await brokersStart(world)
    await converged(world)
    return outcome(world)
  })
})

describe('an API server', () => {
  it('that asks for patience is given it', async () => {
    const at: number[] = []
    await inWorld(async world => {
      await world.startOperator()
      await world.createCluster()
      await world.until('serviceaccounts', 'events-broker', () => true)
    }, {
      onRequest: request => {
        if (request.resource !== 'serviceaccounts' || !isWrite(request)) return undefined
        at.push(performance.now())
        return at.length === 1 ? { kind: 'throttle', retryAfterSeconds: 1 } : undefined
      }
    })
    expect(at).toHaveLength(2)
    expect(at[1]! - at[0]!).toBeGreaterThan(950)
  })

  const isWrite = ({ verb, userAgent }: FaultRequest): boolean =>
    userAgent.startsWith('millrace-operator') && ['create', 'update', 'patch', 'apply', 'delete'].includes(verb)

  const faults: Fault[] = [
    { kind: 'reset' }, { kind: 'refuse', code: 409 }, { kind: 'refuse', code: 500 }, { kind: 'refuse', code: 401 },
    { kind: 'lostReply' }
  ]

  it.concurrent.each([1, 2, 3])('that fails every fourth request only takes longer, seed %d', async seed => {
    let state = seed
    const next = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor(state / 2 ** 31 * below)
    }
    await inWorld(async world => {
      await world.startOperator()
      await wish(world)
      await brokersStart(world)
      await converged(world)
      expect(outcome(world)).toEqual(wanted)
    }, {
      onRequest: request => {
        const fails = request.userAgent.startsWith('millrace-operator') && next(4) === 0
        return fails ? faults[next(faults.length)] : undefined
      }
    })
  }, 30_000)
})
