// `npm run faults`: a cluster of real processes under load, faults one by one, in pairs and all mixed, each
// followed by healing; then the checker of the simulator judges what the clients saw and what the disks hold.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { nowMs } from './clock.ts'
import { evidence } from './evidence.ts'
import { replaceFigures, withRun } from './figures.ts'
import type { RunFigures } from './figures.ts'
import { faultKinds, lacking } from './kinds.ts'
import { Volumes } from './mounts.ts'
import { parseFaultOptions, usage } from './options.ts'
import type { FaultOptions } from './options.ts'
import { run } from './run.ts'

/** To start and to read everything at the end; and for each round beside what it lasts. */
const besideMsMax = 400_000
const roundMsMax = 900_000

const figuresFile = join(import.meta.dirname, 'figures.json')
const page = join(import.meta.dirname, '../../../docs/proof.md')

const startedAtMs = nowMs()
function print (text: string): void { process.stdout.write(text) }
function say (line: string): void {
  print(`${((nowMs() - startedAtMs) / 1000).toFixed(1).padStart(7)}  ${line}\n`)
}

/** A run takes less; one that hangs must end as well, and say where it stood. */
function longestMs ({ singles, drawn, mixMinutes, ...options }: FaultOptions): number {
  const pairs = Math.min(options.pairs, drawn.length ** 2)
  const pairMs = Math.max(0, ...drawn.map(({ lastsMs }) => lastsMs.mixed[1]))
  return besideMsMax + mixMinutes * 60_000 + Math.ceil(2 * mixMinutes) * roundMsMax + pairs * (pairMs + roundMsMax) +
    singles.reduce((sum, { lastsMs }) => sum + lastsMs.alone + roundMsMax, 0)
}

/** Ends the run: children end with their parent. */
function hung (options: FaultOptions, folder: string, volumes: Volumes): void {
  say(`PROBLEM it has not ended after ${longestMs(options) / 60_000} minutes`)
  process.stdout.write(`what was complained of last\n${evidence(folder)}\n`)
  volumes.unmount()
  process.exit(1)
}

function keepFigures (figures: RunFigures): void {
  const runs = withRun(JSON.parse(readFileSync(figuresFile, 'utf8')) as RunFigures[], figures)
  writeFileSync(figuresFile, `${JSON.stringify(runs, undefined, 2)}\n`)
  writeFileSync(page, replaceFigures(readFileSync(page, 'utf8'), runs, faultKinds))
}

async function main (): Promise<number> {
  const options = parseFaultOptions(process.argv.slice(2), faultKinds, Math.floor(Math.random() * 2 ** 31))
  if (options.help) {
    process.stdout.write(`${usage}\nKinds: ${faultKinds.map(({ name }) => name).join(', ')}\n`)
    return 0
  }
  const kinds = [...new Set([...options.singles, ...(options.pairs + options.mixMinutes > 0 ? options.drawn : [])])]
  const lacks = lacking(kinds)
  if (lacks.length > 0) {
    process.stderr.write(`% this machine cannot do every fault:\n${lacks.map(each => `%   ${each}\n`).join('')}` +
      '% get what is missing, or leave the kinds out with --but\n')
    return 2
  }
  const folder = options.folder === undefined
    ? mkdtempSync(join(tmpdir(), 'millrace-faults-'))
    : resolve(options.folder)
  mkdirSync(folder, { recursive: true })
  process.stdout.write(`seed ${options.seed}, everything in ${folder}, ${new Date().toISOString()} is 0.0\n`)
  let interrupted = false
  process.on('SIGINT', () => { interrupted = true })
  process.on('SIGTERM', () => { interrupted = true })
  const volumes = new Volumes(folder)
  setTimeout(() => { hung(options, folder, volumes) }, longestMs(options)).unref()
  let problems: string[]
  try {
    if (kinds.some(kind => kind.needs?.includes('loop devices') === true)) volumes.mount(options.brokers)
    const outcome = await run(options, folder, volumes, () => interrupted, { say, print })
    problems = outcome.problems
    if (options.figures && problems.length === 0) keepFigures(outcome.figures)
  } catch (error) {
    problems = [(error as Error).stack ?? String(error)]
  } finally {
    volumes.unmount()
  }
  if (problems.length > 0) process.stdout.write(`what was complained of last\n${evidence(folder)}\n`)
  for (const problem of problems) process.stdout.write(`PROBLEM ${problem}\n`)
  const { argv } = process
  const flags = argv.slice(2).filter((each, index) => each !== '--seed' && argv[index + 1] !== '--seed')
  const again = `npm run faults -- ${flags.map(each => each.includes(' ') ? `'${each}'` : each).join(' ')}`
  if (problems.length > 0) {
    process.stdout.write(`failed; logs, histories and volumes are in ${folder}\n` +
      `again: ${again} --seed ${options.seed}\n`)
    return 1
  }
  if (!options.keep) rmSync(folder, { recursive: true, force: true })
  process.stdout.write('all is well\n')
  return interrupted ? 130 : 0
}

process.exit(await main())
