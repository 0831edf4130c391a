// How long writing stands still when something fails: `npm run bench:failover`. A cluster of real processes in a
// folder of its own, a steady load on every partition from another process, one line for each kind of failure
// with what is aimed at.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pause } from '../test/fault/faults/clock.ts'
import { placedRows } from '../test/fault/faults/tables.ts'
import { kubeHost, operatorHost, podName, World } from '../test/fault/faults/world.ts'
import { alive, until } from '../test/fault/harness.ts'
import type { LoadAnswer, LoadOptions, LoadQuestion } from './failover-load.ts'

const topic = 'gaps'
const pauseMs = 5_000
const settledMsMax = 120_000
/** A partition that was acknowledged so lately is written to. */
const silentMsMax = 500
/** After the failure is over, for what comes late. */
const calmMs = 1_000

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    partitions: { type: 'string', default: '300' },
    every: { type: 'string', default: '100' },
    stride: { type: 'string', default: '1' },
    brokers: { type: 'string', default: '4' },
    outage: { type: 'string', default: '300' },
    only: { type: 'string' },
    each: { type: 'boolean', default: false }
  }
})
const rounds = Number(values.rounds)
/** More than replicas, so that some partitions have none on a given broker. */
const brokers = Number(values.brokers)
const partitions = Number(values.partitions)
/** One of so many partitions is written to: fewer of them, more often, tell more exactly how long one stands. */
const stride = Number(values.stride)
const outageMs = Number(values.outage) * 1000

class Load {
  readonly #child: ChildProcess

  constructor (options: LoadOptions) {
    this.#child = fork(join(import.meta.dirname, 'failover-load.ts'), [JSON.stringify(options)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
  }

