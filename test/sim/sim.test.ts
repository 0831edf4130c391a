// A handful of seeds in the fast suite; npm run sim runs as many as there is time for.
import { expect, test } from 'vitest'
import { describeFailure } from './report.ts'
import { runSeed } from './run.ts'

test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i keeps every promise', async (seed) => {
  const result = await runSeed(seed)
  expect(describeFailure(result)).toBe('')
}, 60_000)

test('equal seeds give equal traces', async () => {
  const [first, second] = [await runSeed(42), await runSeed(42)]
  expect(second.hash).toBe(first.hash)
  expect(second.events).toBe(first.events)
}, 60_000)
