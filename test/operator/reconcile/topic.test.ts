import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kinds } from '../../../operator/kube/types.ts'
import { WireError } from '../../../wire/errors.ts'
import { changedApi, lateWatch, type LateWatch } from './changed-api.ts'
import { onWrites } from './on-writes.ts'
import { conditionOf, example, namespace, World } from './world.ts'

let world: World

const clusters = 'clusters.millrace.dev'
const topics = 'topics.millrace.dev'

/** A world with a cluster of three brokers that serves. */
beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

describe('a new Topic', () => {
  it('is handed to the controller and becomes Ready', async () => {
    await world.kube.create(topics, { ...example('topic.yaml'), metadata: { name: 'orders', namespace } })
    const topic = await world.condition(topics, 'orders', 'Ready', 'True', 'Serving')
    expect(topic['status']).toMatchObject({
      topicId: '0000000000000001',
      owner: 'orders',
      partitions: 6,
      replicas: 3,
      minInSync: 2,
      underReplicated: 0,
      offline: 0
    })
    expect(world.controller.topics.get('orders')!.settings).toEqual({
      name: 'orders',
      partitions: 6,
      replicas: 3,
      minInSync: 2,
      retentionMs: 604_800_000,
      retentionBytes: 2 ** 30,
      segmentBytes: 2 ** 30,
      ownerUid: topic.metadata.uid
    })
    expect(world.controller.count('ApplyTopic')).toBe(1)
  })

  it('has the name that its spec says', async () => {
    await world.createTopic('orders-eu', { name: 'Orders.EU_1' })
    await world.condition(topics, 'orders-eu', 'Ready', 'True')
    expect([...world.controller.topics.keys()]).toEqual(['Orders.EU_1'])
  })

  it('costs one write, and none when it is looked at again', async () => {
    await world.stopOperator()
    const writes: string[] = []
    await world.startOperator(api => onWrites(api, async (verb, kind, write) => {
      if (kind.kind === 'Topic') writes.push(verb)
      return await write()
    }))
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.settled()
    expect(writes).toEqual(['apply'])
    world.operator!.topicQueue.add(`${namespace}/orders`)
    await world.settled()
    expect(writes).toEqual(['apply'])
    expect(world.controller.count('ApplyTopic')).toBe(1)
  })

  it('may come before its Cluster', async () => {
    await world.createTopic('early', { cluster: 'later' })
    const topic = await world.condition(topics, 'early', 'Ready', 'False', 'ClusterNotFound')
    expect(conditionOf(topic, 'Ready')!.message).toBe('there is no Cluster later in this namespace')
    await world.createCluster({}, 'later')
    await world.until('pods', 'later-2', () => true)
    await world.condition(topics, 'early', 'Ready', 'False', 'ClusterNotReady')
    await world.elect('later')
    await world.condition(topics, 'early', 'Ready', 'True')
  })

  it('says that there are too few brokers, and is Ready once there are more', async () => {
    await world.createTopic('wide', { replicas: 4 })
    const topic = await world.condition(topics, 'wide', 'Ready', 'False', 'NotEnoughBrokers')
    expect(conditionOf(topic, 'Ready')!.message).toBe('4 replicas need as many brokers, there are 3')
    await world.kube.patch(clusters, namespace, 'events', { spec: { brokers: 4 } })
    await world.condition(topics, 'wide', 'Ready', 'True')
  })

  it('waits for brokers that are on their way, without a warning', async () => {
    world.controller.brokers.known.delete(2)
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'False', 'WaitingForBrokers')
    world.controller.brokers.register(2)
    await world.writeTable()
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.settled()
    const told = world.kube.list('events.events.k8s.io', { namespace }).filter(event => event['type'] === 'Warning')
    expect(told.filter(event => (event['regarding'] as { kind: string }).kind === 'Topic')).toEqual([])
  })

  it('says what of its spec does not fit', async () => {
    await world.kube.patch(clusters, namespace, 'events', { spec: { topicDefaults: { replicas: 2 } } })
    await world.createTopic('odd', { minInSync: 3 })
    const topic = await world.condition(topics, 'odd', 'Ready', 'False', 'InvalidSpec')
    expect(conditionOf(topic, 'Ready')!.message).toBe('minInSync 3 is greater than replicas 2')
  })

  it('gets the defaults that its Cluster has by then, though no watch has told of them yet', async () => {
    await world.stopOperator()
    let late: LateWatch | undefined
    await world.startOperator(api => {
      late = lateWatch(api, 'cluster')
      return late.api
    })
    await world.kube.patch(clusters, namespace, 'events', { spec: { topicDefaults: { partitions: 2, replicas: 1 } } })
    await world.createTopic('orders')
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(topic['status']).toMatchObject({ partitions: 2, replicas: 1, minInSync: 1 })
    late!.release()
    await world.settled()
    expect(world.get(topics, 'orders')!['status']).toMatchObject({ partitions: 2, replicas: 1, minInSync: 1 })
  })

  it('keeps nothing of a Cluster that has gone while it was read', async () => {
    await world.stopOperator()
    await world.startOperator(api => changedApi(api, {
      get: async (kind, space, name) => {
        const stored = await api.get(kind, space, name)
        if (kind === kinds.cluster && world.get(clusters, name) !== undefined) {
          await world.kube.delete(clusters, namespace, name)
          await world.untilGone(clusters, name)
          await expect.poll(() => world.operator!.caches.clusters.get(`${namespace}/${name}`)).toBeUndefined()
        }
        return stored
      }
    }))
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'False', 'ClusterNotFound')
    await world.settled()
    expect(world.operator!.caches.clusters.get(`${namespace}/events`)).toBeUndefined()
  })

  it('asks for its Cluster once, however often it is looked at', async () => {
    await world.stopOperator()
    let asked = 0
    await world.startOperator(api => changedApi(api, {
      get: async (kind, space, name) => {
        if (kind === kinds.cluster) asked++
        return await api.get(kind, space, name)
      }
    }))
    await world.createTopic('wide', { replicas: 4 })
    await world.condition(topics, 'wide', 'Ready', 'False', 'NotEnoughBrokers')
    await world.settled()
    for (let look = 0; look < 3; look++) {
      world.operator!.topicQueue.add(`${namespace}/wide`)
      await world.settled()
    }
    expect(asked).toBe(1)
  })

  it('is not Ready before each partition has a leader', async () => {
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    world.controller.topics.get('orders')!.offline = 2
    await world.writeTable()
    const topic = await world.condition(topics, 'orders', 'Ready', 'False', 'PartitionsOffline')
    expect(conditionOf(topic, 'Ready')!.message).toBe('2 of 6 partitions have no leader')
    world.controller.topics.get('orders')!.offline = 0
    world.controller.topics.get('orders')!.underReplicated = 1
    await world.writeTable()
    const later = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(later['status']).toMatchObject({ underReplicated: 1, offline: 0 })
  })
})

