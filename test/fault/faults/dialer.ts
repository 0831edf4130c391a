// Which process is at the other end of a connection on 127.0.0.1: by the socket's inode, which /proc/net/tcp
// and /proc/<pid>/fd both name. See proc(5). Those who ask at the same time are answered from one look, so that
// a storm of connections costs no more than a few.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { pause } from './clock.ts'

const loopback = '0100007F'
/** Questions are gathered for so long. */
const gatherMs = 3

interface Question {
  readonly addresses: string
  answer (host: string | undefined): void
}

export class Dialers {
  readonly #hosts: () => ReadonlyMap<string, number>
  #questions: Question[] = []

  /** @param hosts pids by name */
  constructor (hosts: () => ReadonlyMap<string, number>) {
    this.#hosts = hosts
  }

  /** The host that dialled, by name. @param port its own, @param at the one that it dialled */
  async nameOf (port: number, at: number): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    this.#questions.push({ addresses: `${loopback}:${hex(port)} ${loopback}:${hex(at)}`, answer: resolve })
    if (this.#questions.length === 1) void this.#look()
    return await promise
  }

  async #look (): Promise<void> {
    await pause(gatherMs)
    const questions = this.#questions
    this.#questions = []
    const inodes = inodesByAddresses(new Set(questions.map(({ addresses }) => addresses)))
    const owners = ownersOf(new Set(inodes.values()), this.#hosts())
    for (const { addresses, answer } of questions) answer(owners.get(inodes.get(addresses) ?? ''))
  }
}

function hex (port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

/** '0100007F:1F90 0100007F:2382' (the socket's own address, the other one) to its inode. */
function inodesByAddresses (wanted: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const colon = line.indexOf(': ')
    const addresses = line.slice(colon + 2, colon + 29)
    if (!wanted.has(addresses)) continue
    const inode = line.trim().split(/\s+/)[9]
    if (inode !== undefined && inode !== '0') found.set(addresses, inode)
  }
  return found
}

function ownersOf (inodes: ReadonlySet<string>, hosts: ReadonlyMap<string, number>): Map<string, string> {
  const found = new Map<string, string>()
  for (const [name, pid] of hosts) {
    if (found.size === inodes.size) break
    for (const descriptor of descriptorsOf(pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(pid, descriptor))?.[1]
      if (inode !== undefined && inodes.has(inode)) found.set(inode, name)
    }
  }
  return found
}

function descriptorsOf (pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`)
  } catch {
    return [] // It has ended.
  }
}

function linkOf (pid: number, descriptor: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`)
  } catch {
    return '' // It was closed meanwhile.
  }
}
