import { describe, expect, test } from 'vitest'
import { effectiveFloor, isFromTheFuture, nextRow, refuseChange, shrink } from '../../../broker/controller/in-sync.ts'
import type { SessionRequest_ChangeInSync } from '../../../wire/messages.ts'
import { broker, facts, id, row } from './make.ts'

const sender = { brokerId: 0, brokerEpoch: 3, incarnation: broker(0).incarnation }

function request (changes: Partial<SessionRequest_ChangeInSync> = {}): SessionRequest_ChangeInSync {
  return {
    requestId: 1, topicId: row().topicId, partition: 0, leaderEpoch: 5, version: 9, inSync: [], added: [], ...changes
  }
}

function added (brokerId: number, brokerEpoch = 3, replicaGen = 0) {
  return { identity: id(brokerId, replicaGen), brokerEpoch, durableEnd: 10 }
}

function members (set: readonly { brokerId: number }[]): number[] {
  return set.map(member => member.brokerId)
}

describe('the controller shrinks', () => {
  test('dead and stopping members, all at once, while enough live members remain', () => {
    expect(members(shrink(row(), 0, facts({ 0: 'live', 1: 'live', 2: 'dead' })))).toEqual([0, 1])
    expect(members(shrink(row(), 0, facts({ 0: 'live', 1: 'live', 2: 'stopping' })))).toEqual([0, 1])
    const five = row({ inSync: [id(0), id(1), id(2), id(3), id(4)], replicas: [0, 1, 2, 3, 4], minInSync: 2 })
    expect(members(shrink(five, 0, facts({ 0: 'live', 1: 'live', 2: 'dead', 3: 'dead', 4: 'dead' })))).toEqual([0, 1])
  })

  test('not at the floor: the set stays whole', () => {
    const whole = row({ inSync: [id(0), id(1)] })
    expect(shrink(whole, 0, facts({ 0: 'live', 1: 'dead' }))).toBe(whole.inSync)
    const three = row()
    expect(shrink(three, 0, facts({ 0: 'live', 1: 'dead', 2: 'dead' }))).toBe(three.inSync)
    // A member of unknown fate remains, but does not count as living.
    expect(shrink(three, 0, facts({ 0: 'live', 1: 'missing', 2: 'dead' }))).toBe(three.inSync)
  })

  test('members that cannot reach the leader, while enough of those that live can', () => {
    const live = { 0: 'live', 1: 'live', 2: 'live' } as const
    expect(members(shrink(row(), 0, facts(live, { cutOff: [[2, 0]] })))).toEqual([0, 1])
    // Who reaches a broker that does not lead is of no interest.
    const three = row()
    expect(shrink(three, 0, facts(live, { cutOff: [[2, 1], [0, 1]] }))).toBe(three.inSync)
    // Nobody does: the leadership has to move, and the next leader needs the set whole.
    expect(shrink(three, 0, facts(live, { cutOff: [[1, 0], [2, 0]] }))).toBe(three.inSync)
    const dead = { 0: 'live', 1: 'live', 2: 'dead' } as const
    expect(members(shrink(row(), 0, facts(dead, { cutOff: [[1, 0]] })))).toEqual([0, 1])
    const five = row({ inSync: [id(0), id(1), id(2), id(3), id(4)], replicas: [0, 1, 2, 3, 4], minInSync: 3 })
    const most = { 0: 'live', 1: 'live', 2: 'live', 3: 'live', 4: 'missing' } as const
    expect(members(shrink(five, 0, facts(most, { cutOff: [[3, 0]] })))).toEqual([0, 1, 2, 4])
    expect(shrink(five, 0, facts({ ...most, 2: 'missing' }, { cutOff: [[3, 0]] }))).toBe(five.inSync)
  })

  test('members whose disks take nothing, while enough others live; never the leader', () => {
    const live = { 0: 'live', 1: 'live', 2: 'live' } as const
    expect(members(shrink(row(), 0, facts(live, { stalled: [2] })))).toEqual([0, 1])
    // A leader is replaced, if somebody can: who leads then drops it.
    expect(shrink(row(), 0, facts(live, { stalled: [0] }))).toHaveLength(3)
    expect(members(shrink(row(), 1, facts(live, { stalled: [0] })))).toEqual([1, 2])
    const three = row()
    expect(shrink(three, 0, facts(live, { stalled: [1, 2] }))).toBe(three.inSync)
    expect(shrink(three, 0, facts(live, { stalled: [1], cutOff: [[2, 0]] }))).toBe(three.inSync)
  })

  test('members of unknown fate stay, and so does a leader that is on its way out', () => {
    const four = row({ inSync: [id(0), id(1), id(2), id(3)], replicas: [0, 1, 2, 3] })
    expect(members(shrink(four, 0, facts({ 0: 'live', 1: 'live', 2: 'missing', 3: 'dead' })))).toEqual([0, 1, 2])
    expect(members(shrink(four, 0, facts({ 0: 'stopping', 1: 'live', 2: 'live', 3: 'dead' })))).toEqual([0, 1, 2])
  })

  test('another life of a member beside the member: the old one goes', () => {
    const twice = row({ inSync: [id(0), id(1), id(2, 0, 'bbbbbbbbbbbbbbbb'), id(2)] })
    expect(members(shrink(twice, 0, facts({ 0: 'live', 1: 'live', 2: 'live' })))).toEqual([0, 1, 2])
  })
})

