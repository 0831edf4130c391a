// npm run mutations: takes each rule out of the source, one at a time, and sees whether it is missed. It searches
// from the first seed on and writes docs/proof.md; --refresh searches only for what the last finder does not find
// any more; --quick does the same and writes nothing.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { mutations } from './mutations/all.ts'
import type { Finder, Mutation } from './mutations/mutation.ts'
import { describeFound, replaceTable } from './mutations/page.ts'
import type { Recorded } from './mutations/page.ts'
import type { Attempt } from './mutations/finders.ts'
import type { Found, Outcome, Task } from './mutations/worker.ts'

const worker = fileURLToPath(new URL('./mutations/worker.ts', import.meta.url))
const recordFile = new URL('./mutations/found.json', import.meta.url)
const page = new URL('../../docs/proof.md', import.meta.url)
/** When what found a mutant last time finds it no more, --quick searches for so much CPU time. */
const quickSeconds = 25

interface Options {
  readonly quick: boolean
  readonly refresh: boolean
  readonly only?: string
  readonly try?: string
  readonly minutes: string
  readonly jobs: string
  readonly nice: string
}

const options = new Command('mutations')
  .description('Takes each rule of docs/replication.md out of the source: the simulator must find a violation.')
  .option('--quick', 'try what found each mutant last time; search only when that finds nothing', false)
  .option('--refresh', 'try what found each mutant last time first, write what had to be searched for', false)
  .option('--only <names>', 'these mutations alone, parted by commas')
  .option('--try <attempt>', "one attempt, as 'plan churn, seed 3', on the source as it is, or on the mutant of --only")
  .option('--minutes <n>', 'search for so much CPU time for each mutant', '2')
  .option('--jobs <n>', 'so many processes at once', '1')
  .option('--nice <n>', 'how far the processes step back', '5')
  .parse().opts<Options>()

const record = JSON.parse(readFileSync(recordFile, 'utf8')) as Record<string, Recorded>

/** Runs a task in a process of its own. */
function work (task: Task): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, JSON.stringify(task)],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' } })
    let out = ''
    let errors = ''
    child.stdout.on('data', (data: Buffer) => { out += data.toString() })
    child.stderr.on('data', (data: Buffer) => { errors += data.toString() })
    child.on('error', reject)
    child.on('close', (code) => {
      const last = out.trimEnd().split('\n').at(-1) ?? ''
      if (code === 0 && last.startsWith('{')) resolve(JSON.parse(last) as Outcome)
      else reject(new Error(`${task.mutation}: the worker ended with ${code}\n${errors.slice(-2_000)}`))
    })
  })
}

function taskOf ({ name }: Mutation): Task {
  const known = record[name]
  const attempts = known === undefined || !(options.quick || options.refresh) ? [] : [known]
  return { mutation: name, attempts, seconds: options.quick ? quickSeconds : Number(options.minutes) * 60 }
}

/** True when it was found: by an attempt that the source as it is passes. */
async function search (mutation: Mutation): Promise<boolean> {
  const { name } = mutation
  let task = taskOf(mutation)
  for (let [tries, seconds] = [0, 0]; ;) {
    const outcome = await work(task)
    tries += outcome.tries
    seconds += outcome.seconds
    const [found] = outcome.found
    if (found === undefined) {
      console.log(`${name}: NOT FOUND in ${tries} tries, ${Math.round(seconds)} s`)
      Reflect.deleteProperty(record, name)
      return false
    }
    const { finder, seed } = found
    // What found it last time is tried on the source as it is at the end, all in one process.
    const isKnown = record[name]?.finder === finder && record[name]?.seed === seed
    if ((options.quick && isKnown) || await passes(found)) {
      note(mutation, found, tries, seconds)
      return true
    }
    console.log(`${name}: ${describeFound(found)}: the source as it is fails too`)
    task = { ...task, attempts: [], after: found, seconds: task.seconds - outcome.seconds }
  }
}

async function passes ({ finder, seed }: Attempt): Promise<boolean> {
  const { found } = await work({ mutation: '', attempts: [{ finder, seed }], seconds: 0, all: true })
  return found.length === 0
}

function note ({ name }: Mutation, found: Found, tries: number, seconds: number): void {
  const known = record[name]
  const isKnown = known?.finder === found.finder && known.seed === found.seed
  const anew = options.quick && !isKnown ? ' (not what found it last time: npm run mutations -- --refresh)' : ''
  console.log(`${name}: ${describeFound(found)}, ${seconds.toFixed(1)} s, ${tries} tries: ${found.kind}${anew}`)
  const { finder, seed, kind, message } = found
  const spent = isKnown && tries === 1 ? known.seconds : Math.round(seconds * 10) / 10
  record[name] = { finder, seed, kind, message: message.split('\n')[0] ?? '', seconds: spent }
}

/** What is known so far. */
function save (): void {
  if (options.quick) return
  const known: Record<string, Recorded> = {}
  for (const { name } of mutations) if (record[name] !== undefined) known[name] = record[name]
  writeFileSync(recordFile, JSON.stringify(known, undefined, 2) + '\n')
  writeFileSync(page, replaceTable(readFileSync(page, 'utf8'), mutations, known))
}

/** The source as it is must pass what the mutants fail, and as many seeds again. */
async function control (names: readonly string[]): Promise<boolean> {
  const attempts = names.flatMap((name) => record[name] ?? [])
  const { found, tries, seconds } =
    await work({ mutation: '', attempts, seconds: options.quick ? 0 : Number(options.minutes) * 60, all: true })
  for (const each of found) {
    console.log(`the source as it is: ${describeFound(each)}: ${each.kind}: ${each.message}`)
  }
  console.log(`the source as it is: ${found.length} violations in ${tries} tries, ${Math.round(seconds)} s`)
  return found.length === 0
}

setPriority(Number(options.nice))
const names = options.only?.split(',')
if (options.try !== undefined) {
  const text = options.try.replace(/^seed /, 'seeds, seed ')
  const [, finder = '', seed = '0'] = /^(.*?)(?:, seed (\d+))?$/.exec(text) ?? []
  const attempts = [{ finder: finder as Finder, seed: Number(seed) }]
  const { found } = await work({ mutation: names?.[0] ?? '', attempts, seconds: 0, all: true })
  for (const { kind, message } of found) console.log(`${kind}: ${message}`)
  process.exit(found.length === 0 ? 0 : 1)
}
const chosen = mutations.filter(({ name, open }) =>
  names?.includes(name) ?? !(options.quick && open !== undefined))
const missed: string[] = []
const queue = [...chosen]
await Promise.all(Array.from({ length: Number(options.jobs) }, async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    try {
      if (!await search(next) && next.open === undefined) missed.push(next.name)
      save()
    } catch (error) {
      console.log(String(error))
      missed.push(next.name)
    }
  }
}))
const sound = await control(chosen.map(({ name }) => name))
const found = chosen.filter(({ name }) => record[name] !== undefined).length
console.log(`${found} of ${chosen.length} mutants found` +
  (missed.length > 0 ? `; missed: ${missed.join(' ')}` : ''))
save()
process.exitCode = missed.length === 0 && sound ? 0 : 1
