// A handful of seeds in the fast suite; npm run sim runs as many as there is time for.
import { expect, test } from 'vitest'
import { describeFailure } from './report.ts'
import { drawPlan } from './plan.ts'
import type { Plan, TopicPlan } from './plan.ts'
import { runSeed } from './run.ts'
import { SimRng } from './rng.ts'

/** The seed's plan, over sooner. */
function short (seed: number): Plan {
  return { ...drawPlan(new SimRng(seed)), safetyMs: 5_000 }
}

test.each([1, 2, 3, 4, 5])('seed %i keeps every promise', async (seed) => {
  const result = await runSeed(seed, short(seed))
  expect(describeFailure(result)).toBe('')
}, 60_000)

test.each([1, 6])('seed %i keeps every promise to a queue group', async (seed) => {
  const result = await runSeed(seed, { ...short(seed), workers: 4 })
  expect(describeFailure(result)).toBe('')
}, 60_000)

test('sets are lost whole, a person recovers, and nothing is gone but what that gave up', async () => {
  const spare: TopicPlan = {
    name: 'spare', partitions: 2, replicas: 3, minInSync: 1, segmentBytes: 1024 * 1024, retentionBytes: -1,
    expendable: true
  }
  const plan = short(2)
  const topics = [...plan.topics.map((topic) => ({ ...topic, minInSync: 2, replicas: 3 })), spare]
  const result = await runSeed(2, { ...plan, topics, faults: new Map([['lost set', 1_500]]) })
  expect(describeFailure(result)).toBe('')
  expect(result.coverage.counts.get('a person gave up committed records')).toBeGreaterThan(0)
}, 60_000)

test('equal seeds give equal traces', async () => {
  const [first, second] = [await runSeed(42, short(42)), await runSeed(42, short(42))]
  expect(second.hash).toBe(first.hash)
  expect(second.events).toBe(first.events)
}, 60_000)
