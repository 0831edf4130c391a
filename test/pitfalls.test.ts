// docs/pitfalls.md names a test for each pitfall: the tests that it names are there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const rows = readFileSync(join(root, 'docs/pitfalls.md'), 'utf8').split('\n')
  .filter(line => /^\| (?!pitfall|script)[^-]/.test(line))
  .map(line => line.split(' | '))

test('every pitfall names tests that exist', () => {
  expect(rows.length).toBeGreaterThan(30)
  const missing = rows.flatMap(([pitfall, tests = '']) => {
    const references = [...tests.matchAll(/`([^`]+)`(?: "([^"]+)")?/g)]
    if (references.length === 0) return [`${pitfall}: no test`]
    return references.filter(([, path = '', name = '']) =>
      !existsSync(join(root, path)) || !readFileSync(join(root, path), 'utf8').includes(name))
      .map(([reference]) => `${pitfall}: ${reference}`)
  })
  expect(missing).toEqual([])
})
