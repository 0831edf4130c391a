// Programs of the machine: called, or started and watched until they are ended.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const call = promisify(execFile)
const outputBytesMax = 64 * 1024 * 1024
const stopMsMax = 10_000

/** @throws Error with what the program printed */
export async function run (command: string, ...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await call(command, [...args], { maxBuffer: outputBytesMax })
    return stdout
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string, message: string }
    throw new Error(`${command} ${args.join(' ')}: ${stderr.trim() || message}`)
  }
}

/** For cleaning up what may not be there. */
export async function attempt (command: string, ...args: readonly string[]): Promise<string> {
  return await run(command, ...args).catch(() => '')
}

const needed: Readonly<Record<string, string>> = {
  containerd: 'containerd', ctr: 'containerd', runc: 'runc', iptables: 'iptables', ip: 'iproute2',
  nsenter: 'util-linux', unshare: 'util-linux', kubectl: 'kubectl', go: 'Go 1.26', tar: 'tar'
}
export const cniFolder = '/usr/lib/cni'

/** @throws Error that names everything that is missing, and how Debian calls it */
export async function checkMachine (): Promise<void> {
  const missing: string[] = []
  if (process.platform !== 'linux') missing.push('Linux')
  if (process.getuid?.() !== 0) missing.push('root')
  for (const [program, source] of Object.entries(needed)) {
    if (!await isThere(program)) missing.push(`${program} (${source})`)
  }
  for (const plugin of ['bridge', 'host-local', 'portmap', 'loopback']) {
    const found = await access(join(cniFolder, plugin)).then(() => true, () => false)
    if (!found) missing.push(`${cniFolder}/${plugin} (containernetworking-plugins)`)
  }
  if (missing.length > 0) throw new Error(`real nodes need what this machine lacks: ${missing.join(', ')}`)
}

async function isThere (program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (await access(join(folder, program)).then(() => true, () => false)) return true
  }
  return false
}

/** A program that runs until it is told to end; it leads a process group of its own. */
export class Daemon {
  readonly name: string
  readonly logFile: string
  readonly #child: ChildProcess

  /** @param logFile what it prints is appended */
  constructor (name: string, logFile: string, command: string, args: readonly string[]) {
    this.name = name
    this.logFile = logFile
    const log = openSync(logFile, 'a')
    this.#child = spawn(command, [...args], { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
    this.#child.on('error', () => { /* isRunning tells, and the log why */ })
  }

  get pid (): number | undefined { return this.#child.pid }
  get isRunning (): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits until the log has the text. @throws Error with the end of the log */
  async said (text: RegExp, timeoutMs: number): Promise<void> {
    await until(`${this.name} says ${text.source}`, timeoutMs, async () => {
      const log = await readFile(this.logFile, 'utf8')
      if (text.test(log)) return true
      if (!this.isRunning) throw new Error(`${this.name} ended: ${log.slice(-2_000)}`)
      return false
    })
  }

  signal (signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal)
  }

  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    const timer = setTimeout(() => { this.#child.kill('SIGKILL') }, stopMsMax)
    await ended
    clearTimeout(timer)
  }
}

const betweenLooksMs = 100

/** @throws Error with `what` when the time is over, and with the last error of `condition` */
export async function until (what: string, timeoutMs: number,
  condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!await condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`)
    await new Promise(resolve => setTimeout(resolve, betweenLooksMs))
  }
}
