// `npm run image`: the image as dist/millrace-image.tar, for `ctr -n k8s.io images import`, `docker load` and the
// suites on real nodes. Made for this machine's architecture, on a base of its own (base.ts).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeBase, nodePath, userId } from './base.ts'
import { bundle } from './bundle.ts'
import { writeImage } from './oci.ts'

const root = join(import.meta.dirname, '..')
const { version, license, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as
  { version: string, license: string, description: string }
const { values } = parseArgs({
  options: {
    name: { type: 'string', default: `localhost/millrace:${version}` },
    out: { type: 'string', default: 'dist/millrace-image.tar' }
  }
})
const archs: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
const arch = archs[process.arch]
if (arch === undefined) throw new Error(`no image is made for ${process.arch}`)

const work = mkdtempSync(join(tmpdir(), 'millrace-image-'))
try {
  makeBase(join(work, 'base'))
  await bundle({ folder: join(work, 'program/millrace'), arch: process.arch })
  const out = resolve(values.out)
  const { digest, bytes } = await writeImage({
    name: values.name,
    arch,
    out,
    layers: [
      { about: 'Node and the C libraries of the machine that made it', folder: join(work, 'base') },
      { about: `millrace ${version}`, folder: join(work, 'program') }
    ],
    entrypoint: [nodePath, '/millrace/image/entry.js'],
    env: ['NODE_ENV=production', 'PATH=/nodejs/bin'],
    user: `${userId}:${userId}`,
    workingDir: '/millrace',
    labels: {
      'org.opencontainers.image.title': 'millrace',
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license
    }
  })
  console.log(`${values.name} ${digest}\n${values.out} ${(bytes / 1e6).toFixed(1)} MB`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
