// The image that `npm run image` writes, opened and run as a container engine would: its layers are the root of a
// process with the user that it names. Needs root, for chroot. The suites on real nodes run it in containers.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Any } from '../local/kube/client.ts'

const root = join(import.meta.dirname, '../..')
const bytesMax = 200e6
const blob = (folder: string, digest: string): string => join(folder, 'blobs', digest.replace(':', '/'))
const json = (file: string): Any => JSON.parse(readFileSync(file, 'utf8'))

let work: string
let files: string
let config: Any
let digests: string[]

function make (out: string): string {
  execFileSync(process.execPath, [join(root, 'image/main.ts'), '--out', out], { cwd: root, encoding: 'utf8' })
  const folder = `${out}.open`
  mkdirSync(folder)
  execFileSync('tar', ['-xf', out, '-C', folder])
  return folder
}

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'millrace-image-test-'))
  const made = [make(join(work, 'one.tar')), make(join(work, 'two.tar'))]
  digests = made.map(folder => json(join(folder, 'index.json')).manifests[0].digest)
  const manifest = json(blob(made[0]!, digests[0]!))
  config = json(blob(made[0]!, manifest.config.digest))
  files = join(work, 'root')
  mkdirSync(files)
  for (const { digest } of manifest.layers) execFileSync('tar', ['-xf', blob(made[0]!, digest), '-C', files])
})
afterAll(() => { rmSync(work, { recursive: true, force: true }) })

function run (...args: readonly string[]): { code: number | null, out: string, error: string } {
  const [node, ...rest] = config.config.Entrypoint as string[]
  const { status, stdout, stderr } = spawnSync('/usr/sbin/chroot', [`--userspec=${config.config.User}`, files, node!,
    ...rest, ...args], { encoding: 'utf8', env: {}, timeout: 60_000 })
  return { code: status, out: stdout, error: stderr }
}

it('gives the same digest for the same source', () => {
  expect(digests[0]).toBe(digests[1])
})

it('is small, and names no user that may do everything', () => {
  expect(statSync(join(work, 'one.tar')).size).toBeLessThan(bytesMax)
  expect(config.config.User).toBe('65532:65532')
})

it('says what it is', () => {
  const { version, description, license } = json(join(root, 'package.json'))
  expect(config.config.Labels).toEqual({
    'org.opencontainers.image.title': 'millrace',
    'org.opencontainers.image.description': description,
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': license
  })
})

it('is what the Dockerfile makes: labels, user, folder, command; on a base of no invented digest', () => {
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ')
  const last = (instruction: string): string =>
    [...text.matchAll(new RegExp(`^${instruction} (.*)$`, 'gm'))].at(-1)?.[1]?.trim() ?? ''
  const { Labels, User, WorkingDir, Entrypoint, Env } = config.config
  expect(Object.fromEntries([...last('LABEL').matchAll(/(\S+?)="([^"]*)"/g)].map(([, name, value]) => [name, value])))
    .toEqual(Labels)
  expect([last('USER'), last('WORKDIR'), JSON.parse(last('ENTRYPOINT'))]).toEqual([User, WorkingDir, Entrypoint])
  expect(Env).toContain(last('ENV'))
  expect(last('FROM')).toBe('${BASE}')
  expect(last('ARG')).toMatch(/^BASE=gcr\.io\/distroless\/nodejs24-[a-z0-9]+:nonroot$/)
})

it('tells what is in it', () => {
  const bill = json(join(files, 'millrace/sbom.cdx.json'))
  expect(bill.bomFormat).toBe('CycloneDX')
  const names = bill.components.map((each: { name: string }) => each.name)
  expect(names).toEqual(expect.arrayContaining(['pino', 'prom-client', 'commander']))
  expect(names).not.toContain('vitest')
})

it('runs the command line', () => {
  expect(run('--version')).toEqual({ code: 0, out: `${json(join(root, 'package.json')).version}\n`, error: '' })
})

it('runs the broker, which asks for its settings', () => {
  expect(run('broker')).toMatchObject({ code: 1, error: expect.stringContaining('MILLRACE_POD_NAME') })
})

it('runs the operator, which asks for Kubernetes', () => {
  expect(run('operator')).toMatchObject({ code: 1, error: expect.stringMatching(/^operator: /) })
})
