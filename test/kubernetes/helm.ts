// The real helm, built once with Go and kept outside of the checkout.
import { execFile } from 'node:child_process'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './build.ts'

const version = 'v4.3.1'
const run = promisify(execFile)

export async function helmBinary (): Promise<string> {
  const path = join(cacheFolder, `helm-${version}`)
  if (await stat(path).then(() => true, () => false)) return path
  process.stderr.write(`% building helm ${version}: three minutes on two cores when nothing is cached\n`)
  const work = join(cacheFolder, `helm-${process.pid}`)
  await mkdir(work, { recursive: true })
  try {
    await run('go', ['install', '-trimpath', '-ldflags', '-s -w', `helm.sh/helm/v4/cmd/helm@${version}`],
      { env: { ...process.env, CGO_ENABLED: '0', GOBIN: work }, maxBuffer: 16 * 1024 * 1024 })
    await rename(join(work, 'helm'), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('go is missing: helm is built with it')
    throw error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return path
}

export interface Helm {
  /** Rejects with what helm printed. */
  (...args: readonly string[]): Promise<string>
}

/** @param kubeconfig for commands that need a server */
export async function helm (kubeconfig?: string): Promise<Helm> {
  const path = await helmBinary()
  return async (...args) => {
    const env = { ...process.env, ...kubeconfig !== undefined && { KUBECONFIG: kubeconfig } }
    try {
      const { stdout } = await run(path, [...args], { env, maxBuffer: 64 * 1024 * 1024 })
      return stdout
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string, stderr?: string }
      throw new Error(`helm ${args[0]}: ${stderr}${stdout}`)
    }
  }
}
