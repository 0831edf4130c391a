// The simulator's command line: npm run sim -- --seed 7, or --seeds 1000 --minutes 5.
import { Command, InvalidArgumentError } from 'commander'
import { formatLine } from './log.ts'
import { commandOf, parsePlan, PlanError } from './plan-text.ts'
import type { Plan } from './plan.ts'
import { describeFailure, describeShrunk, formatEvent } from './report.ts'
import { runSeed } from './run.ts'
import type { RunResult } from './run.ts'
import { runSeedsOnProcesses, Totals } from './seeds.ts'
import type { Summary } from './seeds.ts'
import { shrink } from './shrink.ts'

const progressSeconds = 5
const jobsMax = 64
const freshSeeds = 1e9

function whole (text: string): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new InvalidArgumentError('a whole number is needed')
  return number
}

function positive (text: string): number {
  const number = whole(text)
  if (number < 1) throw new InvalidArgumentError('at least 1 is needed')
  return number
}

function jobsOf (text: string): number {
  const number = positive(text)
  if (number > jobsMax) throw new InvalidArgumentError(`at most ${jobsMax} processes`)
  return number
}

function duration (text: string): number {
  const number = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || !(number > 0)) throw new InvalidArgumentError('a time above 0 is needed')
  return number
}

function regExp (text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

interface Options {
  readonly seed?: number
  readonly seeds?: number
  readonly minutes?: number
  readonly jobs: number
  readonly plan?: string
  readonly shrink: number
  readonly verbose: boolean
  readonly log: boolean
  readonly trace?: RegExp
  readonly keepGoing: boolean
}

const program = new Command('sim')
  .description('Runs a whole cluster in virtual time, with faults, from a seed; checks every promise.')
  .option('--seed <n>', 'run this seed alone; with --seeds: begin there', whole)
  .option('--seeds <n>', 'so many seeds; fresh ones, unless --seed says where to begin', positive)
  .option('--minutes <n>', 'stop after so many minutes (default: 1, without --seeds)', duration)
  .option('--jobs <n>', 'on so many processes', jobsOf, 1)
  .option('--keep-going', 'go on after a failure', false)
  .option('--shrink <seconds>', 'look so long for a smaller run that fails in the same way; 0: not at all', whole, 60)
  .option('--plan <json>', 'change the plan of --seed, as a failure prints it')
  .option('--log', 'with --seed: print what the brokers log', false)
  .option('--trace <pattern>', 'with --seed: print the events that match', regExp)
  .option('--verbose', 'show debug lines too', false)
  .addHelpText('beforeAll', 'Examples:\n  npm run sim -- --seed 7\n  npm run sim -- --seeds 1000 --minutes 5\n')
  .addHelpText('afterAll', '\nEnds with 0 when every promise was kept, 1 when one was broken, 2 for bad arguments.\n')
  .exitOverride()

async function one (seed: number, plan: Plan | undefined, options: Options): Promise<boolean> {
  const { trace } = options
  const result = await runSeed(seed, plan, {
    onLine: options.log
      ? (line) => { if (options.verbose || line.level !== 'debug') console.log(formatLine(line)) }
      : undefined,
    onEvent: trace === undefined
      ? undefined
      : (entry) => {
          const text = formatEvent(entry)
          if (trace.test(text)) console.log(text)
        }
  })
  if (result.failure !== undefined) {
    await explain(result, options)
    return false
  }
  const { sends, recordsPolled } = result.report!
  console.log(`seed ${seed}: ${Math.round(result.virtualMs)} ms of virtual time, ${result.events} events, ` +
    `${result.faults} faults, ${sends.ok} sends acknowledged, ${sends.failed} failed, ${sends.unknown} unknown, ` +
    `${recordsPolled} records read, healed in ${Math.round(result.healedInMs)} ms, trace ${result.hash}`)
  const again = await runSeed(seed, plan)
  if (again.hash === result.hash) return true
  console.log(`seed ${seed} is not deterministic: traces ${result.hash} and ${again.hash}, ` +
    `${result.events} and ${again.events} events`)
  return false
}

/** The whole story of a failure, then a smaller one that breaks the same promise. */
async function explain (result: RunResult, options: Options): Promise<void> {
  console.log(describeFailure(result, options.verbose))
  if (options.shrink === 0) return
  console.error(`% looking for a smaller run that fails like this, for ${options.shrink} s at most`)
  console.log(describeShrunk(result, await shrink(result, options.shrink)))
}

/** A failing seed of many, run again where errors have stacks. */
async function explainSeed ({ seed, failure }: Summary, options: Options): Promise<void> {
  Error.stackTraceLimit = 10
  const result = await runSeed(seed)
  if (result.failure !== undefined) await explain(result, options)
  else {
    console.log(`seed ${seed} failed, and does not when it runs again: ${failure?.kind}: ${failure?.message}\n` +
      `\nagain: ${commandOf(seed, result.plan)}`)
  }
}

async function many (options: Options): Promise<boolean> {
  const totals = new Totals()
  const secondsMax = (options.minutes ?? (options.seeds === undefined ? 1 : Infinity)) * 60
  const from = options.seed ?? Math.floor(Math.random() * freshSeeds)
  const share = { from, step: 1, end: from + (options.seeds ?? Number.MAX_SAFE_INTEGER / 2) }
  console.error(`% seeds from ${from}`)
  let printed = 0
  let failed: Summary | undefined
  for await (const summary of runSeedsOnProcesses(share, options.jobs)) {
    totals.add(summary)
    if (summary.failure !== undefined) {
      const { kind, message } = summary.failure
      console.log(`seed ${summary.seed}: ${kind}: ${message.slice(0, 300)}`)
      if (!options.keepGoing) {
        failed = summary
        break
      }
    }
    if (totals.seconds >= secondsMax) break
    if (totals.seconds - printed < progressSeconds) continue
    printed = totals.seconds
    console.error(totals.line())
  }
  console.error(totals.line())
  console.error('% reached:')
  for (const [state, times] of [...totals.coverage.counts].sort()) console.error(`%   ${state}: ${times}`)
  for (const state of totals.coverage.missing) console.error(`%   never: ${state}`)
  if (totals.failures.length > 0) console.error(`% failed seeds: ${totals.failures.join(' ')}`)
  if (failed !== undefined) await explainSeed(failed, options)
  return totals.failures.length === 0
}

async function main (): Promise<number> {
  try {
    program.parse()
    const options = program.opts<Options>()
    const single = options.seed !== undefined && options.seeds === undefined && options.minutes === undefined
    for (const name of ['plan', 'trace', 'log'] as const) {
      const given = options[name] !== undefined && options[name] !== false
      if (given && !single) program.error(`error: --${name} goes with --seed alone`)
    }
    if (!single) return await many(options) ? 0 : 1
    const plan = options.plan === undefined ? undefined : parsePlan(options.seed!, options.plan)
    return await one(options.seed!, plan, options) ? 0 : 1
  } catch (error) {
    if (error instanceof PlanError) console.error(`error: ${error.message}`)
    else if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? 0 : 2
    else throw error
    return 2
  }
}

process.exitCode = await main()
