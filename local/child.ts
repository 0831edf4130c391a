// Starts a Node program as a child that ends when this process does.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const rootFolder = join(import.meta.dirname, '..')
/** Programs as compiled by Node, which takes longer than everything else at the start of a process. */
export const compileCacheFolder = join(rootFolder, 'node_modules/.cache/millrace')
const leash = pathToFileURL(join(import.meta.dirname, 'leash.ts')).href

export interface Program {
  /** Absolute path. */
  readonly file: string
  readonly args: readonly string[]
}

/** The environment that every child gets; nothing else of ours, above all no NODE_OPTIONS. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'LC_ALL', 'NODE_COMPILE_CACHE']

/**
 * @param onOutput gets what it prints on stdout and stderr. @param through a command that becomes the program that
 * its last arguments name, such as nsenter.
 */
export function startChild ({ file, args }: Program, env: Readonly<Record<string, string>>,
  onOutput: (chunk: Buffer) => void, through: readonly string[] = []): ChildProcess {
  const base = Object.fromEntries(inherited.map(name => [name, process.env[name]]))
  const [command, ...rest] = [...through, process.execPath, '--import', leash, file, ...args]
  const child = spawn(command!, rest, {
    cwd: rootFolder,
    env: { ...base, ...env },
    // In a process group of its own: Ctrl-C on the terminal is for us, we stop the children in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe']
  })
  child.stdout?.on('data', onOutput)
  child.stderr?.on('data', onOutput)
  // The leash: a broken one means that the child is gone, which 'exit' says.
  child.stdio[3]?.on('error', () => {})
  return child
}
