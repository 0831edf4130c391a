import { expect, it } from 'vitest'
import { conditions } from '../../../operator/reconcile/conditions.ts'

const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

it('keeps the time of a condition until its status changes', () => {
  const first = conditions(undefined, [{ type: 'Ready', status: false, reason: 'A', message: 'a' }], 1, now)
  expect(first).toEqual([{
    type: 'Ready',
    status: 'False',
    reason: 'A',
    message: 'a',
    lastTransitionTime: '2026-01-02T03:04:05Z',
    observedGeneration: 1
  }])
  const second = conditions(first, [{ type: 'Ready', status: false, reason: 'B', message: 'b' }], 2, now + 60_000)
  expect(second[0]).toMatchObject({ reason: 'B', lastTransitionTime: '2026-01-02T03:04:05Z', observedGeneration: 2 })
  const third = conditions(second, [{ type: 'Ready', status: true, reason: 'C', message: 'c' }], 2, now + 60_000)
  expect(third[0]).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-02T03:05:05Z' })
})

it('bounds the message', () => {
  const verdict = { type: 'Ready', status: undefined, reason: 'A', message: 'x'.repeat(5000) }
  const [condition] = conditions(undefined, [verdict], 1, now)
  expect(condition!.message).toHaveLength(1024)
  expect(condition!.status).toBe('Unknown')
})
