// The operator dies after every k-th write, replies are lost, requests fail: the result is the same (the
// method of Sieve, OSDI '22, and Acto, SOSP '23).
import { afterEach, describe, expect, it } from 'vitest'
import { WireError } from '../../../wire/errors.ts'
import type { Fault, FaultRequest } from '../../../local/kube/faults.ts'
import { KubeError } from '../../../operator/kube/api.ts'
import { onWrites } from './on-writes.ts'
import { namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'

let world: World
afterEach(async () => { await world.close() })

/** A Cluster and two Topics, one of which deletes its data. */
async function wish (): Promise<void> {
  await world.createCluster()
  await world.createTopic('orders')
  await world.createTopic('audit', { deletePolicy: 'Delete', partitions: 2 })
}

/** What brokers do once there are some. */
async function brokersStart (): Promise<void> {
  await world.until('pods', 'events-2', () => true)
  await world.elect()
}

async function converged (): Promise<void> {
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.condition(topics, 'orders', 'Ready', 'True')
  await world.condition(topics, 'audit', 'Ready', 'True')
  await world.until(clusters, 'events', cluster =>
    (cluster['status'] as { partitions: { total: number } }).partitions.total === 8)
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
function outcome (): unknown {
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

async function undisturbed (): Promise<unknown> {
  world = await World.start()
  await world.startOperator()
  await wish()
  await brokersStart()
  await converged()
  const result = outcome()
  await world.close()
  return result
}

/** An operator that dies after its k-th write: nothing of it reaches anybody afterwards. */
async function startMortal (lives: number): Promise<{ died: Promise<void>, isDead: () => boolean }> {
  let left = lives
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

describe('an operator that dies after the k-th write', () => {
  it('is finished by the next one, for every k', async () => {
    const wanted = await undisturbed()
    let k = 0
    for (let isDead = true; isDead;) {
      k++
      world = await World.start()
      const mortal = await startMortal(k)
      await wish()
      const started = brokersStart()
      await Promise.race([mortal.died, started.then(converged)])
      isDead = mortal.isDead()
      await world.stopOperator()
      world.controller.onCall = () => undefined
      await world.startOperator()
      await started
      await converged()
      expect(outcome(), `after write ${k}`).toEqual(wanted)
      await world.close()
    }
    // ServiceAccount ... StatefulSet, statuses, finalizer, ApplyTopic: all of them were a last write once.
    expect(k).toBeGreaterThan(15)
  }, 60_000)
})

describe('faults of the API server', () => {
  const isWrite = ({ verb, userAgent }: FaultRequest): boolean =>
    userAgent.startsWith('millrace-operator') && ['create', 'update', 'patch', 'apply', 'delete'].includes(verb)

  it('a lost reply to any write changes nothing', async () => {
    const wanted = await undisturbed()
    let hit = true
    let k = 0
    while (hit) {
      k++
      hit = false
      let writes = 0
      world = await World.start({
        onRequest: request => {
          if (!isWrite(request) || ++writes !== k) return undefined
          hit = true
          return { kind: 'lostReply' }
        }
      })
      await world.startOperator()
      await wish()
      await brokersStart()
      await converged()
      expect(outcome(), `lost reply to write ${k}`).toEqual(wanted)
      await world.close()
    }
    expect(k).toBeGreaterThan(12)
  }, 60_000)

  it.each([1, 2, 3])('a server that fails every fourth request, seed %d', async seed => {
    const wanted = await undisturbed()
    const faults: Fault[] = [
      { kind: 'reset' }, { kind: 'refuse', code: 409 }, { kind: 'refuse', code: 500 }, { kind: 'refuse', code: 401 },
      { kind: 'lostReply' }
    ]
    let state = seed
    const next = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor(state / 2 ** 31 * below)
    }
    world = await World.start({
      onRequest: request => request.userAgent.startsWith('millrace-operator') && next(4) === 0
        ? faults[next(faults.length)]
        : undefined
    })
    await world.startOperator()
    await wish()
    await brokersStart()
    await converged()
    expect(outcome()).toEqual(wanted)
  }, 30_000)
})
