// The operator dies after every k-th write, replies are lost, requests fail: the result is the same (the
// method of Sieve, OSDI '22, and Acto, SOSP '23).
import { beforeAll, describe, expect, it } from 'vitest'
import { WireError } from '../../../wire/errors.ts'
import type { Fault, FaultRequest, Faults } from '../../../local/kube/faults.ts'
import { KubeError } from '../../../operator/kube/api.ts'
import { onWrites } from './on-writes.ts'
import { namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'
/** Worlds at one time: each mostly waits. */
const worldsAtOnce = 6

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
  await world.until(clusters, 'events', cluster =>
    (cluster['status'] as { partitions: { total: number } }).partitions.total === 2)
  await world.until('leases.coordination.k8s.io', 'events-controller', lease =>
    lease.metadata.ownerReferences !== undefined)
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
    .replaceAll(/"(millrace.dev\/applied|millrace.dev\/template-hash)":"[^"]*"/g, '"$1":"-"')
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

/** Runs `run(1)`, `run(2)` ... some at once, until one says that it met nothing any more. Answers how many did. */
async function forEvery (run: (k: number) => Promise<boolean>): Promise<number> {
  for (let first = 1; ; first += worldsAtOnce) {
    const met = await Promise.all(Array.from({ length: worldsAtOnce }, async (_, index) => await run(first + index)))
    const end = met.indexOf(false)
    if (end >= 0) return first + end - 1
  }
}

/** An operator that dies after its k-th write: nothing of it reaches anybody afterwards. */
async function startMortal (world: World, k: number): Promise<{ died: Promise<void>, isDead: () => boolean }> {
  let left = k
  const { promise: died, resolve } = Promise.withResolvers<void>()
  const isDead = (): boolean => left <= 0
  const gone = new KubeError(0, 'ConnectionRefused', 'dead')
  world.controller.onCall = method => {
    if (isDead()) return new WireError('CONNECTION_REFUSED')
    if (method !== 'DescribeCluster' && --left === 0) resolve()
    return undefined
  }
  await world.startOperator(api => onWrites(api, async (_verb, _kind, write) => {
    if (isDead()) throw gone
    const result = await write()
    if (--left === 0) resolve()
    if (isDead()) throw gone
    return result
  }))
  return { died, isDead }
}

async function dieAfter (k: number): Promise<boolean> {
  return await inWorld(async world => {
    const mortal = await startMortal(world, k)
    await wish(world)
    const started = brokersStart(world)
    await Promise.race([mortal.died, started.then(async () => { await converged(world) })])
    const wasDead = mortal.isDead()
    await world.stopOperator()
    world.controller.onCall = () => undefined
    await world.startOperator()
    await started
    await converged(world)
    expect(outcome(world), `after write ${k}`).toEqual(wanted)
    return wasDead
  })
}

it('an operator that dies after the k-th write is finished by the next one, for every k', async () => {
  // ServiceAccount ... StatefulSet, finalizer, ApplyTopic, statuses: each was the last write once.
  expect(await forEvery(dieAfter)).toBeGreaterThan(15)
}, 60_000)

async function dieDeletingAfter (k: number): Promise<boolean> {
  return await inWorld(async world => {
    await world.startOperator()
    await world.createCluster({ storage: { size: '1Gi', deletePolicy: 'Delete' } })
    await world.createTopic('audit', { deletePolicy: 'Delete' })
    await brokersStart(world)
    await world.condition(clusters, 'events', 'Ready', 'True')
    await world.condition(topics, 'audit', 'Ready', 'True')
    await world.settled()
    await world.stopOperator()
    const mortal = await startMortal(world, k)
    const gone = Promise.resolve()
      .then(async () => { await world.kube.delete(topics, namespace, 'audit') })
      .then(async () => { await world.untilGone(topics, 'audit') })
      .then(async () => { await world.kube.delete(clusters, namespace, 'events') })
      .then(async () => { await world.untilGone(clusters, 'events') })
    await Promise.race([mortal.died, gone])
    const wasDead = mortal.isDead()
    await world.stopOperator()
    world.controller.onCall = () => undefined
    await world.startOperator()
    await gone
    for (const resource of [...kept, 'partitiontables.millrace.dev']) {
      const left = world.kube.list(resource, { namespace }).map(object => object.metadata.name)
      for (const name of left) await world.untilGone(resource, name)
    }
    expect(world.controller.deleted, `after write ${k}`).toEqual(['audit'])
    return wasDead
  })
}

it('an operator that dies while it deletes leaves nothing behind, for every k', async () => {
  // DeleteTopic, finalizer; status, StatefulSet, table, three volumes, finalizer.
  expect(await forEvery(dieDeletingAfter)).toBeGreaterThan(7)
}, 60_000)

/** From four brokers to two, the operator dying after its k-th write or order. */
async function dieShrinkingAfter (k: number): Promise<boolean> {
  return await inWorld(async world => {
    const { brokers } = world.controller
    await world.startOperator()
    await world.createCluster({ brokers: 4, storage: { size: '1Gi', deletePolicy: k % 2 === 0 ? 'Delete' : 'Retain' } })
    await world.until('pods', 'events-3', () => true)
    await world.elect()
    await world.condition(clusters, 'events', 'Ready', 'True')
    await world.settled()
    await world.stopOperator()
    brokers.pace = 3
    for (const id of [2, 3]) brokers.known.get(id)!.replicas = 3
    const held: number[] = []
    const stop = world.kube.watch('pods', ({ type, object }) => {
      const broker = brokers.known.get(Number(object.metadata.name.slice(-1)))
      if (type === 'DELETED') held.push((broker?.replicas ?? 0) + (broker?.data ?? 0))
    })
    const mortal = await startMortal(world, k)
    await world.kube.patch(clusters, namespace, 'events', { spec: { replicas: 2 } }, { subresource: 'scale' })
    const done = world.until(clusters, 'events', cluster => {
      const { draining, phase, brokers: { total, ready } } = cluster['status'] as
        { draining?: unknown, phase: string, brokers: { total: number, ready: number } }
      return total === 2 && ready === 2 && draining === undefined && phase === 'Running'
    })
    await Promise.race([mortal.died, done])
    const wasDead = mortal.isDead()
    await world.stopOperator()
    world.controller.onCall = () => undefined
    await world.startOperator()
    await done
    await world.settled()
    stop()
    const set = world.get('statefulsets.apps', 'events')!['spec'] as { replicas: number }
    expect([set.replicas, brokers.all.map(({ id }) => id), brokers.known.get(0)!.replicas], `after write ${k}`)
      .toEqual([2, [0, 1], 6])
    // Nobody was taken away with anything on it, and nobody twice.
    expect(held, `after write ${k}`).toEqual([0, 0])
    const claims = world.kube.list('persistentvolumeclaims', { namespace }).map(({ metadata }) => metadata.name).sort()
    const kept = Array.from({ length: k % 2 === 0 ? 2 : 4 }, (_, id) => `data-events-${id}`)
    expect(claims, `after write ${k}`).toEqual(kept)
    return wasDead
  })
}

it('an operator that dies while it takes brokers away loses nothing, for every k', async () => {
  // DrainBrokers, status, StatefulSet, volume, RemoveBroker, Events; twice; status, Role.
  expect(await forEvery(dieShrinkingAfter)).toBeGreaterThan(10)
}, 60_000)

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

  async function loseReply (k: number): Promise<boolean> {
    let writes = 0
    return await inWorld(async world => {
      await world.startOperator()
      await wish(world)
      await brokersStart(world)
      await converged(world)
      expect(outcome(world), `lost reply to write ${k}`).toEqual(wanted)
      return writes >= k
    }, { onRequest: request => isWrite(request) && ++writes === k ? { kind: 'lostReply' } : undefined })
  }

  it('that loses the reply to the k-th write changes nothing, for every k', async () => {
    expect(await forEvery(loseReply)).toBeGreaterThan(12)
  }, 60_000)

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
