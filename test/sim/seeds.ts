// Many seeds, one after the other, in this process or in several; and what they add up to.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Coverage, sometimes } from './coverage.ts'
import type { Sometimes } from './coverage.ts'
import { runSeed } from './run.ts'

/** One seed in so many runs twice; equal seeds must give equal traces. */
const twiceEvery = 20

/**
 * Of the processes that run seeds. Nearly all that a run allocates is dead within some virtual seconds. V8's own sizes
 * of the young generation (in MiB) are so small that much of it would be copied several times, and grow old.
 */
const workerFlags = ['--min-semi-space-size=64', '--max-semi-space-size=64']

const worker = fileURLToPath(new URL('./seeds-worker.ts', import.meta.url))

/** Which seeds a process takes: from, from + step, ... below `end`. */
export interface Share {
  readonly from: number
  readonly step: number
  readonly end: number
}

/** What is left of a run: can be sent from process to process. */
export interface Summary {
  readonly seed: number
  readonly virtualMs: number
  readonly events: number
  readonly faults: number
  readonly healedInMs: number
  readonly reached: readonly (readonly [Sometimes, number])[]
  readonly failure: { readonly kind: string, readonly message: string } | undefined
  /** CPU time of all threads of the process, user and system. */
  readonly cpuMs: number
}

export async function * runSeeds ({ from, step, end }: Share): AsyncGenerator<Summary> {
  // Refusals are errors, and most of what an error costs is its stack. A failing seed is run again with them.
  Error.stackTraceLimit = 0
  for (let seed = from; seed < end; seed += step) {
    const cpu = process.cpuUsage()
    const result = await runSeed(seed)
    let failure: Summary['failure'] = result.failure
    if (failure === undefined && seed % twiceEvery === 0) {
      const { hash, events } = await runSeed(seed)
      if (hash !== result.hash) {
        const message = `traces ${result.hash} and ${hash}, ${result.events} and ${events} events`
        failure = { kind: 'not deterministic', message }
      }
    }
    const { user, system } = process.cpuUsage(cpu)
    const { virtualMs, events, faults, healedInMs, coverage } = result
    yield {
      seed, virtualMs, events, faults, healedInMs, reached: [...coverage.counts], cpuMs: (user + system) / 1_000,
      failure: failure === undefined ? undefined : { kind: failure.kind, message: failure.message }
    }
  }
}

/** The same by `jobs` processes at once, in whatever order they come. Ends the processes when it is left early. */
export async function * runSeedsOnProcesses (share: Share, jobs: number): AsyncGenerator<Summary> {
  const waiting: Summary[] = []
  let [running, wake, broken] = [jobs, () => {}, undefined as Error | undefined]
  const children: ChildProcess[] = Array.from({ length: jobs }, (_, index) => {
    const part: Share = { ...share, from: share.from + index, step: jobs }
    const child = fork(worker, [JSON.stringify(part)], { execArgv: [...process.execArgv, ...workerFlags] })
    child.on('message', (message) => {
      waiting.push(message as Summary)
      wake()
    })
    child.on('exit', (code) => {
      running--
      if (code !== 0) broken ??= new Error(`a process of the simulator ended with code ${code}`)
      wake()
    })
    return child
  })
  try {
    for (;;) {
      const next = waiting.shift()
      if (next !== undefined) yield next
      else if (broken !== undefined) throw broken
      else if (running === 0) return
      else await new Promise<void>((resolve) => { wake = resolve })
    }
  } finally {
    for (const child of children) child.kill()
  }
}

export class Totals {
  readonly coverage = new Coverage()
  readonly failures: number[] = []
  readonly #begun = performance.now()
  #seeds = 0
  #virtualMs = 0
  #cpuMs = 0
  #events = 0
  #faults = 0
  #slowestHealMs = 0

  add (summary: Summary): void {
    this.#seeds++
    this.#virtualMs += summary.virtualMs
    this.#cpuMs += summary.cpuMs
    this.#events += summary.events
    this.#faults += summary.faults
    this.#slowestHealMs = Math.max(this.#slowestHealMs, summary.healedInMs)
    for (const [state, times] of summary.reached) this.coverage.reached(state, times)
    if (summary.failure !== undefined) this.failures.push(summary.seed)
  }

  get seconds (): number { return (performance.now() - this.#begun) / 1_000 }

  /** Progress in one line. CPU time is what a busy machine leaves comparable. */
  line (): string {
    const { seconds } = this
    const cpuSeconds = this.#cpuMs / 1_000
    const virtualSeconds = this.#virtualMs / 1_000
    const per = (amount: number, time: number, digits: number): string => (time > 0 ? amount / time : 0).toFixed(digits)
    return `% ${this.#seeds} seeds (${per(this.#seeds, seconds, 1)}/s, ${per(this.#seeds, cpuSeconds, 1)} per CPU ` +
      `second), ${(virtualSeconds / 3_600).toFixed(2)} virtual hours (${per(virtualSeconds, seconds, 0)}x real time, ` +
      `${per(virtualSeconds, cpuSeconds, 0)}x CPU time), ${this.#faults} faults, ` +
      `${(this.#events / 1e6).toFixed(1)} M events, reached ${this.coverage.counts.size} of ${sometimes.length}, ` +
      `slowest healing ${(this.#slowestHealMs / 1_000).toFixed(1)} s, ${this.failures.length} failed`
  }
}
