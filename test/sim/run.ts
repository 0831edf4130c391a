// One run from one seed: set up, a phase with faults, a phase of healing, then everything is checked.
import type { Report } from '../check/checker.ts'
import type { SimCluster } from './cluster.ts'
import type { Coverage } from './coverage.ts'
import { SimFailure } from './failure.ts'
import type { LogLine } from './log.ts'
import type { Strike } from './nemesis.ts'
import type { Plan } from './plan.ts'
import { drawPlan } from './plan.ts'
import { SimRng } from './rng.ts'
import { Simulation } from './simulation.ts'
import type { TraceEntry } from './trace.ts'

export interface RunResult {
  readonly seed: number
  readonly plan: Plan
  readonly failure: SimFailure | undefined
  readonly report: Report | undefined
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly faults: number
  /** What the nemesis did, in order. */
  readonly strikes: readonly Strike[]
  /** From its first chance to strike to the end of the run. */
  readonly sinceFaultsMs: number
  /** From healing until everything was live and complete. */
  readonly healedInMs: number
  readonly coverage: Coverage
  readonly cluster: SimCluster
}

export interface Spectator {
  readonly onLine?: ((line: LogLine) => void) | undefined
  readonly onEvent?: ((entry: TraceEntry) => void) | undefined
  /** True: the run is given up, as a failure of that name. */
  readonly isOver?: (() => boolean) | undefined
}

/** What a seed says: its plan, its faults. */
export function runSeed (
  seed: number, plan: Plan = drawPlan(new SimRng(seed)), spectator: Spectator = {}
): Promise<RunResult> {
  return runWith(seed, plan, spectator, async (simulation) => {
    simulation.nemesis.begin()
    await simulation.pass(plan.safetyMs)
  })
}

/** The same with something else in the middle. */
export async function runWith (seed: number, plan: Plan, spectator: Spectator,
  middle: (simulation: Simulation) => Promise<void>): Promise<RunResult> {
  const simulation = new Simulation(seed, plan)
  const { cluster, coverage } = simulation
  const { addresses, scheduler, network, kube } = cluster
  cluster.book.onLine = spectator.onLine
  scheduler.trace.onEntry = spectator.onEvent
  scheduler.isOver = spectator.isOver
  let faultsAtMs = 0
  try {
    await simulation.setUp()
    faultsAtMs = scheduler.now
    if (!simulation.failed) await middle(simulation)
    await simulation.finish()
  } catch (error) {
    scheduler.fail(error instanceof SimFailure ? error : SimFailure.from('uncaught error', 'the simulator', error))
  }
  coverage.reached('a stream met back-pressure', network.counters.backPressure)
  coverage.reached('a broker came back under another address', addresses.counters.renewed)
  coverage.reached('an address had another broker before', addresses.counters.inherited)
  coverage.reached('a call reached another cluster', network.counters.wrongClusters)
  coverage.reached('an address that nobody has was dialled', network.counters.astray)
  coverage.reached('a unary request came twice', network.counters.duplicates)
  coverage.reached('a write reached the API late', kube.counters.lateWrites)
  return {
    seed, plan, failure: scheduler.failure, report: simulation.report, hash: scheduler.trace.hash,
    events: scheduler.events, virtualMs: scheduler.now, faults: simulation.nemesis.total,
    strikes: simulation.nemesis.struck, sinceFaultsMs: scheduler.now - faultsAtMs,
    healedInMs: simulation.healedInMs, coverage, cluster
  }
}
