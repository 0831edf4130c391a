import { describe, expect, test } from 'vitest'
import { planRow } from '../../../broker/controller/row-plan.ts'
import { ends, facts, id, row, topic } from './make.ts'

const live = { 0: 'live', 1: 'live', 2: 'live' } as const
const polled = { answers: [ends(0, 5, 10), ends(1, 5, 10), ends(2, 5, 10)], preferred: -1 }

describe('a leader that stands', () => {
  test('nothing to do is the same row', () => {
    const one = row()
    expect(planRow(one, topic(), facts(live), undefined))
      .toEqual({ row: one, isGentle: false, wish: undefined, outcome: 'none', damaged: [] })
    expect(planRow(one, topic(), facts(live), undefined).row).toBe(one)
  })

  test('dead members go', () => {
    const { row: next } = planRow(row(), topic(), facts({ ...live, 2: 'dead' }), undefined)
    expect(next).toEqual(row({ inSync: [id(0), id(1)], version: 10 }))
  })

  test('members whose brokers stop go when it is their turn, with others at once', () => {
    const stopping = planRow(row(), topic(), facts({ ...live, 2: 'stopping' }), undefined)
    expect(stopping).toMatchObject({ row: row({ inSync: [id(0), id(1)], version: 10 }), isGentle: true })
    const low = { minInSync: 1 }
    const both = planRow(row(low), topic(low), facts({ ...live, 1: 'dead', 2: 'stopping' }), undefined)
    expect(both).toMatchObject({ row: row({ ...low, inSync: [id(0)], version: 10 }), isGentle: false })
    const cutOff = planRow(row(), topic(), facts({ ...live, 2: 'stopping' }, { cutOff: [[2, 0]] }), undefined)
    expect(cutOff).toMatchObject({ row: row({ inSync: [id(0), id(1)], version: 10 }), isGentle: false })
    const floor = planRow(row(), topic(low), facts({ ...live, 2: 'stopping' }), undefined)
    expect(floor).toMatchObject({ row: { minInSync: 1 }, isGentle: false })
  })

  test('a floor lowered by its topic lets dead members go in the same write', () => {
    const { row: next } =
      planRow(row({ minInSync: 3 }), topic({ minInSync: 2 }), facts({ ...live, 2: 'dead' }), undefined)
    expect(next).toEqual(row({ inSync: [id(0), id(1)], minInSync: 2, version: 10 }))
  })

  test('a floor raised by its topic waits for the members', () => {
    const small = row({ inSync: [id(0), id(1)] })
    expect(planRow(small, topic({ minInSync: 3 }), facts(live), undefined).row).toBe(small)
    expect(planRow(row(), topic({ minInSync: 3 }), facts(live), undefined).row.minInSync).toBe(3)
  })
})

describe('a leader that is lost', () => {
  const lost = { standing: 'lost' } as const

  test('the live members are asked; the row waits', () => {
    const one = row()
    const plan = planRow(one, topic(), facts({ ...live, 0: 'dead' }, lost), undefined)
    expect(plan.row).toBe(one)
    expect(plan.wish).toEqual({ row: one, ask: [1, 2], candidates: [1, 2], preferred: -1, isGentle: false })
  })

  test('elected and shrunk in one write, one epoch up', () => {
    const plan = planRow(row(), topic(), facts({ ...live, 0: 'dead' }, lost), polled)
    expect(plan.outcome).toBe('elected')
    expect(plan.row).toEqual(row({ leader: 1, leaderEpoch: 6, version: 10, inSync: [id(1), id(2)] }))
  })

  test('a restarted leader may win its own partition, in a new epoch', () => {
    const plan = planRow(row({ inSync: [id(0)], minInSync: 1 }), topic({ minInSync: 1 }), facts(live, lost),
      { answers: [ends(0, 5, 3)], preferred: -1 })
    expect(plan.row).toMatchObject({ leader: 0, leaderEpoch: 6 })
  })

  test('nobody lives: no leader, once; the set stays whole', () => {
    const plan = planRow(row(), topic(), facts({}, lost), undefined)
    expect(plan.row).toEqual(row({ leader: -1, version: 10 }))
    expect(planRow(plan.row, topic(), facts({}, lost), undefined).row).toBe(plan.row)
  })

  test('members that fit as leaders come first, any member will do', () => {
    expect(planRow(row(), topic(), facts({ ...live, 0: 'dead' }, { ...lost, unfit: [1] }), polled).row.leader).toBe(2)
    expect(planRow(row(), topic(), facts({ ...live, 0: 'dead' }, { ...lost, unfit: [1, 2] }), polled).row.leader)
      .toBe(1)
  })

  test('a high watermark reported elsewhere bars all: no leader, and the damaged are named', () => {
    const plan = planRow(row(), topic(), facts({ ...live, 0: 'dead' }, { ...lost, highWatermark: 11 }), polled)
    expect(plan.outcome).toBe('failed')
    expect(plan.row.leader).toBe(-1)
    expect(plan.damaged.map(member => member.identity?.brokerId)).toEqual([0, 1, 2])
  })
})

