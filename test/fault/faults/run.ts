// One run: the cluster, the load, the rounds of faults; then everything is read once more, the cluster stops, and
// the checker judges what clients saw and what disks hold.
import { availableParallelism, loadavg } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { clusterName } from '../../../local/manifests.ts'
import { checkGroups } from '../../check/groups.ts'
import type { Key, Operation } from '../../check/history.ts'
import { SimRng } from '../../sim/rng.ts'
import { nowMs, pause } from './clock.ts'
import { keysOf } from './client-options.ts'
import { Clients } from './clients.ts'
import { rowsOf } from './figures.ts'
import type { RunFigures } from './figures.ts'
import { groupFigures, groupTable } from './group-figures.ts'
import { workQueues } from './groups.ts'
import { judgeQueues } from './queue-figures.ts'
import type { Volumes } from './mounts.ts'
import type { FaultOptions } from './options.ts'
import { allPairs, Rounds } from './rounds.ts'
import type { Pair } from './rounds.ts'
import { placedRows } from './tables.ts'
import { bulkTopic, rebalance } from './throttled-move-kind.ts'
import { committedEnds, judge, table } from './verdict.ts'
import { volumeContents } from './volume-contents.ts'
import type { TopicSpec } from './world.ts'
import { World } from './world.ts'

const producers = 2
const consumers = { records: 2, groups: 1, queues: 1 }
/** Everything that was accepted is settled by then, everything is read by then. */
const settleMsMax = 60_000
const drainMsMax = 120_000
const lagMsMax = 60_000
const looksMin = 10
const ballastMsMax = 60_000
/** Before the first fault: every partition is written to; groups have shared them. */
const beginMs = { records: 3_000, groups: 8_000, queues: 8_000 }
const anomaliesShown = 20
const loadSampleMs = 2_000

/** What is told goes to stdout; `say` puts the time before a line. */
export interface Told {
  say (line: string): void
  print (text: string): void
}

function topicsOf ({ brokers, partitions }: FaultOptions): TopicSpec[] {
  return [
    { name: 'orders', partitions, replicas: 3, minInSync: 2 },
    // As many copies as there are brokers, a majority of them in sync.
    { name: 'wide', partitions: 2, replicas: brokers, minInSync: Math.floor(brokers / 2) + 1 },
    bulkTopic
  ]
}

function deadLettersOf ({ workload }: FaultOptions): TopicSpec[] {
  if (workload !== 'queues') return []
  return workQueues.map(({ deadLetterTopic: name }) => ({ name, partitions: 1, replicas: 3, minInSync: 2 }))
}

interface Behind {
  /** Records that the groups have not committed, of all partitions; Infinity where that is not known. */
  readonly records: number
  /** Empty when there are none. */
  readonly text: string
}

async function behind (world: World, groups: readonly string[]): Promise<Behind> {
  let records = 0
  const texts: string[] = []
  for (const name of groups) {
    const { code, stdout, stderr } = await world.millrace(['group', 'describe', name, '--json'])
    if (code !== 0) return { records: Infinity, text: `group ${name}: ${stderr.trim()}` }
    const { partitions } = JSON.parse(stdout) as { partitions: { topic: string, partition: number, lag: number }[] }
    const lagging = partitions.filter(({ lag }) => lag !== 0)
    if (partitions.length === 0) return { records: Infinity, text: `group ${name} has no partitions` }
    records += lagging.reduce((sum, { lag }) => sum + lag, 0)
    if (lagging.length > 0) texts.push(`group ${name} is behind: ${JSON.stringify(lagging)}`)
  }
  return { records, text: texts.join('; ') }
}

/**
 * Empty when the groups have read everything; otherwise where they stand still. What a busy machine is late with counts
 * for nothing as long as it becomes less; nor does one look that took a minute.
 */
async function stuckBehind (world: World, groups: readonly string[]): Promise<string> {
  let least = Infinity
  let text = ''
  for (let sinceMs = nowMs(), looks = 0; nowMs() - sinceMs < lagMsMax || looks < looksMin; looks++) {
    const now = await behind(world, groups)
    text = now.text
    if (text === '') return ''
    if (now.records < least) [least, sinceMs, looks] = [now.records, nowMs(), 0]
    await pause(500)
  }
  return `${text}, and no less for ${lagMsMax / 1000} s`
}

interface Finished {
  /** Everything that there is was read. */
  readonly drained: boolean
  /** By the groups too. */
  readonly isDone: boolean
}

/** The load ends, and everything that there is is read. */
async function finish (world: World, clients: Clients, { workload }: FaultOptions): Promise<Finished> {
  await clients.stop('producer', settleMsMax)
  const drained = await clients.drain(drainMsMax)
  let isDone = clients.groups.length > 0
  if (isDone) {
    const stuck = await stuckBehind(world, clients.groups)
    if (stuck !== '') {
      isDone = false
      clients.failures.push(stuck)
    }
  }
  await Promise.all([clients.stop('consumer', settleMsMax), clients.stop('member', settleMsMax),
    clients.stop('worker', settleMsMax)])
  // Without them a record that was rejected looks as if nobody had finished it.
  if (workload === 'queues' && !await clients.readDeadLetters(drainMsMax)) isDone = false
  return { drained, isDone }
}