test('a floor lowered takes effect at once, one raised only when the set has that many', () => {
  expect(effectiveFloor(3, 2, 3)).toBe(2)
  expect(effectiveFloor(2, 3, 2)).toBe(2)
  expect(effectiveFloor(2, 3, 3)).toBe(3)
  expect(effectiveFloor(2, 2, 0)).toBe(2)
})

test('every change is a version more', () => {
  expect(nextRow(row(), { leader: -1 })).toEqual(row({ leader: -1, version: 10 }))
})

test('a request from a newer row comes from after another controller', () => {
  expect(isFromTheFuture(row(), request())).toBe(false)
  expect(isFromTheFuture(row(), request({ version: 10 }))).toBe(true)
  expect(isFromTheFuture(row(), request({ leaderEpoch: 6, version: 1 }))).toBe(true)
  expect(isFromTheFuture(row(), request({ leaderEpoch: 4, version: 100 }))).toBe(false)
})

describe('a leader asks', () => {
  const two = row({ inSync: [id(0), id(1)] })
  const all = facts({ 0: 'live', 1: 'live', 2: 'live' })
  const grown = request({ inSync: [id(0), id(1), id(2)], added: [added(2)] })

  test('to add a member that lives: yes', () => {
    expect(refuseChange(two, grown, sender, all)).toBeUndefined()
  })

  test('for the same set again: yes, that ends a pending change', () => {
    expect(refuseChange(two, request({ inSync: [id(0), id(1)] }), sender, facts({ 0: 'live', 1: 'dead' })))
      .toBeUndefined()
  })

  test('from an old row, or without leading: STALE_ROW', () => {
    expect(refuseChange(two, { ...grown, version: 8 }, sender, all)?.code).toBe('STALE_ROW')
    expect(refuseChange(two, { ...grown, leaderEpoch: 4 }, sender, all)?.code).toBe('STALE_ROW')
    expect(refuseChange({ ...two, leader: 1 }, grown, sender, all)?.code).toBe('STALE_ROW')
  })

  test.each([
    ['fenced', facts({ 0: 'live', 1: 'live', 2: 'dead' })],
    ['stopping', facts({ 0: 'live', 1: 'live', 2: 'stopping' })],
    ['restarted since', facts({ 0: 'live', 1: 'live', 2: 'live' }, { epochs: { 2: 4 } })],
    ['made anew since', facts({ 0: 'live', 1: 'live', 2: 'live' }, { gens: { 2: 8 } })],
    ['cut off from the leader', facts({ 0: 'live', 1: 'live', 2: 'live' }, { cutOff: [[2, 0]] })],
    ['on a disk that takes nothing', facts({ 0: 'live', 1: 'live', 2: 'live' }, { stalled: [2] })]
  ])('to add a member that is %s: INELIGIBLE_REPLICA', (_what, known) => {
    expect(refuseChange(two, grown, sender, known)?.code).toBe('INELIGIBLE_REPLICA')
  })

  test('to add somebody without a replica, or without saying what it saw: INELIGIBLE_REPLICA', () => {
    const stranger = request({ inSync: [id(0), id(1), id(7)], added: [added(7)] })
    expect(refuseChange(two, stranger, sender, facts({ 0: 'live', 1: 'live', 7: 'live' }))?.code)
      .toBe('INELIGIBLE_REPLICA')
    expect(refuseChange(two, { ...grown, added: [] }, sender, all)?.code).toBe('INELIGIBLE_REPLICA')
  })

  test('as an incarnation that is not registered: INELIGIBLE_REPLICA', () => {
    expect(refuseChange(two, grown, { ...sender, brokerEpoch: 2 }, all)?.code).toBe('INELIGIBLE_REPLICA')
    // Its volume was wiped: the boot count is the same again.
    const before = { ...sender, incarnation: 'dddddddddddddddd' }
    expect(refuseChange(two, grown, before, all)?.code).toBe('INELIGIBLE_REPLICA')
  })

  test('to add beside a dead member: yes, only the added one and the sender are looked at', () => {
    expect(refuseChange(two, grown, sender, facts({ 0: 'live', 1: 'dead', 2: 'live' }))).toBeUndefined()
  })

  test('to drop a member: only while enough live members remain', () => {
    const three = row()
    const smaller = request({ inSync: [id(0), id(1)] })
    expect(refuseChange(three, smaller, sender, all)).toBeUndefined()
    expect(refuseChange(three, smaller, sender, facts({ 0: 'live', 1: 'missing', 2: 'live' }))?.code)
      .toBe('BELOW_FLOOR')
    expect(refuseChange(two, request({ inSync: [id(0)] }), sender, all)?.code).toBe('BELOW_FLOOR')
  })

  test('to swap a dead member for a new one in one change: yes', () => {
    const swap = request({ inSync: [id(0), id(2)], added: [added(2)] })
    expect(refuseChange(two, swap, sender, facts({ 0: 'live', 1: 'dead', 2: 'live' }))).toBeUndefined()
  })

  test('to leave itself, or to name a member twice: INVALID_REQUEST', () => {
    expect(refuseChange(row(), request({ inSync: [id(1), id(2)] }), sender, all)?.code).toBe('INVALID_REQUEST')
    expect(refuseChange(row(), request({ inSync: [id(0), id(1), id(1)] }), sender, all)?.code).toBe('INVALID_REQUEST')
  })
})
