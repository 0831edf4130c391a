import { describe, expect, test } from 'vitest'
import {
  divergence, endOffsetFor, epochAt, hasEmptyEpoch, lastEpoch, truncationOffset
} from '../../../broker/partition/epochs.ts'
import type { EpochLog } from '../../../broker/partition/epochs.ts'

function log (logEnd: number, epochs: [number, number][], logStart = 0): EpochLog {
  return { logStart, logEnd, epochs: epochs.map(([epoch, startOffset]) => ({ epoch, startOffset })) }
}

describe('epochs of a log', () => {
  const sample = log(10, [[1, 0], [3, 4], [4, 10]])

  test('epochAt', () => {
    expect([-1, 0, 3, 4, 9, 10].map(offset => epochAt(sample, offset))).toEqual([-1, 1, 1, 3, 3, -1])
    expect(epochAt(log(10, [[1, 5]], 5), 4)).toBe(-1)
  })

  test('the last epoch is the last batch\'s, not one that wrote nothing', () => {
    expect(lastEpoch(sample)).toBe(3)
    expect(hasEmptyEpoch(sample)).toBe(true)
    expect(hasEmptyEpoch(log(10, [[1, 0]]))).toBe(false)
    expect(lastEpoch(log(7, [[2, 7]], 7))).toBe(-1)
  })

  test('endOffsetFor: the floor epoch and the start of the next', () => {
    expect(endOffsetFor(sample, 1)).toEqual({ epoch: 1, endOffset: 4 })
    expect(endOffsetFor(sample, 2)).toEqual({ epoch: 1, endOffset: 4 })
    expect(endOffsetFor(sample, 3)).toEqual({ epoch: 3, endOffset: 10 })
    expect(endOffsetFor(sample, 9)).toEqual({ epoch: 4, endOffset: 10 })
    expect(endOffsetFor(sample, 0)).toEqual({ epoch: 0, endOffset: 0 })
  })
})

describe('divergence', () => {
  const leader = log(10, [[1, 0], [3, 4]])

  test('none where the leader goes on from there', () => {
    expect(divergence(leader, 4, 1)).toBeUndefined()
    expect(divergence(leader, 2, 1)).toBeUndefined()
    expect(divergence(leader, 10, 3)).toBeUndefined()
    expect(divergence(leader, 0, -1)).toBeUndefined()
  })

  test('a longer epoch, an unknown epoch, an end past the leader\'s', () => {
    expect(divergence(leader, 6, 1)).toEqual({ epoch: 1, endOffset: 4 })
    expect(divergence(leader, 6, 2)).toEqual({ epoch: 1, endOffset: 4 })
    expect(divergence(leader, 3, 2)).toEqual({ epoch: 1, endOffset: 4 })
    expect(divergence(leader, 11, 3)).toEqual({ epoch: 3, endOffset: 10 })
    expect(divergence(leader, 11, -1)).toEqual({ epoch: 3, endOffset: 10 })
  })
})

describe('truncation', () => {
  test('to the lower of the leader\'s end and the own one', () => {
    const follower = log(12, [[1, 0], [2, 6]])
    expect(truncationOffset(follower, { epoch: 1, endOffset: 4 })).toBe(4)
    expect(truncationOffset(follower, { epoch: 1, endOffset: 9 })).toBe(6)
  })

  test('KIP-279: another floor epoch here, so the own end, and the follower asks again', () => {
    const follower = log(12, [[1, 0], [4, 6]])
    expect(truncationOffset(follower, { epoch: 3, endOffset: 9 })).toBe(6)
  })

  // The cases of Vanlightly's 3_log_divergence.md: leader and follower epochs, and where they end up.
  type Side = [end: number, epochs: [epoch: number, start: number][]]
  const cases: { name: string, leader: Side, follower: Side, end: number }[] = [
    { name: 'behind', leader: [6, [[1, 0]]], follower: [4, [[1, 0]]], end: 4 },
    { name: 'ahead in the same epoch', leader: [4, [[1, 0]]], follower: [6, [[1, 0]]], end: 4 },
    { name: 'follower has a later epoch', leader: [4, [[1, 0]]], follower: [6, [[1, 0], [2, 4]]], end: 4 },
    { name: 'follower went on in an old epoch', leader: [8, [[1, 0], [3, 4]]], follower: [6, [[1, 0]]], end: 4 },
    { name: 'epochs in between on both sides', leader: [9, [[1, 0], [3, 5]]], follower: [8, [[1, 0], [2, 3]]], end: 3 },
    { name: 'two rounds', leader: [9, [[1, 0], [2, 2], [5, 4]]], follower: [9, [[1, 0], [3, 3], [4, 6]]], end: 2 },
    { name: 'nothing in common', leader: [3, [[5, 0]]], follower: [4, [[2, 0]]], end: 0 }
  ]

  test.each(cases)('$name', ({ leader, follower, end }) => {
    const of = log(...leader)
    let [logEnd, epochs] = follower
    for (let round = 0; ; round++) {
      expect(round).toBeLessThan(5)
      const found = divergence(of, logEnd, lastEpoch(log(logEnd, epochs)))
      if (found === undefined) break
      const offset = truncationOffset(log(logEnd, epochs), found)
      expect(offset).toBeLessThan(logEnd)
      logEnd = offset
      epochs = epochs.filter(([, start]) => start < offset)
    }
    expect(logEnd).toBe(end)
  })
})
