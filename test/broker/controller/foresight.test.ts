import { describe, expect, test } from 'vitest'
import type { Scene } from '../../../broker/controller/drain.ts'
import { Foresight } from '../../../broker/controller/foresight.ts'
import { broker, facts, row } from './make.ts'

/** Six partitions, two replicas each, on brokers 0, 1, 2. */
function scene (): Scene {
  return {
    rows: Array.from({ length: 6 }, (_, partition) => {
      const replicas = [partition % 3, (partition + 1) % 3]
      return row({ partition, replicas, leader: replicas[0]!, inSync: [] })
    }),
    brokers: [0, 1, 2].map(id => broker(id)),
    facts: facts({}),
    isServing: () => true,
    nameOf: () => 'orders'
  }
}

function foreseen (given: Scene, brokerIds: readonly number[]): ReturnType<Foresight['outcome']> {
  const foresight = new Foresight(given, brokerIds)
  while (foresight.step()) { /* Until nothing moves. */ }
  return foresight.outcome()
}

describe('foresight', () => {
  test('the same brokers: nothing moves', () => {
    expect(foreseen(scene(), [0, 1, 2])).toEqual({ moves: [], drains: [] })
  })

  test('one more broker gets its share, and nothing else moves', () => {
    const { moves } = foreseen(scene(), [0, 1, 2, 3])
    expect(moves).toHaveLength(3)
    for (const move of moves) expect(move).toMatchObject({ topic: 'orders', adding: [3], bytesLeft: -1 })
  })

  test('one broker less: what it holds moves to the others', () => {
    const { moves, drains } = foreseen(scene(), [0, 1])
    expect(drains).toEqual([{ brokerId: 2, replicasLeft: 0, dataLeft: 0, waitingFor: '' }])
    expect(moves).toHaveLength(4)
    for (const move of moves) expect(move.removing).toEqual([2])
  })

  test('too few would be left: says so', () => {
    const { drains } = foreseen(scene(), [0])
    expect(drains.map(({ brokerId, replicasLeft, waitingFor }) => [brokerId, replicasLeft > 0, waitingFor])).toEqual([
      [1, true, "topic 'orders' has 2 replicas, 1 broker stays"],
      [2, true, "topic 'orders' has 2 replicas, 1 broker stays"]
    ])
  })

  test('leaves the rows as they are', () => {
    const given = scene()
    const before = JSON.stringify(given.rows)
    foreseen(given, [0, 1, 2, 3, 4])
    expect(JSON.stringify(given.rows)).toBe(before)
  })
})