describe('a changed Topic', () => {
  it('grows', async () => {
    await world.createTopic('orders', { partitions: 3 })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.patch(topics, namespace, 'orders', { spec: { partitions: 12, retention: { age: '1h' } } })
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(topic['status']).toMatchObject({ partitions: 12 })
    expect(world.controller.topics.get('orders')!.settings).toMatchObject({ partitions: 12, retentionMs: 3_600_000 })
  })

  it('gets more and fewer replicas while it serves, and shows how far that is', async () => {
    await world.createTopic('orders', { partitions: 3, replicas: 2 })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.patch(topics, namespace, 'orders', { spec: { replicas: 3 } })
    const growing = await world.condition(topics, 'orders', 'Progressing', 'True', 'Moving')
    expect(conditionOf(growing, 'Progressing')!.message).toBe('3 of 3 partitions get other replicas, 3 each')
    expect(growing['status']).toMatchObject({ replicas: 3, minInSync: 2, moving: 3 })
    expect(conditionOf(growing, 'Ready')!.status).toBe('True')
    const held = world.controller.topics.get('orders')!
    held.moving = 0
    await world.writeTable()
    await world.condition(topics, 'orders', 'Progressing', 'False', 'Settled')
    await world.kube.patch(topics, namespace, 'orders', { spec: { replicas: 1 } })
    const shrinking = await world.condition(topics, 'orders', 'Progressing', 'True', 'Moving')
    expect(shrinking['status']).toMatchObject({ replicas: 1, minInSync: 1 })
  })

  it('tells of partitions that a person recovered, once', async () => {
    await world.createTopic('orders', { partitions: 3 })
    await world.condition(topics, 'orders', 'Ready', 'True')
    world.controller.topics.get('orders')!.recovered.push(2)
    await world.writeTable()
    await world.until(topics, 'orders', topic =>
      (topic['status'] as { recovered?: number[] }).recovered?.join() === '2')
    const told = (): unknown[] => world.kube.list('events.events.k8s.io', { namespace })
      .filter(event => event['reason'] === 'RecoveredWithDataLoss').map(event => [event['type'], event['note']])
    await expect.poll(told).toEqual([['Warning', 'partition 2: a person recovered without the in-sync set; ' +
      'records that only its members had are lost']])
    await world.stopOperator()
    await world.startOperator()
    await world.settled()
    expect(told()).toHaveLength(1)
  })

  it('keeps what it left open when the defaults of the cluster change, but for retention', async () => {
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.patch(clusters, namespace, 'events', {
      spec: { topicDefaults: { partitions: 9, retention: { age: '2d' } } }
    })
    await world.until(clusters, 'events', object => conditionOf(object, 'Ready')?.observedGeneration === 2)
    await world.settled()
    expect(world.controller.topics.get('orders')!.settings).toMatchObject({ partitions: 6, retentionMs: 172_800_000 })
  })
})

