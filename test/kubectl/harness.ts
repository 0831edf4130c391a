// The real, unpatched kubectl against an embedded API server, with a home of its own.
import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubeApi } from '../../local/kube/api.ts'
import type { KubeApi } from '../../local/kube/api.ts'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'

export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export class Kubectl {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-kubectl-'))
  /** Set by start. */
  api!: KubeApi

  async start (): Promise<void> {
    this.api = await startKubeApi({})
    writeKubeconfig(join(this.folder, 'kubeconfig'), { url: this.api.url })
  }

  async stop (): Promise<void> {
    await this.api.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Writes a manifest and returns its path. */
  file (name: string, text: string): string {
    const path = join(this.folder, name)
    writeFileSync(path, text)
    return path
  }

  spawn (args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('kubectl', args, {
      env: { PATH: process.env['PATH'], HOME: this.folder, KUBECONFIG: join(this.folder, 'kubeconfig'),
        KUBE_EDITOR: 'true' }
    })
  }

  /** Runs `kubectl <args>`; words are split at blanks. Rejects when kubectl is missing. */
  async run (command: string | readonly string[], stdin = ''): Promise<Result> {
    const args = typeof command === 'string' ? command.split(' ') : command
    return await new Promise((resolve, reject) => {
      const child = this.spawn(args)
      let [out, err] = ['', '']
      child.stdout.on('data', chunk => { out += String(chunk) })
      child.stderr.on('data', chunk => { err += String(chunk) })
      child.on('error', reject)
      child.on('close', code => { resolve({ code, out, err }) })
      child.stdin.end(stdin)
    })
  }

  /** As run, but a failure of kubectl is one of the test. Returns its standard output. */
  async ok (command: string | readonly string[], stdin = ''): Promise<string> {
    const { code, out, err } = await this.run(command, stdin)
    if (code !== 0) throw new Error(`kubectl ${String(command)} ended with ${code}: ${err}${out}`)
    return out
  }
}

/** Lines of a table split at two or more blanks. */
export function rows (table: string): string[][] {
  return table.trimEnd().split('\n').map(line => line.split(/ {2,}/).map(cell => cell.trim()))
}
