import { describe, it } from 'vitest'
import { Chaos } from './chaos.ts'

const from = Number(process.env['SEED'] ?? 1)
const count = Number(process.env['SEEDS'] ?? 12)

describe('a volume that crashes', () => {
  for (let seed = from; seed < from + count; seed++) {
    it(`comes back as it was after some call, nothing durable lost (seed ${seed})`, async () => {
      await new Chaos(seed).run(6)
    })
  }
})
