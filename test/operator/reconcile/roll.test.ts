// When brokers are restarted, when not, and what people are told.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { namespace, World } from './world.ts'

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
