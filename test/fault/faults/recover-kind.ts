// A partition that has lost all its copies, and a person who lets it go on without what they held. It is of a topic
// that nobody uses: what is given up is no acknowledged record of the load.
import { clusterName } from '../../../local/manifests.ts'
import { until } from '../harness.ts'
import { pause, nowMs } from './clock.ts'
import { clear, down } from './disk-kinds.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { placedRows } from './tables.ts'
import type { Placed } from './tables.ts'
import type { World } from './world.ts'

const namespace = 'default'
const topics = 'topics.millrace.dev'
const placedMsMax = 5_000
/** Other faults, an API that is down among them, may be in the way for so long. */
const recoveredMsMax = 60_000

let made = 0

function placed (world: World, topic: string): Placed | undefined {
  return placedRows(world.api).find(each => each.topic === topic)
}

function leaderOf (world: World, topic: string): number {
  return placed(world, topic)?.row.leader ?? -1
}

async function make (world: World): Promise<string> {
  const name = `spare-${++made}`
  await world.api.create(topics, {
    metadata: { name, namespace },
    spec: { cluster: clusterName, partitions: 1, replicas: 1, minInSync: 1, deletePolicy: 'Delete' }
  })
  return name
}

/** Empty when it goes on; otherwise what was answered last. */
async function recover (world: World, topic: string, lost: number): Promise<string> {
  let last = ''
  for (const endMs = nowMs() + recoveredMsMax; nowMs() < endMs; await pause(500)) {
    const { code, stderr } = await world.millrace(['partition', 'recover', `${topic}/0`, '--lost', String(lost),
      '--accept-data-loss'])
    if (code === 0 || leaderOf(world, topic) >= 0) return ''
    last = stderr.trim()
  }
  return `${topic}/0 could not be recovered: ${last}`
}

async function strikeRecover ({ world, struck }: Scene): Promise<Strike | undefined> {
  const topic = await make(world)
  const remove = (): Promise<unknown> => world.api.delete(topics, namespace, topic)
  await until('it is there', placedMsMax, () => leaderOf(world, topic) >= 0).catch(() => { /* Asked for below. */ })
  const broker = leaderOf(world, topic)
  if (broker < 0 || struck.has(broker) || !world.runs(broker)) {
    await remove()
    return undefined
  }
  struck.add(broker)
  const strike = await down(world, broker, `volume of broker ${broker} wiped, with all of ${topic}`)
  clear(world.volumeFolder(broker))
  let why = ''
  return {
    ...strike,
    verify: () => why,
    heal: async () => {
      await strike.heal()
      why = await recover(world, topic, broker)
      await remove()
    }
  }
}

export const recoverKind: FaultKind = {
  name: 'recover',
  about: 'a partition loses its only copy: `partition recover`',
  lossy: true,
  weight: 0.5,
  lastsMs: { alone: 3_000, mixed: [500, 3_000] },
  strike: strikeRecover
}
