// Runs the command line as people do: bin/millrace in a process of its own.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly command?: string
  /** Gets the process, for signals and for input that comes in pieces. */
  readonly during?: (running: Running) => Promise<void>
}

export interface Running {
  readonly pid: number
  write (text: string): void
  /** No more input. */
  end (): void
  /** Resolves when stdout, or stderr, has the text. */
  says (text: string): Promise<void>
  kill (signal: NodeJS.Signals): void
  /** Closes the reading end of stdout. */
  stopReading (): void
}

export function millrace (args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const env = { ...process.env, KUBECONFIG: '/nonexistent', MILLRACE_BOOTSTRAP: '127.0.0.1:1', ...options.env }
  const child = spawn(options.command ?? join(root, 'bin/millrace'), args, { env, cwd: options.cwd ?? root })
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  const heard = (): void => { for (const watcher of watchers) watcher() }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; heard() })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; heard() })
  // A process that has ended takes no more input.
  child.stdin.on('error', () => {})
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => { resolve({ code, stdout, stderr }) })
  })
  if (options.during === undefined) {
    child.stdin.end(options.stdin)
    return ended
  }
  const running: Running = {
    pid: child.pid!,
    write: text => { child.stdin.write(text) },
    end: () => { child.stdin.end() },
    says: text => new Promise((resolve, reject) => {
      const check = (): void => {
        if (!(stdout + stderr).includes(text)) return
        watchers.delete(check)
        resolve()
      }
      watchers.add(check)
      void ended.then(() => { reject(new Error(`ended without saying ${text}: ${stdout}${stderr}`)) })
      check()
    }),
    kill: signal => { child.kill(signal) },
    stopReading: () => { child.stdout.destroy() }
  }
  return options.during(running).then(() => ended)
}
