// A StatefulSet controller that is behind makes pods of numbers that are no longer wished. Only on the embedded API:
// a real one is behind when it likes.
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EmbeddedHost } from './embedded-host.ts'
import { conditionOf, namespace, World } from './world.ts'

let world: World

beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

const clusters = 'clusters.millrace.dev'

async function scale (replicas: number): Promise<void> {
  await world.kube.patch(clusters, namespace, 'events', { spec: { replicas } }, { subresource: 'scale' })
}

it('a broker whose pod may still be made is not forgotten', async () => {
  const host = world.host as EmbeddedHost
  host.isAway = true
  await scale(4)
  await world.until('statefulsets.apps', 'events', ({ spec }) => (spec as { replicas: number }).replicas === 4)
  await scale(3)
  await world.until('statefulsets.apps', 'events', ({ spec }) => (spec as { replicas: number }).replicas === 3)
  await world.settled()
  expect(world.get(clusters, 'events')!['status']).toMatchObject({
    draining: [{ broker: 3, replicasLeft: 0, dataLeft: 0, waitingFor: 'its pod to end' }]
  })
  host.isAway = false
  host.makePods()
  await world.until(clusters, 'events', object => conditionOf(object, 'Progressing')?.reason === 'Settled')
  expect(world.get(clusters, 'events')!['status']).not.toHaveProperty('draining')
})
