// Every mutation fits the source as it is; the loader mutates, and what it mutates is found.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mutations } from './mutations/all.ts'
import { MutationError, mutate } from './mutations/mutation.ts'
import type { Mutation } from './mutations/mutation.ts'
import { plans } from './mutations/plans.ts'
import type { Outcome, Task } from './mutations/worker.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const pages = ['docs/replication.md', 'docs/protocol.md', 'docs/queue-groups.md']
const headings = new Set(pages.flatMap((page) => read(page).split('\n'))
  .filter((line) => /^###? /.test(line)).map((line) => line.replace(/^#+ /, '')))

const list = (folder: string): string[] => readdirSync(join(root, folder))
const scenarios = [...list('test/sim/scenarios'), ...list('test/sim/mutations/scenarios')]
const interleavings = list('test/partition/scenarios')

describe.each(mutations.map((mutation) => [mutation.name, mutation] as const))('%s', (_, mutation) => {
  test('fits the source', () => {
    expect(headings).toContain(mutation.rule)
    for (const file of new Set(mutation.edits.map((edit) => edit.file))) {
      const text = mutate(mutation, file, read(file))
      expect(text).not.toBe(read(file))
      expect(() => stripTypeScriptTypes(text)).not.toThrow()
    }
    for (const finder of mutation.finders ?? []) {
      const name = finder.slice(finder.indexOf(' ') + 1)
      if (finder.startsWith('plan ')) expect(Object.keys(plans)).toContain(name)
      if (finder.startsWith('scenario ')) expect(scenarios).toContain(`${name}.txt`)
      if (finder.startsWith('interleaving ')) expect(interleavings).toContain(`${name}.txt`)
    }
  })
})

test('names are unique', () => {
  expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
})

test('a search that matches twice, or not at all, fails', () => {
  const mutation = (search: string): Mutation =>
    ({ name: 'm', rule: 'r', without: 'w', edits: [{ file: 'f', search, replace: '' }] })
  expect(() => mutate(mutation('a'), 'f', 'a b a')).toThrow(MutationError)
  expect(() => mutate(mutation('c'), 'f', 'a b a')).toThrow(MutationError)
  expect(mutate(mutation('b'), 'f', 'a b a')).toBe('a  a')
  expect(mutate(mutation('c'), 'another file', 'a b a')).toBe('a b a')
})

function work (task: Task): Outcome {
  const { stdout, stderr } = spawnSync(process.execPath,
    [join(import.meta.dirname, 'mutations/worker.ts'), JSON.stringify(task)], { encoding: 'utf8' })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  if (!last.startsWith('{')) throw new Error(stderr)
  return JSON.parse(last) as Outcome
}

test('a process with a mutation breaks a promise that one without it keeps', () => {
  const attempts = [{ finder: 'interleaving leader-restarts-in-its-epoch', seed: 0 }] as const
  const [mutant, original] = ['leads-in-its-own-epoch-until-elected', ''].map((mutation) =>
    work({ mutation, attempts, seconds: 0, all: true }))
  expect(mutant!.found.map(({ kind }) => kind)).toEqual(['assertion'])
  expect(original!.found).toEqual([])
}, 60_000)
