import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MemberState } from '../../../broker/controller/facts.ts'
import {
  beforeMove, completion, isMoving, moveWaitsFor, retarget, targetOf
} from '../../../broker/controller/moves.ts'
import { planRow } from '../../../broker/controller/row-plan.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import { ends, facts, id, row, topic } from './make.ts'

const live = { 0: 'live', 1: 'live', 2: 'live', 3: 'live', 4: 'live' } as const

describe('a new target', () => {
  test('is one write: target, then those that leave', () => {
    const next = retarget(row(), [3, 1, 2], facts(live))
    expect(next).toEqual(row({ replicas: [3, 1, 2, 0], adding: [3], removing: [0], version: 10 }))
    expect(targetOf(next)).toEqual([3, 1, 2])
    expect(beforeMove(next)).toEqual([0, 1, 2])
  })

  test('the same again is the same row, at rest and during the move', () => {
    const one = row()
    expect(retarget(one, [0, 1, 2], facts(live))).toBe(one)
    const moving = retarget(one, [3, 1, 2], facts(live))
    expect(retarget(moving, [3, 1, 2], facts(live))).toBe(moving)
  })

  test('in another order moves nothing', () => {
    expect(retarget(row(), [2, 1, 0], facts(live))).toEqual(row({ replicas: [2, 1, 0], version: 10 }))
  })

  test('during a move takes the place of the old one; who was added and is not wanted goes at once (KIP-455)', () => {
    const first = { ...retarget(row(), [3, 1, 2], facts(live)), inSync: [id(0), id(1), id(2), id(3)] }
    expect(retarget(first, [4, 1, 2], facts(live))).toEqual(row({
      replicas: [4, 1, 2, 0], adding: [4], removing: [0], version: 11
    }))
  })

  test('who was added and counts for the floor leaves with the others', () => {
    const two = row({ replicas: [0, 1], inSync: [id(0), id(1)] })
    const moving = { ...retarget(two, [2, 0], facts(live)), inSync: [id(0), id(1), id(2)] }
    const without = retarget(moving, [3, 0], facts({ ...live, 1: 'dead' }))
    expect(without).toMatchObject({ replicas: [3, 0, 1, 2], adding: [3], removing: [1, 2] })
    expect(without.inSync).toBe(moving.inSync)
  })

  test('the move is given up by the target from before', () => {
    const moving = { ...retarget(row(), [3, 4, 2], facts(live)), inSync: [id(0), id(1), id(2), id(4)] }
    expect(retarget(moving, beforeMove(moving), facts(live))).toEqual(row({ version: 11 }))
  })
})

describe('a move is completed', () => {
  const moving = row({ replicas: [0, 1, 3, 2], adding: [3], removing: [2], inSync: [id(0), id(1), id(2), id(3)] })

  test('in one write, a leader epoch up, when everybody added is in sync', () => {
    const waiting = { ...moving, inSync: [id(0), id(1), id(2)] }
    expect(planRow(waiting, topic(), facts(live), undefined).row).toBe(waiting)
    const plan = planRow(moving, topic(), facts(live), undefined)
    const inSync = [id(0), id(1), id(3)]
    expect(plan.row).toEqual(row({ replicas: [0, 1, 3], inSync, leaderEpoch: 6, version: 10 }))
    expect(plan.outcome).toBe('none')
  })

  test('not below the floor, not with a dead identity of who was added', () => {
    const two = row({ replicas: [3, 0, 1], adding: [3], removing: [0, 1], inSync: [id(0), id(1), id(3)] })
    expect(completion(two, facts(live))).toBeUndefined()
    expect(moveWaitsFor(two, facts(live))).toContain('fewer than 2')
    expect(completion(moving, facts({ ...live, 3: 'dead' }))).toBeUndefined()
    expect(completion(moving, facts({ ...live, 3: 'missing' }))).toBeUndefined()
    expect(completion(moving, facts({ ...live, 1: 'dead' }))).toHaveLength(3)
    expect(completion({ ...moving, minInSync: 3 }, facts({ ...live, 1: 'dead' }))).toBeUndefined()
  })

  test('a leader that leaves gives way to one of the target, in the same write', () => {
    const leaving = row({ replicas: [3, 1, 2, 0], adding: [3], removing: [0], inSync: [id(0), id(1), id(2), id(3)] })
    const asked = planRow(leaving, topic(), facts(live), undefined)
    expect(asked.row).toBe(leaving)
    expect(asked.wish).toEqual({ row: leaving, ask: [0, 1, 2, 3], preferred: 3 })
    const answers = [ends(0, 5, 12), ends(1, 5, 10), ends(2, 5, 11), ends(3, 5, 10)]
    const plan = planRow(leaving, topic(), facts(live), { answers, preferred: 3 })
    expect(plan.outcome).toBe('elected')
    expect(plan.row).toEqual(row({
      replicas: [3, 1, 2], leader: 3, inSync: [id(1), id(2), id(3)], leaderEpoch: 6, version: 10
    }))
  })

  test('when the best heir does not answer, another of the target leads; never one that lacks records', () => {
    const leaving = row({ replicas: [3, 1, 2, 0], adding: [3], removing: [0], inSync: [id(0), id(1), id(2), id(3)] })
    const some = { answers: [ends(0, 5, 12), ends(2, 5, 11)], preferred: 3 }
    expect(planRow(leaving, topic(), facts(live), some).row).toMatchObject({ leader: 2, replicas: [3, 1, 2] })
    const answers = [ends(0, 5, 12, { highWatermark: 12 }), ends(3, 5, 11)]
    const behind = { answers, preferred: 3, committedBefore: 12 }
    const failed = planRow(leaving, topic(), facts(live), behind)
    expect(failed).toMatchObject({ row: leaving, outcome: 'failed' })
  })

  test('together with the election that a dead leader needs', () => {
    const leaving = row({ replicas: [3, 1, 2, 0], adding: [3], removing: [0], inSync: [id(0), id(1), id(2), id(3)] })
    const dead = facts({ ...live, 0: 'dead' }, { standing: 'lost' })
    const answers = [ends(1, 5, 10), ends(2, 5, 10), ends(3, 5, 10)]
    const plan = planRow(leaving, topic(), dead, { answers, preferred: -1 })
    expect(plan.row).toEqual(row({
      replicas: [3, 1, 2], leader: 3, inSync: [id(1), id(2), id(3)], leaderEpoch: 6, version: 10
    }))
  })

  test('a shrink to one, when the floor has come down', () => {
    const one = row({ replicas: [0, 1, 2], removing: [1, 2] })
    expect(planRow(one, topic({ replicas: 1, minInSync: 1 }), facts(live), undefined).row)
      .toEqual(row({ replicas: [0], inSync: [id(0)], minInSync: 1, leaderEpoch: 6, version: 10 }))
    expect(planRow(one, topic(), facts(live), undefined).row).toBe(one)
  })
})

