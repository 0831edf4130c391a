import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addLoad, newLoad, place } from '../../../broker/controller/placement.ts'
import { broker } from './make.ts'

function placeTopic (
  brokers: ReturnType<typeof broker>[], partitions: number, replicas: number, all = newLoad()
): number[][] {
  const own = newLoad()
  return Array.from({ length: partitions }, (_, partition) => place(brokers, replicas, own, all, partition))
}

function spread (counts: number[]): number {
  return Math.max(...counts) - Math.min(...counts)
}

test('leaders and replicas are even, replicas of a partition on different brokers, whatever the sizes', () => {
  const sizes = fc.record({
    brokers: fc.integer({ min: 1, max: 9 }), replicas: fc.integer({ min: 1, max: 5 }),
    partitions: fc.integer({ min: 1, max: 40 })
  })
  fc.assert(fc.property(sizes, size => {
    const brokers = Array.from({ length: size.brokers }, (_, id) => broker(id))
    const replicas = Math.min(size.replicas, size.brokers)
    const placed = placeTopic(brokers, size.partitions, replicas)
    for (const ids of placed) {
      expect(ids.length).toBe(replicas)
      expect(new Set(ids).size).toBe(replicas)
    }
    const counts = (which: (ids: number[]) => number[]) =>
      brokers.map(({ brokerId }) => placed.flatMap(which).filter(id => id === brokerId).length)
    expect(spread(counts(ids => ids.slice(0, 1)))).toBeLessThanOrEqual(1)
    expect(spread(counts(ids => ids))).toBeLessThanOrEqual(2)
  }))
})

test('a topic is spread by itself first, then evens out what others left', () => {
  const brokers = [broker(0), broker(1), broker(2)]
  const all = newLoad()
  for (let i = 0; i < 10; i++) addLoad(all, [0, 1])
  expect(placeTopic(brokers, 6, 2, all).map(([leader]) => leader).sort()).toEqual([0, 0, 1, 1, 2, 2])
  expect(place(brokers, 1, newLoad(), all, 0)).toEqual([2])
})

test('racks apart as far as there are racks', () => {
  const brokers = [0, 1, 2, 3, 4, 5].map(id => broker(id, { rack: 'abc'[id % 3] ?? '' }))
  for (const ids of placeTopic(brokers, 12, 3)) expect(new Set(ids.map(id => id % 3)).size).toBe(3)
  const two = brokers.map((one, id) => ({ ...one, rack: id < 5 ? 'a' : 'b' }))
  for (const ids of placeTopic(two, 12, 3)) expect(ids).toContain(5)
})

test('living brokers come first, as leaders and as replicas', () => {
  const brokers = [broker(0, { fenced: true }), broker(1), broker(2, { stopping: true }), broker(3)]
  for (const ids of placeTopic(brokers, 4, 2)) expect([...ids].sort()).toEqual([1, 3])
  for (const ids of placeTopic(brokers, 4, 3)) expect([1, 3]).toContain(ids[0])
})
