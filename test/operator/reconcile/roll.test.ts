// When brokers are restarted, when not, and what people are told.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => {
  world = await World.start()
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
})
afterEach(async () => { await world.close() })

function uids (): (string | undefined)[] {
  return world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
}

function notes (reason: string): string[] {
  return world.kube.list('events.events.k8s.io', { namespace })
    .filter(event => event['reason'] === reason).map(event => String(event['note'])).sort()
}

async function patch (spec: object): Promise<void> {
  await world.kube.patch(clusters, namespace, 'events', { spec })
}

describe('what people wish of the pods', () => {
  it('reaches every one of them by a roll, whose Events say why', async () => {
    const before = uids()
    await patch({ pod: { labels: { team: 'streams' }, nodeSelector: { disk: 'nvme' } } })
    await world.condition(clusters, 'events', 'Progressing', 'False')
    const pods = world.kube.list('pods', { namespace })
    expect(pods.map(pod => pod.metadata.labels?.team)).toEqual(['streams', 'streams', 'streams'])
    expect(uids().filter(uid => before.includes(uid))).toEqual([])
    expect(notes('BrokerRestart'))
      .toEqual(['events-0', 'events-1', 'events-2'].map(pod => `${pod} is restarted: its labels, nodeSelector changed`))
  })
})

describe('a newer operator', () => {
  it('that makes another template of the same wish restarts nothing; it waits for the next restart', async () => {
    const before = uids()
    await world.stopOperator()
    // As an older one made it.
    await world.kube.patch('statefulsets.apps', namespace, 'events', {
      metadata: { annotations: { 'millrace.dev/applied': 'older' } },
      spec: { template: { spec: { terminationGracePeriodSeconds: 30 } } }
    })
    await world.startOperator()
    await world.until('statefulsets.apps', 'events', ({ spec }) =>
      (spec as { template: { spec: { terminationGracePeriodSeconds: number } } })
        .template.spec.terminationGracePeriodSeconds === 60)
    await world.settled()
    expect(uids()).toEqual(before)
    expect(notes('BrokerRestart')).toEqual([])
  })
})

describe('a pod that does not come up', () => {
  const crashes = { containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff', message: 'exit 1' } } }] }
  const pull = { containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } }] }

  async function become (pod: string, status: object): Promise<void> {
    const conditions = [{ type: 'Ready', status: 'False' }]
    await world.kube.patch('pods', namespace, pod, { status: { ...status, conditions } }, { subresource: 'status' })
  }

  it('ends the roll that made it so; a template that is right again goes on with it', async () => {
    const before = uids()
    world.podsBecomeReady = false
    await patch({ image: 'millrace:wrong' })
    await world.until('pods', 'events-2', ({ metadata }) => metadata.uid !== before[2])
    await become('events-2', pull)
    const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'BrokerStuck')
    expect(conditionOf(cluster, 'Degraded')!.message).toBe(
      'events-2 does not come up: ImagePullBackOff: not found; no other broker is restarted')
    expect(conditionOf(cluster, 'Progressing')).toMatchObject({ status: 'False', reason: 'RollStopped' })
    // Not even one that falls unready meanwhile: it may be back in a moment, the new image would not.
    await world.setReady('events-1', false)
    await world.settled()
    expect(uids().slice(0, 2)).toEqual(before.slice(0, 2))
    await world.setReady('events-1', true)
    world.podsBecomeReady = true
    await patch({ image: 'millrace:right' })
    await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
    expect(uids().filter(uid => before.includes(uid))).toEqual([])
    expect(notes('BrokerRestart')).toContain('events-2 is restarted: its image changes from millrace:wrong to ' +
      'millrace:right; it was stuck: ImagePullBackOff: not found')
  })

  it('of an older template is restarted at once: the new one may be what it needs', async () => {
    const before = uids()
    await become('events-1', crashes)
    await world.condition(clusters, 'events', 'Degraded', 'True', 'BrokerStuck')
    await patch({ image: 'millrace:mended' })
    await world.until('pods', 'events-1', ({ metadata }) => metadata.uid !== before[1])
    await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
    expect(notes('BrokerRestart')).toHaveLength(3)
  })
})
