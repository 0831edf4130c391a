// An example as a process: what it says, line by line.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { ended, root, until } from '../fault/harness.ts'

const running = new Set<Program>()

/** After a test, however it went. */
export async function endAll (): Promise<void> {
  await Promise.all([...running].map(program => program.stop('SIGKILL')))
}

export class Program {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<number | null>
  errors = ''
  #partial = ''

  /** @param script below examples/, run by the Node that has the sources run as they are if by nothing else */
  constructor (script: string, args: readonly string[], command = join(root, 'node_modules/.bin/node')) {
    this.process = spawn(command, [join(root, 'examples', script), ...args], { cwd: root })
    running.add(this)
    this.ended = ended(this.process).finally(() => { running.delete(this) })
    this.process.stderr!.on('data', (data: Buffer) => { this.errors += data.toString() })
    this.process.stdout!.on('data', (data: Buffer) => {
      const lines = (this.#partial + data.toString()).split('\n')
      this.#partial = lines.pop()!
      this.lines.push(...lines)
    })
  }

  async says (what: string | RegExp): Promise<string> {
    return await until(`${String(what)}; said: ${this.errors}`, 60_000, () => {
      if (this.process.exitCode !== null) throw new Error(`it ended: ${this.errors}`)
      return this.lines.find(line => typeof what === 'string' ? line.includes(what) : what.test(line))
    })
  }

  /** What it printed as JSON. */
  printed<T> (): T[] {
    return this.lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as T)
  }

  async stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.process.kill(signal)
    return await this.ended
  }
}
