// Changes of the cluster that people make, under load and among faults. What comes of them is waited for: at once, or
// among faults when everything is whole again.
import { isMoving } from '../../../broker/controller/moves.ts'
import { clusterName } from '../../../local/manifests.ts'
import { until } from '../harness.ts'
import { nowMs } from './clock.ts'
import { anyBroker } from './kind.ts'
import type { FaultKind, Scene, Strike } from './kind.ts'
import { lacksShare } from './placement.ts'
import { placedRows } from './tables.ts'
import { brokersMax } from './world.ts'

const namespace = 'default'
const scaledMsMax = 60_000
/** What is waited for comes when other faults are over and what they left is mended (wholeMsMax of rounds.ts). */
const patienceMsMax = 240_000
/** All is whole: what is wished is there, unless nobody had heard of it before. */
const wishedMsMax = 30_000
const scaleAloneMs = 35_000
const replicasAloneMs = 6_000
const electedMsMax = 30_000

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

/** By the CLI; among faults it may find nobody to ask. Empty when it was done, otherwise why not. */
async function ask ({ world }: Scene, args: readonly string[]): Promise<string> {
  const { code, stderr } = await world.millrace(args)
  return code === 0 ? '' : `refused, or nobody answered: ${stderr.trim().split('\n')[0] ?? ''}`
}

/** Empty when nothing is wrong any more within `msMax`; otherwise what still is. */
async function lastly (msMax: number, wrong: () => string): Promise<string> {
  await until('it is as wanted', msMax, () => wrong() === '').catch(() => { /* Told by what is wrong. */ })
  const why = wrong()
  return why === '' ? '' : `${why}, ${msMax / 1000} s later`
}

/** Half of what is done among faults is taken back before it has come to its end. Alone everything gets there. */
function isHurried ({ rng }: Scene, lastsMs: number, aloneMs: number): boolean {
  return lastsMs !== aloneMs && rng.chance(0.5)
}

async function move (scene: Scene): Promise<Strike | undefined> {
  const { world, rng } = scene
  const { key, topic, row } = rng.pick(placedRows(world.api).filter(each => !each.topic.startsWith('__')))
  const targets = rng.shuffle(world.brokers()).slice(0, row.replicas.length - row.removing.length)
  if (targets.length === 0) return undefined
  const mark = world.placement.mark(key)
  world.placement.asked(key, targets)
  const args = ['partition', 'move', `${topic}/${row.partition}`, '--replicas', targets.join()]
  const why = await ask(scene, args)
  return {
    what: `millrace ${args.join(' ')}`,
    struck: () => why,
    heal: () => {},
    verify: () => why === '' ? world.placement.notMoved(key, targets, mark) : ''
  }
}

/** Another leader than the preferred one, which stays until somebody has the preferred ones lead again. */
async function elect (scene: Scene): Promise<Strike | undefined> {
  const { world, rng } = scene
  const able = placedRows(world.api).flatMap(({ key, topic, row }) => {
    if (topic.startsWith('__') || row.leader < 0 || isMoving(row)) return []
    const others = row.inSync.filter(({ brokerId }) => brokerId !== row.leader && brokerId !== row.replicas[0])
    return others.map(({ brokerId }) => ({ key, name: `${topic}/${row.partition}`, brokerId }))
  })
  if (able.length === 0) return undefined
  const { key, name, brokerId } = rng.pick(able)
  const mark = world.placement.mark(key)
  const args = ['partition', 'elect', name, '--leader', String(brokerId)]
  let why = await ask(scene, args)
  const led = why !== '' || world.placement.wasLedBy(key, brokerId, mark)
  return {
    what: `millrace ${args.join(' ')}, and then --all`,
    struck: () => why,
    heal: async () => {
      const preferred = await ask(scene, ['partition', 'elect', '--all'])
      why ||= preferred
    },
    verify: async () => {
      if (!led) return `${name} was said to be led by ${brokerId}, and no table ever said so`
      return await electPreferred(scene)
    }
  }
}

