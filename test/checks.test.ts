// Types and lint, as part of the one test command.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')

async function run (script: string, args: readonly string[]): Promise<{ code: number | null, output: string }> {
  const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root })
  let output = ''
  child.stdout.on('data', (data: Buffer) => { output += data.toString() })
  child.stderr.on('data', (data: Buffer) => { output += data.toString() })
  const code = await new Promise<number | null>(resolve => { child.on('close', resolve) })
  return { code, output }
}

it('has no type error', async () => {
  expect(await run('typescript/bin/tsc', ['-p', '.'])).toEqual({ code: 0, output: '' })
}, 120_000)

it('passes lint', async () => {
  expect(await run('eslint/bin/eslint.js', ['--cache', '--cache-location', 'node_modules/.cache/eslint/', '.']))
    .toEqual({ code: 0, output: '' })
}, 120_000)

it('passes the lint of the wire contract', async () => {
  const buf = await run('@bufbuild/buf/bin/buf', ['lint', 'proto'])
  expect(buf).toEqual({ code: 0, output: '' })
}, 60_000)
