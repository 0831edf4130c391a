// Faults of disks: full, failing, slow, wiped, rolled back to an older copy.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { address } from '../../../local/pods/types.ts'
import { alive, ended, until } from '../harness.ts'
import { nowMs, pause } from './clock.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { killed, mark } from './process-kinds.ts'
import { registeredEpoch } from './tables.ts'
import { podName } from './world.ts'
import type { World } from './world.ts'

const goneMsMax = 5_000
/** From a call that failed to the end of the process. */
const endMsMax = 3_000
const backMsMax = 10_000

export function clear (folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
}

/** Down, and its process gone; comes back when the returned strike heals. */
export async function down (world: World, broker: number, what: string): Promise<Strike> {
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
    struck: () => isOlder ? '' : 'the broker had not registered since the copy was taken',
    // Taken for what it was it would count as a member of in-sync sets whose records it does not hold.
    verify: () => isOlder && metaOf(volume).volumeId === volumeId
      ? `broker ${broker} goes on with a volume that was rolled back`
      : ''
  }
}

function metaOf (folder: string): { volumeId: string, bootCount: number } {
  return JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as { volumeId: string, bootCount: number }
}

interface Injection {
  readonly tracer: ChildProcess
  readonly pid: number
  /** How many calls were tampered with. */
  count (): number
}

function inject (world: World, broker: number, injection: string): Injection {
  mark(world, broker, `strace ${injection}`)
  mkdirSync(join(world.folder, 'strace'), { recursive: true })
  const pid = world.pid(broker)
  const file = join(world.folder, `strace/${podName(broker)}-${pid}-${Math.round(nowMs())}.log`)
  // What is not traced is not injected either.
  const [calls = ''] = injection.split(':')
  const tracer = spawn('strace', ['-f', '-qq', '-p', String(pid), '-o', file, '-e', `trace=${calls}`,
    '-e', `inject=${injection}`], { stdio: 'ignore' })
  const count = (): number =>
    !existsSync(file) ? 0 : readFileSync(file, 'utf8').match(/\((?:INJECTED|DELAYED)\)$/gm)?.length ?? 0
  return { tracer, pid, count }
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
  const { tracer, pid, count } = inject(world, broker, `${calls}:error=EIO`)
  let wentOn = false
  return {
    what: `EIO from ${calls} of broker ${broker}`,
    brokers: [broker],
    struck: () => count() > 0 ? '' : 'the broker made no such call',
    verify: () => wentOn && count() > 0 ? `broker ${broker} went on after ${count()} calls had failed` : '',
    heal: async () => {
      // A process that stands still, or starves, has not heard of it yet.
      await until('it has ended', endMsMax, () => count() === 0 || !alive(pid)).catch(() => {})
      wentOn = alive(pid)
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
  const { tracer, count } = inject(world, broker, `fdatasync:delay_enter=${delayMs * 1000}`)
  return {
    what: `fdatasync of broker ${broker} takes ${delayMs} ms longer`,
    brokers: [broker],
    struck: () => count() > 0 ? '' : 'the broker made no such call',
    heal: () => release(tracer)
  }
}

function fullDisk (scene: Scene): Strike | undefined {
  const { world, volumes } = scene
  const broker = anyBroker(scene, each => volumes.has(each) && existsSync(world.volumeFolder(each)))
  if (broker === undefined) return undefined
  mark(world, broker, 'disk filled')
  volumes.fill(broker)
  // Only what the broker says of itself shows that it has met it.
  let met = false
  let watching = true
  const watched = (async () => {
    while (watching && !met) {
      met = await saysFull(world, broker)
      await pause(100)
    }
  })()
  return {
    what: `the disk of broker ${broker} is full`,
    brokers: [broker],
    struck: () => met ? '' : 'the broker never said that its disk is full',
    heal: async () => {
      watching = false
      await watched
      volumes.empty(broker)
    }
  }
}

async function saysFull (world: World, broker: number): Promise<boolean> {
  const port = world.metricsPort(broker)
  if (port === undefined) return false
  try {
    const answer = await fetch(`http://${address}:${port}/metrics`, { signal: AbortSignal.timeout(1_000) })
    return /^millrace_disk_full 1$/m.test(await answer.text())
  } catch {
    return false
  }
}

export const diskKinds: readonly FaultKind[] = [
  {
    name: 'wipe',
    about: 'volume wiped',
    lossy: true, lastsMs: { alone: 3_000, mixed: [500, 5_000] }, strike: wipe
  },
  {
    name: 'roll back',
    about: 'volume put back to an older copy',
    lossy: true, lastsMs: { alone: 2_000, mixed: [500, 3_000] }, strike: rollBack
  },
  {
    name: 'disk full',
    about: 'disk full',
    single: true, needs: ['loop devices'], lastsMs: { alone: 30_000, mixed: [1_000, 10_000] }, strike: fullDisk
  },
  {
    name: 'disk error',
    about: 'EIO from writes or fsyncs',
    needs: ['strace'], lossy: true, lastsMs: { alone: 5_000, mixed: [2_000, 8_000] },
    strike: failDisk
  },
  {
    name: 'slow disk',
    about: 'slow fsyncs',
    needs: ['strace'], lastsMs: { alone: 8_000, mixed: [1_000, 10_000] }, strike: slowDisk
  }
]
