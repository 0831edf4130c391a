// Tries to find a violation: one attempt is one run from one seed. Imports production code: after loader.ts.
import { existsSync, readFileSync } from 'node:fs'
import { Chaos } from '../../partition/world/chaos.ts'
import { runScenario as runInterleaving } from '../../partition/world/commands.ts'
import { SimFailure } from '../failure.ts'
import { runSeed } from '../run.ts'
import type { RunResult } from '../run.ts'
import { runScenario } from '../scenario.ts'
import type { Finder } from './mutation.ts'
import { planOf } from './plans.ts'

export interface Attempt {
  readonly finder: Finder
  /** 0 for an interleaving, which has none. */
  readonly seed: number
}

export interface Violation {
  /** The class of anomaly, or the invariant. */
  readonly kind: string
  readonly message: string
}

const stepsOfHistory = 250
const stepsOfShortHistory = 200

function scenario (name: string): string {
  const own = new URL(`./scenarios/${name}.txt`, import.meta.url)
  return readFileSync(existsSync(own) ? own : new URL(`../scenarios/${name}.txt`, import.meta.url), 'utf8')
}

/** Undefined when everything was kept. */
export function attempt ({ finder, seed }: Attempt): Promise<Violation | undefined> {
  const [what = '', ...words] = finder.split(' ')
  const name = words.join(' ')
  switch (what) {
    case 'seeds': return violationOf(runSeed(seed))
    case 'plan': return violationOf(runSeed(seed, planOf(name, seed)))
    case 'scenario': return violationOf(runScenario(scenario(name), seed))
    case 'histories': return history(name, seed)
    case 'interleaving': return interleaving(name)
    default: throw new Error(`no finder '${finder}'`)
  }
}

async function violationOf (run: Promise<RunResult>): Promise<Violation | undefined> {
  const { failure } = await run
  return failure === undefined ? undefined : describe(failure)
}

const sloppy = new Set(['TypeError', 'ReferenceError', 'SyntaxError', 'RangeError'])

/** A mutation that crashes by itself proves nothing. */
function describe (error: unknown): Violation {
  const cause: unknown = error instanceof SimFailure && error.cause !== undefined ? error.cause : error
  if (cause instanceof Error && sloppy.has(cause.name)) throw cause
  const message = error instanceof Error ? error.message : String(error)
  if (cause instanceof Error && cause.name === 'AssertionError') return { kind: 'assertion', message: cause.message }
  return { kind: error instanceof SimFailure ? error.kind : 'error', message }
}

async function history (shape: string, seed: number): Promise<Violation | undefined> {
  const [brokers = 3, minInSync = 2] = shape.split('/').map(Number)
  const steps = brokers < 3 ? stepsOfShortHistory : stepsOfHistory
  try {
    await new Chaos(seed, { brokers, minInSync, steps }).run()
    return undefined
  } catch (error) {
    return describe(error)
  }
}

async function interleaving (name: string): Promise<Violation | undefined> {
  const written = readFileSync(new URL(`../../partition/scenarios/${name}.txt`, import.meta.url), 'utf8')
  let outcome: string
  try {
    outcome = await runInterleaving(written)
  } catch (error) {
    return describe(error)
  }
  if (outcome === written) return undefined
  const [lines, expected] = [outcome.split('\n'), written.split('\n')]
  const at = expected.findIndex((line, index) => line !== lines[index])
  return { kind: 'outcome', message: `line ${at + 1}: '${lines[at] ?? ''}', expected '${expected[at] ?? ''}'` }
}
