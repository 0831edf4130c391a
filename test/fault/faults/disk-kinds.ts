// Faults of disks: full, failing, slow, wiped, rolled back to an older copy.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { alive, ended, until } from '../harness.ts'
import { pause } from './clock.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { killed, mark } from './process-kinds.ts'
import { registeredEpoch } from './tables.ts'
import { podName } from './world.ts'
import type { World } from './world.ts'

const goneMsMax = 5_000
const backMsMax = 10_000

function clear (folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
}

/** Down, and its process gone; comes back when the returned strike heals. */
async function down (world: World, broker: number, what: string): Promise<Strike> {
  const pid = world.pid(broker)
  const strike = killed(world, [broker], what)
  await until(`the process of broker ${broker} is gone`, goneMsMax, () => !alive(pid))
  return strike
}

async function wipe (scene: Scene): Promise<Strike | undefined> {
  const { world } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const strike = await down(world, broker, `volume of broker ${broker} wiped`)
  clear(world.volumeFolder(broker))
  return strike
}

/** The copy is taken from the broker at rest; then it lives on, and gets the copy back. */
async function rollBack (scene: Scene): Promise<Strike | undefined> {
  const { world } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const volume = world.volumeFolder(broker)
  const copy = join(world.folder, `copies/${podName(broker)}`)
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(copy, { recursive: true })
  scene.struck.add(broker)
  const first = await down(world, broker, `copy of the volume of broker ${broker}`)
  cpSync(volume, copy, { recursive: true })
  await first.heal()
  // Long enough to be in sync again and to acknowledge more, where nothing else is broken.
  await until('it is back', backMsMax, () => registeredEpoch(world.api, broker) > metaOf(copy).bootCount)
    .catch(() => { /* Other faults keep it away: then the copy is as new as what the others know. */ })
  await pause(3_000)
  const strike = await down(world, broker, `volume of broker ${broker} rolled back by some seconds`)
  const { volumeId, bootCount } = metaOf(copy)
  const isOlder = registeredEpoch(world.api, broker) > bootCount
  clear(volume)
  cpSync(copy, volume, { recursive: true })
  rmSync(copy, { recursive: true })
  return {
    ...strike,
    // Taken for what it was it would count as a member of in-sync sets whose records it does not hold.
    verify: () => isOlder && metaOf(volume).volumeId === volumeId
      ? `broker ${broker} goes on with a volume that was rolled back`
      : ''
  }
}

function metaOf (folder: string): { volumeId: string, bootCount: number } {
  return JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as { volumeId: string, bootCount: number }
}

function inject (world: World, broker: number, injection: string): ChildProcess {
  mark(world, broker, `strace ${injection}`)
  // What is not traced is not injected either.
  const [calls = ''] = injection.split(':')
  return spawn('strace', ['-f', '-qq', '-p', String(world.pid(broker)), '-o', '/dev/null', '-e', `trace=${calls}`,
    '-e', `inject=${injection}`], { stdio: 'ignore' })
}

async function release (tracer: ChildProcess): Promise<void> {
  const done = ended(tracer)
  // strace lets the process go.
  tracer.kill('SIGINT')
  await Promise.race([done, pause(2_000)])
  tracer.kill('SIGKILL')
}

/** The broker must stop rather than go on; later a person gives it an empty volume. */
function failDisk (scene: Scene): Strike | undefined {
  const { world, rng } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const calls = rng.pick(['fdatasync', 'pwrite64,pwritev', 'fdatasync,pwrite64,pwritev'])
  const tracer = inject(world, broker, `${calls}:error=EIO`)
  return {
    what: `EIO from ${calls} of broker ${broker}`,
    brokers: [broker],
    heal: async () => {
      await release(tracer)
      // A disk that has failed once is replaced.
      const strike = await down(world, broker, `volume of broker ${broker} replaced`)
      clear(world.volumeFolder(broker))
      await strike.heal()
    }
  }
}

function slowDisk (scene: Scene): Strike | undefined {
  const { world, rng } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  const delayMs = rng.pick([50, 300, 3_000])
  const tracer = inject(world, broker, `fdatasync:delay_enter=${delayMs * 1000}`)
  return {
    what: `fdatasync of broker ${broker} takes ${delayMs} ms longer`,
    brokers: [broker],
    heal: () => release(tracer)
  }
}

function fullDisk (scene: Scene): Strike | undefined {
  const { world, volumes } = scene
  const broker = anyBroker(scene, each => volumes.has(each) && existsSync(world.volumeFolder(each)))
  if (broker === undefined) return undefined
  mark(world, broker, 'disk filled')
  volumes.fill(broker)
  return { what: `the disk of broker ${broker} is full`, brokers: [broker], heal: () => { volumes.empty(broker) } }
}

export const diskKinds: readonly FaultKind[] = [
  { name: 'wipe', lossy: true, lastsMs: { alone: 3_000, mixed: [500, 5_000] }, strike: wipe },
  { name: 'roll back', lossy: true, lastsMs: { alone: 2_000, mixed: [500, 3_000] }, strike: rollBack },
  {
    name: 'disk full', needs: ['loop devices'], lastsMs: { alone: 30_000, mixed: [1_000, 10_000] }, strike: fullDisk
  },
  {
    name: 'disk error', needs: ['strace'], lossy: true, lastsMs: { alone: 5_000, mixed: [2_000, 8_000] },
    strike: failDisk
  },
  { name: 'slow disk', needs: ['strace'], lastsMs: { alone: 8_000, mixed: [1_000, 10_000] }, strike: slowDisk }
]
