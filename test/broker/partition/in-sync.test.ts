import { describe, expect, test } from 'vitest'
import { InSync } from '../../../broker/partition/in-sync.ts'
import type { Progress } from '../../../broker/partition/progress.ts'
import type { PartitionRow, ReplicaIdentity } from '../../../broker/row.ts'
import type { BrokerInfo } from '../../../wire/messages.ts'
import * as limits from '../../../broker/limits.ts'

function id (brokerId: number, volumeId = `v${brokerId}`): ReplicaIdentity {
  return { brokerId, volumeId, replicaGen: 0 }
}

function row (members: number[], changes: Partial<PartitionRow> = {}): PartitionRow {
  return {
    topicId: 'a',
    partition: 0,
    replicas: [0, 1, 2, 3],
    leader: 0,
    leaderEpoch: 1,
    inSync: members.map(member => id(member)),
    version: 1,
    minInSync: 2,
    adding: [],
    removing: [],
    barred: [],
    ...changes
  }
}

function brokers (changes: Record<number, Partial<BrokerInfo>> = {}) {
  return (brokerId: number): BrokerInfo => ({
    brokerId,
    volumeId: `v${brokerId}`,
    brokerEpoch: 1,
    incarnation: '',
    fenced: false,
    stopping: false,
    clientAddress: '',
    peerAddress: '',
    rack: '',
    draining: false, listeners: [], maintenance: false,
    ...changes[brokerId]
  })
}

const ends = { epochStart: 10, highWatermark: 12, logEnd: 12 }

function subscribe (inSync: InSync, member: ReplicaIdentity, end: number, nowMs = 0): Progress {
  const progress = inSync.follower(member)
  progress.streaming = true
  progress.brokerEpoch = 1
  progress.acknowledge(end, 12, nowMs)
  return progress
}

function members (set: { inSync: readonly ReplicaIdentity[] } | undefined): number[] | undefined {
  return set?.inSync.map(member => member.brokerId)
}

describe('whose ends count', () => {
  test('all of the set, unknown ends too', () => {
    const inSync = new InSync(id(0), row([0, 1, 2]), 0)
    expect(inSync.lowestEnd(9)).toBe(-1)
    subscribe(inSync, id(1), 5)
    expect(inSync.lowestEnd(9)).toBe(-1)
    subscribe(inSync, id(2), 7)
    expect(inSync.lowestEnd(9)).toBe(5)
    expect(inSync.lowestEnd(3)).toBe(3)
  })

  test('not another replica of the same broker', () => {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(1, 'wiped'), 5)
    expect(inSync.lowestEnd(9)).toBe(-1)
  })

  test('below the floor nothing moves', () => {
    const inSync = new InSync(id(0), row([0]), 0)
    expect(inSync.lowestEnd(9)).toBe(-1)
    inSync.adopt(row([0], { version: 2, minInSync: 1 }))
    expect(inSync.lowestEnd(9)).toBe(9)
  })

  test('a smaller set counts when it is durable here, a larger one at once', () => {
    const inSync = new InSync(id(0), row([0, 1, 2]), 0)
    subscribe(inSync, id(1), 8)
    subscribe(inSync, id(2), 3)
    const smaller = row([0, 1], { version: 2 })
    inSync.adopt(smaller)
    expect(inSync.lowestEnd(9)).toBe(3)
    inSync.durable(smaller)
    expect(inSync.lowestEnd(9)).toBe(8)
    inSync.adopt(row([0, 1, 2], { version: 3 }))
    expect(inSync.lowestEnd(9)).toBe(3)
  })

  test('what a pending change names counts until a higher version is durable', () => {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(1), 12)
    const added = subscribe(inSync, id(2), 12)
    expect(members(inSync.ask(inSync.wanted(ends, 0, brokers()), 0))).toEqual([0, 1, 2])
    added.acknowledge(12, 20, 0)
    expect(inSync.lowestEnd(20)).toBe(12)
    inSync.refused(0)
    inSync.durable(row([0, 1]))
    expect(inSync.countedSet()).toHaveLength(3)
    // Given up: the old set, as a new version.
    const old = row([0, 1], { version: 2 })
    inSync.adopt(old)
    expect(inSync.countedSet()).toHaveLength(3)
    inSync.durable(old)
    expect(inSync.countedSet()).toHaveLength(2)
  })
})

