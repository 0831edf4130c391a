// The cluster changes under load: brokers come and go, partitions move, leaders are chosen by people.
import type { PartitionRow } from '../../../broker/row.ts'
import type { SimBroker } from '../broker.ts'
import type { SimCluster } from '../cluster.ts'
import type { SimOperator } from '../operator.ts'
import { diskFaults, kubeFaultKinds, networkFaults, processFaults } from './kinds.ts'
import type { clusterFaults } from './kinds.ts'
import type { Fault, FaultWorld } from './world.ts'

const brokersMax = 6
const groupsTopic = '__groups'
const groupsPartitions = 8

function add (world: FaultWorld): boolean {
  const { cluster, coverage, rows } = world
  if (cluster.brokers.length >= brokersMax || world.draining !== undefined) return false
  const { id } = cluster.addBroker()
  coverage.reached('a broker was added')
  world.until(11_000 + world.rng.exponential(4_000), () => {
    const has = [...rows.latest.values()].some(({ replicas }) => replicas.includes(id))
    coverage.reached('an added broker got partitions', has ? 1 : 0)
  })
  return true
}

/** The last one, as kubectl scale would: it goes when it holds nothing, and is forgotten. */
export function removeLast (cluster: SimCluster, operator: SimOperator, later: (ms: number, run: () => void) => void,
  done: () => void): void {
  const broker = cluster.brokers.at(-1)!
  operator.drain([broker.id], () => {
    if (cluster.brokers.at(-1) !== broker) return
    broker.stop()
    const leave = (): void => {
      if (broker.running) {
        later(100, leave)
        return
      }
      cluster.removeBroker()
      operator.forget(broker.id, () => {
        operator.drain([])
        done()
      })
    }
    leave()
  })
}

/** So often something struck that nobody had asked for, as they ask for the changes of this file. */
function harmDone ({ counts }: FaultWorld): number {
  return [...processFaults, ...networkFaults, ...diskFaults, ...kubeFaultKinds]
    .reduce((sum, kind) => sum + (counts.get(kind) ?? 0), 0)
}

function drain (world: FaultWorld): boolean {
  const { cluster, coverage, operator, topics } = world
  const broker = cluster.brokers.at(-1)!
  const needed = Math.max(3, ...topics.all.map(({ replicas }) => replicas))
  if (cluster.brokers.length <= needed || world.draining !== undefined || broker.guest !== undefined) return false
  world.draining = broker
  const harmBefore = harmDone(world)
  removeLast(cluster, operator, (ms, run) => { world.until(ms, run) }, () => {
    world.draining = undefined
    coverage.reached('a broker was drained and removed')
    if (harmDone(world) > harmBefore) coverage.reached('a broker was drained and removed among other faults')
  })
  return true
}

/** A partition of any topic that stays as it is, and its newest row. */
function anyRow (world: FaultWorld, fits: (row: PartitionRow) => boolean):
{ topic: string, row: PartitionRow } | undefined {
  const { rng, rows, topics } = world
  const counts = [...topics.all.map(({ name, partitionsThere }) => [name, partitionsThere] as const),
    [groupsTopic, groupsPartitions] as const]
  const found = counts.flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => {
    const row = rows.latest.get(`${topics.idOf(topic)}-${partition}`)
    return row === undefined || !fits(row) ? [] : [{ topic, row }]
  }).flat())
  return found.length === 0 ? undefined : rng.pick(found)
}

function isMoving ({ adding, removing }: PartitionRow): boolean { return adding.length + removing.length > 0 }

function move (world: FaultWorld): boolean {
  const { rng, cluster, operator } = world
  // Half of the time one that moves already: its target changes.
  const moving = rng.chance(0.5) ? anyRow(world, isMoving) : undefined
  const found = moving ?? anyRow(world, () => true)
  if (found === undefined) return false
  const { topic, row: { partition, replicas, removing } } = found
  const able = cluster.brokers.filter((broker) => broker !== world.draining).map(({ id }) => id)
  operator.move(topic, partition, rng.shuffle(able).slice(0, replicas.length - removing.length))
  return true
}

function giveUp (world: FaultWorld): boolean {
  const found = anyRow(world, isMoving)
  if (found !== undefined) world.operator.move(found.topic, found.row.partition, [])
  return found !== undefined
}

function elect (world: FaultWorld): boolean {
  const found = anyRow(world, () => true)
  if (found === undefined) return false
  const { topic, row: { topicId, partition, inSync } } = found
  const leader = world.rng.pick([-1, ...inSync.map(({ brokerId }) => brokerId)])
  world.rows.wantLeader(`${topicId}-${partition}`, leader)
  world.operator.elect(topic, partition, leader)
  return true
}

/** One replica more or fewer, for all partitions of a topic; its floor goes along. */
function replicate (world: FaultWorld): boolean {
  const { rng, topics, cluster, coverage, operator } = world
  const most = cluster.brokers.length - (world.draining === undefined ? 0 : 1)
  const topic = rng.pick(topics.all)
  const replicas = topic.replicas + rng.pick([-1, 1])
  if (topic.phase !== 'there' || replicas > most || replicas < Math.max(1, world.minInSyncMin)) return false
  const grows = replicas > topic.replicas
  topic.replicas = replicas
  topic.minInSync = Math.min(replicas, topic.minInSync)
  operator.apply(topic, () => { coverage.reached(grows ? 'a topic got more replicas' : 'a topic got fewer replicas') })
  return true
}

/** Each in turn is stopped, comes back and is ready, before the next one goes. */
function roll (world: FaultWorld): boolean {
  const turn = (waiting: readonly SimBroker[]): void => {
    const [broker, ...rest] = waiting
    if (broker === undefined) {
      world.coverage.reached('the brokers were restarted one after another')
      return
    }
    const { incarnations } = broker
    if (broker.running && !broker.paused) broker.stop()
    const look = (): void => {
      const isBack = broker.removed || (broker.incarnations > incarnations && broker.node?.notReady() === '')
      world.until(200, isBack ? () => { turn(rest) } : look)
    }
    look()
  }
  turn(world.cluster.brokers.toReversed())
  return true
}

export const onClusters: Record<typeof clusterFaults[number], Fault> = {
  'added broker': add,
  'drained broker': drain,
  'moved partitions': move,
  'given-up move': giveUp,
  'elected leader': elect,
  'other replication': replicate,
  'rolling restart': roll
}