test('why a move waits', () => {
  const moving = row({ replicas: [0, 1, 3, 2], adding: [3], removing: [2] })
  expect(moveWaitsFor(moving, facts(live))).toBe('')
  expect(moveWaitsFor(moving, facts({ 0: 'live', 1: 'live', 2: 'live' }))).toBe('broker 3 is away')
  expect(moveWaitsFor({ ...moving, leader: -1 }, facts(live))).toBe('the partition has no leader')
})

const state = fc.constantFrom<MemberState>('live', 'live', 'live', 'dead', 'missing', 'stopping')
const someBrokers = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 1, maxLength: 4 })

interface Step { target: number[] | undefined, states: MemberState[], joins: number[], answer: number }

const step: fc.Arbitrary<Step> = fc.record({
  target: fc.option(someBrokers, { nil: undefined, freq: 2 }),
  states: fc.array(state, { minLength: 6, maxLength: 6 }),
  joins: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
  answer: fc.integer({ min: 0, max: 5 })
})

function checkRow (old: PartitionRow, now: PartitionRow): void {
  expect(now.version > old.version || now === old).toBe(true)
  expect(now.inSync.length).toBeGreaterThanOrEqual(now.minInSync)
  expect(new Set(now.replicas).size).toBe(now.replicas.length)
  expect(now.adding.every(one => targetOf(now).includes(one))).toBe(true)
  expect(now.removing.every(one => now.replicas.includes(one))).toBe(true)
  expect(now.inSync.every(member => now.replicas.includes(member.brokerId))).toBe(true)
  if (now.leader >= 0) expect(now.inSync.some(member => member.brokerId === now.leader)).toBe(true)
  if (isMoving(old) && !isMoving(now) && now.leaderEpoch === old.leaderEpoch) {
    // Given up, or what leaves was never in sync: nothing that counted has gone.
    expect(now.leader).toBe(old.leader)
  }
}

test('whatever comes in whatever order: the floor holds, and when all live the last move is completed', () => {
  fc.assert(fc.property(someBrokers, fc.array(step, { maxLength: 12 }), (first, steps) => {
    const floor = Math.floor(first.length / 2) + 1
    const settings = topic({ minInSync: floor })
    let now = row({
      replicas: first, leader: first[0]!, inSync: first.map(one => id(one)), minInSync: floor
    })
    const run = ({ target, states, joins, answer }: Step): void => {
      const known = facts(Object.fromEntries(states.map((one, index) => [index, one])), {
        standing: states[now.leader] === 'live' ? 'stands' : 'lost'
      })
      const change = (next: PartitionRow): void => {
        checkRow(now, next)
        now = next
      }
      if (target !== undefined && target.length >= floor) change(retarget(now, target, known))
      for (const join of joins) {
        const member = now.inSync.some(other => other.brokerId === join)
        if (member || !now.replicas.includes(join) || states[join] !== 'live' || now.leader < 0) continue
        change({ ...now, inSync: [...now.inSync, id(join)], version: now.version + 1 })
      }
      const answers = now.inSync.filter(member => states[member.brokerId] === 'live')
        .map(member => ends(member.brokerId, 5, 10))
      const asked = planRow(now, settings, known, undefined)
      change(asked.row)
      const preferred = asked.wish?.preferred ?? answer
      if (asked.wish !== undefined) change(planRow(now, settings, known, { answers, preferred }).row)
    }
    for (const one of steps) run(one)
    const states = Array<MemberState>(6).fill('live')
    const well: Step = { target: undefined, states, joins: [0, 1, 2, 3, 4, 5], answer: 0 }
    for (let round = 0; round < 4; round += 1) run(well)
    expect(isMoving(now)).toBe(false)
    expect(now.inSync.map(member => member.brokerId).toSorted()).toEqual([...now.replicas].sort())
    const before = now
    run(well)
    expect(now).toBe(before)
  }), { numRuns: 300 })
})