  async ask (kind: LoadQuestion['kind']): Promise<LoadAnswer> {
    this.#child.send({ kind })
    const [answer] = await once(this.#child, 'message') as [LoadAnswer]
    return answer
  }

  /** Every partition has been acknowledged again and again for calmMs: a gap that is under way is not over. */
  async flowing (): Promise<void> {
    let sinceMs = performance.now()
    await until('writes to every partition', 60_000, async () => {
      const { silentMs } = await this.ask('gaps')
      if (silentMs.some(silent => silent >= silentMsMax)) sinceMs = performance.now()
      return performance.now() - sinceMs >= calmMs
    })
  }

  async end (): Promise<void> {
    await this.ask('end')
    await once(this.#child, 'exit')
  }
}

interface Measured {
  /** The longest of the partitions that the victim led; of those that others led. Undefined: none is written to. */
  readonly ledMs: number | undefined
  readonly otherMs: number | undefined
  /** When the longest of all ended, since the failure began. */
  readonly endMs?: number
}

interface Scene { readonly world: World, readonly load: Load, readonly index: number }

interface Line {
  readonly name: string
  readonly what: string
  /** Without ledMs: there is no victim. */
  readonly aim: { readonly ledMs?: number, readonly otherMs: number, readonly noErrors?: boolean }
  readonly once?: boolean
  run (scene: Scene): Promise<Measured>
}

function ledBy ({ world }: Scene, broker: number): Set<number> {
  return new Set(placedRows(world.api).filter(each => each.topic === topic && each.row.leader === broker)
    .map(({ row }) => row.partition))
}

/** One that leads much: who has just come back leads nothing yet. */
function victimOf (scene: Scene, controller: boolean): number {
  const holder = scene.world.controller()
  if (controller) return holder
  const others = scene.world.brokers().filter(broker => broker !== holder)
    .map(broker => ({ broker, led: ledBy(scene, broker).size }))
  return others.sort((a, b) => b.led - a.led)[0]!.broker
}

/** The longest gap of those partitions that are written to and are `chosen`. */
function longestOf (gapsMs: readonly number[], chosen: (partition: number) => boolean): number | undefined {
  const gaps = gapsMs.filter((_, partition) => partition % stride === 0 && chosen(partition))
  return gaps.length === 0 ? undefined : Math.max(...gaps)
}

/** Does `harm`, waits until everything flows again, and tells the gaps since. */
async function around (scene: Scene, broker: number, harm: () => Promise<void>): Promise<Measured> {
  const led = ledBy(scene, broker)
  await scene.load.ask('reset')
  await harm()
  await scene.load.flowing()
  const { gapsMs, endsMs } = await scene.load.ask('gaps')
  return {
    ledMs: longestOf(gapsMs, partition => led.has(partition)),
    otherMs: longestOf(gapsMs, partition => !led.has(partition)),
    endMs: endsMs[gapsMs.indexOf(Math.max(...gapsMs))]!
  }
}

async function kill (scene: Scene, controller: boolean): Promise<Measured> {
  const broker = victimOf(scene, controller)
  return await around(scene, broker, async () => { scene.world.signal(scene.world.pid(broker), 'SIGKILL') })
}

async function withoutOperator (scene: Scene, body: () => Promise<Measured>): Promise<Measured> {
  const { world } = scene
  world.hold(operatorHost)
  world.signal(world.pids().get(operatorHost)!, 'SIGKILL')
  try {
    return await body()
  } finally {
    world.release(operatorHost)
  }
}

async function stopOne (scene: Scene): Promise<Measured> {
  const broker = victimOf(scene, scene.index % brokers === brokers - 1)
  const pid = scene.world.pid(broker)
  return await around(scene, broker, async () => {
    scene.world.signal(pid, 'SIGTERM')
    await until('the broker has stopped', 20_000, () => !alive(pid))
  })
}

async function pauseOne (scene: Scene): Promise<Measured> {
  const broker = victimOf(scene, scene.index % brokers === brokers - 1)
  const pid = scene.world.pid(broker)
  return await around(scene, broker, async () => {
    scene.world.signal(pid, 'SIGSTOP')
    await pause(pauseMs)
    scene.world.signal(pid, 'SIGCONT')
  })
}

async function roll (scene: Scene): Promise<Measured> {
  const { world, index } = scene
  const before = world.brokers().map(broker => world.pid(broker))
  return await around(scene, -1, async () => {
    await world.api.patch('clusters.millrace.dev', 'default', 'events', { spec: { image: `millrace:roll-${index}` } })
    await until('every broker is another process', 240_000, () =>
      world.brokers().every(broker => !before.includes(world.pid(broker))) && world.notReady() === '')
  })
}

async function outage (scene: Scene): Promise<Measured> {
  const { world } = scene
  return await around(scene, -1, async () => {
    world.network.down(kubeHost)
    await pause(outageMs)
    world.network.up(kubeHost)
    await pause(5_000)
  })
}

/**
 * The gap of its partitions counts from the moment when the API is back: those that have a replica there, since
 * nobody can leave an in-sync set meanwhile.
 */
async function outageAndDeath (scene: Scene): Promise<Measured> {
  const { world, load } = scene
  const broker = victimOf(scene, false)
  const touched = new Set(placedRows(world.api).filter(each => each.topic === topic &&
    each.row.replicas.includes(broker)).map(({ row }) => row.partition))
  await load.ask('reset')
  world.network.down(kubeHost)
  await pause(outageMs / 2)
  world.hold(podName(broker))
  world.signal(world.pid(broker), 'SIGKILL')
  await pause(outageMs / 2)
  world.network.up(kubeHost)
  const backAt = performance.now()
  await load.flowing()
  // To the time at which the last of them was acknowledged again, as far as it can be seen from here.
  const ledMs = performance.now() - backAt - calmMs
  const { gapsMs } = await load.ask('gaps')
  world.release(podName(broker))
  return { ledMs, otherMs: longestOf(gapsMs, partition => !touched.has(partition)) }
}

const lines: readonly Line[] = [
  {
    name: 'nothing', what: 'nothing fails, for as long as a stop takes: what the machine does by itself',
    aim: { ledMs: 200, otherMs: 200, noErrors: true },
    run: each => around(each, victimOf(each, false), async () => { await pause(pauseMs) })
  },
  { name: 'kill', what: 'kill -9 of a broker', aim: { ledMs: 1_000, otherMs: 1_000 }, run: each => kill(each, false) },
  {
    name: 'controller', what: 'kill -9 of the controller, which leads too', aim: { ledMs: 1_000, otherMs: 1_000 },
    run: each => kill(each, true)
  },
  {
    name: 'kill without operator', what: 'the same while the operator is dead', aim: { ledMs: 1_000, otherMs: 1_000 },
    run: each => withoutOperator(each, () => kill(each, each.index % 2 === 0))
  },
  { name: 'pause', what: 'SIGSTOP of a broker', aim: { ledMs: 3_000, otherMs: 3_000 }, run: pauseOne },
  {
    name: 'pause without operator', what: 'the same while the operator is dead',
    aim: { ledMs: 3_000, otherMs: 3_000 }, run: each => withoutOperator(each, () => pauseOne(each))
  },
  { name: 'stop', what: 'graceful stop', aim: { ledMs: 200, otherMs: 200, noErrors: true }, run: stopOne },
  {
    name: 'stop without operator', what: 'the same while the operator is dead',
    aim: { ledMs: 200, otherMs: 200, noErrors: true }, run: each => withoutOperator(each, () => stopOne(each))
  },
  {
    name: 'roll', what: 'rolling restart of all brokers', aim: { otherMs: 500, noErrors: true }, run: roll
  },
  {
    name: 'api', what: 'the Kubernetes API is down', once: true, aim: { otherMs: 500, noErrors: true },
    run: outage
  },
  {
    name: 'api and kill', once: true,
    what: 'a broker dies meanwhile; its partitions (led): from the return of the API on',
    aim: { ledMs: 2_000, otherMs: 500, noErrors: true }, run: outageAndDeath
  }
]

function summary (gaps: readonly number[]): string {
  const sorted = [...gaps].sort((a, b) => a - b)
  if (sorted.length === 0) return '-'.padStart(13)
  return `${Math.round(sorted[sorted.length >> 1]!)} / ${Math.round(sorted.at(-1)!)}`.padStart(13)
}

function roundLine ({ name }: Line, index: number, { ledMs, otherMs, endMs }: Measured): string {
  const end = endMs === undefined ? '' : `, the longest ended after ${Math.round(endMs)} ms`
  const text = (ms: number | undefined): string => ms === undefined ? '-' : String(Math.round(ms))
  return `${name}, round ${index + 1}: ${text(ledMs)}, others ${text(otherMs)}${end}`
}

/** What was never measured is not within it. */
function isWithin (gaps: readonly number[], aimMs: number): boolean {
  return gaps.length > 0 && Math.max(...gaps) <= aimMs
}

/** Prints the line; true when every aim was met. */
async function measure (line: Line, world: World, load: Load): Promise<boolean> {
  const measured: Measured[] = []
  const { errors } = await load.ask('gaps')
  for (let index = 0; index < (line.once === true ? 1 : rounds); index++) {
    const scene = { world, load, index }
    await until('a cluster in sync', settledMsMax, () => world.notReady() === '')
    // Who came back gets its leaderships after some seconds, some at a time: that is not what is measured.
    await until('every partition at its preferred leader', settledMsMax, () =>
      placedRows(world.api).every(({ row }) => row.leader === row.replicas[0]))
    await load.flowing()
    const round = await line.run(scene)
    measured.push(round)
    if (values.each) console.log(roundLine(line, index, round))
  }
  const failed = (await load.ask('gaps')).errors - errors
  const { ledMs: aimMs, otherMs: otherAimMs, noErrors } = line.aim
  const led = measured.flatMap(({ ledMs }) => ledMs ?? [])
  const other = measured.flatMap(({ otherMs }) => otherMs ?? [])
  const met = (aimMs === undefined || isWithin(led, aimMs)) && isWithin(other, otherAimMs) &&
    (noErrors !== true || failed === 0)
  console.log(`${line.name.padEnd(18)} ${summary(led)} ${summary(other)} ${String(failed).padStart(6)}  ` +
    `${aimMs ?? '-'} / ${otherAimMs}`.padEnd(13) + `${met ? 'met' : 'MISSED'}  ${line.what}`)
  return met
}

const chosen = values.only === undefined ? lines : lines.filter(({ name }) => values.only!.split(',').includes(name))
const folder = mkdtempSync(join(tmpdir(), 'millrace-failover-'))
const topics = [{ name: topic, partitions, replicas: 3, minInSync: 2 }]
const world = await World.start(folder, brokers, topics, { direct: true })
let met = true
try {
  const everyMs = Number(values.every)
  const load = new Load({ bootstrap: world.bootstrap, topic, partitions, stride, everyMs })
  const written = stride === 1 ? 'each partition' : `one of ${stride}`
  console.log(`${partitions} partitions, ${brokers} brokers, a record to ${written} every ${everyMs} ms, ` +
    `${rounds} rounds each; outages of ${outageMs / 1000} s; ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}`)
  await load.flowing()
  await load.ask('reset')
  await pause(pauseMs)
  const usualMs = Math.max(...(await load.ask('gaps')).gapsMs)
  console.log(`without a failure: ${Math.round(usualMs)} ms at most in ${pauseMs / 1000} s, the pause between two ` +
    'records included')
  console.log('longest gap in ms, median / max of the rounds: of partitions that the victim led, of others')
  console.log(`${'failure'.padEnd(18)} ${'led'.padStart(13)} ${'others'.padStart(13)} errors  aims`)
  for (const line of chosen) if (!await measure(line, world, load)) met = false
  await load.end()
} finally {
  world.network.healAll()
  world.releaseAll()
  await world.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(met ? 0 : 1)
