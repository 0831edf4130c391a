// Brokers that may be away: they are not missed, not restarted, and in the way of nobody who can do without them.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

async function patch (spec: object): Promise<void> {
  await world.kube.patch(clusters, namespace, 'events', { spec })
}

function uid (pod: string): string | undefined {
  return world.get('pods', pod)?.metadata.uid
}

it('the controller is told, the status says how far it is, and that one is away is no fault', async () => {
  world.controller.leading = 3
  await patch({ maintenance: [1] })
  const leads = await world.condition(clusters, 'events', 'Progressing', 'False', 'Maintenance')
  expect(conditionOf(leads, 'Progressing')!.message).toBe('broker 1 is in maintenance and still leads 3 partitions')
  expect(leads['status']).toMatchObject({ maintenance: [{ broker: 1, leading: 3 }] })
  world.controller.leading = 0
  await world.writeTable()
  await world.until(clusters, 'events', object => conditionOf(object, 'Progressing')?.message ===
    'broker 1 is in maintenance and leads nothing: it may be stopped')
  world.controller.underReplicated = 4
  world.controller.unexpectedly = 0
  await world.setReady('events-1', false)
  await world.writeTable()
  const away = await world.until(clusters, 'events', ({ status }) =>
    (status as { brokers: { ready: number }, partitions: { underReplicated: number } }).brokers.ready === 2 &&
    (status as { partitions: { underReplicated: number } }).partitions.underReplicated === 4)
  expect(conditionOf(away, 'Degraded')!.status).toBe('False')
  // What is missing for another reason still is one.
  world.controller.unexpectedly = 1
  await world.writeTable()
  await world.condition(clusters, 'events', 'Degraded', 'True', 'UnderReplicated')
  world.controller.underReplicated = world.controller.unexpectedly = 0
  await world.setReady('events-1', true)
  await patch({ maintenance: [] })
  await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
  expect(world.controller.maintained.at(-1)).toBe('')
  expect((world.get(clusters, 'events')!['status'] as { maintenance?: object }).maintenance).toBeUndefined()
})

it('leaderships that leave are seen though nothing else of the cluster changes', async () => {
  world.controller.leading = 3
  await patch({ maintenance: [1] })
  const says = (words: RegExp) => world.until(clusters, 'events', object =>
    words.test(conditionOf(object, 'Progressing')?.message ?? ''))
  await says(/still leads 3/)
  await world.settled()
  world.controller.leading = 0
  await says(/leads nothing/)
})

it('a roll leaves it alone, goes on without it, and reaches it afterwards', async () => {
  await patch({ maintenance: [1] })
  await world.condition(clusters, 'events', 'Progressing', 'False', 'Maintenance')
  world.controller.underReplicated = 4
  world.controller.unexpectedly = 0
  await world.setReady('events-1', false)
  const before = ['events-0', 'events-1', 'events-2'].map(uid)
  await patch({ resources: { requests: { cpu: '1' } } })
  await world.until('pods', 'events-0', ({ metadata }) => metadata.uid !== before[0])
  await world.until('pods', 'events-2', ({ metadata }) => metadata.uid !== before[2])
  await world.settled()
  expect(uid('events-1')).toBe(before[1])
  world.controller.underReplicated = 0
  await world.setReady('events-1', true)
  await patch({ maintenance: [] })
  await world.until('pods', 'events-1', ({ metadata }) => metadata.uid !== before[1])
})

it('a roll waits where one more broker away would stop writes, and says so', async () => {
  await patch({ maintenance: [1] })
  await world.condition(clusters, 'events', 'Progressing', 'False', 'Maintenance')
  world.controller.indispensable = [0, 2]
  const before = ['events-0', 'events-1', 'events-2'].map(uid)
  await patch({ resources: { requests: { cpu: '1' } } })
  await world.until(clusters, 'events', object => /wait for brokers in maintenance/.test(
    conditionOf(object, 'Progressing')?.message ?? ''))
  await world.settled()
  expect(['events-0', 'events-1', 'events-2'].map(uid)).toEqual(before)
})
