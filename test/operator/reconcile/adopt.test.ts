// Volumes that outlive their Cluster: whose they are, who gets them, and what a person is told.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const claims = 'persistentvolumeclaims'
let world: World

beforeEach(async () => {
  world = await World.start()
  await world.startOperator()
})
afterEach(async () => { await world.close() })

async function running (brokers = 3): Promise<string> {
  const { metadata } = await world.createCluster({ brokers })
  await world.until('pods', `events-${brokers - 1}`, () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
  return metadata.uid!
}

async function deleteCluster (): Promise<void> {
  await world.kube.delete(clusters, namespace, 'events')
  for (const ordinal of [0, 1, 2]) {
    if (world.get('pods', `events-${ordinal}`) !== undefined) await world.untilGone('pods', `events-${ordinal}`)
  }
}

/** What the brokers compare with what the volume says. */
function uidOfBrokers (): string | undefined {
  const { spec } = world.get('statefulsets.apps', 'events') as unknown as
    { spec: { template: { spec: { containers: { env: { name: string, value?: string }[] }[] } } } }
  return spec.template.spec.containers[0]!.env.find(({ name }) => name === 'MILLRACE_CLUSTER_UID')?.value
}

const marks = (): unknown[] => world.kube.list(claims, { namespace }).map(({ metadata: { annotations, uid } }) =>
  [annotations?.['millrace.dev/cluster-uid'], annotations?.['millrace.dev/claim-uid'] === uid])

/** As a backup or a clone brings a claim: everything that is written on it, under another uid. */
async function copyClaims (change: (annotations: Record<string, string>) => Record<string, string> = kept => kept):
Promise<void> {
  for (const { apiVersion, kind, metadata, spec } of world.kube.list(claims, { namespace })) {
    const { name, labels, annotations } = metadata
    await world.kube.delete(claims, namespace, name)
    await world.untilGone(claims, name)
    await world.kube.create(claims, {
      apiVersion,
      kind,
      metadata: { name, namespace, labels: labels ?? {}, annotations: change(ownOf(annotations)) },
      spec: unbound(spec as object)
    })
  }
}

/** Those of millrace: what binds a claim to its volume is Kubernetes' and goes with the claim. */
function ownOf (annotations: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith('millrace.dev/')))
}

function unbound (spec: { readonly volumeName?: string }): object {
  const { volumeName: _volume, ...rest } = spec
  return rest
}

function told (reason: string): unknown[] {
  return world.kube.list('events.events.k8s.io', { namespace })
    .filter(event => event['reason'] === reason).map(event => event['note'])
}

describe('a Cluster made again', () => {
  it('takes over the volumes that it had, under the uid that they know', async () => {
    const uid = await running()
    expect(marks()).toEqual([[uid, true], [uid, true], [uid, true]])
    await deleteCluster()
    const again = await running()
    expect(again).not.toBe(uid)
    expect(uidOfBrokers()).toBe(uid)
    expect(told('VolumesAdopted')).toEqual([`3 volumes of cluster ${uid} are taken over`])
    // The brokers know themselves by it: that cluster is what the operator means.
    expect(world.controller.calls.at(-1)!.cluster).toBe(uid)
    // And once more: the uid is still the first one's.
    await deleteCluster()
    await running()
    expect(uidOfBrokers()).toBe(uid)
  })

  it('makes nothing for volumes of another cluster, says whose they are, and goes on when told to', async () => {
    const uid = await running()
    await deleteCluster()
    await copyClaims()
    await world.createCluster()
    const refused = await world.condition(clusters, 'events', 'Degraded', 'True', 'ForeignVolumes')
    const words = 'PersistentVolumeClaim data-events-0, data-events-1, data-events-2 hold data of another cluster ' +
      `(uid ${uid}): to serve that data set the annotation millrace.dev/adopt-volumes: ${uid} on this Cluster; to ` +
      'begin empty delete or rename the claims'
    expect(conditionOf(refused, 'Degraded')!.message).toBe(words)
    expect(conditionOf(refused, 'Ready')).toMatchObject({ status: 'False', reason: 'ForeignVolumes' })
    expect(conditionOf(refused, 'Progressing')).toMatchObject({ status: 'False', reason: 'ForeignVolumes' })
    expect(world.get('statefulsets.apps', 'events')).toBeUndefined()
    await world.settled()
    expect(told('ForeignVolumes')).toEqual([words])
    // Another uid is not what was asked.
    await world.kube.patch(clusters, namespace, 'events', {
      metadata: { annotations: { 'millrace.dev/adopt-volumes': 'something-else' } }
    })
    await world.settled()
    expect(world.get('statefulsets.apps', 'events')).toBeUndefined()
    await world.kube.patch(clusters, namespace, 'events', {
      metadata: { annotations: { 'millrace.dev/adopt-volumes': uid } }
    })
    await world.until('pods', 'events-2', () => true)
    await world.elect()
    await world.condition(clusters, 'events', 'Ready', 'True')
    expect(uidOfBrokers()).toBe(uid)
    await world.settled()
    expect(marks()).toEqual([[uid, true], [uid, true], [uid, true]])
    // From now on they are its own: the annotation may go, and so may the Cluster.
    await deleteCluster()
    await running()
    expect(uidOfBrokers()).toBe(uid)
  })

  it('is told by the annotation whose data claims hold that people made, and gives them its labels', async () => {
    const uid = await running()
    await deleteCluster()
    await copyClaims(() => ({}))
    await world.kube.create(clusters, {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'events', namespace, annotations: { 'millrace.dev/adopt-volumes': uid } },
      spec: { storage: { size: '1Gi' } }
    })
    await world.until('pods', 'events-2', () => true)
    await world.elect()
    await world.condition(clusters, 'events', 'Ready', 'True')
    await world.settled()
    expect(uidOfBrokers()).toBe(uid)
    expect(marks()).toEqual([[uid, true], [uid, true], [uid, true]])
  })
})

it('brokers that are added do not get the volume of another cluster', async () => {
  await running()
  await world.kube.create(claims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data-events-3', namespace, annotations: { 'millrace.dev/cluster-uid': 'other' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
  })
  await world.kube.patch(clusters, namespace, 'events', { spec: { brokers: 4 } })
  const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'ForeignVolumes')
  expect(conditionOf(cluster, 'Ready')!.status).toBe('True')
  expect(conditionOf(cluster, 'Degraded')!.message)
    .toMatch(/^PersistentVolumeClaim data-events-3 holds data of another/)
  await world.settled()
  expect(world.get('pods', 'events-3')).toBeUndefined()
  await world.kube.delete(claims, namespace, 'data-events-3')
  // Claims are not watched: the next look comes with whatever moves.
  world.operator!.clusterQueue.add(`${namespace}/events`)
  await world.until('pods', 'events-3', () => true)
  await world.condition(clusters, 'events', 'Degraded', 'False')
})

it('a volume is marked when its broker serves, once, also one that replaces another', async () => {
  const uid = await running()
  const { uid: before } = world.get(claims, 'data-events-1')!.metadata
  await world.kube.delete(claims, namespace, 'data-events-1')
  await world.kube.delete('pods', namespace, 'events-1')
  await world.until(claims, 'data-events-1', ({ metadata }) => metadata.uid !== before &&
    metadata.annotations?.['millrace.dev/claim-uid'] === metadata.uid)
  await world.settled()
  expect(marks()).toEqual([[uid, true], [uid, true], [uid, true]])
})
