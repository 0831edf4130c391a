// Changes of the cluster that people make, under load and among faults.
import { clusterName } from '../../../local/manifests.ts'
import { until } from '../harness.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { placedRows } from './tables.ts'
import { brokersMax } from './world.ts'

const namespace = 'default'
const scaledMsMax = 60_000

async function patchCluster ({ world }: Scene, spec: object): Promise<void> {
  await world.api.patch('clusters.millrace.dev', namespace, clusterName, { spec })
}

let images = 0

/** Another image: every broker is restarted, one after the other. Local pods run the same program whatever it says. */
async function roll (scene: Scene): Promise<Strike> {
  await patchCluster(scene, { image: `millrace:fault-${++images}` })
  return { what: 'rolling restart', heal: () => {} }
}

async function deletePod (scene: Scene): Promise<Strike | undefined> {
  const { world } = scene
  const broker = anyBroker(scene)
  if (broker === undefined) return undefined
  await world.api.delete('pods', namespace, `${clusterName}-${broker}`, { gracePeriodSeconds: 0 })
  return { what: `pod of broker ${broker} deleted by force`, brokers: [broker], heal: () => {} }
}

/** By the CLI; among faults it may find nobody to ask. */
async function ask (scene: Scene, args: readonly string[]): Promise<Strike> {
  const { code, stderr } = await scene.world.millrace(args)
  const why = code === 0 ? '' : `refused, or nobody answered: ${stderr.trim().split('\n')[0] ?? ''}`
  return { what: `millrace ${args.join(' ')}`, struck: () => why, heal: () => {} }
}

async function move (scene: Scene): Promise<Strike | undefined> {
  const { world, rng } = scene
  const { topic, row } = rng.pick(placedRows(world.api).filter(each => !each.topic.startsWith('__')))
  const targets = rng.shuffle(world.brokers()).slice(0, row.replicas.length - row.removing.length)
  if (targets.length === 0) return undefined
  return await ask(scene, ['partition', 'move', `${topic}/${row.partition}`, '--replicas', targets.join()])
}

let scaling = false

/** One broker more for a while, which gets its share of the partitions; then it is drained and goes. */
async function scale (scene: Scene): Promise<Strike | undefined> {
  const { world } = scene
  const before = world.brokersWanted()
  if (scaling || before >= brokersMax) return undefined
  scaling = true
  await patchCluster(scene, { brokers: before + 1 })
  return {
    what: `scaled from ${before} to ${before + 1} brokers and back`,
    heal: async () => {
      // Where nothing hinders it, it has come and has its share before it goes again.
      await until('the new broker', scaledMsMax, () => world.notReady() === '').catch(() => {})
      await patchCluster(scene, { brokers: before })
      scaling = false
    }
  }
}

let thinned = false

async function replicas ({ world }: Scene): Promise<Strike | undefined> {
  if (thinned) return undefined
  thinned = true
  const set = async (count: number): Promise<void> => {
    await world.api.patch('topics.millrace.dev', namespace, 'orders', { spec: { replicas: count } })
  }
  await set(2)
  return {
    what: 'the topic orders has 2 replicas for a while',
    heal: async () => {
      await set(3)
      thinned = false
    }
  }
}

export const changeKinds: readonly FaultKind[] = [
  {
    name: 'roll',
    about: 'rolling restart',
    single: true, lastsMs: { alone: 5_000, mixed: [0, 2_000] }, weight: 0.5, strike: roll
  },
  {
    name: 'delete pod',
    about: 'pod deleted by force',
    lastsMs: { alone: 1_000, mixed: [0, 1_000] }, strike: deletePod
  },
  {
    name: 'move',
    about: '`partition move`',
    lastsMs: { alone: 3_000, mixed: [0, 3_000] }, weight: 2, strike: move
  },
  {
    name: 'elect',
    about: '`partition elect --all`',
    single: true,
    lastsMs: { alone: 1_000, mixed: [0, 1_000] },
    strike: scene => ask(scene, ['partition', 'elect', '--all'])
  },
  {
    name: 'replicas',
    about: '3 replicas, 2, 3',
    single: true, lastsMs: { alone: 6_000, mixed: [2_000, 10_000] }, weight: 0.5, strike: replicas
  },
  {
    name: 'scale',
    about: 'a broker more, then drained and gone',
    single: true, lastsMs: { alone: 35_000, mixed: [3_000, 25_000] }, weight: 0.5, strike: scale
  }
]
