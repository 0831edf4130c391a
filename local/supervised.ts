// A child that is started again whenever it ends, within a second.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { startChild } from './child.ts'
import type { Program } from './child.ts'

const healthyLifeMs = 2_000
const pauseMs = 500

export class Supervised {
  readonly #program: Program
  readonly #env: Readonly<Record<string, string>>
  readonly #onOutput: (chunk: Buffer) => void
  readonly #onExit: (how: string) => void
  readonly #ended: Promise<void>
  #child: ChildProcess | undefined
  #stopping = false
  #wake = (): void => {}

  /** Starts it. @param onExit hears how it ended, each time but the last. */
  constructor (program: Program, env: Readonly<Record<string, string>>, onOutput: (chunk: Buffer) => void,
    onExit: (how: string) => void) {
    this.#program = program
    this.#env = env
    this.#onOutput = onOutput
    this.#onExit = onExit
    this.#ended = this.#run()
  }

  /** SIGTERM, and SIGKILL after graceMs. Resolves when it is gone. */
  async stop (graceMs: number): Promise<void> {
    this.#stopping = true
    this.#wake()
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => { this.#child?.kill('SIGKILL') }, graceMs)
    await this.#ended
    clearTimeout(timer)
  }

  async #run (): Promise<void> {
    while (!this.#stopping) {
      const startedAt = performance.now()
      const child = startChild(this.#program, this.#env, this.#onOutput)
      this.#child = child
      let how: string
      try {
        const [code, signal] = await once(child, 'exit') as [number | null, string | null]
        how = signal ?? `exit code ${code ?? 0}`
      } catch (error) {
        how = (error as Error).message
      }
      this.#child = undefined
      if (this.#stopping) return
      this.#onExit(how)
      if (performance.now() - startedAt < healthyLifeMs) await this.#pause()
    }
  }

  async #pause (): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, pauseMs)
    await promise
    clearTimeout(timer)
  }
}