function pairsOf ({ drawn, pairs, part: [index, count] }: FaultOptions, rng: SimRng): Pair[] {
  const all = rng.shuffle(allPairs(drawn)).filter((_, place) => place % count === index - 1)
  if (pairs === Infinity || all.length === 0) return all
  return Array.from({ length: pairs }, () => rng.pick(all))
}

interface Outcome {
  /** In lines; none when all is well. */
  readonly problems: string[]
  /** Of single kinds. */
  readonly figures: RunFigures
}

export async function run (options: FaultOptions, folder: string, volumes: Volumes, stopped: () => boolean,
  told: Told): Promise<Outcome> {
  const topics = topicsOf(options)
  const world = await World.start(folder, options.brokers, [...topics, ...deadLettersOf(options)], { rebalance })
  world.placement.begin()
  told.say(`${options.brokers} brokers are ready`)
  const clients = new Clients(world, topics, options.seed, options.everyMs, options.workload)
  let stoppedWorld = false
  try {
    if (!await clients.ballast(ballastMsMax)) throw new Error('the ballast could not be written')
    clients.begin(producers, consumers[options.workload])
    const lateness = monitorEventLoopDelay()
    lateness.enable()
    const loads: number[] = []
    const sampling = setInterval(() => { loads.push(loadavg()[0]!) }, loadSampleMs)
    await pause(beginMs[options.workload])
    const scene = { world, clients, volumes, rng: new SimRng(options.seed, 'faults'), struck: new Set<number>() }
    const rounds = new Rounds(scene, told.say, stopped)
    await rounds.singles(options.singles)
    await rounds.pairs(pairsOf(options, scene.rng))
    if (options.mixMinutes > 0) await rounds.mix(options.drawn, options.mixMinutes)
    lateness.disable()
    clearInterval(sampling)
    // Everything goes through the proxies of this process: what held them up is no fault of the product.
    told.say(`the proxies were late by ${(lateness.percentile(99.9) / 1e6).toFixed(0)} ms (99.9 %), ` +
      `${(lateness.max / 1e6).toFixed(0)} ms at most`)
    told.say('the load ends; everything is read once more')
    const { drained, isDone } = await finish(world, clients, options)
    const rows = placedRows(world.api)
    const { uid: clusterUid = '' } = world.api.get('clusters.millrace.dev', 'default', clusterName)!.metadata
    stoppedWorld = true
    await world.stop()
    const history = clients.history()
    const replicas = await volumeContents({ folder, clusterUid, rows, committed: committedEnds(history) })
    // With two replicas, both of which must acknowledge, the large one stands still whenever either is away.
    const measuredKeys = keysOf(topics.filter(({ name }) => name !== bulkTopic.name))
    const { report, anomalies, measured } = judge(history, rounds.done, measuredKeys, replicas, drained)
    const queues = options.workload === 'queues'
      ? judgeQueues(history, rounds.deaths, keysOf(topics), isDone) : undefined
    const all = [...anomalies, ...queues?.anomalies ?? []]
    const { ok, failed, unknown } = report.sends
    told.print(`\n${table(rounds.done, measured)}\n\n` +
      `${options.workload === 'groups' ? `${groupsOf(history, rounds, measuredKeys)}\n\n` : ''}` +
      `${queues === undefined ? '' : `${queues.table}\n\n`}` +
      `${ok} records acknowledged, ${failed} failed, ${unknown} unknown; ${report.recordsPolled} read; ` +
      `${replicas.length} replicas compared; ${all.length} anomalies\n${missedOf(rounds)}`)
    const problems = [
      ...all.slice(0, anomaliesShown).map(({ kind, key, message }) => `${kind} ${key}: ${message}`),
      ...all.length > anomaliesShown ? [`${all.length - anomaliesShown} more anomalies`] : [],
      ...rounds.failures, ...clients.failures
    ]
    const { brokers, workload, seed } = options
    const figures = {
      brokers, workload, seed, day: new Date().toISOString().slice(0, 10), cores: availableParallelism(),
      load: spread(loads), acknowledged: ok, failed, read: report.recordsPolled, replicas: replicas.length,
      anomalies: all.length, rows: rowsOf(rounds.done.slice(0, options.singles.length), measured)
    }
    return { problems, figures }
  } finally {
    clients.killAll()
    if (!stoppedWorld) {
      world.network.healAll()
      world.releaseAll()
      await world.stop()
    }
  }
}

/** What did not happen does not count as borne. */
function missedOf ({ done }: Rounds): string {
  const lines = done.flatMap(({ name, missed = [] }) => missed.map(why => `  ${name}: ${why}\n`))
  return lines.length === 0 ? '' : `${lines.length} faults struck nobody:\n${lines.join('')}`
}

/** Lowest, median, highest. */
function spread (values: readonly number[]): [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  return [sorted[0] ?? 0, sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0]
}

function groupsOf (history: readonly Operation[], { deaths }: Rounds, keys: readonly Key[]): string {
  const report = checkGroups(history)
  return groupTable(groupFigures(history, deaths, report, keys), report)
}
