// The operator as a process of its own, and what it costs: by /proc and by its own metrics.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { startChild, type Program } from '../local/child.ts'
import { freePort, until } from '../test/fault/harness.ts'

/** Of /proc/<pid>/stat: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100
const metricsTimeoutMs = 60_000

export class OperatorProcess {
  readonly #child: ChildProcess
  readonly #port: number
  readonly #output: readonly string[]

  private constructor (child: ChildProcess, port: number, output: readonly string[]) {
    this.#child = child
    this.#port = port
    this.#output = output
  }

  /** Begins; it is ready some time later. */
  static async start (kubeconfig: string, program: Program, nodeOptions: string): Promise<OperatorProcess> {
    const port = await freePort()
    const output: string[] = []
    const child = startChild(program, {
      KUBECONFIG: kubeconfig,
      // The same each time: one that was killed has its Lease back at once, as a restarted container has.
      MILLRACE_POD_NAME: 'operator-0',
      MILLRACE_LISTEN_METRICS: `127.0.0.1:${port}`,
      NODE_OPTIONS: nodeOptions
    }, chunk => { output.push(chunk.toString()) })
    return new OperatorProcess(child, port, output)
  }

  get said (): string { return this.#output.join('') }

  /** As Kubernetes' readiness probe sees it. */
  async ready (timeoutMs: number): Promise<void> {
    await until('a ready operator', timeoutMs, async () => {
      if (this.#child.exitCode !== null) throw new Error(`the operator ended: ${this.said}`)
      return (await this.#page('/readyz')) !== undefined
    })
  }

  /** The sum of a metric over all its labels that `wanted` fits. */
  async metric (name: string, wanted = ''): Promise<number> {
    const text = await this.#page('/metrics')
    if (text === undefined) throw new Error(`the operator does not answer: ${this.said}`)
    return text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter(line => line.includes(wanted)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** CPU seconds since it began, of all its threads. */
  get cpuSeconds (): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  /** MiB that it has now, and the most that it ever had. */
  get memory (): { readonly nowMiB: number, readonly peakMiB: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
    return { nowMiB: field('VmRSS'), peakMiB: field('VmHWM') }
  }

  /** As `kill -9`, or gently. */
  async stop (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill(signal)
    await once(this.#child, 'exit')
  }

  async #page (path: string): Promise<string | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
        signal: AbortSignal.timeout(metricsTimeoutMs)
      })
      const text = await response.text()
      return response.ok ? text : undefined
    } catch {
      return undefined
    }
  }
}