/** Empty when everything is led by whom it names first, as soon as the command has said so. */
async function electPreferred (scene: Scene): Promise<string> {
  let why = ''
  for (const endMs = nowMs() + electedMsMax; nowMs() < endMs;) {
    why = await ask(scene, ['partition', 'elect', '--all'])
    if (why !== '') continue
    const other = placedRows(scene.world.api).find(({ row }) => row.leader !== row.replicas[0])
    if (other === undefined) return ''
    why = `${other.key} is led by ${other.row.leader}, its replicas are ${other.row.replicas.join()}`
  }
  return `millrace partition elect --all: ${why}, for ${electedMsMax / 1000} s`
}

let scaling = false

/** One broker more for a while, which gets its share of the partitions; then it is drained and goes. */
async function scale (scene: Scene, lastsMs: number): Promise<Strike | undefined> {
  const { world } = scene
  const before = world.brokersWanted()
  if (scaling || before >= brokersMax) return undefined
  scaling = true
  const hurried = isHurried(scene, lastsMs, scaleAloneMs)
  let why = ''
  await patchCluster(scene, { brokers: before + 1 })
  return {
    what: `scaled from ${before} to ${before + 1} brokers and back`,
    heal: async () => {
      if (hurried) await lastly(scaledMsMax, () => world.notReady())
      else why = await lastly(patienceMsMax, () => world.notReady() || lacksShare(world.api, before))
      await patchCluster(scene, { brokers: before }).finally(() => { scaling = false })
    },
    // That it is gone, and that it was empty when it went, is waited for and watched after each round.
    verify: () => why === '' ? '' : `scaled up to ${before + 1}: ${why}`
  }
}

let thinned = false

async function replicas (scene: Scene, lastsMs: number): Promise<Strike | undefined> {
  const { world } = scene
  if (thinned) return undefined
  thinned = true
  const set = async (count: number): Promise<void> => {
    await world.api.patch('topics.millrace.dev', namespace, 'orders', { spec: { replicas: count } })
  }
  const hurried = isHurried(scene, lastsMs, replicasAloneMs)
  let why = ''
  await set(2)
  return {
    what: 'the topic orders has 2 replicas for a while',
    heal: async () => {
      if (!hurried) why = await lastly(patienceMsMax, () => world.notReady() || notOf(scene, 2))
      await set(3).finally(() => { thinned = false })
    },
    verify: async () => why || await lastly(wishedMsMax, () => notOf(scene, 3))
  }
}

function notOf ({ world }: Scene, count: number): string {
  const other = placedRows(world.api).find(({ topic, row }) => topic === 'orders' && row.replicas.length !== count)
  if (other === undefined) return ''
  return `${other.key} has the replicas ${other.row.replicas.join()}, and is to have ${count}`
}

export const changeKinds: readonly FaultKind[] = [
  {
    name: 'roll',
    about: 'rolling restart',
    single: true, settles: true,
    lastsMs: { alone: 5_000, mixed: [0, 2_000] }, weight: 0.5, strike: roll
  },
  {
    name: 'delete pod',
    about: 'pod deleted by force',
    lastsMs: { alone: 1_000, mixed: [0, 1_000] }, strike: deletePod
  },
  {
    name: 'move',
    about: '`partition move`',
    settles: true,
    lastsMs: { alone: 3_000, mixed: [0, 3_000] }, weight: 2, strike: move
  },
  {
    name: 'elect',
    about: '`partition elect --all`',
    single: true, settles: true,
    lastsMs: { alone: 1_000, mixed: [0, 1_000] }, strike: elect
  },
  {
    name: 'replicas',
    about: '3 replicas, 2, 3',
    single: true, settles: true,
    lastsMs: { alone: replicasAloneMs, mixed: [2_000, 10_000] }, weight: 0.5, strike: replicas
  },
  {
    name: 'scale',
    about: 'a broker more, then drained and gone',
    single: true, settles: true,
    lastsMs: { alone: scaleAloneMs, mixed: [3_000, 25_000] }, weight: 0.5, strike: scale
  }
]
