import { expect, it, vi } from 'vitest'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { NodeRng } from '../../../wire/adapters/node-rng.ts'
import { clockConformance, rngConformance } from '../clock.conformance.ts'

clockConformance('Node', () => new NodeClock(), async promise => {
  // Clock's timers do not keep a process alive; this one does.
  const awake = setInterval(() => {}, 1_000)
  return await promise.finally(() => clearInterval(awake))
})
rngConformance('Node', () => new NodeRng())

it('waits longer than the longest timer of Node', () => {
  vi.useFakeTimers()
  try {
    let calls = 0
    new NodeClock().setTimer(2 ** 31 + 1_000, () => calls++)
    vi.advanceTimersByTime(2 ** 31 + 999)
    expect(calls).toBe(0)
    vi.advanceTimersByTime(2)
    expect(calls).toBe(1)
  } finally {
    vi.useRealTimers()
  }
})
