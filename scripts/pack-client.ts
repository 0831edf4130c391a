// `npm run pack:client`: the client library as a package of its own, dist/millrace-<version>.tgz. JavaScript and
// types, for Node 20.19 and later; its only dependency, the native CRC-32C, is optional.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const out = join(root, 'dist/client')
const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string, license: string, description: string, dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

const peers = ['@bokuweb/zstd-wasm', '@opentelemetry/api', 'lz4-napi', 'snappy']

rmSync(out, { recursive: true, force: true })
mkdirSync(out, { recursive: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.client.json'],
  { cwd: root, stdio: 'inherit' })

const manifest = {
  name: 'millrace',
  version: own.version,
  description: 'Client of millrace: Kafka-style streams as Kubernetes resources',
  license: own.license,
  keywords: ['millrace', 'streams', 'kafka', 'kubernetes', 'producer', 'consumer'],
  type: 'module',
  exports: { '.': { types: './client/index.d.ts', default: './client/index.js' }, './package.json': './package.json' },
  types: './client/index.d.ts',
  files: ['client', 'wire'],
  sideEffects: false,
  engines: { node: '>=20.19' },
  optionalDependencies: { '@node-rs/crc32': own.dependencies['@node-rs/crc32'] },
  // Used where the application has them; the code says which it misses.
  peerDependencies: Object.fromEntries(peers.map(name => [name, own.devDependencies[name]])),
  peerDependenciesMeta: Object.fromEntries(peers.map(name => [name, { optional: true }]))
}
writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
cpSync(join(root, 'docs/client.md'), join(out, 'README.md'))
execFileSync('npm', ['pack', '--pack-destination', join(root, 'dist'), '--silent'], { cwd: out, stdio: 'inherit' })
