import { describe, expect, it } from 'vitest'
import { fairShare, findMisplaced } from './placement.ts'
import type { PlacedBroker, PlacedPartition } from './placement.ts'

function partition (key: string, replicas: readonly number[], changed: Partial<PlacedPartition> = {}): PlacedPartition {
  return {
    key, leader: replicas[0] ?? -1, replicas, inSync: replicas.map(brokerId => ({ brokerId })), adding: [],
    removing: [], minInSync: 2, wanted: { replicas: replicas.length, minInSync: 2 }, ...changed
  }
}

function brokersOf (...racks: string[]): PlacedBroker[] {
  return racks.map((rack, brokerId) => ({ brokerId, rack }))
}

const three = brokersOf('', '', '')

describe('partitions that have come to rest', () => {
  it('are as wished, and led by the first of their replicas', () => {
    expect(findMisplaced([partition('t-0', [0, 1, 2]), partition('t-1', [1, 2, 0])], three)).toBe('')
    const chosen = partition('t-0', [0, 1, 2], { leader: 2, isChosen: true })
    expect(findMisplaced([chosen], three)).toBe('')
  })

  it.each([
    ['moves: 0,1,2', { adding: [2] }],
    ['is led by 1, its replicas are 0,1,2', { leader: 1 }],
    ['has the replicas 0,1,2, in sync 0,1', { inSync: [{ brokerId: 0 }, { brokerId: 1 }] }],
    ['has the replicas 0,1,2, and is to have 2', { wanted: { replicas: 2, minInSync: 2 } }],
    ['has 1 members at least, and is to have 2', { minInSync: 1 }],
    ['names broker 3, which is gone', { inSync: [0, 1, 2, 3].map(brokerId => ({ brokerId })) }]
  ] as const)('are not when one %s', (complaint, changed) => {
    expect(findMisplaced([partition('t-0', [0, 1, 2], changed)], three)).toBe(`t-0 ${complaint}`)
  })

  it('name no broker that is gone', () => {
    expect(findMisplaced([partition('t-0', [0, 1, 3])], three)).toBe('t-0 names broker 3, which is gone')
  })
})

describe('a broker', () => {
  const of = (...replicas: number[][]): PlacedPartition[] => replicas.map((each, i) => partition(`t-${i}`, each))

  it('has its share, or one less, and is not left without any', () => {
    expect(fairShare(of([0, 1], [0, 1], [0, 1]), 3)).toEqual({ share: 2, least: 1 })
    expect(findMisplaced(of([0, 1], [0, 1], [1, 2]), three)).toBe('')
    expect(findMisplaced(of([0, 1], [0, 1], [0, 1]), three)).toBe('broker 2 has 0 replicas, its share are 2')
  })

  it('may have less where replicas would have to leave a rack for it', () => {
    const lying = of([0, 1], [0, 1], [0, 1])
    expect(findMisplaced(lying, brokersOf('a', 'b', 'c'))).toBe('')
    expect(findMisplaced(lying, brokersOf('a', 'b', 'b'))).toBe('broker 2 has 0 replicas, its share are 2')
  })
})
