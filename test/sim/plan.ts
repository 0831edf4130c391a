// What a seed makes of a run: how large the cluster is, what its clients do, which faults come and how
// often. Swarm testing: most runs lack most faults, so that rare combinations are met undisturbed
// (Groce et al., ISSTA 2012).
import { destructiveFaults, faultKinds } from './faults/kinds.ts'
import type { FaultKind } from './faults/kinds.ts'
import type { KubeFault } from './kube.ts'
import { kubeFaults } from './kube.ts'
import type { NetConditions } from './network.ts'
import type { SimRng } from './rng.ts'

export type { FaultKind }

export interface TopicPlan {
  readonly name: string
  readonly partitions: number
  readonly replicas: number
  readonly minInSync: number
  readonly segmentBytes: number
  readonly retentionBytes: number
  /** It may be deleted with its data, and made again. */
  readonly transient?: boolean
  /**
   * Its floor is one member, and its sets are lost whole: a person has the partition go on with what is left
   * (faults/loss.ts).
   */
  readonly expendable?: true
  /** Of the queue group: its workers write to it, nobody else does. */
  readonly holdsDeadLetters?: boolean
}

export interface Plan {
  readonly brokers: number
  readonly topics: readonly TopicPlan[]
  readonly producers: number
  readonly consumers: number
  /** Members of one group, at a time. */
  readonly members: number
  /** Of a queue group, at a time. */
  readonly workers: number
  /** The queue group handles records of a key in order; producers give them keys. */
  readonly orderedByKey: boolean
  /** Between two sends of a producer, on average. */
  readonly sendEveryMs: number
  readonly valueBytesMax: number
  readonly deliveryTimeoutMs: number
  /** What each broker spends on learners; 0: the default, which nothing here reaches. */
  readonly learnerBytesPerSecond: number
  /** So often a broker that starts again, for whatever reason, comes back under another address. */
  readonly newAddressChance: number
  readonly safetyMs: number
  readonly net: NetConditions
  readonly kubeDelayMs: number
  readonly kubeFaultChance: number
  readonly kubeFaults: readonly KubeFault[]
  /** Mean time between two faults of a kind, in ms. */
  readonly faults: ReadonlyMap<FaultKind, number>
  /** The strikes that are carried out, 'kill#3'; all that the seed draws when it is not given. */
  readonly only?: readonly string[]
}

function drawNet (rng: SimRng): NetConditions {
  const rough = rng.chance(0.5)
  return {
    delayMinMs: 0.1,
    delayMeanMs: rng.pick([0.2, 0.5, 2, rough ? 20 : 1]),
    spikeChance: rough ? rng.pick([0, 0.001, 0.02]) : 0,
    spikeMs: rng.pick([20, 200, 1_000]),
    breakChance: rough ? rng.pick([0, 0.000_1, 0.001]) : 0,
    duplicateChance: rng.pick([0, 0, 0.05]),
    windowBytes: rng.pick([4 * 1024, 64 * 1024, 1024 * 1024])
  }
}

function drawTopic (rng: SimRng, index: number, brokers: number, retained: boolean): TopicPlan {
  const replicas = Math.min(brokers, rng.pick([3, 3, 3, 2, 1, 5]))
  const majority = Math.floor(replicas / 2) + 1
  return {
    name: `t${index}`,
    partitions: 1 + rng.integer(4),
    replicas,
    minInSync: rng.chance(0.75) ? majority : 1 + rng.integer(replicas),
    segmentBytes: 1024 * 1024,
    retentionBytes: retained ? 1024 * 1024 : -1
  }
}

interface QueuePlan extends Pick<Plan, 'workers' | 'orderedByKey'> {
  readonly topics: readonly TopicPlan[]
}

/** Workers acknowledge one by one, which costs time: few seeds have them. */
function drawQueue (rng: SimRng, brokers: number): QueuePlan {
  const workers = rng.pick([0, 0, 0, 0, 0, 2, 3, 5])
  if (workers === 0) return { workers, orderedByKey: false, topics: [] }
  const deadLetters: TopicPlan = {
    name: 'dead', partitions: 1 + rng.integer(2), replicas: Math.min(3, brokers), minInSync: 2,
    segmentBytes: 1024 * 1024, retentionBytes: -1, holdsDeadLetters: true
  }
  return { workers, orderedByKey: rng.chance(0.4), topics: rng.chance(0.6) ? [deadLetters] : [] }
}

