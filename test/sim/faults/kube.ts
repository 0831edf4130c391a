// The Kubernetes API: away, silent, refusing; its objects lost or taken back to an older state.
import { decodeTable, tableKind } from '../../../broker/controller/table-codec.ts'
import type { kubeFaultKinds } from './kinds.ts'
import { cutFromKube } from './network.ts'
import type { Fault, FaultWorld } from './world.ts'

function become (world: FaultWorld, state: 'down' | 'silent'): boolean {
  const { conditions } = world.cluster.kube
  if (conditions.state !== 'up') return false
  conditions.state = state
  world.until(world.rng.exponential(world.rng.pick([500, 5_000, 20_000])), () => { conditions.state = 'up' })
  return true
}

/** Somebody else writes all the time, or a proxy repeats writes: most meet a conflict, some after they landed. */
function conflicts (world: FaultWorld): boolean {
  const { conditions } = world.cluster.kube
  const before = { faultChance: conditions.faultChance, faults: conditions.faults }
  if (before.faultChance >= 0.5) return false
  conditions.faultChance = 0.8
  conditions.faults = ['conflict', 'conflict after write']
  world.until(world.rng.exponential(3_000), () => { Object.assign(conditions, before) })
  return true
}

function loseLease ({ cluster }: FaultWorld): boolean {
  cluster.kube.store.erase({ apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }, `${cluster.name}-controller`,
    'nemesis')
  return true
}

/**
 * Tables that are lost or old are rebuilt from what brokers know. Promised only while those who know are
 * there (docs/guarantees.md): so it strikes when all are, and nothing else strikes for a while.
 */
function mayLoseTables (world: FaultWorld): boolean {
  const { brokers, kube, scheduler } = world.cluster
  const whole = kube.conditions.state === 'up' && world.cuts === 0 &&
    brokers.every((broker) => broker.running && !broker.paused && broker.node?.notReady() === '')
  if (whole) {
    world.calmUntilMs = scheduler.now + 6_000
    world.victims.tablesHarmed()
  }
  return whole
}

function loseTable (world: FaultWorld): boolean {
  const { store } = world.cluster.kube
  const names = store.list(tableKind, {}).map(({ metadata }) => metadata.name)
  if (names.length === 0 || !mayLoseTables(world)) return false
  store.erase(tableKind, world.rng.pick(names), 'nemesis')
  return true
}

function restoreTables (world: FaultWorld): boolean {
  const { store } = world.cluster.kube
  if (world.backups.length === 0 || !mayLoseTables(world)) return false
  world.coverage.reached('a backup of the API was restored')
  store.restore(world.rng.pick(world.backups))
  const isRemoved = (brokerId: number): boolean => brokerId >= world.cluster.brokers.length
  const named = store.list(tableKind, {}).flatMap((table) => [...decodeTable(table).brokers.keys()])
  if (named.some(isRemoved)) world.operator.waive(isRemoved)
  applyAgain(world)
  return true
}

/** The operator finds tables that are not what it left there, and says of each topic again how it shall be. */
function applyAgain (world: FaultWorld): void {
  for (const topic of world.topics.all) {
    world.cluster.scheduler.schedule(world.rng.exponential(2_000), undefined, 'operator', () => {
      if (topic.phase === 'there') {
        world.operator.apply(topic, () => { world.coverage.reached('a topic was applied again after a restore') })
      }
    })
  }
}

export const onKube: Record<typeof kubeFaultKinds[number], Fault> = {
  'kube cut': (world, { host }) => cutFromKube(world, host),
  'kube down': (world) => become(world, 'down'),
  'kube silent': (world) => become(world, 'silent'),
  'kube conflicts': (world) => conflicts(world),
  'lost lease': (world) => loseLease(world),
  'lost table': (world) => loseTable(world),
  'restored tables': (world) => restoreTables(world)
}
