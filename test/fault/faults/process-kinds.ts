// Faults of processes: killed, paused, busy, stopped.
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../harness.ts'
import { blockEventLoop } from './inspector.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { operatorHost, podName } from './world.ts'
import type { World } from './world.ts'

const standMsMax = 2_000

/** Says in the broker's log what was done to it, for those who read it afterwards. */
export function mark (world: World, broker: number, text: string): void {
  appendFileSync(join(world.folder, 'faults.log'), `${new Date().toISOString()} ${podName(broker)} ${text}\n`)
}

/** One letter, by /proc; undefined when it has ended. */
function stateOf (pid: number): string | undefined {
  return statOf(pid)?.[0]
}

/** Fields of /proc/<pid>/stat from the third on. */
function statOf (pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** utime and stime count hundredths of a second on Linux. */
function cpuMs (pid: number): number | undefined {
  const stat = statOf(pid)
  return stat === undefined ? undefined : (Number(stat[11]) + Number(stat[12])) * 10
}

/** kill -9; they come back when it heals. */
export function killed (world: World, brokers: readonly number[], what: string): Strike {
  for (const broker of brokers) {
    world.hold(podName(broker))
    mark(world, broker, what)
  }
  for (const broker of brokers) if (world.runs(broker)) world.signal(world.pid(broker), 'SIGKILL')
  return { what, brokers, heal: () => { for (const broker of brokers) world.release(podName(broker)) } }
}

function kill (scene: Scene, where: (broker: number) => boolean, what: string): Strike | undefined {
  const broker = anyBroker(scene, where)
  return broker === undefined ? undefined : killed(scene.world, [broker], `${what} ${broker}`)
}

/** Until it heals. */
export function pausedBroker (scene: Scene, where: (broker: number) => boolean): Strike | undefined {
  const { world } = scene
  const broker = anyBroker(scene, where)
  if (broker === undefined) return undefined
  const pid = world.pid(broker)
  if (!world.signal(pid, 'SIGSTOP')) return undefined
  mark(world, broker, 'SIGSTOP')
  // It takes effect when the process is scheduled next, and may be asked for before that.
  const stood = until('it stands still', standMsMax, () => stateOf(pid) === 'T').then(() => '', () =>
    `the process is ${stateOf(pid) ?? 'gone'}`)
  let why = 'it was never looked at'
  void stood.then(found => { why = found })
  return {
    what: `SIGSTOP of broker ${broker}`,
    brokers: [broker],
    struck: () => why,
    heal: async () => {
      await stood
      mark(world, broker, 'SIGCONT')
      world.signal(pid, 'SIGCONT')
    }
  }
}

async function busy (scene: Scene, lastsMs: number): Promise<Strike | undefined> {
  const { world } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  mark(world, broker, `busy loop of ${lastsMs} ms`)
  const pid = world.pid(broker)
  const busyMs = cpuMs(pid)
  const begun = await blockEventLoop(pid, world.inspectPort(broker), lastsMs)
  if (!begun) return undefined
  let why = 'it was never looked at'
  return {
    what: `busy loop in broker ${broker}`,
    brokers: [broker],
    struck: () => why,
    heal: () => {
      const tookMs = (cpuMs(pid) ?? Infinity) - (busyMs ?? 0)
      // Of a busy machine it gets a part; gone: killed by another fault, or by its probe.
      why = tookMs > lastsMs / 10 ? '' : `its process took ${tookMs} ms of CPU time`
    }
  }
}

function stop (scene: Scene): Strike | undefined {
  const { world } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  mark(world, broker, 'SIGTERM')
  return world.signal(world.pid(broker), 'SIGTERM')
    ? { what: `graceful stop of broker ${broker}`, brokers: [broker], heal: () => {} }
    : undefined
}

export const processKinds: readonly FaultKind[] = [
  {
    name: 'kill',
    about: '`kill -9` of a broker',
    settles: true,
    lastsMs: { alone: 3_000, mixed: [0, 10_000] },
    weight: 3,
    strike: scene => kill(scene, broker => broker !== scene.world.controller(), 'kill -9 of broker')
  },
  {
    name: 'kill controller',
    about: '`kill -9` of the controller',
    single: true,
    lastsMs: { alone: 3_000, mixed: [0, 10_000] },
    strike: scene => kill(scene, broker => broker === scene.world.controller(), 'kill -9 of the controller, broker')
  },
  {
    name: 'kill all',
    about: '`kill -9` of all brokers at once',
    single: true,
    takesAll: true,
    lastsMs: { alone: 2_000, mixed: [0, 5_000] },
    weight: 0.5,
    strike: ({ world }) => killed(world, world.brokers(), 'kill -9 of all brokers at once')
  },
  {
    name: 'pause',
    about: 'SIGSTOP of a broker',
    lastsMs: { alone: 10_000, mixed: [1_000, 30_000] },
    weight: 2,
    strike: scene => pausedBroker(scene, broker => broker !== scene.world.controller())
  },
  {
    name: 'pause long',
    about: 'the same',
    lastsMs: { alone: 60_000, mixed: [30_000, 60_000] },
    weight: 0.2,
    strike: scene => pausedBroker(scene, () => true)
  },
  {
    name: 'pause controller',
    about: 'SIGSTOP of the controller',
    single: true,
    lastsMs: { alone: 8_000, mixed: [1_000, 20_000] },
    strike: scene => pausedBroker(scene, broker => broker === scene.world.controller())
  },
  {
    name: 'busy',
    about: 'a busy loop in a broker',
    lastsMs: { alone: 6_000, mixed: [500, 10_000] }, strike: busy
  },
  {
    name: 'stop',
    about: 'graceful stop of a broker',
    lastsMs: { alone: 2_000, mixed: [500, 2_000] }, strike: stop
  },
  {
    name: 'operator',
    about: 'operator dead',
    single: true,
    lastsMs: { alone: 8_000, mixed: [1_000, 20_000] },
    strike: ({ world }) => {
      const pid = world.pids().get(operatorHost)
      if (pid === undefined) return undefined
      world.hold(operatorHost)
      world.signal(pid, 'SIGKILL')
      return { what: 'the operator is dead', heal: () => { world.release(operatorHost) } }
    }
  },
  {
    name: 'client kill',
    about: '`kill -9` of a client',
    lastsMs: { alone: 1_000, mixed: [0, 500] },
    strike: ({ clients, rng }) => {
      const name = rng.pick(clients.names())
      clients.restart(name)
      return { what: `kill -9 of client ${name}`, heal: () => {} }
    }
  }
]
