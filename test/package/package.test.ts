// The package of the client: its types, its shape, and a project that uses it on every Node that it is for.
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalCluster, root, run, until, type Ran } from '../fault/harness.ts'

const topic = 'packed'
let folder: string
let tarball: string
let cluster: LocalCluster

function bootstrap (): string { return cluster.env.MILLRACE_BOOTSTRAP ?? '' }

async function must (command: string, args: readonly string[], cwd?: string): Promise<Ran> {
  const ran = await run(command, args, {
    timeoutMs: 240_000,
    // A registry that does not answer is asked again soon; packages of Node install another one themselves.
    env: { npm_config_fetch_timeout: '20000', npm_config_fetch_retries: '5' },
    ...cwd !== undefined && { cwd }
  })
  expect(ran.code, `${command} ${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0)
  return ran
}

/** An empty project that has the package and this Node. */
async function project (name: string, ...packages: readonly string[]): Promise<string> {
  const path = join(folder, name)
  await must('mkdir', ['-p', path])
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
  await must('npm', ['install', '--no-audit', '--no-fund', '--silent', ...packages], path)
  copyFileSync(join(import.meta.dirname, 'program.mjs'), join(path, 'program.mjs'))
  return path
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-package-'))
  await must('npm', ['run', '--silent', 'pack:client'], root)
  tarball = join(root, 'dist', readdirSync(join(root, 'dist')).find(name => name.endsWith('.tgz'))!)
  cluster = await LocalCluster.start()
  const made = await cluster.millrace(['topic', 'create', topic, '--partitions', '3'])
  expect(made.code, made.stderr).toBe(0)
  await until('the topic is ready', 30_000,
    async () => (await cluster.millrace(['topic', 'describe', topic])).code === 0)
})
afterAll(async () => {
  await cluster.stop()
  cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('the package', () => {
  it('has the shape that package managers and bundlers want', async () => {
    await must('node_modules/.bin/publint', ['--strict', 'dist/client'], root)
  })

  it('has types that every ECMAScript module resolution finds', async () => {
    await must('node_modules/.bin/attw', [tarball, '--profile', 'esm-only'], root)
  })

  it('is typed for a project with strict settings and nothing skipped', async () => {
    const path = await project('typed', tarball, 'typescript@5.9', '@types/node@20')
    writeFileSync(join(path, 'use.ts'), [
      'import { Millrace, MillraceError, type ConsumerRecord } from \'millrace\'',
      'const client = new Millrace({ bootstrap: [\'a:1\', \'b:2\'] })',
      'const { offset }: { offset: number } = await client.producer().send({ topic: \'t\', value: \'v\' })',
      'for await (const record of client.consumer({ group: \'g\' })) { const r: ConsumerRecord = record; void r }',
      'try { await client.close() } catch (error) {',
      '  if (error instanceof MillraceError) console.log(error.code, offset)',
      '}',
      '// @ts-expect-error a topic is needed',
      'await client.producer().send({ value: \'v\' })'
    ].join('\n'))
    await must('node_modules/.bin/tsc', ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023',
      '--lib', 'es2023,esnext.disposable', 'use.ts'], path)
  })
})

describe('an empty project', () => {
  it.each(['20.19', '22', '24'])('produces and consumes on Node %s', async version => {
    const path = await project(`node-${version}`, tarball, `node@${version}`)
    const { stdout } = await must('node_modules/.bin/node', ['program.mjs', bootstrap(), topic], path)
    const { node, ...counts } = JSON.parse(stdout) as { node: string, sent: number, missing: number }
    expect(node).toMatch(new RegExp(`^v${version.replace('.', '\\.')}\\.`))
    expect(counts).toEqual({ sent: 500, missing: 0 })
  })

  it('needs no native code', async () => {
    const path = await project('plain', '--omit=optional', tarball)
    expect(readdirSync(join(path, 'node_modules'))).not.toContain('@node-rs')
    const { stdout } = await must('node', ['program.mjs', bootstrap(), topic], path)
    expect(JSON.parse(stdout)).toMatchObject({ sent: 500, missing: 0 })
  })

  it.each(['20.19', '22'])('compresses on Node %s with what is installed, and names what is not', async version => {
    const path = await project(`codecs-${version}`, tarball, `node@${version}`, 'lz4-napi', '@bokuweb/zstd-wasm')
    for (const codec of ['gzip', 'lz4', 'zstd']) {
      const { stdout } = await must('node_modules/.bin/node', ['program.mjs', bootstrap(), topic, codec], path)
      expect(JSON.parse(stdout), codec).toMatchObject({ sent: 500, missing: 0 })
    }
    const { code, stderr } = await run('node_modules/.bin/node', ['program.mjs', bootstrap(), topic, 'snappy'],
      { timeoutMs: 30_000, cwd: path })
    expect(code).toBe(1)
    expect(stderr).toContain('snappy needs the package snappy (npm install snappy)')
  })
})
