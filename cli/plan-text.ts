// A plan for people: one paragraph for each object. Pure.
import type { ClusterPlan, PlannedMove } from '../operator/plan/cluster-plan.ts'
import type { TopicPlan } from '../operator/plan/topic-plan.ts'
import { plural } from './notes.ts'
import type { Planned } from './plan.ts'

/** How many partitions are named; all of them are in --json. */
const movesNamedMax = 12

export function planText (planned: readonly Planned[]): string {
  return planned.map(one => [heading(one), ...lines(one).map(line => `  ${line}`)].join('\n')).join('\n\n') + '\n'
}

function heading ({ kind, name, namespace, action, refused }: Planned): string {
  const what = { create: 'would be created', update: 'would be changed', none: 'is as it says', refused: 'REFUSED' }
  return `${kind} ${namespace}/${name} ${what[action]}${refused === undefined ? '' : `: ${refused}`}`
}

function lines ({ cluster, topic, action }: Planned): string[] {
  if (action === 'refused') return []
  return [...cluster === undefined ? [] : clusterLines(cluster), ...topic === undefined ? [] : topicLines(topic)]
}

function clusterLines (plan: ClusterPlan): string[] {
  const { brokers, restarts, resting, volumes, adopted, drains } = plan
  const said: string[] = []
  if (brokers.from !== brokers.to) said.push(`brokers: ${brokers.from} -> ${brokers.to}`)
  if (adopted.length > 0) said.push(`volumes that are there already are taken over: ${adopted.join(', ')}`)
  for (const { claim, from, to } of volumes) said.push(`volume ${claim} grows: ${from} -> ${to}, no restart`)
  for (const { broker, blocked } of drains) {
    said.push(`broker ${broker} is drained, then goes${blocked === '' ? '' : `; BLOCKED: ${blocked}`}`)
  }
  said.push(...moveLines(plan))
  if (restarts.length > 0) {
    said.push(`restarts: ${plural(restarts.length, 'broker')}, one at a time, each when all is in sync again`)
    for (const { broker, why } of restarts) said.push(`  broker ${broker}: ${why}`)
  } else if (brokers.from > 0) {
    said.push('restarts: none')
  }
  for (const broker of resting) said.push(`broker ${broker} is in maintenance: it restarts when it is taken out`)
  return said
}

function moveLines ({ moves, brokers }: ClusterPlan): string[] {
  if (moves === undefined) return ['moves: not known, the controller could not be asked']
  if (moves.length === 0) return brokers.from === 0 || brokers.from === brokers.to ? [] : ['moves: none']
  const known = moves.every(({ bytes }) => bytes !== null)
  const bytes = moves.reduce((sum, move) => sum + (move.bytes ?? 0), 0)
  const named = moves.slice(0, movesNamedMax).map(move => `  ${moveText(move)}`)
  const more = moves.length > movesNamedMax ? [`  and ${moves.length - movesNamedMax} more (--json has them all)`] : []
  return [`moves: ${plural(moves.length, 'partition')}, ${known ? `about ${size(bytes)}` : 'bytes not known'}`,
    ...named, ...more]
}

function moveText ({ topic, partition, adding, removing, bytes }: PlannedMove): string {
  const about = bytes === null ? '' : `, about ${size(bytes)}`
  const leaves = removing.length === 0 ? '' : ` from broker ${removing.join(', ')}`
  return `${topic}/${partition}${leaves} to broker ${adding.join(', ')}${about}`
}

function topicLines ({ topic, changes, partitionsAdded, replicasAdded, bytes }: TopicPlan): string[] {
  const said = changes.map(({ setting, from, to }) =>
    `${setting}: ${from === null ? '' : `${from} -> `}${to === -1 ? 'unlimited' : to}`)
  if (partitionsAdded > 0 && changes.some(({ from }) => from !== null)) {
    const added = plural(partitionsAdded, 'partition')
    said.push(`${added} added to topic ${topic}: keys may go to other partitions than before`)
  }
  if (replicasAdded > 0) {
    const about = bytes === null ? 'bytes not known' : `about ${size(bytes)}`
    said.push(`${plural(replicasAdded, 'replica')} copied, ${about}`)
  }
  return said
}

function size (bytes: number): string {
  for (const [unit, each] of [['TiB', 2 ** 40], ['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]] as const) {
    if (bytes >= each) return `${(bytes / each).toFixed(1)} ${unit}`
  }
  return `${bytes} B`
}
