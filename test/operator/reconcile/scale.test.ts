// More and fewer brokers: what the operator does, in which order, and what it tells people.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { onWrites } from './on-writes.ts'
import { conditionOf, namespace, World } from './world.ts'

let world: World

beforeEach(async () => { world = await World.start() })
afterEach(async () => { await world.close() })

const clusters = 'clusters.millrace.dev'
const sets = 'statefulsets.apps'

interface Status {
  readonly phase: string
  readonly brokers: { readonly ready: number, readonly total: number }
  readonly draining?: readonly { broker: number, replicasLeft: number, dataLeft: number, waitingFor?: string }[]
  readonly moves: { readonly underWay: number, readonly bytesLeft?: number }
}

const statusOf = (object: { [field: string]: unknown } | undefined): Status => object!['status'] as Status

/** A cluster that serves. */
async function running (brokers = 3, spec: object = {}): Promise<void> {
  await world.startOperator()
  await world.createCluster({ brokers, ...spec })
  await world.until('pods', `events-${brokers - 1}`, () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
}

/** As `kubectl scale`. */
async function scale (replicas: number): Promise<void> {
  await world.kube.patch(clusters, namespace, 'events', { spec: { replicas } }, { subresource: 'scale' })
}

async function settledAt (brokers: number): Promise<void> {
  await world.until(clusters, 'events', object => object['status'] !== undefined &&
    statusOf(object).brokers.total === brokers && statusOf(object).brokers.ready === brokers &&
    conditionOf(object, 'Progressing')?.reason === 'Settled')
  await world.settled()
}

const size = (): number => (world.get(sets, 'events')!['spec'] as { replicas: number }).replicas

function notes (reason: string): unknown[] {
  return world.kube.list('events.events.k8s.io', { namespace })
    .filter(event => event['reason'] === reason).map(event => event['note'])
}

describe('scale up', () => {
  it('adds brokers, restarts none, and shows what moves until nothing does', async () => {
    await running()
    const move = {
      topic: 'orders', topicId: '0'.repeat(16), partition: 0, replicas: [3, 0, 1], adding: [3], removing: [2]
    }
    world.controller.moves = [{ ...move, bytesLeft: 3 * 2 ** 20, waitingFor: '' },
      { ...move, partition: 1, bytesLeft: -1, waitingFor: '' }]
    await world.writeTable()
    await world.condition(clusters, 'events', 'Progressing', 'True', 'Moving')
    await scale(4)
    const cluster = await world.until(clusters, 'events', object => statusOf(object).brokers.ready === 4 &&
      conditionOf(object, 'Progressing')?.reason === 'Moving')
    expect(conditionOf(cluster, 'Progressing')!.message).toBe('2 partitions move to other brokers, 3.0 MiB to go')
    expect(statusOf(cluster)).toMatchObject({
      phase: 'Scaling', brokers: { ready: 4, total: 4 }, moves: { underWay: 2, bytesLeft: 3 * 2 ** 20 }
    })
    // Said by nobody but the controller: it is asked while something moves.
    world.controller.moves = [{ ...move, bytesLeft: 1024, waitingFor: 'broker 3 is away' }]
    await world.until(clusters, 'events', object => conditionOf(object, 'Progressing')!.message ===
      '1 partition moves to other brokers, 1.0 KiB to go; orders/0 waits: broker 3 is away')
    world.controller.moves = []
    await settledAt(4)
    expect(statusOf(world.get(clusters, 'events'))).toMatchObject({ phase: 'Running', moves: { underWay: 0 } })
    const going = world.kube.list('pods', { namespace }).filter(pod => pod.metadata.deletionTimestamp !== undefined)
    expect(going).toEqual([])
  })
})

describe('scale down', () => {
  it('takes the last broker first, each only when it is empty, then forgets it; volumes stay', async () => {
    await running(4)
    const { brokers } = world.controller
    for (const id of [2, 3]) brokers.known.get(id)!.replicas = 2
    const heldAtEnd: Record<string, number> = {}
    const order: string[] = []
    const stop = world.kube.watch('pods', ({ type, object }) => {
      if (type !== 'DELETED') return
      order.push(object.metadata.name)
      // One that is forgotten by now held nothing, or it could not have been.
      const { replicas, data } = brokers.known.get(Number(object.metadata.name.slice(-1))) ?? { replicas: 0, data: 0 }
      heldAtEnd[object.metadata.name] = replicas + data
    })
    await scale(2)
    await settledAt(2)
    stop()
    expect(order).toEqual(['events-3', 'events-2'])
    expect(heldAtEnd).toEqual({ 'events-3': 0, 'events-2': 0 })
    expect(brokers.all.map(({ id, draining, replicas }) => [id, draining, replicas]))
      .toEqual([[0, false, 4], [1, false, 0]])
    // Both are told of at once, so that nothing moves from the one to the other.
    expect(brokers.wishes).toEqual(['3,2', '2'])
    expect(world.kube.list('persistentvolumeclaims', { namespace }).map(claim => claim.metadata.name).sort())
      .toEqual(['data-events-0', 'data-events-1', 'data-events-2', 'data-events-3'])
    expect(statusOf(world.get(clusters, 'events'))).not.toHaveProperty('draining')
    await expect.poll(() => notes('ScaledDown')).toEqual(['2 brokers are left'])
    expect(notes('ScalingDown'))
      .toEqual(['down to 2 brokers: brokers 3, 2 hand their replicas over and go, one after the other'])
    expect(notes('BrokerRemoved').sort()).toEqual([2, 3].map(id =>
      `events-${id} held nothing any more and is gone; its volume is kept`))
  })

  it('takes the volume of a broker too that goes before it was ever there', async () => {
    await running(3, { storage: { size: '1Gi', deletePolicy: 'Delete' } })
    world.podsBecomeReady = false
    await scale(4)
    await world.until('persistentvolumeclaims', 'data-events-3', () => true)
    await scale(3)
    await world.untilGone('persistentvolumeclaims', 'data-events-3')
    await settledAt(3)
    expect(statusOf(world.get(clusters, 'events'))).not.toHaveProperty('draining')
  })

  it('shows how far it is, and lets nothing go before that is 0', async () => {
    await running(4)
    const { brokers } = world.controller
    brokers.pace = 0
    brokers.known.get(3)!.replicas = 12
    await scale(3)
    const cluster = await world.condition(clusters, 'events', 'Progressing', 'True', 'Draining')
    expect(conditionOf(cluster, 'Progressing')!.message).toBe('down to 3 brokers: broker 3 still holds 12 replicas')
    expect(statusOf(cluster)).toMatchObject({
      phase: 'Scaling',
      brokers: { ready: 4, total: 4 },
      draining: [{ broker: 3, replicasLeft: 12, dataLeft: 0 }]
    })
    expect(conditionOf(cluster, 'Degraded')!.status).toBe('False')
    // Handed over, but the data is not deleted yet.
    Object.assign(brokers.known.get(3)!, { replicas: 0, data: 1 })
    await world.writeTable()
    await world.until(clusters, 'events', object =>
      conditionOf(object, 'Progressing')!.message === 'down to 3 brokers: broker 3 deletes the data of 1 replica')
    expect(size()).toBe(4)
    brokers.pace = 1
    await settledAt(3)
    expect(size()).toBe(3)
  })

  it('says which topics are in its way, and what to do; then goes on by itself', async () => {
    await running(3)
    await world.createTopic('orders', { replicas: 3 })
    await world.condition('topics.millrace.dev', 'orders', 'Ready', 'True')
    const { brokers } = world.controller
    brokers.known.get(2)!.replicas = 6
    brokers.stuck = 'too few other brokers'
    await scale(2)
    const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'ScaleDownBlocked')
    const told = 'spec.brokers is 2, but topic orders (3 replicas) needs more brokers than that: ' +
      'set spec.replicas of the Topic to 2 or less, or spec.brokers to 3'
    expect(conditionOf(cluster, 'Degraded')!.message).toBe(told)
    expect(conditionOf(cluster, 'Progressing')).toMatchObject({ status: 'False', reason: 'ScaleDownBlocked' })
    expect(conditionOf(cluster, 'Ready')!.status).toBe('True')
    expect(statusOf(cluster)).toMatchObject({ phase: 'Running', brokers: { total: 3 } })
    await expect.poll(() => notes('ScaleDownBlocked')).toEqual([told])
    await world.kube.patch('topics.millrace.dev', namespace, 'orders', { spec: { replicas: 2 } })
    brokers.stuck = ''
    await settledAt(2)
    expect(brokers.known.get(0)!.replicas).toBe(6)
  })

  it('waits while tables are being restored: what they do not name may be all that there is', async () => {
    await running(3)
    world.controller.restoring = 'the table is missing'
    await scale(2)
    const cluster = await world.until(clusters, 'events', object =>
      statusOf(object).draining?.[0]?.waitingFor?.startsWith('partition tables to be restored') === true)
    expect(conditionOf(cluster, 'Progressing')!.message).toBe('down to 2 brokers: broker 2 holds nothing any more; ' +
      'waits for partition tables to be restored: millrace cluster restore --dry-run')
    await world.settled()
    expect(size()).toBe(3)
    world.controller.restoring = ''
    await settledAt(2)
  })

  it('that is taken back lets the brokers stay', async () => {
    await running(4)
    const { brokers } = world.controller
    brokers.pace = 0
    brokers.known.get(3)!.replicas = 5
    await scale(3)
    await world.condition(clusters, 'events', 'Progressing', 'True', 'Draining')
    await scale(4)
    await settledAt(4)
    expect(brokers.all.some(({ draining }) => draining)).toBe(false)
    expect(brokers.known.get(3)!.replicas).toBe(5)
    expect(size()).toBe(4)
    await expect.poll(() => notes('ScaleDownCancelled')).toEqual(['spec.brokers is 4: broker 3 stays'])
  })

  it('deletes the volume of a broker that is gone with deletePolicy Delete', async () => {
    await running(3, { storage: { size: '1Gi', deletePolicy: 'Delete' } })
    await scale(2)
    await settledAt(2)
    // A real API lets go of a claim when it has seen that no pod uses it.
    await world.untilGone('persistentvolumeclaims', 'data-events-2')
    expect(world.kube.list('persistentvolumeclaims', { namespace }).map(claim => claim.metadata.name).sort())
      .toEqual(['data-events-0', 'data-events-1'])
    await expect.poll(() => notes('BrokerRemoved'))
      .toEqual(['events-2 held nothing any more and is gone; its volume is deleted'])
  })

  it('waits while there is no controller, and for a session that has not ended', async () => {
    await running(3)
    world.controller.address = ''
    await scale(2)
    await world.settled()
    expect(size()).toBe(3)
    world.controller.address = '127.0.0.1:9091'
    let refusals = 0
    const { brokers } = world.controller
    const remove = brokers.remove.bind(brokers)
    brokers.remove = id => {
      if (refusals++ === 0) brokers.register(id)
      else brokers.lose(id)
      remove(id)
    }
    await settledAt(2)
    expect(refusals).toBe(2)
    expect(brokers.known.has(2)).toBe(false)
  }, 20_000)

  it('somebody who shrinks or deletes the StatefulSet instead changes nothing', async () => {
    await running(3)
    const { brokers } = world.controller
    brokers.pace = 0
    brokers.known.get(2)!.replicas = 6
    await scale(2)
    await world.condition(clusters, 'events', 'Progressing', 'True', 'Draining')
    await world.kube.patch(sets, namespace, 'events', { spec: { replicas: 2 } })
    await world.until(sets, 'events', set => (set['spec'] as { replicas: number }).replicas === 3)
    await world.until('pods', 'events-2', () => true)
    const { uid } = world.get(sets, 'events')!.metadata
    await world.kube.delete(sets, namespace, 'events', { propagationPolicy: 'Orphan' })
    // The garbage collector of a real server lets go of its pods first.
    await world.until(sets, 'events', set => set.metadata.uid !== uid)
    await world.settled()
    expect(size()).toBe(3)
  })

  it('a Cluster made anew with fewer brokers gets those back that hold something, until they do not', async () => {
    await running(3)
    await world.kube.delete(clusters, namespace, 'events')
    for (const pod of ['events-0', 'events-1', 'events-2']) await world.untilGone('pods', pod)
    await world.untilGone('leases.coordination.k8s.io', 'events-controller')
    const { brokers } = world.controller
    brokers.pace = 0
    brokers.known.get(2)!.replicas = 6
    await world.createCluster({ brokers: 2 })
    await world.until('pods', 'events-1', () => true)
    await world.elect()
    await world.until('pods', 'events-2', () => true)
    brokers.pace = Infinity
    await settledAt(2)
    expect(brokers.all.map(({ id }) => id)).toEqual([0, 1])
  }, 20_000)

  it('a dead broker can be taken away: its replicas are made anew from the others', async () => {
    await running(3)
    const { brokers } = world.controller
    brokers.known.get(2)!.replicas = 4
    world.podsBecomeReady = false
    await world.setReady('events-2', false)
    brokers.lose(2)
    await world.condition(clusters, 'events', 'Degraded', 'True', 'BrokersNotReady')
    await scale(2)
    await settledAt(2)
    expect(brokers.all.map(({ id, replicas }) => [id, replicas])).toEqual([[0, 4], [1, 0]])
  })

  it('a broker whose volume came from another pod is drained, and no pods are made for its number', async () => {
    await running(3)
    const { brokers } = world.controller
    brokers.register(7)
    brokers.known.get(7)!.replicas = 2
    await world.writeTable()
    await world.until(clusters, 'events', object => conditionOf(object, 'Progressing')?.reason === 'Draining')
    await expect.poll(() => brokers.known.get(7)!.replicas).toBe(0)
    await world.settled()
    expect(size()).toBe(3)
  })

  it('costs no write while nothing moves', async () => {
    await running(3)
    const { brokers } = world.controller
    brokers.pace = 0
    brokers.known.get(2)!.replicas = 6
    await scale(2)
    await world.condition(clusters, 'events', 'Progressing', 'True', 'Draining')
    await world.settled()
    await world.stopOperator()
    const writes: string[] = []
    await world.startOperator(api => onWrites(api, async (verb, kind, write) => {
      writes.push(`${verb} ${kind.kind}`)
      return await write()
    }))
    for (let round = 0; round < 3; round++) {
      world.operator!.clusterQueue.add(`${namespace}/events`)
      await world.settled()
    }
    expect(writes).toEqual([])
  })
})