describe('a leader that is to leave', () => {
  const leaving = { standing: 'leaving' } as const

  test('leads on until another is elected; the set does not lose it before', () => {
    const one = row()
    const plan = planRow(one, topic(), facts({ ...live, 0: 'stopping' }, leaving), undefined)
    expect(plan.row).toBe(one)
    expect(plan.wish).toMatchObject({ ask: [0, 1, 2], candidates: [1, 2], isGentle: true })
    const next = planRow(one, topic(), facts({ ...live, 0: 'stopping' }, leaving), polled).row
    expect(next).toEqual(row({ leader: 1, leaderEpoch: 6, version: 10, inSync: [id(1), id(2)] }))
  })

  test('goes also when more was committed while its members were asked', () => {
    const stopping = facts({ ...live, 0: 'stopping' }, leaving)
    const answers = [ends(0, 5, 12, { highWatermark: 12 }), ends(1, 5, 10), ends(2, 5, 11)]
    const plan = planRow(row(), topic(), stopping, { answers, preferred: -1 })
    expect(plan).toMatchObject({ outcome: 'doubtful', wish: { ask: [0, 1, 2], preferred: -1, committedBefore: 12 } })
    expect(plan.wish).not.toHaveProperty('isGentle')
    const later = [ends(0, 5, 20, { highWatermark: 20 }), ends(1, 5, 14), ends(2, 5, 15)]
    expect(planRow(row(), topic(), stopping, { answers: later, preferred: -1, committedBefore: 12 }))
      .toMatchObject({ outcome: 'elected', row: { leader: 2 }, damaged: [] })
  })

  test('goes at once when its disk is slow, not with the others of its broker', () => {
    expect(planRow(row(), topic(), facts(live, leaving), undefined).wish).toMatchObject({ isGentle: false })
  })

  test('stays when nobody fit is there to take over', () => {
    const alone = row({ inSync: [id(0)], minInSync: 1 })
    const plan = planRow(alone, topic({ minInSync: 1 }), facts({ 0: 'stopping' }, leaving), undefined)
    expect(plan).toMatchObject({ row: alone, wish: undefined })
    expect(planRow(row(), topic(), facts(live, { ...leaving, unfit: [1, 2] }), undefined).wish).toBeUndefined()
  })
})

describe('a preferred leader', () => {
  test('gets its partition back only if it can be had itself', () => {
    const one = row({ leader: 1 })
    const back = planRow(one, topic(), facts(live), { ...polled, preferred: 0 })
    expect(back.row).toMatchObject({ leader: 0, leaderEpoch: 6 })
    const behind = { answers: [ends(0, 5, 5), ends(1, 5, 10, { highWatermark: 8 })], preferred: 0 }
    expect(planRow(one, topic(), facts(live), behind)).toMatchObject({
      row: one, outcome: 'doubtful', damaged: [], wish: { row: one, ask: [0, 1, 2], preferred: 0, committedBefore: 8 }
    })
    const plan = planRow(one, topic(), facts(live), { ...behind, committedBefore: 8 })
    expect(plan.row).toBe(one)
    expect(plan.outcome).toBe('failed')
  })
})

test('a topic that is being deleted has no leaders', () => {
  expect(planRow(row(), topic({ deleting: true }), facts(live), undefined).row)
    .toEqual(row({ leader: -1, version: 10 }))
})
