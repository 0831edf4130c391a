// Random histories, some hundred seeds. One seed alone: CHAOS_SEED=7 vitest run test/partition/chaos.test.ts
import { expect, test } from 'vitest'
import { Chaos } from './world/chaos.ts'

const only = process.env['CHAOS_SEED']
const count = Number(process.env['CHAOS_SEEDS'] ?? 30)
const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)]

async function failures (brokers: number, minInSync: number, steps: number): Promise<string[]> {
  const found: string[] = []
  for (const seed of seeds) {
    const chaos = new Chaos(seed, { brokers, minInSync, steps })
    try {
      await chaos.run()
    } catch (error) {
      const trace = only === undefined ? '' : chaos.trace.join('\n')
      found.push(`seed ${seed}: ${String(error)}\n${trace}\n${(error as Error).stack}`)
    }
  }
  return found
}

test('three replicas, two in sync: nothing committed is lost, everything becomes whole', async () => {
  expect(await failures(3, 2, 250)).toEqual([])
})

test('five replicas, three in sync', async () => {
  expect(await failures(5, 3, 250)).toEqual([])
})

test('two replicas, one in sync', async () => {
  expect(await failures(2, 1, 200)).toEqual([])
})
