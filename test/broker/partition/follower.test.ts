import { beforeEach, describe, expect, test } from 'vitest'
import { Follower } from '../../../broker/partition/follower.ts'
import { ProducerStates } from '../../../broker/partition/producer-state.ts'
import { ReplicaState } from '../../../broker/partition/state.ts'
import { makeStats } from '../../../broker/partition/stats.ts'
import type { PartitionRow } from '../../../broker/row.ts'
import { stampBaseOffset, stampLeaderEpoch } from '../../../wire/record-batch.ts'
import type { ReplicateResponse } from '../../../wire/messages.ts'
import { valueBatch } from '../../partition/world/batch.ts'
import { MemoryDisk, MemoryVolume } from '../../partition/world/memory-volume.ts'
import type { MemoryLog } from '../../partition/world/memory-volume.ts'

const identity = { brokerId: 1, volumeId: 'v', replicaGen: 0 }

function batch (value: string, offset: number, epoch: number): Uint8Array {
  const bytes = valueBatch(value)
  stampBaseOffset(bytes, offset)
  stampLeaderEpoch(bytes, epoch)
  return bytes
}

function broken (bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => index === 65 ? byte ^ 1 : byte)
}

function records (bytes: Uint8Array[], highWatermark = 0, logStart = 0, leaderEpoch = 2): ReplicateResponse {
  return {
    response: 'records',
    subscriptionId: 1,
    leaderEpoch,
    records: { records: Uint8Array.from(Buffer.concat(bytes)), highWatermark, logStart }
  }
}

function diverged (epoch: number, endOffset: number, leaderEpoch = 2): ReplicateResponse {
  return { response: 'diverged', subscriptionId: 1, leaderEpoch, diverged: { epoch, endOffset } }
}

function row (leaderEpoch: number): PartitionRow {
  return {
    topicId: 'a',
    partition: 0,
    replicas: [0, 1],
    leader: 0,
    leaderEpoch,
    inSync: [],
    version: 1,
    minInSync: 1,
    adding: [],
    removing: [],
    barred: []
  }
}

let volume: MemoryVolume
let log: MemoryLog
let state: ReplicaState
let follower: Follower

function follow (epoch: number): void {
  follower = new Follower(state, row(epoch), makeStats())
}

beforeEach(() => {
  volume = new MemoryVolume(new MemoryDisk('v'), 1)
  log = volume.create({ topic: 't', topicId: 'a', partition: 0, replicaGen: 0 })
  state = new ReplicaState(log, identity, new ProducerStates(), callback => { volume.whenDurable(callback) })
  follow(1)
  expect(follower.receive(records([batch('a', 0, 1), batch('b', 1, 1), batch('c', 2, 1)], 1, 0, 1), 0)).toBe('go-on')
  volume.sync()
  follow(2)
})

describe('what is not taken in', () => {
  test.each([
    ['KAFKA-18723: a batch of a later epoch than asked for', [batch('d', 3, 3)]],
    ['a batch of an earlier epoch than the last', [batch('d', 3, 2), batch('e', 4, 1)]],
    ['a gap', [batch('d', 4, 2)]],
    ['a batch that is there already', [batch('c', 2, 1), batch('d', 3, 2)]],
    ['a batch that is cut off', [batch('d', 3, 2).subarray(0, 65)]],
    ['a broken batch', [broken(batch('d', 3, 2))]],
    ['a good batch before a broken one', [batch('d', 3, 2), broken(batch('e', 4, 2))]]
  ])('%s', (_name, bytes) => {
    expect(follower.receive(records(bytes, 9), 0)).toBe('retry')
    expect(follower.reason).not.toBe('')
    expect([log.logEnd, state.highWatermark]).toEqual([3, 1])
  })

  test('KAFKA-18991: answers in another epoch', () => {
    expect(follower.receive(records([batch('d', 3, 1)], 3, 2, 1), 0)).toBe('go-on')
    expect(follower.receive(diverged(1, 1, 1), 0)).toBe('go-on')
    expect([log.logStart, log.logEnd, state.highWatermark]).toEqual([0, 3, 1])
  })
})

