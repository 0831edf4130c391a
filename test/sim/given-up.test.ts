// What a person gives up is judged by itself, and nothing else with it.
import { expect, test } from 'vitest'
import { checkHistory } from '../check/checker.ts'
import type { Operation } from '../check/history.ts'
import { afterLoss, beforeLoss } from './given-up.ts'
import type { GivenUp } from './given-up.ts'

const key = 't-0'
const atMs = 100
/** Offsets 2 to 4 were committed in epoch 1; the survivor had 0 and 1. */
const loss: GivenUp = {
  topicId: 't', partition: 0, atMs, from: 2, batches: [{ base: 2, last: 4, epoch: 1, crc: 0, size: 100 }],
  leaderEpoch: 7
}

function send (value: string, offset: number, endMs: number): Operation {
  return { kind: 'send', process: 'p', key, value, offset, startMs: endMs - 1, endMs, outcome: 'ok' }
}

function poll (process: string, atMs: number, leaderEpoch: number, values: Record<number, string>): Operation {
  const records = Object.entries(values).map(([offset, value]) => ({ key, offset: Number(offset), value }))
  const ends = [{ key, offset: records.at(-1)!.offset + 1 }]
  return { kind: 'poll', process, leaderEpoch, records, ends, startMs: atMs, endMs: atMs, outcome: 'ok' }
}

function kinds (history: readonly Operation[]): { before: string[], after: string[] } {
  const of = (operations: readonly Operation[], drained: boolean): string[] =>
    checkHistory(operations, { drained, removedBelow: () => drained ? 0 : Infinity }).anomalies.map(({ kind }) => kind)
  return { before: of(beforeLoss(history, key, loss), false), after: of(afterLoss(history, key, loss), true) }
}

const before = [
  send('a', 0, 10), send('b', 1, 20), send('c', 2, 30), send('d', 3, 40),
  poll('r', 50, 1, { 0: 'a', 1: 'b' }), poll('r', 60, 1, { 2: 'c', 3: 'd' })
]

test('what was given up may be gone, its offsets may be another\'s, and a reader may go on elsewhere', () => {
  const after = [
    // Still in its memory.
    poll('r', 110, 1, { 4: 'e' }),
    send('f', 2, 120), send('g', 3, 130), send('h', 4, 140),
    poll('r', 150, 7, { 4: 'h' }),
    poll('drain', 200, 1, { 0: 'a', 1: 'b' }), poll('drain', 210, 7, { 2: 'f', 3: 'g', 4: 'h' })
  ]
  // It may have been sent, as far as anybody knows.
  const unknown: Operation = {
    kind: 'send', process: 'q', key, value: 'e', startMs: 45, endMs: Infinity, outcome: 'unknown'
  }
  expect(kinds([...before, unknown, ...after])).toEqual({ before: [], after: [] })
})

test('what was not given up must be there', () => {
  const drain = poll('drain', 200, 1, { 0: 'a' })
  expect(kinds([...before.slice(0, 4), drain]).after).toEqual(['unseen'])
})

test('what was acknowledged afterwards must be there', () => {
  const after = [send('f', 2, 120), poll('drain', 200, 1, { 0: 'a', 1: 'b' })]
  expect(kinds([...before, ...after]).after).toEqual(['unseen'])
})

test('what a reader is given in the new epoch is dense and one thing', () => {
  const sends = [send('f', 2, 120), send('g', 3, 130)]
  const drain = [poll('drain', 200, 1, { 0: 'a', 1: 'b' })]
  const twice = [poll('drain', 210, 7, { 2: 'f' }), poll('drain', 220, 7, { 3: 'f' })]
  expect(kinds([...before, ...sends, ...drain, ...twice]).after).toContain('duplicate')
  expect(kinds([...before, ...sends, poll('r', 150, 7, { 3: 'g' }), poll('r', 160, 7, { 2: 'f' }), ...drain]).after)
    .toContain('non-monotonic poll')
})

test('the life before is held to what it told', () => {
  expect(kinds([...before, poll('s', 70, 1, { 2: 'd' })]).before).toContain('inconsistent offsets')
})
