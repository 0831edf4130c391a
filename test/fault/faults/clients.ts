// The client processes of a run: started, killed, stopped; their histories put together.
import type { ChildProcess } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../../local/child.ts'
import type { Operation } from '../../check/history.ts'
import { ended } from '../harness.ts'
import type { ClientOptions, WorkTopic } from './client-options.ts'
import { groupsOf, membersPerGroup } from './groups.ts'
import { readHistory } from './history-file.ts'
import type { Workload } from './options.ts'

type Role = ClientOptions['role']

/** Where the clients run, and what they begin with. */
export interface ClientHost {
  readonly folder: string
  readonly bootstrap: readonly string[]
  readonly clientPids: Map<string, number>
  /** See startChild. */
  readonly through?: readonly string[]
}

interface Client {
  readonly base: string
  readonly role: Role
  readonly group: string | undefined
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  /** Killed on purpose. */
  killed: boolean
  /** A fault has it: it stands still. */
  paused: boolean
  /** SIGTERM was sent. */
  stopping: boolean
}

const files: Readonly<Record<Role, string>> = {
  producer: 'producer-process.ts', ballast: 'ballast-process.ts', consumer: 'consumer-process.ts',
  drain: 'consumer-process.ts', member: 'member-process.ts', worker: 'worker-process.ts',
  'dead letters': 'dead-letter-process.ts'
}

export class Clients {
  /** What clients said when they ended by themselves: an error that they should not have had. */
  readonly failures: string[] = []
  readonly #world: ClientHost
  readonly #topics: readonly WorkTopic[]
  readonly #everyMs: number
  readonly #workload: Workload
  readonly #seed: number
  readonly #clients = new Map<string, Client>()
  readonly #files: string[] = []
  #lives = 0

  constructor (world: ClientHost, topics: readonly WorkTopic[], seed: number, everyMs: number,
    workload: Workload = 'records') {
    this.#world = world
    this.#topics = topics
    this.#seed = seed
    this.#everyMs = everyMs
    this.#workload = workload
    mkdirSync(join(world.folder, 'histories'), { recursive: true })
  }

  /** Names of the groups that share the topics. */
  get groups (): readonly string[] { return groupsOf(this.#workload) }

  begin (producers: number, consumers: number): void {
    for (let index = 1; index <= producers; index++) this.#start(`p${index}`, 'producer')
    for (let index = 1; index <= consumers; index++) {
      this.#start(`c${index}`, 'consumer', index % 2 === 1 ? `group-${index}` : undefined)
    }
    for (const name of this.groups) for (let index = 0; index < membersPerGroup; index++) this.join(name)
  }

  /** One member more. Returns its name. */
  join (group: string): string {
    return this.#workload === 'queues' ? this.#start('w', 'worker', group) : this.#start('m', 'member', group)
  }

  /** Members that run, by name, with their groups; those that a fault has are left out. */
  members (): { readonly name: string, readonly group: string }[] {
    return [...this.#clients].flatMap(([name, { role, group, paused, killed }]) =>
      (role === 'member' || role === 'worker') && group !== undefined && !paused && !killed ? [{ name, group }] : [])
  }

  /** kill -9. */
  kill (name: string): void {
    const client = this.#clients.get(name)
    if (client === undefined) return
    client.killed = true
    client.child.kill('SIGKILL')
  }

  /** SIGSTOP; undone by what it returns. */
  pause (name: string): () => void {
    const client = this.#clients.get(name)
    if (client === undefined) return () => {}
    client.paused = true
    client.child.kill('SIGSTOP')
    return () => {
      client.paused = false
      client.child.kill('SIGCONT')
    }
  }

  /** It leaves its group, and ends. */
  leave (name: string): void {
    const client = this.#clients.get(name)
    if (client === undefined) return
    // From here on no fault finds it; an exit code other than 0 is a failure all the same.
    client.paused = true
    client.stopping = true
    client.child.kill('SIGTERM')
  }

  /** Names of those that run. */
  names (): string[] { return [...this.#clients.keys()] }

  /** kill -9, and another one in its place. */
  restart (name: string): void {
    const client = this.#clients.get(name)
    if (client === undefined) return
    this.kill(name)
    this.#start(client.base, client.role, client.group)
  }

  /** Resolves when they have ended: producers when all that they sent is settled. */
  async stop (role: Role, timeoutMs: number): Promise<void> {
    const stopping = [...this.#clients].filter(([, client]) => client.role === role)
    for (const [, client] of stopping) {
      client.stopping = true
      client.child.kill('SIGTERM')
    }
    await Promise.all(stopping.map(([name, client]) => this.#endOf(name, client, timeoutMs)))
  }

  /** Makes topics as large as they are to be at first, in a process of its own. False when it did not end in time. */
  ballast (timeoutMs: number): Promise<boolean> { return this.#once('ballast', timeoutMs) }

  /** Reads all that there is, likewise. */
  drain (timeoutMs: number): Promise<boolean> { return this.#once('drain', timeoutMs) }

  /** Reads all dead letters that there are, likewise. */
  readDeadLetters (timeoutMs: number): Promise<boolean> { return this.#once('dead letters', timeoutMs) }

  async #once (role: Role, timeoutMs: number): Promise<boolean> {
    const name = this.#start(role[0]!, role)
    return await this.#endOf(name, this.#clients.get(name)!, timeoutMs)
  }

  killAll (): void {
    for (const client of this.#clients.values()) {
      client.killed = true
      client.child.kill('SIGKILL')
    }
  }

  /** In the order in which everything began, over all processes. */
  history (): Operation[] {
    return this.#files.flatMap(readHistory).sort((a, b) => a.startMs - b.startMs)
  }

  async #endOf (name: string, client: Client, timeoutMs: number): Promise<boolean> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      client.killed = true
      this.failures.push(`${name} did not end within ${timeoutMs / 1000} s`)
      client.child.kill('SIGKILL')
    }, timeoutMs)
    await client.ended
    clearTimeout(timer)
    return !late
  }

  #start (base: string, role: Role, group?: string): string {
    const { folder, bootstrap } = this.#world
    const name = `${base}.${++this.#lives}`
    const historyFile = join(folder, `histories/${name}.jsonl`)
    const options: ClientOptions = {
      role, name, bootstrap, topics: this.#topics, historyFile,
      seed: this.#seed * 1_000 + this.#lives, everyMs: this.#everyMs,
      keyed: this.#workload === 'queues', ...group !== undefined && { group }
    }
    const file = join(import.meta.dirname, files[role])
    const log = createWriteStream(join(folder, `histories/${name}.log`))
    let said = ''
    const child = startChild({ file, args: [JSON.stringify(options)] }, {}, chunk => {
      log.write(chunk)
      said = (said + chunk.toString()).slice(-2_000)
    }, this.#world.through)
    const client: Client = {
      base, role, group, child, killed: false, paused: false, stopping: false, ended: ended(child)
    }
    this.#clients.set(name, client)
    this.#files.push(historyFile)
    if (child.pid !== undefined) this.#world.clientPids.set(name, child.pid)
    void client.ended.then(code => {
      log.end()
      this.#clients.delete(name)
      this.#world.clientPids.delete(name)
      // Before it has begun SIGTERM ends a process at once.
      const early = code === null && client.stopping && !existsSync(historyFile)
      if (code === 0 || client.killed || early) return
      this.failures.push(`${name} ended with ${code ?? 'a signal'}: ${said.trim()}`)
    })
    return name
  }
}