describe('marks', () => {
  test('the high watermark is at most the own end, and never falls', () => {
    follower.receive(records([], 2), 0)
    expect(state.highWatermark).toBe(2)
    follower.receive(records([], 1), 0)
    expect(state.highWatermark).toBe(2)
    follower.receive(records([], 50), 0)
    expect(state.highWatermark).toBe(3)
  })

  test('the log start follows, not past what is committed', () => {
    follower.receive(records([], 1, 3), 0)
    expect(log.logStart).toBe(1)
    follower.receive(records([], 3, 3), 0)
    expect(log.logStart).toBe(3)
  })
})

describe('divergence', () => {
  test('truncates, and says so in its next subscription', () => {
    expect(follower.receive(diverged(1, 2), 0)).toBe('resubscribe')
    expect(follower.subscribe(2, 5))
      .toMatchObject({ leaderEpoch: 2, fetchOffset: 2, lastEpoch: 1, durableEnd: 2, brokerEpoch: 5 })
  })

  test('never below the own high watermark', () => {
    follower.receive(records([], 3), 0)
    expect(follower.receive(diverged(1, 2), 0)).toBe('damaged')
    expect(log.logEnd).toBe(3)
    expect(follower.reason).toContain('below the high watermark 3')
  })

  test('nothing to truncate: asks again after a pause, not in a loop', () => {
    expect(follower.receive(diverged(1, 9), 0)).toBe('retry')
  })

  test('an epoch that was led without writing is forgotten, so that the leader\'s older batches fit', () => {
    log.beginEpoch(3)
    follow(4)
    expect(log.epochs).toEqual([{ epoch: 1, startOffset: 0 }])
    expect(follower.receive(records([batch('d', 3, 2)], 0, 0, 4), 0)).toBe('go-on')
  })
})

describe('a log start past the end', () => {
  test('drops everything and begins there; nothing is vouched for before that is durable', () => {
    expect(follower.receive(records([batch('x', 7, 2)], 8, 8), 0)).toBe('go-on')
    expect([log.logStart, log.logEnd, state.highWatermark]).toEqual([8, 8, 8])
    expect(state.durableEnd).toBe(0)
    let settled = 0
    state.onSettled = () => { settled = state.durableEnd }
    volume.sync()
    expect(settled).toBe(8)
  })

  test('without records: an empty log', () => {
    expect(follower.receive(records([], 9, 9), 0)).toBe('go-on')
    expect(follower.subscribe(2, 1)).toMatchObject({ fetchOffset: 9, lastEpoch: -1, durableEnd: 0 })
  })

  // Found by the simulator (seed 70107): an old leader's tail, uncommitted, that ended below the log start of
  // the new one stayed, and its producers' batches with it: a repeat of one would have been acknowledged.
  test('a log that ends where the leader\'s begins cannot be compared with it: it begins anew', () => {
    log.setHighWatermark(1)
    follower.subscribe(2, 1)
    expect(follower.receive(records([batch('x', 3, 2)], 4, 3), 0)).toBe('go-on')
    expect([log.logStart, log.logEnd, state.highWatermark]).toEqual([3, 4, 4])
    expect(log.epochs).toEqual([{ epoch: 2, startOffset: 3 }])
  })

  test('the same without records', () => {
    follower.subscribe(2, 1)
    expect(follower.receive(records([], 3, 3), 0)).toBe('go-on')
    expect([log.logStart, log.logEnd, log.epochs]).toEqual([3, 3, []])
  })

  test('a batch that begins below the log start, and below the own end, is taken whole', () => {
    const bytes = batch('x', 2, 2)
    follower.subscribe(2, 1)
    expect(follower.receive(records([bytes], 3, 3), 0)).toBe('go-on')
    expect([log.logEnd, log.epochs]).toEqual([3, [{ epoch: 2, startOffset: 2 }]])
  })

  test('what came by this subscription stays when retention overtakes it', () => {
    follower.subscribe(2, 1)
    follower.receive(records([batch('d', 3, 2)], 3, 0), 0)
    const kept = log.epochs
    expect(follower.receive(records([batch('e', 4, 2)], 5, 4), 0)).toBe('go-on')
    expect([log.logStart, log.logEnd, log.epochs]).toEqual([4, 5, kept])
  })
})
