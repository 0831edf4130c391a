// A cluster of real processes, started as a person does it: `npm start` in a folder of its own on a free port.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Default: the checkout. */
  readonly cwd?: string
  readonly timeoutMs?: number
  readonly onStart?: (pid: number) => void
}

/** Runs a command to its end; kills it after timeoutMs (60 s). */
export async function run (command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(command, args, { cwd: options.cwd ?? root, env: { ...process.env, ...options.env } })
  if (child.pid !== undefined) options.onStart?.(child.pid)
  const killer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
  const output = collect(child)
  child.stdin.on('error', () => { /* the command may end before it has read everything */ })
  child.stdin.end(options.input ?? '')
  const code = await ended(child)
  clearTimeout(killer)
  return { code, ...output() }
}

function collect (child: ChildProcess): () => { stdout: string, stderr: string } {
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout!.on('data', (data: Buffer) => { stdout.push(data) })
  child.stderr!.on('data', (data: Buffer) => { stderr.push(data) })
  return () => ({ stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
}

export function ended (child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => { resolve(code) })
  })
}

/** Waits until `condition` gives something, looking again every 20 ms; fails with `what` after timeoutMs. */
export async function until<T> (what: string, timeoutMs: number,
  condition: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const found = await condition()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

export async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const address = server.address()
  await new Promise(resolve => { server.close(resolve) })
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** By /proc; undefined when it has ended. */
export function parentOf (pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

/** Pids of all processes below `pid`, by /proc. */
export function descendants (pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(Number(name))
    if (parent !== undefined) parents.set(Number(name), parent)
  }
  const found = [pid]
  for (let index = 0; index < found.length; index++) {
    for (const [child, parent] of parents) if (parent === found[index]) found.push(child)
  }
  return found.slice(1)
}

export function alive (pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return false
  }
}

export class LocalCluster {
  readonly folder: string
  readonly port: number
  readonly process: ChildProcess
  readonly #output: () => { stdout: string, stderr: string }
  readonly #ended: Promise<number | null>

  private constructor (folder: string, port: number, extra: readonly string[]) {
    this.folder = folder
    this.port = port
    this.process = spawn('npm', ['start', '--', '--dir', folder, '--port', String(port), ...extra], { cwd: root })
    this.#output = collect(this.process)
    this.#ended = ended(this.process)
  }

  /** Resolves when the cluster says that it is ready. */
  static async start (options: { folder?: string, extra?: readonly string[] } = {}): Promise<LocalCluster> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'millrace-'))
    const cluster = new LocalCluster(folder, await freePort(), options.extra ?? [])
    await until(`ready; said: ${folder}`, 120_000, () => {
      if (cluster.process.exitCode !== null) throw new Error(`npm start ended: ${cluster.said()}`)
      return cluster.said().includes('ready in')
    })
    return cluster
  }

  said (): string {
    const { stdout, stderr } = this.#output()
    return stdout + stderr
  }

  get env (): Record<string, string> {
    return { KUBECONFIG: join(this.folder, 'kubeconfig'), MILLRACE_BOOTSTRAP: `127.0.0.1:${this.port}` }
  }

  millrace (args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run(join(root, 'bin/millrace'), args, { ...options, env: { ...this.env, ...options.env } })
  }

  kubectl (args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run('kubectl', args, { ...options, env: { ...this.env, ...options.env } })
  }

  /** Signals npm's pid alone; resolves to its exit code when it has ended. */
  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.process.kill(signal)
    return await this.#ended
  }

  remove (): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
