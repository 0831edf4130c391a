// What a Cluster says of volumes that are low on space.
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KubeObject } from '../../../local/kube/api.ts'
import { lowDisks } from '../../../operator/reconcile/cluster-disks.ts'
import type { View } from '../../../operator/reconcile/views.ts'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => { world = await World.ready() })
afterEach(async () => { await world.close() })

interface LowDisk { readonly broker: number, readonly full: boolean, readonly since: string }

const disksOf = (object: KubeObject): LowDisk[] | undefined =>
  (object['status'] as { lowDisks?: LowDisk[] } | undefined)?.lowDisks

function notes (): unknown[] {
  return world.kube.list('events.events.k8s.io', { namespace })
    .filter(event => /^Volume(Low|Full|SpaceEnough)$/.test(String(event['reason']))).map(event => event['reason'])
}

it('says whose it is and since when, by a condition, the status and Events, until there is enough again', async () => {
  expect(conditionOf(world.get(clusters, 'events'), 'DiskLow')).toBeUndefined()
  world.controller.lowDisks = [{ brokerId: 1, full: false, lowMs: 3_600_000 }]
  const askedAt = Date.now()
  await world.writeTable()
  const low = await world.condition(clusters, 'events', 'DiskLow', 'True', 'VolumeLow')
  const [disk] = disksOf(low)!
  expect(disk).toMatchObject({ broker: 1, full: false })
  expect(Math.abs(Date.parse(disk!.since) - (askedAt - 3_600_000))).toBeLessThan(20_000)
  expect(conditionOf(low, 'DiskLow')!.message).toBe(`the volume of broker 1 is low on space since ${disk!.since}`)
  expect(conditionOf(low, 'Degraded')!.status).toBe('False')
  // Another one is full; the first keeps its time, however its clock counts.
  world.controller.lowDisks = [{ brokerId: 2, full: true, lowMs: 1 }, { brokerId: 1, full: false, lowMs: 99 }]
  await world.writeTable()
  const full = await world.condition(clusters, 'events', 'DiskLow', 'True', 'VolumeFull')
  const [first, second] = disksOf(full)!
  expect([first, second!.broker, second!.full]).toEqual([disk, 2, true])
  expect(conditionOf(full, 'DiskLow')!.message).toBe(
    `the volume of broker 1 is low on space since ${disk!.since}; ` +
    `the volume of broker 2 is full since ${second!.since}`)
  world.controller.lowDisks = []
  await world.writeTable()
  await world.until(clusters, 'events', object => conditionOf(object, 'DiskLow') === undefined)
  expect(disksOf(world.get(clusters, 'events')!)).toBeUndefined()
  await world.settled()
  expect(notes().sort()).toEqual(['VolumeFull', 'VolumeLow', 'VolumeSpaceEnough'])
})

it('time that goes on is no news', async () => {
  world.controller.lowDisks = [{ brokerId: 1, full: false, lowMs: 1 }]
  await world.writeTable()
  const { metadata } = await world.condition(clusters, 'events', 'DiskLow', 'True')
  world.controller.lowDisks = [{ brokerId: 1, full: false, lowMs: 60_000 }]
  await world.writeTable()
  await world.settled()
  expect(world.get(clusters, 'events')!.metadata.resourceVersion).toBe(metadata.resourceVersion)
})

it('what was heard last stands while nobody tells', () => {
  const before = [{ broker: 1, full: false, since: '2026-01-01T00:00:00Z' }]
  expect(lowDisks(undefined, before, 0)).toBe(before)
  expect(lowDisks({ lowDisks: [] } as unknown as View, before, 0)).toEqual([])
})
