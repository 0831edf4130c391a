// `npm run faults`: a cluster of real processes under load, faults one by one, in pairs and all mixed, each
// followed by healing; then the checker of the simulator judges what the clients saw and what the disks hold.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { clusterName } from '../../../local/manifests.ts'
import { SimRng } from '../../sim/rng.ts'
import { nowMs, pause } from './clock.ts'
import { Clients } from './clients.ts'
import { evidence } from './evidence.ts'
import { faultKinds, lacking } from './kinds.ts'
import { Volumes } from './mounts.ts'
import { parseFaultOptions, usage } from './options.ts'
import type { FaultOptions } from './options.ts'
import { Rounds } from './rounds.ts'
import { committedEnds, judge, table } from './verdict.ts'
import { volumeContents } from './volume-contents.ts'
import { World } from './world.ts'
import type { TopicSpec } from './world.ts'
import { placedRows } from './tables.ts'

const producers = 2
const consumers = 2
/** To start and to read everything at the end; and for each round beside what it lasts. */
const besideMsMax = 400_000
const roundMsMax = 180_000
/** Everything that was accepted is settled by then, everything is read by then. */
const settleMsMax = 60_000
const drainMsMax = 120_000
const anomaliesShown = 20

const startedAtMs = nowMs()
function say (line: string): void {
  process.stdout.write(`${((nowMs() - startedAtMs) / 1000).toFixed(1).padStart(7)}  ${line}\n`)
}

function topicsOf ({ brokers, partitions }: FaultOptions): TopicSpec[] {
  return [
    { name: 'orders', partitions, replicas: 3, minInSync: 2 },
    // As many copies as there are brokers, a majority of them in sync.
    { name: 'wide', partitions: 2, replicas: brokers, minInSync: Math.floor(brokers / 2) + 1 }
  ]
}

/** Problems, in lines; none when all is well. */
async function run (options: FaultOptions, folder: string, volumes: Volumes, stopped: () => boolean):
Promise<string[]> {
  const topics = topicsOf(options)
  const world = await World.start(folder, options.brokers, topics)
  say(`${options.brokers} brokers are ready`)
  const clients = new Clients(world, topics, options.seed, options.everyMs)
  let stoppedWorld = false
  try {
    clients.begin(producers, consumers)
    const lateness = monitorEventLoopDelay()
    lateness.enable()
    await pause(3_000)
    const rng = new SimRng(options.seed, 'faults')
    const rounds = new Rounds({ world, clients, volumes, rng, struck: new Set() }, say, stopped)
    await rounds.singles(options.singles)
    await rounds.pairs(options.drawn, options.pairs)
    if (options.mixMinutes > 0) await rounds.mix(options.drawn, options.mixMinutes)
    lateness.disable()
    // Everything goes through the proxies of this process: what held them up is no fault of the product.
    say(`the proxies were late by ${(lateness.percentile(99.9) / 1e6).toFixed(0)} ms (99.9 %), ` +
      `${(lateness.max / 1e6).toFixed(0)} ms at most`)
    say('the load ends; everything is read once more')
    await clients.stop('producer', settleMsMax)
    const drained = await clients.drain(drainMsMax)
    await clients.stop('consumer', settleMsMax)
    const rows = placedRows(world.api)
    const { uid: clusterUid = '' } = world.api.get('clusters.millrace.dev', 'default', clusterName)!.metadata
    stoppedWorld = true
    await world.stop()
    const history = clients.history()
    const replicas = await volumeContents({ folder, clusterUid, rows, committed: committedEnds(history) })
    const keys = topics.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => `${name}-${partition}`))
    const { report, anomalies, measured } = judge(history, rounds.done, keys, replicas, drained)
    const { ok, failed, unknown } = report.sends
    process.stdout.write(`\n${table(rounds.done, measured)}\n\n` +
      `${ok} records acknowledged, ${failed} failed, ${unknown} unknown; ${report.recordsPolled} read; ` +
      `${replicas.length} replicas compared; ${anomalies.length} anomalies\n`)
    return [
      ...anomalies.slice(0, anomaliesShown).map(({ kind, key, message }) => `${kind} ${key}: ${message}`),
      ...anomalies.length > anomaliesShown ? [`${anomalies.length - anomaliesShown} more anomalies`] : [],
      ...rounds.failures, ...clients.failures
    ]
  } finally {
    clients.killAll()
    if (!stoppedWorld) {
      world.network.healAll()
      world.releaseAll()
      await world.stop()
    }
  }
}

/** A run takes less; one that hangs must end as well, and say where it stood. */
function longestMs ({ singles, pairs, drawn, mixMinutes }: FaultOptions): number {
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
    problems = await run(options, folder, volumes, () => interrupted)
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
