// The program as plain JavaScript in one folder, with the few files that it reads while it runs.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = join(import.meta.dirname, '..')
/** Loads a binary by the name of the platform: it stays a package. */
const native = '@node-rs/crc32'

export interface BundleOptions {
  /** Emptied first. */
  readonly folder: string
  /** As in npm's names: x64 or arm64. */
  readonly arch: string
}

/** @throws Error when the package with the native code for `arch` is not there */
export async function bundle ({ folder, arch }: BundleOptions): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const build = await rolldown({
    input: { 'image/entry': join(root, 'image/entry.ts') },
    platform: 'node',
    external: [native],
    logLevel: 'warn'
  })
  await build.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    // One folder deep, as every source that looks for a file of the project beside it.
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: false,
    sourcemap: false
  })
  await build.close()
  addFiles(folder, arch)
}

function addFiles (folder: string, arch: string): void {
  const { name, version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as
    Record<string, string>
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name, version, license, type: 'module' })}\n`)
  for (const file of ['proto', 'LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file), { recursive: true })
  for (const each of [native, `${native}-linux-${arch}-gnu`]) {
    const from = join(root, 'node_modules', each)
    if (!existsSync(from)) {
      throw new Error(`${each} is not installed; run: npm ci --os linux --cpu ${arch}`)
    }
    cpSync(from, join(folder, 'node_modules', each), { recursive: true })
  }
  writeFileSync(join(folder, 'sbom.cdx.json'), softwareBill())
}

/** CycloneDX, of everything that may be in the bundle. Without serial number and date, so that it stays the same. */
function softwareBill (): string {
  const text = execFileSync('npm', ['sbom', '--omit=dev', '--package-lock-only', '--sbom-format=cyclonedx'],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, stdio: ['ignore', 'pipe', 'ignore'] })
  const bill = JSON.parse(text) as { serialNumber?: string, metadata?: { timestamp?: string } }
  delete bill.serialNumber
  delete bill.metadata?.timestamp
  return `${JSON.stringify(bill, undefined, 1)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: 'dist/bundle' }, arch: { type: 'string', default: process.arch } }
  })
  await bundle({ folder: resolve(values.out), arch: values.arch })
}
