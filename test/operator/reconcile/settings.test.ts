// Settings of a Cluster that running brokers take over, and those that nobody can take over.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

function told (): unknown {
  const { data } = world.get('configmaps', 'events-config') as unknown as { data: Record<string, string> }
  return JSON.parse(data['config.json']!)
}

async function patch (spec: object): Promise<void> {
  await world.kube.patch(clusters, namespace, 'events', { spec })
}

it('how long groups are remembered reaches brokers without a restart; too short a time reaches nobody', async () => {
  const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
  await patch({ groupExpiry: '30d' })
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
  expect(told()).toMatchObject({ groupExpiryMs: 30 * 24 * 3_600_000 })
  await patch({ groupExpiry: '1s' })
  const cluster = await world.condition(clusters, 'events', 'Degraded', 'True', 'InvalidSpec')
  expect(conditionOf(cluster, 'Degraded')!.message)
    .toBe('spec.groupExpiry: "1s" is not a duration of at least 60s, or unlimited')
  expect(told()).toMatchObject({ groupExpiryMs: 30 * 24 * 3_600_000 })
  await patch({ groupExpiry: null })
  await world.condition(clusters, 'events', 'Degraded', 'False')
  expect(told()).toMatchObject({ brokers: 3, logLevel: 'warn' })
  expect(told()).not.toHaveProperty('groupExpiryMs')
  expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
})
