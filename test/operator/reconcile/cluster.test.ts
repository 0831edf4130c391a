import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { onWrites } from './on-writes.ts'
import { conditionOf, example, namespace, World } from './world.ts'

let world: World

beforeEach(async () => { world = await World.start() })
afterEach(async () => { await world.close() })

const clusters = 'clusters.millrace.dev'

/** A cluster of three brokers that serves. */
async function running (spec: object = {}): Promise<void> {
  await world.startOperator()
  await world.createCluster(spec)
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
}

const made = [
  ['serviceaccounts', 'events-broker'],
  ['roles.rbac.authorization.k8s.io', 'events-broker'],
  ['rolebindings.rbac.authorization.k8s.io', 'events-broker'],
  ['configmaps', 'events-config'],
  ['services', 'events-brokers'],
  ['services', 'events-bootstrap'],
  ['networkpolicies.networking.k8s.io', 'events'],
  ['poddisruptionbudgets.policy', 'events'],
  ['statefulsets.apps', 'events']
] as const

describe('a new Cluster', () => {
  it('becomes its objects, pods, and Ready once a controller answers', async () => {
    await world.startOperator()
    await world.kube.create(clusters, { ...example('cluster.yaml'), metadata: { name: 'events', namespace } })
    await world.condition(clusters, 'events', 'Ready', 'False', 'NoController')
    for (const [resource, name] of made) expect(world.get(resource, name), name).toBeDefined()
    await world.elect()
    const cluster = await world.condition(clusters, 'events', 'Ready', 'True', 'Serving')
    expect(cluster['status']).toMatchObject({
      phase: 'Running',
      observedGeneration: 1,
      brokers: { ready: 3, total: 3 },
      controller: 0,
      partitions: { total: 0, underReplicated: 0, underMinInSync: 0, offline: 0 },
      version: '0.1.0',
      bootstrap: `events-bootstrap.${namespace}.svc:9090`,
      selector: 'app.kubernetes.io/name=millrace,app.kubernetes.io/component=broker,millrace.dev/cluster=events'
    })
    expect(conditionOf(cluster, 'Progressing')).toMatchObject({ status: 'False', reason: 'Settled' })
    expect(conditionOf(cluster, 'Degraded')).toMatchObject({ status: 'False', reason: 'AsWanted' })
  })

  it('is asked for its controller with pauses while there is none', async () => {
    await world.startOperator()
    await world.createCluster()
    await world.condition(clusters, 'events', 'Ready', 'False', 'NoController')
    await world.settled()
    await world.elect()
    await world.condition(clusters, 'events', 'Ready', 'True')
  })

  it('is not Ready before all its brokers are', async () => {
    world.podsBecomeReady = false
    await world.startOperator()
    await world.createCluster()
    await world.until('pods', 'events-2', () => true)
    await world.setReady('events-0', true)
    await world.setReady('events-1', true)
    await world.elect()
    const cluster = await world.until(clusters, 'events', object =>
      conditionOf(object, 'Ready')?.message === '2 of 3 brokers are ready')
    expect(cluster['status']).toMatchObject({ phase: 'Creating', brokers: { ready: 2, total: 3 } })
    await world.setReady('events-2', true)
    await world.condition(clusters, 'events', 'Ready', 'True')
  })

  it('leaves an object alone that somebody else made, and says so', async () => {
    await world.kube.create('services', {
      metadata: { name: 'events-bootstrap', namespace }, spec: { ports: [{ port: 1 }] }
    })
    await world.startOperator()
    await world.createCluster()
    const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'ReconcileFailed')
    expect(conditionOf(cluster, 'Degraded')!.message).toBe(
      'bootstrapService: Service events-bootstrap exists and belongs to somebody else; delete or rename it')
    await world.kube.delete('services', namespace, 'events-bootstrap')
    await world.until('statefulsets.apps', 'events', () => true)
  })
})

describe('a Cluster that is as wished', () => {
  it('costs no write, at a second look and by a new operator', async () => {
    await running()
    await world.stopOperator()
    const writes: string[] = []
    await world.startOperator(api => onWrites(api, async (verb, kind, write) => {
      writes.push(`${verb} ${kind.kind}`)
      return await write()
    }))
    await world.settled()
    await world.writeTable()
    world.operator!.clusterQueue.add(`${namespace}/events`)
    await world.settled()
    expect(writes).toEqual([])
  })

  it('gets back what somebody changed or deleted', async () => {
    await running()
    await world.kube.patch('services', namespace, 'events-bootstrap', {
      spec: { selector: { 'millrace.dev/cluster': 'other' } }
    })
    await world.kube.delete('poddisruptionbudgets.policy', namespace, 'events')
    await world.until('services', 'events-bootstrap', service =>
      (service['spec'] as { selector: Record<string, string> }).selector['millrace.dev/cluster'] === 'events')
    await world.until('poddisruptionbudgets.policy', 'events', () => true)
  })

  it('owns the Lease of its controller', async () => {
    await running()
    const cluster = world.get(clusters, 'events')!
    await world.until('leases.coordination.k8s.io', 'events-controller', lease =>
      lease.metadata.ownerReferences?.[0]?.uid === cluster.metadata.uid)
  })
})