/** A topic whose sets are lost whole, unless something else in the plan needs what they hold. */
function drawLoss (rng: SimRng, brokers: number, topics: readonly TopicPlan[],
  faults: Map<FaultKind, number>): TopicPlan[] {
  if (!rng.chance(0.15) || topics.some(({ minInSync }) => minInSync < 2)) return []
  // An old table does not know what a person has decided, nor who knew the newest set.
  if (faults.has('lost table') || faults.has('restored tables')) return []
  faults.set('lost set', rng.pick([2_000, 5_000]))
  // A set of one whose disk holds less than it acknowledged is noticed by nobody: only whole losses are.
  for (const kind of ['read error', 'bit flip', 'rolled-back volume'] as const) faults.delete(kind)
  return [{
    name: 'spare', partitions: 1 + rng.integer(2), replicas: Math.min(brokers, rng.pick([3, 3, 2, 1])), minInSync: 1,
    segmentBytes: 1024 * 1024, retentionBytes: -1, expendable: true
  }]
}

/** @param name forks the chance, so that a plan does not depend on what else draws from the seed. */
export function drawPlan (seedRng: SimRng): Plan {
  const rng = seedRng.fork('plan')
  const brokers = rng.pick([3, 3, 3, 3, 4, 5])
  const faults = new Map<FaultKind, number>()
  const share = rng.pick([0, 0.1, 0.25, 0.4])
  const safetyMs = rng.pick([5_000, 10_000, 20_000])
  // Enough for segments to roll and to go, while brokers are away.
  const large = rng.chance(0.1)
  const topics = Array.from({ length: 1 + rng.integer(2) }, (_, index) => drawTopic(rng, index, brokers, large))
  for (const kind of faultKinds) {
    // Needs a topic of its own.
    if (kind === 'lost set') continue
    if (destructiveFaults.has(kind) && topics.some((topic) => topic.minInSync < 2)) continue
    if (rng.chance(share)) faults.set(kind, rng.pick([1_500, 4_000, 10_000]))
  }
  // Only the tables know that a volume is older than it was: nothing notices when both are taken back.
  if (faults.has('lost table') || faults.has('restored tables')) faults.delete('rolled-back volume')
  // An old table brings a deleted topic back, without its data.
  if (faults.has('lost table') || faults.has('restored tables')) faults.delete('remade topic')
  if (faults.has('remade topic')) {
    const topic = { ...drawTopic(rng, topics.length, brokers, false), transient: true }
    topics.push(topic)
    if (topic.minInSync < 2) for (const kind of destructiveFaults) faults.delete(kind)
  }
  const queue = drawQueue(seedRng.fork('queue'), brokers)
  topics.push(...queue.topics, ...drawLoss(seedRng.fork('loss'), brokers, topics, faults))
  const kubeTrouble = rng.chance(0.3)
  return {
    brokers,
    topics,
    producers: 1 + rng.integer(3),
    consumers: 1 + rng.integer(2),
    members: seedRng.fork('group').pick([0, 0, 2, 3, 5]),
    workers: queue.workers,
    orderedByKey: queue.orderedByKey,
    // Each record is a round trip of its own: two workers must keep up.
    sendEveryMs: Math.max(queue.workers > 0 ? 30 : 0, rng.pick([large ? 30 : 10, 30, 100])),
    valueBytesMax: large ? 30_000 : rng.pick([10, 100, 2_000]),
    deliveryTimeoutMs: rng.pick([4_000, 15_000, 60_000]),
    learnerBytesPerSecond: large ? 0 : seedRng.fork('learners').pick([0, 0, 0, 262_144]),
    newAddressChance: seedRng.fork('addresses').pick([0, 0, 0.4, 1]),
    safetyMs,
    net: drawNet(rng),
    kubeDelayMs: rng.pick([2, 20, 200]),
    kubeFaultChance: kubeTrouble ? rng.pick([0.02, 0.2, 0.5]) : 0,
    kubeFaults: kubeTrouble && rng.chance(0.5) ? [rng.pick(kubeFaults)] : kubeFaults,
    faults
  }
}
