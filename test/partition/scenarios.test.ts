// Every text in scenarios/ gives the outcome that is written in it; `-u` rewrites them.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runScenario } from './world/commands.ts'

const folder = join(import.meta.dirname, 'scenarios')

describe('scenarios', () => {
  for (const name of readdirSync(folder).filter(file => file.endsWith('.txt')).sort()) {
    test(name, async () => {
      const path = join(folder, name)
      await expect(await runScenario(readFileSync(path, 'utf8'))).toMatchFileSnapshot(path)
    })
  }
})