describe('two Topics for one topic', () => {
  it('the older owns it, the other has a Conflict until the first is gone', async () => {
    await world.createTopic('first', { name: 'orders' })
    await world.condition(topics, 'first', 'Ready', 'True')
    // Of two made in one second the uid would decide.
    await world.host.nextSecond()
    await world.createTopic('second', { name: 'orders', deletePolicy: 'Delete' })
    const second = await world.condition(topics, 'second', 'Ready', 'False', 'Conflict')
    expect(conditionOf(second, 'Ready')!.message)
      .toBe('topic orders belongs to the older Topic first; delete one of the two')
    expect(second['status']).toMatchObject({ owner: 'first' })

    // Deleting the one that lost deletes no data, whatever its policy.
    await world.kube.delete(topics, namespace, 'second')
    await world.untilGone(topics, 'second')
    expect(world.controller.deleted).toEqual([])
    await world.createTopic('third', { name: 'orders' })
    await world.condition(topics, 'third', 'Ready', 'False', 'Conflict')
    await world.kube.delete(topics, namespace, 'first')
    const third = await world.condition(topics, 'third', 'Ready', 'True')
    expect(third['status']).toMatchObject({ topicId: '0000000000000001', owner: 'third' })
  })
})

describe('a deleted Topic', () => {
  it('leaves an orphan (Retain), which a new Topic of that name adopts as it is', async () => {
    await world.createTopic('orders', { partitions: 12 })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.delete(topics, namespace, 'orders')
    await expect.poll(() => world.controller.topics.get('orders')!.orphaned).toBe(true)
    expect(world.controller.deleted).toEqual([])
    await world.createTopic('orders')
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(topic['status']).toMatchObject({ topicId: '0000000000000001', partitions: 12 })
  })

  it('is told to the controller also when no operator saw it', async () => {
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.stopOperator()
    await world.kube.delete(topics, namespace, 'orders')
    await world.startOperator()
    await expect.poll(() => world.controller.topics.get('orders')!.orphaned).toBe(true)
  })

  it('that the controller does not know any more keeps no other from being told of', async () => {
    for (const name of ['audit', 'orders']) {
      await world.createTopic(name)
      await world.condition(topics, name, 'Ready', 'True')
    }
    await world.stopOperator()
    for (const name of ['audit', 'orders']) await world.kube.delete(topics, namespace, name)
    const call = world.controller.call.bind(world.controller)
    world.controller.call = async (address, method, request) => {
      if (method === 'DeleteTopic' && (request as { name: string }).name === 'audit') {
        throw new WireError('UNKNOWN_TOPIC')
      }
      return await call(address, method, request)
    }
    await world.startOperator()
    await expect.poll(() => world.controller.topics.get('orders')!.orphaned).toBe(true)
  })

  it('was followed at once by one of the same name, while no operator watched', async () => {
    await world.createTopic('orders')
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.stopOperator()
    await world.kube.delete(topics, namespace, 'orders')
    await world.createTopic('orders')
    const reasons: (string | undefined)[] = []
    const stop = world.kube.watch(topics, ({ object }) => { reasons.push(conditionOf(object, 'Ready')?.reason) })
    // The new Topic is met before the old owner could be swept away.
    let applied = false
    world.controller.onCall = method => {
      applied ||= method === 'ApplyTopic'
      return method === 'DeleteTopic' && !applied ? new WireError('CONTROLLER_UNAVAILABLE') : undefined
    }
    await world.startOperator()
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    stop()
    expect(topic['status']).toMatchObject({ topicId: '0000000000000001' })
    expect(reasons).not.toContain('Conflict')
  })

  it('takes its data with it (Delete); the next of its name has another id', async () => {
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    const topic = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(topic.metadata.finalizers).toEqual(['millrace.dev/delete-data'])
    await world.kube.delete(topics, namespace, 'orders')
    await world.untilGone(topics, 'orders')
    expect(world.controller.deleted).toEqual(['orders'])
    await world.createTopic('orders')
    const next = await world.condition(topics, 'orders', 'Ready', 'True')
    expect(next['status']).toMatchObject({ topicId: '0000000000000002' })
    expect(next.metadata.finalizers).toBeUndefined()
  })

  it('has no finalizer any more once its policy is Retain', async () => {
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.patch(topics, namespace, 'orders', { spec: { deletePolicy: 'Retain' } })
    await world.until(topics, 'orders', topic => topic.metadata.finalizers === undefined)
  })

  it('waits for a controller that cannot be asked, and says so', async () => {
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    await world.condition(topics, 'orders', 'Ready', 'True')
    world.controller.onCall = method => method === 'DeleteTopic' ? new WireError('CONNECTION_REFUSED') : undefined
    await world.kube.delete(topics, namespace, 'orders')
    const topic = await world.condition(topics, 'orders', 'Ready', 'False', 'Deleting')
    expect(conditionOf(topic, 'Ready')!.message).toMatch(/^the data is not deleted yet: /)
    world.controller.onCall = () => undefined
    world.operator!.topicQueue.add(`${namespace}/orders`)
    await world.untilGone(topics, 'orders')
  })

  it('is let go when its Cluster is gone', async () => {
    await world.createTopic('orders', { deletePolicy: 'Delete' })
    await world.condition(topics, 'orders', 'Ready', 'True')
    await world.kube.delete(clusters, namespace, 'events')
    await world.condition(topics, 'orders', 'Ready', 'False', 'ClusterNotFound')
    await world.kube.delete(topics, namespace, 'orders')
    await world.untilGone(topics, 'orders')
  })
})

describe('a controller that moves', () => {
  it('is found by what the old one says, and by the Lease', async () => {
    await world.createTopic('one')
    await world.condition(topics, 'one', 'Ready', 'True')
    world.controller.address = '127.0.0.1:9191'
    await world.createTopic('two')
    await world.condition(topics, 'two', 'Ready', 'True')
    world.controller.onCall = () => new WireError('CONNECTION_REFUSED')
    await world.createTopic('three')
    await world.condition(topics, 'three', 'Ready', 'False', 'ClusterNotReady')
    // Nothing else changes for those that were Ready.
    expect(conditionOf(world.get(topics, 'one'), 'Ready')!.status).toBe('True')
    world.controller.onCall = () => undefined
    world.controller.address = '127.0.0.1:9292'
    await world.elect()
    await world.condition(topics, 'three', 'Ready', 'True')
  })
})