describe('brokers', () => {
  it('a missing one degrades the cluster, which stays Ready while every partition serves', async () => {
    await running()
    await world.setReady('events-1', false)
    const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'BrokersNotReady')
    expect(conditionOf(cluster, 'Ready')!.status).toBe('True')
    expect(cluster['status']).toMatchObject({ phase: 'Degraded', brokers: { ready: 2, total: 3 } })
    await world.setReady('events-1', true)
    await world.condition(clusters, 'events', 'Degraded', 'False')
  })

  it('shows what the controller says once it has written a table', async () => {
    await running()
    world.controller.underReplicated = 4
    await world.writeTable()
    const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'UnderReplicated')
    expect(cluster['status']).toMatchObject({ partitions: { underReplicated: 4 } })
  })
})

describe('volumes', () => {
  it('grow: claims first, then the StatefulSet around the same pods', async () => {
    await running()
    const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
    await world.kube.patch(clusters, namespace, 'events', { spec: { storage: { size: '2Gi' } } })
    await world.until('statefulsets.apps', 'events', set => {
      const { volumeClaimTemplates: [claim] } = set['spec'] as
        { volumeClaimTemplates: { spec: { resources: { requests: { storage: string } } } }[] }
      return claim!.spec.resources.requests.storage === '2Gi'
    })
    await world.settled()
    for (let ordinal = 0; ordinal < 3; ordinal++) {
      expect(world.get('persistentvolumeclaims', `data-events-${ordinal}`)!['spec'])
        .toMatchObject({ resources: { requests: { storage: '2Gi' } } })
    }
    expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
    await world.condition(clusters, 'events', 'Ready', 'True')
  })

  it('that a Cluster left behind are taken over by the next of its name', async () => {
    await running()
    const uid = world.get(clusters, 'events')!.metadata.uid
    await world.kube.delete(clusters, namespace, 'events')
    await world.untilGone('statefulsets.apps', 'events')
    await world.untilGone('pods', 'events-0')
    expect(world.get('persistentvolumeclaims', 'data-events-0')).toBeDefined()
    expect(world.get('partitiontables.millrace.dev', 'events-0')).toBeDefined()
    await world.createCluster()
    const set = await world.until('statefulsets.apps', 'events', () => true)
    const { template } = set['spec'] as { template: { spec: { containers: { env: object[] }[] } } }
    expect(template.spec.containers[0]!.env).toContainEqual({ name: 'MILLRACE_CLUSTER_UID', value: uid })
  })
})

describe('a roll', () => {
  it('restarts one broker at a time, the controller last, and says why', async () => {
    await running()
    const order: string[] = []
    const there = new Set<string | undefined>()
    let fewest = 3
    const stop = world.kube.watch('pods', ({ type, object: { metadata: { name, uid } } }) => {
      if (type === 'DELETED') {
        order.push(name)
        there.delete(uid)
        fewest = Math.min(fewest, there.size)
      } else there.add(uid)
    })
    await world.kube.patch(clusters, namespace, 'events', { spec: { resources: { requests: { cpu: '1' } } } })
    await world.until(clusters, 'events', () => order.length === 3)
    await world.condition(clusters, 'events', 'Progressing', 'False')
    await world.settled()
    stop()
    expect(order).toEqual(['events-2', 'events-1', 'events-0'])
    expect(fewest).toBe(2)
    // Kubernetes' own may warn of what passes, such as a pod whose volume is not there yet.
    const told = world.kube.list('events.events.k8s.io', { namespace })
      .filter(event => event['reportingController'] === 'millrace.dev/operator')
    const notes = told.filter(event => event['reason'] === 'BrokerRestart').map(event => event['note'])
    expect(told.filter(event => event['type'] === 'Warning')).toEqual([])
    expect(notes.sort()).toEqual(['events-0', 'events-1', 'events-2']
      .map(pod => `${pod} is restarted: its resources changed`))
  })

  it('waits while anything is under-replicated', async () => {
    await running()
    world.controller.underReplicated = 1
    await world.kube.patch(clusters, namespace, 'events', { spec: { resources: { requests: { cpu: '1' } } } })
    const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
    await world.condition(clusters, 'events', 'Progressing', 'True', 'Rolling')
    await world.settled()
    expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
    world.controller.underReplicated = 0
    await world.writeTable()
    await world.condition(clusters, 'events', 'Progressing', 'False')
  })
})

describe('a deleted Cluster', () => {
  it('takes everything with it but volumes and tables', async () => {
    await running()
    await world.kube.delete(clusters, namespace, 'events')
    for (const [resource, name] of made) await world.untilGone(resource, name)
    await world.untilGone('leases.coordination.k8s.io', 'events-controller')
    expect(world.kube.list('persistentvolumeclaims', { namespace })).toHaveLength(3)
    expect(world.get('partitiontables.millrace.dev', 'events-0')).toBeDefined()
  })

  it('takes these too with deletePolicy Delete, after its brokers have stopped', async () => {
    await running({ storage: { size: '1Gi', deletePolicy: 'Delete' } })
    await world.writeTable('events', 1)
    await world.writeTable('events-1', 0)
    let podsWhenTableWent = -1
    const stop = world.kube.watch('partitiontables.millrace.dev', ({ type }) => {
      const pods = world.kube.list('pods', { namespace }).length
      if (type === 'DELETED') podsWhenTableWent = Math.max(podsWhenTableWent, pods)
    })
    await world.kube.delete(clusters, namespace, 'events')
    await world.untilGone(clusters, 'events')
    stop()
    expect(podsWhenTableWent).toBe(0)
    for (const ordinal of [0, 1, 2]) await world.untilGone('persistentvolumeclaims', `data-events-${ordinal}`)
    // The table of another cluster stays.
    const tables = world.kube.list('partitiontables.millrace.dev', { namespace })
    expect(tables.map(table => table.metadata.name)).toEqual(['events-1-0'])
  })
})
