// One mutant in a process of its own: node worker.ts '{"mutation": "...", "attempts": [...], "seconds": 60}'.
// First the attempts that are named, then the finders of the mutation for as long as there is time. The last
// line of its output is the result, JSON.
import type { Attempt, Violation } from './finders.ts'
import { load } from './loader.ts'
import type { Finder, Mutation } from './mutation.ts'
import { mutations } from './all.ts'

export interface Task {
  /** Empty: the source as it is. */
  readonly mutation: string
  readonly attempts: readonly Attempt[]
  /** The finders go on after this one. */
  readonly after?: Attempt
  /** CPU time for the finders, after the attempts. */
  readonly seconds: number
  /** All attempts, whatever is found; default: until something is. */
  readonly all?: boolean
}

export interface Found extends Attempt, Violation {}

export interface Outcome {
  readonly mutation: string
  readonly found: readonly Found[]
  readonly tries: number
  /** CPU time: how busy the machine is does not matter. */
  readonly seconds: number
}

const seedsFrom = 1

function * seedsOf (finder: Finder, after: Attempt | undefined): Generator<Attempt> {
  if (finder.startsWith('interleaving')) {
    if (after?.finder !== finder) yield { finder, seed: 0 }
    return
  }
  const from = after?.finder === finder ? after.seed + 1 : seedsFrom
  for (let seed = from; ; seed++) yield { finder, seed }
}

async function run (task: Task, mutation: Mutation | undefined): Promise<Outcome> {
  const loaded = mutation === undefined ? () => {} : load(mutation)
  const { attempt } = await import('./finders.ts')
  loaded()
  const begun = process.cpuUsage()
  const seconds = (): number => {
    const { user, system } = process.cpuUsage(begun)
    return (user + system) / 1e6
  }
  const found: Found[] = []
  let tries = 0
  const tried = async (one: Attempt): Promise<boolean> => {
    tries++
    const violation = await attempt(one)
    const counts = violation !== undefined && (mutation?.kind ?? violation.kind) === violation.kind
    if (counts) found.push({ ...one, ...violation, message: violation.message.slice(0, 300) })
    return found.length > 0 && task.all !== true
  }
  const outcome = (): Outcome => ({ mutation: task.mutation, found, tries, seconds: seconds() })
  for (const one of task.attempts) if (await tried(one)) return outcome()
  const finders = mutation?.finders ?? ['seeds']
  const skipped = task.after === undefined ? 0 : finders.indexOf(task.after.finder)
  for (const [index, finder] of finders.entries()) {
    if (index < skipped) continue
    const until = task.seconds * (index + 1) / finders.length
    for (const one of seedsOf(finder, task.after)) {
      if (seconds() >= until) break
      if (await tried(one)) return outcome()
    }
  }
  return outcome()
}

// Refusals are errors, and most of what an error costs is its stack.
Error.stackTraceLimit = 0
const task = JSON.parse(process.argv[2] ?? '') as Task
const mutation = mutations.find(({ name }) => name === task.mutation)
if (mutation === undefined && task.mutation !== '') throw new Error(`no mutation ${task.mutation}`)
console.log(JSON.stringify(await run(task, mutation)))
process.exit(0)
