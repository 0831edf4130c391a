// Does harm, as the plan says, and undoes all of it when told to heal. Events of the world, not of any
// process; what each fault does is in faults/.
import type { SimBroker } from './broker.ts'
import type { SimCluster } from './cluster.ts'
import { SimFailure } from './failure.ts'
import { onClusters } from './faults/cluster.ts'
import { onDisks, replaceVolume } from './faults/disk.ts'
import type { FaultKind } from './faults/kinds.ts'
import { onKube } from './faults/kube.ts'
import { onLosses } from './faults/loss.ts'
import { onNetwork } from './faults/network.ts'
import { onOthers } from './faults/other.ts'
import { destructiveFaults } from './faults/kinds.ts'
import { onProcesses } from './faults/process.ts'
import { onTopics } from './faults/topics.ts'
import type { Fault, FaultWorld } from './faults/world.ts'
import { Person } from './person.ts'
import type { Plan } from './plan.ts'
import type { SimRng } from './rng.ts'

const faults: Record<FaultKind, Fault> = {
  ...onProcesses, ...onNetwork, ...onDisks, ...onKube, ...onTopics, ...onClusters, ...onLosses, ...onOthers
}

const backUpEveryMs = 2_000

/** Whom it works on, and by whom it works. */
export type NemesisParts = Pick<FaultWorld, 'cluster' | 'victims' | 'coverage' | 'operator' | 'topics' | 'rows'>

export interface Strike {
  readonly name: string
  readonly atMs: number
  /** The one that chance named; whether it was the victim is up to the fault. */
  readonly broker: number
}

export class Nemesis {
  readonly counts = new Map<FaultKind, number>()
  readonly #cluster: SimCluster
  readonly #plan: Plan
  readonly #rng: SimRng
  readonly #world: FaultWorld
  /** What struck, in order: 'kill#3' is the fourth time that 'kill' was due, whatever else there is. */
  readonly struck: Strike[] = []
  readonly #only: ReadonlySet<string> | undefined
  readonly #person: Person
  #active = false
  #retired = false

  constructor (parts: NemesisParts, plan: Plan) {
    const { cluster } = parts
    this.#cluster = cluster
    this.#plan = plan
    this.#only = plan.only === undefined ? undefined : new Set(plan.only)
    this.#person = new Person(parts)
    const rng = this.#rng = cluster.scheduler.rng.fork('nemesis')
    this.#world = {
      ...parts, rng, counts: this.counts, backups: [], cuts: 0, calmUntilMs: 0, unlucky: undefined, draining: undefined,
      minInSyncMin: [...plan.faults.keys()].some((kind) => destructiveFaults.has(kind)) ? 2 : 1,
      failed: (kind, message) => { cluster.scheduler.fail(new SimFailure(kind, message)) },
      until: (durationMs, undo) => { this.#later(durationMs, () => { if (this.#active) undo() }) }
    }
  }

  /** Every partition that has lost its set has been recovered. */
  get isRecovered (): boolean { return this.#person.lost().length === 0 }

  get total (): number { return [...this.counts.values()].reduce((sum, count) => sum + count, 0) }

  begin (): void {
    this.#active = true
    const { conditions } = this.#cluster.kube
    conditions.delayMs = this.#plan.kubeDelayMs
    conditions.faultChance = this.#plan.kubeFaultChance
    conditions.faults = this.#plan.kubeFaults
    this.#cluster.network.conditions = { ...this.#plan.net }
    for (const [kind, everyMs] of this.#plan.faults) this.#next(kind, everyMs)
    if (this.#plan.faults.has('restored tables')) this.#backUp()
    if (this.#plan.faults.has('lost set')) this.#person.begin()
  }

  /** Everything is whole again from now on. */
  heal (): void {
    this.#active = false
    const { kube, network, brokers } = this.#cluster
    Object.assign(kube.conditions, { state: 'up', delayMs: 2, faultChance: 0 })
    Object.assign(network.conditions, { spikeChance: 0, breakChance: 0, duplicateChance: 0, delayMeanMs: 0.5 })
    network.healAll()
    for (const broker of brokers) this.#healVolume(broker)
    for (const broker of brokers) {
      broker.process?.clock.correct()
      broker.resume()
      broker.held = false
      if (!broker.running) broker.start()
    }
    this.#world.operator.drain([])
    // What was under way is wished again, whole.
    for (const topic of this.#world.topics.all) this.#world.operator.apply(topic)
    // A controller learns that its tables are gone when it writes next, or the next one when it takes office.
    if (this.counts.has('lost table') || this.counts.has('restored tables')) {
      const controller = brokers.find((broker) => broker.node?.parts?.agent.counters.isController === 1)
      controller?.end('kill')
      controller?.start()
    }
  }

  #healVolume (broker: SimBroker): void {
    broker.syncMs = 1
    broker.syncStallChance = 0
    broker.emptyDisk()
    broker.healDisk()
    if (broker.guest !== undefined) {
      broker.end('kill')
      broker.guest.end('kill')
      broker.swapVolumes(broker.guest)
    }
    if (broker.failing || broker.isMarkedFailed) replaceVolume(this.#world, broker)
  }

  /** The cluster is being shut down: nothing is started again. */
  retire (): void { this.#retired = true }

  /** Restarts what ended by itself, as Kubernetes does. */
  supervise (): void {
    if (this.#retired) return
    for (const broker of this.#cluster.brokers) {
      if (broker.running || broker.volumeFailed || broker.held) continue
      this.#later(500 + this.#rng.integer(1_000), () => {
        if (!this.#retired && !broker.held) broker.start()
      })
    }
  }

  /** Each strike has chance of its own: leaving one out changes the others only by what it did. */
  #next (kind: FaultKind, everyMs: number, number = 0): void {
    const rng = this.#rng.fork(`${kind}/${number}`)
    this.#later(rng.exponential(everyMs), () => {
      if (!this.#active) return
      const name = `${kind}#${number}`
      if (this.#only?.has(name) !== false) this.#strike(kind, name, rng)
      this.#next(kind, everyMs, number + 1)
    })
  }

  #later (afterMs: number, run: () => void): void {
    this.#cluster.scheduler.schedule(afterMs, undefined, 'nemesis', run)
  }

  #strike (kind: FaultKind, name: string, rng: SimRng): void {
    const broker = rng.pick(this.#cluster.brokers)
    const { now } = this.#cluster.scheduler
    if (now < this.#world.calmUntilMs) return
    this.#world.rng = rng
    if (!faults[kind](this.#world, broker)) return
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    this.struck.push({ name, atMs: now, broker: broker.id })
  }

  #backUp (): void {
    this.#later(backUpEveryMs, () => {
      this.#world.backups.push(this.#cluster.kube.store.backup())
      if (this.#active) this.#backUp()
    })
  }
}
