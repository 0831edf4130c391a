// The simulator's command line: npm run sim -- --seed 7, or --seeds 1000 --minutes 5.
import { Command, InvalidArgumentError } from 'commander'
import { Coverage } from './coverage.ts'
import { describeFailure, formatEvent } from './report.ts'
import { runSeed } from './run.ts'
import type { RunResult } from './run.ts'
import { formatLine } from './log.ts'

/** One seed in so many runs twice; equal seeds must give equal traces. */
const twiceEvery = 20

function whole (text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('a whole number is needed')
  return number
}

interface Options {
  readonly seed?: number
  readonly seeds?: number
  readonly minutes?: number
  readonly verbose: boolean
  readonly log: boolean
  readonly trace?: string
  readonly keepGoing: boolean
}

const program = new Command('sim')
  .description('Runs a whole cluster in virtual time, with faults, from a seed; checks every promise.')
  .option('--seed <n>', 'run this seed alone', whole)
  .option('--seeds <n>', 'so many seeds, fresh ones', whole)
  .option('--minutes <n>', 'stop after so many minutes', Number)
  .option('--log', 'print what the brokers log', false)
  .option('--trace <pattern>', 'print the events that match, with --seed')
  .option('--verbose', 'show debug lines too', false)
  .option('--keep-going', 'go on after a failure', false)
  .addHelpText('beforeAll', 'Examples:\n  npm run sim -- --seed 7\n  npm run sim -- --seeds 1000 --minutes 5\n')

class Totals {
  readonly coverage = new Coverage()
  readonly failures: number[] = []
  readonly #begun = performance.now()
  seeds = 0
  virtualMs = 0
  events = 0
  faults = 0
  slowestHealMs = 0

  add (result: RunResult): void {
    this.seeds++
    this.virtualMs += result.virtualMs
    this.events += result.events
    this.faults += result.faults
    this.slowestHealMs = Math.max(this.slowestHealMs, result.healedInMs)
    this.coverage.merge(result.coverage)
    if (result.failure !== undefined) this.failures.push(result.seed)
  }

  get seconds (): number { return (performance.now() - this.#begun) / 1_000 }

  line (): string {
    const { seconds } = this
    const virtualSeconds = this.virtualMs / 1_000
    return `% ${this.seeds} seeds (${(this.seeds / seconds).toFixed(1)}/s), ` +
      `${(virtualSeconds / 3_600).toFixed(2)} virtual hours (${Math.round(virtualSeconds / seconds)}x), ` +
      `${this.faults} faults, ${(this.events / 1e6).toFixed(1)} M events, ` +
      `slowest healing ${(this.slowestHealMs / 1_000).toFixed(1)} s, ${this.failures.length} failed`
  }
}

async function runAgain (first: RunResult): Promise<void> {
  const second = await runSeed(first.seed)
  if (second.hash === first.hash) return
  throw new Error(`seed ${first.seed} is not deterministic: traces ${first.hash} and ${second.hash}, ` +
    `${first.events} and ${second.events} events`)
}

async function one (seed: number, options: Options): Promise<boolean> {
  const pattern = options.trace === undefined ? undefined : new RegExp(options.trace)
  const result = await runSeed(seed, undefined, {
    onLine: options.log
      ? (line) => { if (options.verbose || line.level !== 'debug') console.log(formatLine(line)) }
      : undefined,
    onEvent: pattern === undefined
      ? undefined
      : (entry) => {
          const text = formatEvent(entry)
          if (pattern.test(text)) console.log(text)
        }
  })
  if (result.failure !== undefined) {
    console.log(describeFailure(result, options.verbose))
    return false
  }
  const { sends, recordsPolled } = result.report!
  console.log(`seed ${seed}: ${Math.round(result.virtualMs)} ms of virtual time, ${result.events} events, ` +
    `${result.faults} faults, ${sends.ok} sends acknowledged, ${sends.failed} failed, ${sends.unknown} unknown, ` +
    `${recordsPolled} records read, healed in ${Math.round(result.healedInMs)} ms, trace ${result.hash}`)
  await runAgain(result)
  return true
}

async function many (options: Options): Promise<boolean> {
  // Refusals are errors, and most of what an error costs is its stack. A failing seed alone has them.
  Error.stackTraceLimit = 0
  const totals = new Totals()
  const seedsMax = options.seeds ?? Infinity
  const secondsMax = (options.minutes ?? (options.seeds === undefined ? 1 : Infinity)) * 60
  const first = options.seed ?? Math.floor(Math.random() * 1e9)
  console.error(`% seeds from ${first}`)
  let printed = 0
  for (let seed = first; seed < first + seedsMax && totals.seconds < secondsMax; seed++) {
    const result = await runSeed(seed)
    totals.add(result)
    if (result.failure !== undefined) {
      console.log(options.keepGoing
        ? `seed ${seed}: ${result.failure.kind}: ${result.failure.message.slice(0, 300)}`
        : describeFailure(result))
      if (!options.keepGoing) break
    } else if (totals.seeds % twiceEvery === 0) await runAgain(result)
    if (totals.seconds - printed > 5) {
      printed = totals.seconds
      console.error(totals.line())
    }
  }
  console.error(totals.line())
  console.error('% reached:')
  for (const [state, times] of [...totals.coverage.counts].sort()) console.error(`%   ${state}: ${times}`)
  for (const state of totals.coverage.missing) console.error(`%   never: ${state}`)
  if (totals.failures.length > 0) console.error(`% failed seeds: ${totals.failures.join(' ')}`)
  return totals.failures.length === 0
}

program.parse()
const options = program.opts<Options>()
const single = options.seed !== undefined && options.seeds === undefined
process.exitCode = await (single ? one(options.seed!, options) : many(options)) ? 0 : 1
