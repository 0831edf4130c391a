// What the pods of a fault run start instead of the program itself: puts the proxies' addresses into the
// environment and becomes the program (execve: the same process, as whoever pauses or kills it expects).
// Waits while the pod is held: a machine that is down for a while.
import { existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pause } from './clock.ts'

export interface LaunchConfig {
  /** Holds run/<name>.pid and hold/<name>. */
  readonly folder: string
  /** By host name. */
  readonly hosts: Readonly<Record<string, {
    /** Set over what the pod has. */
    readonly env: Readonly<Record<string, string>>
    /** Where Node's inspector listens after SIGUSR1. */
    readonly inspectPort?: number
  }>>
}

const leash = pathToFileURL(join(import.meta.dirname, 'parent-leash.ts')).href
const [configPath = '', fixedName, program = '', ...args] = process.argv.slice(2)
const name = fixedName === '-' ? process.env.MILLRACE_POD_NAME ?? '' : fixedName!
const { folder, hosts } = JSON.parse(readFileSync(configPath, 'utf8')) as LaunchConfig
const host = hosts[name]
if (host === undefined) throw new Error(`${name} is not a host of this run`)

mkdirSync(join(folder, 'run'), { recursive: true })
writeFileSync(join(folder, `run/${name}.pid`), String(process.pid))
// The pod's log is kept for two lives; whoever looks for a cause wants them all.
const before = join(folder, `logs/${name}.log.previous`)
if (existsSync(before)) linkSync(before, join(folder, `logs/${name}.log.before-${process.pid}`))
while (existsSync(join(folder, `hold/${name}`))) await pause(20)
const inspect = host.inspectPort === undefined ? [] : [`--inspect-port=127.0.0.1:${host.inspectPort}`]
process.execve!(process.execPath,
  [process.execPath, '--disable-warning=ExperimentalWarning', ...inspect, '--import', leash, program, ...args],
  { ...process.env, ...host.env } as NodeJS.ProcessEnv)
