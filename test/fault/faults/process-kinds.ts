// Faults of processes: killed, paused, busy, stopped.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { blockEventLoop } from './inspector.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { operatorHost, podName } from './world.ts'
import type { World } from './world.ts'

/** Says in the broker's log what was done to it, for those who read it afterwards. */
export function mark (world: World, broker: number, text: string): void {
  appendFileSync(join(world.folder, 'faults.log'), `${new Date().toISOString()} ${podName(broker)} ${text}\n`)
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
  return {
    what: `SIGSTOP of broker ${broker}`,
    brokers: [broker],
    heal: () => {
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
  const begun = await blockEventLoop(world.pid(broker), world.inspectPort(broker), lastsMs)
  return begun ? { what: `busy loop in broker ${broker}`, brokers: [broker], heal: () => {} } : undefined
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
    lastsMs: { alone: 3_000, mixed: [0, 10_000] },
    weight: 3,
    strike: scene => kill(scene, broker => broker !== scene.world.controller(), 'kill -9 of broker')
  },
  {
    name: 'kill controller',
    lastsMs: { alone: 3_000, mixed: [0, 10_000] },
    strike: scene => kill(scene, broker => broker === scene.world.controller(), 'kill -9 of the controller, broker')
  },
  {
    name: 'kill all',
    lastsMs: { alone: 2_000, mixed: [0, 5_000] },
    weight: 0.5,
    strike: ({ world, struck }) => struck.size > 0
      ? undefined
      : killed(world, world.brokers(), 'kill -9 of all brokers at once')
  },
  {
    name: 'pause',
    lastsMs: { alone: 10_000, mixed: [1_000, 30_000] },
    weight: 2,
    strike: scene => pausedBroker(scene, broker => broker !== scene.world.controller())
  },
  {
    name: 'pause long',
    lastsMs: { alone: 60_000, mixed: [30_000, 60_000] },
    weight: 0.2,
    strike: scene => pausedBroker(scene, () => true)
  },
  {
    name: 'pause controller',
    lastsMs: { alone: 8_000, mixed: [1_000, 20_000] },
    strike: scene => pausedBroker(scene, broker => broker === scene.world.controller())
  },
  { name: 'busy', lastsMs: { alone: 6_000, mixed: [500, 10_000] }, strike: busy },
  { name: 'stop', lastsMs: { alone: 2_000, mixed: [500, 2_000] }, strike: stop },
  {
    name: 'operator',
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
    lastsMs: { alone: 1_000, mixed: [0, 500] },
    strike: ({ clients, rng }) => {
      const name = rng.pick(clients.names())
      clients.restart(name)
      return { what: `kill -9 of client ${name}`, heal: () => {} }
    }
  }
]
