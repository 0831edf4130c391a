// Scripted histories that broke other systems, and the promises on failover.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeFailure } from './report.ts'
import { runScenario } from './scenario.ts'

const folder = new URL('./scenarios/', import.meta.url)

for (const name of readdirSync(folder).sort()) {
  test(name, async () => {
    const result = await runScenario(readFileSync(new URL(name, folder), 'utf8'), 1)
    expect(describeFailure(result)).toBe('')
  }, 60_000)
}