describe('who may join', () => {
  test.each([
    ['caught up', {}, 12, [0, 1, 2]],
    ['KIP-841: fenced', { fenced: true }, 12, undefined],
    ['KIP-841: stopping', { stopping: true }, 12, undefined],
    ['KIP-903: another process registered', { brokerEpoch: 2 }, 12, undefined],
    ['another volume registered', { volumeId: 'other' }, 12, undefined],
    ['below the high watermark', {}, 11, undefined]
  ])('%s', (_name, info, end, expected) => {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(1), 12)
    subscribe(inSync, id(2), end)
    expect(members(inSync.wanted(ends, 0, brokers({ 2: info })))).toEqual(expected)
  })

  test('KAFKA-7128: below the start of the epoch, though past the high watermark', () => {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(2), 9)
    expect(inSync.wanted({ epochStart: 10, highWatermark: 8, logEnd: 12 }, 0, brokers())).toBeUndefined()
  })

  test('not a broker that is no replica; one that is being added', () => {
    const inSync = new InSync(id(0), row([0, 1], { replicas: [0, 1] }), 0)
    subscribe(inSync, id(2), 12)
    expect(inSync.wanted(ends, 0, brokers())).toBeUndefined()
    inSync.adopt(row([0, 1], { version: 2, replicas: [0, 1], adding: [2] }))
    expect(members(inSync.wanted(ends, 0, brokers()))).toEqual([0, 1, 2])
  })

  test('one change takes the new one in and the dead one out, also the same broker wiped', () => {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(2), 12)
    expect(members(inSync.wanted(ends, 0, brokers({ 1: { fenced: true } })))).toEqual([0, 2])
    const wiped = new InSync(id(0), row([0, 1]), 0)
    subscribe(wiped, id(1, 'new'), 12)
    expect(wiped.wanted(ends, 0, brokers({ 1: { volumeId: 'new' } }))?.inSync).toEqual([id(0), id(1, 'new')])
  })
})

describe('who has to leave', () => {
  const late = limits.replicaLagMs + 1

  test('who lags, unless the rest that lives is below the floor', () => {
    const inSync = new InSync(id(0), row([0, 1, 2]), 0)
    subscribe(inSync, id(1), 12, late)
    subscribe(inSync, id(2), 11)
    expect(inSync.wanted(ends, limits.replicaLagMs, brokers())).toBeUndefined()
    expect(members(inSync.wanted(ends, late, brokers()))).toEqual([0, 1])
    expect(inSync.wanted(ends, late, brokers({ 1: { fenced: true } }))).toBeUndefined()
  })

  test('the dead before the slow', () => {
    const inSync = new InSync(id(0), row([0, 1, 2], { minInSync: 2 }), 0)
    subscribe(inSync, id(1), 1)
    subscribe(inSync, id(2), 2)
    expect(members(inSync.wanted(ends, late, brokers({ 1: { fenced: true } })))).toEqual([0, 2])
  })

  test('a follower under load is caught up when it reaches what the end was', () => {
    const inSync = new InSync(id(0), row([0, 1, 2]), 0)
    const progress = subscribe(inSync, id(1), 12)
    subscribe(inSync, id(2), 12)
    for (let ms = 0, end = 12; ms < 3 * limits.replicaLagMs; ms += 100, end += 10) {
      progress.acknowledge(end, end + 10, ms)
      inSync.follower(id(2)).acknowledge(end + 10, end + 10, ms)
      expect(inSync.wanted({ ...ends, logEnd: end + 10 }, ms, brokers())).toBeUndefined()
    }
  })
})

describe('one change at a time', () => {
  function pending () {
    const inSync = new InSync(id(0), row([0, 1]), 0)
    subscribe(inSync, id(1), 12)
    const added = subscribe(inSync, id(2), 12)
    expect(members(inSync.ask(inSync.wanted(ends, 0, brokers()), 0))).toEqual([0, 1, 2])
    return { inSync, added }
  }

  test('is asked for again, and not before its time', () => {
    const { inSync } = pending()
    const wanted = inSync.wanted(ends, 0, brokers())
    expect(inSync.ask(wanted, limits.inSyncRetryMs - 1)).toBeUndefined()
    expect(members(inSync.ask(wanted, limits.inSyncRetryMs))).toEqual([0, 1, 2])
  })

  test('is given up by asking for the old set', () => {
    const { inSync, added } = pending()
    added.streaming = false
    const at = limits.inSyncRetryMs
    expect(members(inSync.ask(inSync.wanted(ends, at, brokers()), at))).toEqual([0, 1])
    // It is back, but only a row ends what was begun.
    added.streaming = true
    added.acknowledge(12, 12, at)
    expect(members(inSync.ask(inSync.wanted(ends, 2 * at, brokers()), 2 * at))).toEqual([0, 1])
  })

  test('more is wanted meanwhile: the first step first', () => {
    const { inSync } = pending()
    subscribe(inSync, id(3), 12)
    const at = limits.inSyncRetryMs
    expect(members(inSync.ask(inSync.wanted(ends, at, brokers()), at))).toEqual([0, 1, 2])
  })

  test('nothing is asked while a newer row is not durable', () => {
    const { inSync } = pending()
    inSync.adopt(row([0, 1, 2], { version: 2 }))
    expect(inSync.ask(undefined, 10 * limits.inSyncRetryMs)).toBeUndefined()
  })
})
