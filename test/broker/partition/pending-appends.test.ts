import { expect, test } from 'vitest'
import { PendingAppends } from '../../../broker/partition/pending-appends.ts'
import { latencyBucketsMs } from '../../../broker/histogram.ts'
import { makeStats } from '../../../broker/partition/stats.ts'
import { WireError } from '../../../wire/errors.ts'

function make () {
  const stats = makeStats()
  const pending = new PendingAppends(stats)
  const answers: string[] = []
  const done = (name: string) => (error: WireError | undefined, offset: number, epoch: number) => {
    answers.push(error === undefined ? `${name}@${offset} e${epoch}` : `${name}: ${error.code}`)
  }
  return { stats, pending, answers, done }
}

test('answers in the order of the batches, refusals and repeats in their turn', () => {
  const { stats, pending, answers, done } = make()
  pending.refuse(new WireError('CORRUPT_BATCH'), done('at once'))
  pending.add(2, 0, 1, 100, 0, done('a'))
  pending.add(5, 2, 1, 50, 0, done('b'))
  pending.add(2, 0, 1, 0, 0, done('repeat of a'))
  pending.refuse(new WireError('OUT_OF_ORDER_SEQUENCE'), done('c'))
  expect(stats).toMatchObject({ pendingAppends: 4, pendingBytes: 150 })
  pending.committed(4, 3)
  pending.committed(5, 60)
  expect(answers)
    .toEqual(['at once: CORRUPT_BATCH', 'a@0 e1', 'b@2 e1', 'repeat of a@0 e1', 'c: OUT_OF_ORDER_SEQUENCE'])
  expect(stats).toMatchObject({ pendingAppends: 0, pendingBytes: 0 })
  expect([...stats.appendErrors].filter(([, count]) => count > 0)).toEqual(
    [['CORRUPT_BATCH', 1], ['OUT_OF_ORDER_SEQUENCE', 1]])
  expect(stats.commitLatency.sumMs).toBe(123)
  expect(stats.commitLatency.counts[latencyBucketsMs.indexOf(3)]).toBe(1)
  expect(stats.commitLatency.counts[latencyBucketsMs.indexOf(100)]).toBe(2)
})

test('a leadership that ends answers everything; callers may append again from within', () => {
  const { pending, answers, done } = make()
  pending.add(1, 0, 1, 10, 0, error => {
    answers.push(error!.code)
    pending.refuse(new WireError('NOT_LEADER'), done('again'))
  })
  pending.add(2, 1, 1, 10, 0, done('b'))
  pending.fail(new WireError('NOT_LEADER'))
  expect(answers).toEqual(['NOT_LEADER', 'b: NOT_LEADER', 'again: NOT_LEADER'])
  expect(pending.length).toBe(0)
})

test('long queues are compacted and keep their order', () => {
  const { pending, answers, done } = make()
  for (let n = 0; n < 2_000; n++) pending.add(n + 1, n, 1, 1, 0, done(''))
  for (let hw = 0; hw <= 2_000; hw += 7) pending.committed(hw, 0)
  pending.committed(2_000, 0)
  expect(answers).toHaveLength(2_000)
  expect(answers[1_234]).toBe('@1234 e1')
})
