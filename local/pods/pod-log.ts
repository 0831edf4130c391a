// What a pod's process prints, line by line with the time, in files of bounded size, for `kubectl logs`.
import {
  closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync
} from 'node:fs'
import { dirname } from 'node:path'
import type { LogOptions } from '../kube/api.ts'

const fileBytesMax = 4 * 1024 * 1024
const lineCharactersMax = 16 * 1024
/** Lines that a follower may be behind; a slower one misses lines. */
const followerLinesMax = 10_000

/** Each line of the files begins with a time of fixed length and a space. */
const timeLength = new Date(0).toISOString().length

type Follower = (line: string) => void

export class PodLog {
  readonly #path: string
  readonly #followers = new Set<Follower>()
  #file: number
  #bytes: number
  #rest = ''

  /** @param path of the file; others beside it begin with its name. */
  constructor (path: string) {
    this.#path = path
    mkdirSync(dirname(path), { recursive: true })
    this.#file = openSync(path, 'a')
    this.#bytes = statSync(path).size
  }

  /** A new process begins: what the last one printed is the previous log now. */
  rotate (): void {
    this.#flush()
    if (this.#bytes === 0) return
    rmSync(`${this.#path}.previous.older`, { force: true })
    if (existsSync(`${this.#path}.older`)) renameSync(`${this.#path}.older`, `${this.#path}.previous.older`)
    this.#replace(`${this.#path}.previous`)
  }

  write (chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#append(line)
    if (this.#rest.length > lineCharactersMax) this.#flush()
  }

  close (): void {
    this.#flush()
    closeSync(this.#file)
  }

  /** Yields text; with `follow` until the signal. */
  async * read (options: LogOptions): AsyncIterable<string> {
    this.#flush()
    const lines = this.#lines(options)
    const shown = (line: string): string => `${options.timestamps ? line : line.slice(timeLength + 1)}\n`
    const follower = options.follow && !options.previous ? this.#follow(options.signal) : undefined
    let left = options.limitBytes ?? Infinity
    for (const line of lines) {
      const text = shown(line).slice(0, left)
      left -= text.length
      yield text
      if (left <= 0) return
    }
    if (follower === undefined) return
    for await (const line of follower) yield shown(line)
  }

  #append (line: string): void {
    const text = `${new Date().toISOString()} ${line}`
    const bytes = Buffer.from(`${text}\n`)
    if (this.#bytes + bytes.length > fileBytesMax) this.#replace(`${this.#path}.older`)
    writeSync(this.#file, bytes)
    this.#bytes += bytes.length
    for (const follower of this.#followers) follower(text)
  }

  /** Ends a line that has no end yet. */
  #flush (): void {
    const rest = this.#rest
    this.#rest = ''
    if (rest !== '') this.#append(rest)
  }

  #replace (old: string): void {
    closeSync(this.#file)
    renameSync(this.#path, old)
    this.#file = openSync(this.#path, 'a')
    this.#bytes = 0
  }

  #lines ({ previous, sinceSeconds, tailLines }: LogOptions): string[] {
    const path = previous ? `${this.#path}.previous` : this.#path
    const lines = [`${path}.older`, path].filter(each => existsSync(each))
      .flatMap(each => readFileSync(each, 'utf8').split('\n').slice(0, -1))
    const since = sinceSeconds === undefined ? '' : new Date(Date.now() - sinceSeconds * 1000).toISOString()
    const recent = lines.filter(line => line.slice(0, timeLength) >= since)
    return tailLines === undefined ? recent : recent.slice(recent.length - Math.min(tailLines, recent.length))
  }

  /** Begins at once, so that no line is missed between what was read and what comes. */
  #follow (signal: AbortSignal): AsyncIterable<string> {
    const lines: string[] = []
    let wake = (): void => {}
    const follower: Follower = line => {
      if (lines.length < followerLinesMax) lines.push(line)
      wake()
    }
    this.#followers.add(follower)
    const followers = this.#followers
    signal.addEventListener('abort', () => {
      followers.delete(follower)
      wake()
    })
    return {
      async * [Symbol.asyncIterator] () {
        while (!signal.aborted) {
          const line = lines.shift()
          if (line !== undefined) yield line
          else await new Promise<void>(resolve => { wake = resolve })
        }
      }
    }
  }
}
