// Does harm, as the plan says, and undoes all of it when told to heal. Events of the world, not of any
// process; never more than the promises bear: one volume at most is lost in a run.
import { tableKind } from '../../broker/controller/table-codec.ts'
import type { SimBroker } from './broker.ts'
import type { SimCluster } from './cluster.ts'
import type { Coverage } from './coverage.ts'
import { kubeHost } from './kube.ts'
import type { FaultKind, Plan } from './plan.ts'
import type { SimRng } from './rng.ts'

/** What the nemesis may do to clients, and whom it tells. */
export interface Victims {
  /** Host names of clients. */
  readonly hosts: readonly string[]
  /** Kills one client and starts another in its place. */
  restartOne (rng: SimRng): void
  /** Told before tables are lost or taken back. */
  tablesHarmed (): void
}

export class Nemesis {
  readonly counts = new Map<FaultKind, number>()
  readonly #cluster: SimCluster
  readonly #plan: Plan
  readonly #victims: Victims
  readonly #coverage: Coverage
  readonly #rng: SimRng
  #active = false
  #retired = false
  #volumesLost = 0
  #calmUntilMs = 0
  #cuts = 0
  #backups: ReturnType<SimCluster['kube']['store']['backup']>[] = []

  constructor (cluster: SimCluster, plan: Plan, victims: Victims, coverage: Coverage) {
    this.#cluster = cluster
    this.#plan = plan
    this.#victims = victims
    this.#coverage = coverage
    this.#rng = cluster.scheduler.rng.fork('nemesis')
  }

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
  }

  /** Everything is whole again from now on. */
  heal (): void {
    this.#active = false
    const { kube, network, brokers } = this.#cluster
    Object.assign(kube.conditions, { state: 'up', delayMs: 2, faultChance: 0 })
    Object.assign(network.conditions, { spikeChance: 0, breakChance: 0, duplicateChance: 0, delayMeanMs: 0.5 })
    network.healAll()
    for (const broker of brokers) {
      broker.syncMs = 1
      broker.syncStallChance = 0
      broker.emptyDisk()
      if (broker.diskMayFail) this.#replaceVolume(broker)
      broker.process?.clock.correct()
      broker.resume()
      broker.held = false
      if (!broker.running) broker.start()
    }
    // A controller learns that its tables are gone when it writes next, or the next one when it takes office.
    if (this.counts.has('lost table') || this.counts.has('restored tables')) {
      const controller = brokers.find((broker) => broker.node?.parts?.agent.counters.isController === 1)
      controller?.end('kill')
      controller?.start()
    }
  }

  /** The cluster is being shut down: nothing is started again. */
  retire (): void { this.#retired = true }

  /** Restarts what ended by itself, as Kubernetes does. */
  supervise (): void {
    if (this.#retired) return
    for (const broker of this.#cluster.brokers) {
      if (broker.running || broker.volumeFailed || broker.held) continue
      this.#later(500 + this.#rng.integer(1_000), () => { if (!this.#retired) broker.start() })
    }
  }

  #next (kind: FaultKind, everyMs: number): void {
    this.#later(this.#rng.exponential(everyMs), () => {
      if (!this.#active) return
      this.#strike(kind)
      this.#next(kind, everyMs)
    })
  }

  #later (afterMs: number, run: () => void): void {
    this.#cluster.scheduler.schedule(afterMs, undefined, 'nemesis', run)
  }

  /** Undone after a while, or by heal(). */
  #for (durationMs: number, undo: () => void): void {
    this.#later(durationMs, () => { if (this.#active) undo() })
  }

  #strike (kind: FaultKind): void {
    const rng = this.#rng
    const broker = rng.pick(this.#cluster.brokers)
    if (this.#cluster.scheduler.now < this.#calmUntilMs) return
    if (this.#harm(kind, broker)) this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
  }

  /** False when it could not be done now. */
  #harm (kind: FaultKind, broker: SimBroker): boolean {
    const { brokers } = this.#cluster
    const rng = this.#rng
    const names = brokers.map((each) => each.host)
    switch (kind) {
      case 'kill': return this.#end([broker], 'kill')
      case 'power': return this.#end([broker], 'power')
      case 'kill all': return this.#end(brokers, rng.pick(['kill', 'power']))
      case 'stop': return this.#stop(broker)
      case 'pause': return this.#pause(broker)
      case 'isolate': return this.#cut(
        names.filter((name) => name !== broker.host).flatMap((name) => [[broker.host, name], [name, broker.host]])
      )
      case 'one way': return this.#cut(names.filter((name) => name !== broker.host)
        .map((name) => rng.chance(0.5) ? [broker.host, name] : [name, broker.host]))
      case 'halves': {
        const some = rng.shuffle(names).slice(0, 1 + rng.integer(names.length - 1))
        return this.#cut(
          names.flatMap((a) => names.filter((b) => some.includes(a) !== some.includes(b)).map((b) => [a, b]))
        )
      }
      case 'ring': return this.#cut(names.flatMap((a, i) => names.filter((b, j) => {
        const distance = Math.abs(i - j)
        return a !== b && distance !== 1 && distance !== names.length - 1
      }).map((b) => [a, b])))
      case 'kube cut': return this.#cut(rng.chance(0.5) ? [[broker.host, kubeHost]] : [[kubeHost, broker.host]])
      case 'client cut': return this.#cut(
        this.#victims.hosts.flatMap((host) => [[host, broker.host], [broker.host, host]])
      )
      case 'slow link': return this.#slow(broker.host, rng.pick(names))
      case 'break': return this.#break()
      case 'kube down': return this.#kube('down')
      case 'kube silent': return this.#kube('silent')
      case 'slow disk': return this.#slowDisk(broker)
      case 'full disk':
        broker.fillDisk()
        this.#for(this.#rng.exponential(5_000), () => { broker.emptyDisk() })
        return true
      case 'disk error': return this.#failDisk(broker)
      case 'clock jump': return this.#jump(broker)
      case 'client kill':
        this.#victims.restartOne(rng)
        return true
      case 'lost lease': return this.#loseLease()
      case 'lost table': return this.#loseTable()
      case 'restored tables': return this.#restoreTables()
      case 'lost volume': return this.#loseVolume(broker)
    }
  }

  #end (brokers: readonly SimBroker[], ending: 'kill' | 'power'): boolean {
    const running = brokers.filter((broker) => broker.running)
    for (const broker of running) {
      broker.end(ending)
      broker.held = true
      this.#for(200 + this.#rng.exponential(this.#rng.pick([300, 3_000, 10_000])), () => {
        broker.held = false
        broker.start()
      })
    }
    return running.length > 0
  }

  #stop (broker: SimBroker): boolean {
    if (!broker.running || broker.stopping || broker.paused) return false
    broker.stop()
    return true
  }

  #pause (broker: SimBroker): boolean {
    if (!broker.running || broker.paused) return false
    const { process } = broker
    broker.pause()
    this.#for(this.#rng.exponential(this.#rng.pick([200, 2_000, 8_000, 20_000])), () => {
      if (broker.process === process) broker.resume()
    })
    return true
  }

  #cut (pairs: readonly (readonly string[])[]): boolean {
    const { network } = this.#cluster
    for (const [from = '', to = ''] of pairs) network.cut(from, to)
    this.#cuts++
    this.#for(this.#rng.exponential(this.#rng.pick([300, 3_000, 12_000])), () => {
      this.#cuts--
      for (const [from = '', to = ''] of pairs) network.heal(from, to)
    })
    return pairs.length > 0
  }

  #slow (from: string, to: string): boolean {
    if (from === to) return false
    const link = this.#cluster.network.link(from, to)
    link.slowness = this.#rng.pick([10, 100, 1_000])
    this.#for(this.#rng.exponential(5_000), () => { link.slowness = 1 })
    return true
  }

  #break (): boolean {
    const connections = this.#cluster.network.connections()
    if (connections.length > 0) this.#rng.pick(connections).break()
    return connections.length > 0
  }

  #kube (state: 'down' | 'silent'): boolean {
    const { conditions } = this.#cluster.kube
    if (conditions.state !== 'up') return false
    conditions.state = state
    this.#for(this.#rng.exponential(this.#rng.pick([500, 5_000, 20_000])), () => { conditions.state = 'up' })
    return true
  }

  #slowDisk (broker: SimBroker): boolean {
    broker.syncMs = this.#rng.pick([10, 50, 300])
    broker.syncStallChance = this.#rng.pick([0, 0.01, 0.1])
    this.#for(this.#rng.exponential(5_000), () => {
      broker.syncMs = 1
      broker.syncStallChance = 0
    })
    return true
  }

  #jump (broker: SimBroker): boolean {
    broker.process?.clock.jump(Math.round(this.#rng.between(-1, 1) * this.#rng.pick([1_000, 60_000, 86_400_000])))
    return broker.running
  }

  #loseLease (): boolean {
    const { store } = this.#cluster.kube
    store.erase({ apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }, `${this.#cluster.name}-controller`,
      'nemesis')
    return true
  }

  /**
   * Tables that are lost or old are rebuilt from what brokers know. Promised only while those who know are
   * there (docs/guarantees.md): so it strikes when all are, and nothing else strikes for a while.
   */
  #mayLoseTables (): boolean {
    const { brokers, kube, scheduler } = this.#cluster
    const whole = kube.conditions.state === 'up' && this.#cuts === 0 &&
      brokers.every((broker) => broker.running && !broker.paused && broker.node?.notReady() === '')
    if (whole) {
      this.#calmUntilMs = scheduler.now + 6_000
      this.#victims.tablesHarmed()
    }
    return whole
  }

  #loseTable (): boolean {
    const { store } = this.#cluster.kube
    const names = store.list(tableKind, {}).map(({ metadata }) => metadata.name)
    if (names.length === 0 || !this.#mayLoseTables()) return false
    store.erase(tableKind, this.#rng.pick(names), 'nemesis')
    return true
  }

  #restoreTables (): boolean {
    const { store } = this.#cluster.kube
    if (this.#backups.length === 0 || !this.#mayLoseTables()) return false
    this.#coverage.reached('a backup of the API was restored')
    store.restore(this.#rng.pick(this.#backups))
    return true
  }

  #backUp (): void {
    this.#later(2_000, () => {
      this.#backups.push(this.#cluster.kube.store.backup())
      if (this.#active) this.#backUp()
    })
  }

  /** The broker must say so and end; later a person gives it an empty volume. */
  #failDisk (broker: SimBroker): boolean {
    if (this.#volumesLost > 0 || !broker.running) return false
    this.#volumesLost++
    broker.failDisk()
    this.#for(3_000 + this.#rng.exponential(3_000), () => { this.#replaceVolume(broker) })
    return true
  }

  #replaceVolume (broker: SimBroker): void {
    this.#coverage.reached('a volume was lost')
    broker.end('kill')
    broker.wipe()
    broker.start()
  }

  #loseVolume (broker: SimBroker): boolean {
    if (this.#volumesLost > 0) return false
    this.#volumesLost++
    this.#coverage.reached('a volume was lost')
    broker.end('power')
    broker.wipe()
    broker.held = true
    this.#for(1_000 + this.#rng.exponential(3_000), () => {
      broker.held = false
      broker.start()
    })
    return true
  }
}
