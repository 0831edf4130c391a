// The binary with a whole Kubernetes: built once per source, kept outside of the checkout. Ten minutes on two
// cores when nothing is cached, nothing when the binary is there. `node test/kubernetes/build.ts [--previous]`.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = import.meta.dirname
/** Binaries by the hash of their source. */
export const cacheFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'millrace')

export interface KubeBinary {
  readonly path: string
  /** Such as v1.37.2. */
  readonly version: string
}

/** @param folder of go.mod and go.sum. Throws when Go is missing or the build fails. */
export async function kubeBinary (folder: string = here): Promise<KubeBinary> {
  const sources = (await readdir(here)).filter(file => file.endsWith('.go')).sort()
  const files = [...sources.map(file => join(here, file)), join(folder, 'go.mod'), join(folder, 'go.sum')]
  const hash = createHash('sha256')
  for (const file of files) hash.update(await readFile(file)).update('\0')
  const version = /k8s\.io\/kubernetes (v\S+)/.exec(await readFile(join(folder, 'go.mod'), 'utf8'))?.[1]
  if (version === undefined) throw new Error(`${folder}/go.mod names no Kubernetes`)
  const path = join(cacheFolder, `kube-${hash.digest('hex').slice(0, 16)}`)
  if (!await exists(path)) await build(files, version, path)
  return { path, version }
}

async function build (files: readonly string[], version: string, path: string): Promise<void> {
  process.stderr.write(`% building Kubernetes ${version}: ten minutes on two cores when nothing is cached\n`)
  const began = Date.now()
  const work = await mkdtemp(join(tmpdir(), 'millrace-kube-'))
  try {
    for (const file of files) await cp(file, join(work, file.split('/').at(-1)!))
    const [, minor] = version.split('.')
    // A module's build has no version of its own, and clients refuse to parse what it says instead.
    const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(where =>
      [`gitVersion=${version}`, 'gitMajor=1', `gitMinor=${minor}`].map(stamp => `-X ${where}.${stamp}`))
    // The flags are part of the build cache's key: change them, and the world is compiled anew.
    await run('go', ['build', '-trimpath', '-ldflags', `-s -w ${stamps.join(' ')}`, '-o', 'kube', '.'], work)
    await mkdir(cacheFolder, { recursive: true })
    const beside = `${path}.${process.pid}`
    await cp(join(work, 'kube'), beside)
    await rename(beside, path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  process.stderr.write(`% built in ${Math.round((Date.now() - began) / 1000)} s\n`)
}

/**
 * Programs of another module, built once per source: the folder that holds them.
 * @param files below `folder`, all that the build needs @param packages such as './dns' @param note what it costs
 */
export async function cachedPrograms (folder: string, files: readonly string[], packages: readonly string[],
  note: string): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) hash.update(await readFile(join(folder, file))).update('\0')
  const path = join(cacheFolder, `${packages.map(each => basename(each)).join('-')}-${hash.digest('hex').slice(0, 16)}`)
  if (await exists(path)) return path
  process.stderr.write(`% building ${note}\n`)
  const work = await mkdtemp(join(tmpdir(), 'millrace-programs-'))
  try {
    for (const file of files) await cp(join(folder, file), join(work, file))
    await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', `${join(work, 'out')}/`, ...packages], work)
    const beside = `${path}.${process.pid}`
    await cp(join(work, 'out'), beside, { recursive: true })
    await rename(beside, path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return path
}

async function exists (path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false)
}

function run (command: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0' } })
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new Error(`${command} is missing: the real Kubernetes is built with Go`) : error)
    })
    child.on('exit', code => {
      if (code === 0) resolve()
      else reject(new Error(`${command} ${args[0]} failed with exit code ${code}`))
    })
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { previous: { type: 'boolean', default: false } } })
  const { path, version } = await kubeBinary(values.previous ? join(here, 'previous') : here)
  process.stdout.write(`${version} ${path}\n`)
}
