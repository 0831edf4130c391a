// Runs of the whole cluster with the faults that a rule is made for: what a seed draws at random, and these
// on top. They hold for the unmutated code as any other seed does.
import type { FaultKind, Plan } from '../plan.ts'
import { drawPlan } from '../plan.ts'
import { SimRng } from '../rng.ts'

function withFaults (plan: Plan, faults: Partial<Record<FaultKind, number>>): Plan {
  return { ...plan, faults: new Map([...Object.entries(faults)] as [FaultKind, number][]) }
}

function small (plan: Plan, minInSync = 2): Plan {
  const topic = { name: 't0', partitions: 2, replicas: 3, minInSync, segmentBytes: 1024 * 1024, retentionBytes: -1 }
  return {
    ...plan, brokers: 3, topics: [topic], producers: 2, consumers: 1, workers: 0, orderedByKey: false, sendEveryMs: 30,
    valueBytesMax: 100, safetyMs: 15_000
  }
}

/** Enough for segments to be written, to roll, and to go. */
function retained (plan: Plan): Plan {
  const topic = {
    name: 't0', partitions: 2, replicas: 3, minInSync: 2, segmentBytes: 1024 * 1024, retentionBytes: 1024 * 1024
  }
  return { ...small(plan), topics: [topic], valueBytesMax: 30_000, sendEveryMs: 10 }
}

/** A queue group with a dead-letter topic. */
function queues (plan: Plan, orderedByKey: boolean, faults: Partial<Record<FaultKind, number>>,
  minInSync = 2): Plan {
  const base = withFaults(small(plan, minInSync), faults)
  const dead = { ...base.topics[0]!, name: 'dead', partitions: 1, holdsDeadLetters: true }
  return { ...base, topics: [...base.topics, dead], workers: 4, orderedByKey }
}

/** A group of three: its coordinators come and go, and so do links. */
function groups (plan: Plan): Plan {
  const base = withFaults(small(plan),
    { kill: 3_000, pause: 3_000, 'client cut': 2_000, 'one way': 4_000, 'slow link': 3_000 })
  return { ...base, members: 3 }
}

export const plans: Readonly<Record<string, (plan: Plan) => Plan>> = {
  /** Leaders come and go fast. */
  elections: (plan) => withFaults(small(plan),
    { kill: 3_000, power: 2_000, pause: 4_000, 'one way': 6_000, isolate: 6_000, break: 2_000 }),
  /** The in-sync sets change fast, and the API is slow to write them. */
  churn: (plan) => ({
    ...withFaults(small(plan), { pause: 1_500, isolate: 2_000, 'one way': 2_000, 'slow link': 2_000, power: 3_000 }),
    kubeDelayMs: 200, kubeFaultChance: 0.1
  }),
  /** Fsyncs take long, and power goes before they end. */
  'slow disks': (plan) => withFaults(small(plan), { 'slow disk': 1_000, power: 2_000, kill: 2_000 }),
  /** Partitions move, and brokers die in the middle. */
  moves: (plan) => ({
    ...withFaults(small(plan), { 'moved partitions': 700, 'given-up move': 4_000, kill: 1_500, pause: 3_000 }),
    brokers: 5
  }),
  /** The whole set of a partition is lost again and again, and a person has it recovered. */
  losses: (plan) => {
    const base = withFaults(small(plan), { 'lost set': 2_000, kill: 6_000 })
    return { ...base, topics: [...base.topics, { ...base.topics[0]!, name: 'spare', minInSync: 1, expendable: true }] }
  },
  /** Controllers come and go; the API is slow, fails, and forgets to answer. */
  takeovers: (plan) => ({
    ...withFaults(small(plan),
      { pause: 3_000, 'kube cut': 3_000, isolate: 3_000, 'kube silent': 6_000, kill: 3_000, 'lost lease': 5_000 }),
    kubeDelayMs: 200, kubeFaultChance: 0.2
  }),
  /** Tables are lost or taken back to an old backup. */
  tables: (plan) => withFaults(small(plan),
    { 'lost table': 7_000, 'restored tables': 7_000, kill: 6_000, stop: 9_000 }),
  /** A disk comes back empty. */
  volumes: (plan) => withFaults(small(plan), { 'lost volume': 3_000, power: 4_000, kill: 4_000 }),
  /** Links are slow and uneven; leaderships move while much is under way. */
  'slow links': (plan) => {
    const base = withFaults(small(plan), { 'slow link': 1_000, pause: 2_000, stop: 4_000, 'slow disk': 3_000 })
    const topics = base.topics.map((topic) => ({ ...topic, partitions: 8 }))
    return { ...base, topics, net: { ...base.net, delayMeanMs: 20, spikeChance: 0.02, spikeMs: 1_000 } }
  },
  /** Wall clocks jump. */
  'clock jumps': (plan) => withFaults(small(plan), { 'clock jump': 700, break: 1_000, kill: 3_000, pause: 3_000 }),
  /** A volume is taken back to an older copy. */
  'rolled-back volumes': (plan) => withFaults(small(plan), { 'rolled-back volume': 2_000, kill: 3_000, power: 4_000 }),
  /** Brokers find each other's volume. */
  'swapped volumes': (plan) => withFaults(small(plan), { 'swapped volumes': 3_000, kill: 6_000 }),
  /** Disks rot. */
  'bit flips': (plan) => withFaults(small(plan), { 'bit flip': 1_000, kill: 2_000, power: 3_000 }),
  /** Reads fail for a while: what cannot be read counts as damaged. */
  'read errors': (plan) => withFaults(retained(plan), { 'read error': 1_500, kill: 3_000, power: 4_000 }),
  /** Segments roll and go while brokers are away. */
  retention: (plan) => withFaults(retained(plan), { pause: 3_000, isolate: 3_000, power: 3_000, kill: 4_000 }),
  groups,
  /** Workers of a queue group die, leave and stand still; so do coordinators. */
  queues: (plan) => queues(plan, false, { kill: 3_000, pause: 4_000, 'one way': 6_000 }),
  'ordered queues': (plan) => queues(plan, true, { kill: 5_000, pause: 6_000 }),
  /** The log of groups takes nothing for moments while partitions are added. */
  'queues and partitions': (plan) =>
    queues(plan, false, { 'more partitions': 700, kill: 1_000, pause: 1_000, isolate: 2_000 }, 1),
  /** One member alone may commit. */
  'floor of one': (plan) => withFaults(small(plan, 1), { power: 2_000, kill: 3_000, pause: 3_000, isolate: 3_000 })
}

export function planOf (name: string, seed: number): Plan {
  const make = plans[name]
  if (make === undefined) throw new Error(`no plan ${name}`)
  return make(drawPlan(new SimRng(seed)))
}
