import { expect, test } from 'vitest'
import { damagedMembers, elect, isDoubtful } from '../../../broker/controller/election.ts'
import type { Contest } from '../../../broker/controller/election.ts'
import { ends, id, row } from './make.ts'

function contest (changes: Partial<Contest>): Contest {
  return { row: row({ leader: -1 }), answers: [], highWatermarkSeen: 0, canLead: () => true, preferred: -1, ...changes }
}

test('the highest last epoch wins, then the highest durable end, then the order of replicas', () => {
  expect(elect(contest({ answers: [ends(0, 4, 100), ends(1, 5, 10), ends(2, 5, 9)] }))).toBe(1)
  expect(elect(contest({ answers: [ends(0, 5, 9), ends(1, 5, 10), ends(2, 5, 10)] }))).toBe(1)
  expect(elect(contest({ answers: [ends(0, 5, 9), ends(1, 5, 9)], row: row({ replicas: [2, 1, 0] }) }))).toBe(1)
})

test('nobody from outside the set, however far ahead', () => {
  expect(elect(contest({ row: row({ inSync: [id(1)] }), answers: [ends(0, 9, 999), ends(1, 1, 1)] }))).toBe(1)
  expect(elect(contest({ row: row({ inSync: [id(1)] }), answers: [ends(0, 9, 999)] }))).toBe(-1)
})

test('only the very identity counts: another volume or generation of a member is nobody', () => {
  const wiped = ends(0, 0, 0, { identity: id(0, 0, 'bbbbbbbbbbbbbbbb') })
  const remade = ends(1, 0, 0, { identity: id(1, 3) })
  expect(elect(contest({ answers: [wiped, remade] }))).toBe(-1)
})

test('an end that may be older than the high watermark beside it is asked for again, once', () => {
  const answers = [ends(0, 5, 60, { highWatermark: 50 }), ends(1, 5, 49), ends(2, 5, 50)]
  expect(isDoubtful(contest({ answers }))).toBe(true)
  expect(isDoubtful(contest({ answers, committedBefore: 48 }))).toBe(false)
  expect(elect(contest({ answers: [ends(0, 5, 90, { highWatermark: 80 }), ends(1, 5, 55)], committedBefore: 50,
    canLead: identity => identity.brokerId !== 0 }))).toBe(1)
  expect(damagedMembers(contest({ answers, committedBefore: 49 }))).toEqual([])
  expect(damagedMembers(contest({ answers, committedBefore: 50 })).map(each => each.identity?.brokerId)).toEqual([1])
  // What is known for long was lost, what is not there has no end, and who is no member does not matter.
  expect(isDoubtful(contest({ answers, highWatermarkSeen: 50 }))).toBe(false)
  expect(isDoubtful(contest({ answers: [answers[0]!, ends(1, 5, 49, { present: false })] }))).toBe(false)
  expect(isDoubtful(contest({ answers, row: row({ inSync: [id(0), id(2)] }) }))).toBe(false)
})

test('never one that ends below a high watermark that anybody reports', () => {
  const answers = [ends(0, 5, 40), ends(1, 4, 60, { highWatermark: 50 })]
  expect(elect(contest({ answers }))).toBe(1)
  expect(damagedMembers(contest({ answers })).map(member => member.identity?.brokerId)).toEqual([0])
  expect(elect(contest({ answers: [ends(0, 5, 40)], highWatermarkSeen: 41 }))).toBe(-1)
  expect(elect(contest({ answers: [ends(0, 5, 40)], highWatermarkSeen: 40 }))).toBe(0)
})

test('members without the replica, or that may not lead, are passed over', () => {
  expect(elect(contest({ answers: [ends(0, 5, 40, { present: false }), ends(1, 5, 30)] }))).toBe(1)
  expect(elect(contest({ answers: [ends(0, 5, 40), ends(1, 5, 30)], canLead: identity => identity.brokerId !== 0 })))
    .toBe(1)
  expect(elect(contest({ answers: [ends(0, 5, 40)], canLead: () => false }))).toBe(-1)
})

test('a preferred leader wins with a shorter log, but not when it lost committed records', () => {
  expect(elect(contest({ answers: [ends(0, 5, 40), ends(2, 5, 30)], preferred: 2 }))).toBe(2)
  expect(elect(contest({ answers: [ends(0, 5, 40, { highWatermark: 35 }), ends(2, 5, 30)], preferred: 2 }))).toBe(0)
})
