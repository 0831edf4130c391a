import { describe, expect, it } from 'vitest'
import { Chaos } from './chaos.ts'
import type { ChaosKind } from './chaos.ts'

// SEED=7 SEEDS=1 runs one seed; SEEDS=1000 looks for a bad one.
const from = Number(process.env['SEED'] ?? 1)
const count = Number(process.env['SEEDS'] ?? 3)

describe.each<[string, ChaosKind]>([
  ['whose process or power dies comes back as it was after some call, nothing durable lost', 'crash'],
  ['whose bits flip as well never gives what it never held, and says who is damaged', 'flip'],
  ['whose writes and fsyncs fail acknowledged nothing that is not there', 'fail']
])('a volume %s', (_, kind) => {
  for (let seed = from; seed < from + count; seed++) {
    it(`seed ${seed}`, async () => {
      const chaos = new Chaos(seed, kind)
      await chaos.run(4)
      expect(chaos.bench.failures).toEqual([])
    })
  }
})
