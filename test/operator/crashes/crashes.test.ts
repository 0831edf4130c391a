// The operator is killed after its writes, hears nothing back, knows old things, is two: whatever was under way ends
// the same, and never is more than one broker down (the method of Sieve, OSDI '22). A sample of every story; all of
// it is test/crashes/, run by `npm run test:crashes`.
import { describe, expect, it } from 'vitest'
import { areTwo, dies, isStale, losesReply, plainly } from './run.ts'
import { stories } from './stories.ts'

/** Time is virtual; what it takes to compute depends on who else does. */
const slowMachineMs = 120_000

const sampled = new Set(['create', 'scale up', 'scale down', 'roll, changed midway', 'expand', 'delete, data too'])

describe.each(stories.filter(({ name }) => sampled.has(name)))('$name', story => {
  it('is ended by the next operator', async () => {
    const { writes } = await plainly(story)
    expect(writes.length).toBeGreaterThan(3)
    for (const part of [0.1, 0.6]) await dies(story, Math.ceil(writes.length * part), 'operatorDies')
    await dies(story, Math.ceil(writes.length / 2), 'operatorDiesAndItArrivesLate')
    await losesReply(story, Math.ceil(writes.length * 0.7))
  }, slowMachineMs)
})

describe.each(stories.filter(({ name }) => name.startsWith('roll')))('$name', story => {
  it('takes one broker down at a time, whatever is known of pods', async () => {
    await isStale(story, ['Pod'], 20_000)
  }, slowMachineMs)

  it('takes one broker down at a time, with two operators', async () => {
    for (const seed of [3, 12]) await areTwo(story, seed)
  }, slowMachineMs)
})
