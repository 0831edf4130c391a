// One run from one seed: set up, a phase with faults, a phase of healing, then everything is checked.
import type { Report } from '../check/checker.ts'
import { checkHistory } from '../check/checker.ts'
import { History } from '../check/history.ts'
import { findStuck } from '../check/liveness.ts'
import { findDivergedReplicas } from '../check/replicas.ts'
import { SimCluster } from './cluster.ts'
import { ConsumerClient } from './consumer-client.ts'
import { Coverage } from './coverage.ts'
import { SimFailure } from './failure.ts'
import type { LogLine } from './log.ts'
import { Nemesis } from './nemesis.ts'
import { InvariantObserver } from './observer.ts'
import { SimOperator } from './operator.ts'
import type { Plan } from './plan.ts'
import { drawPlan } from './plan.ts'
import type { ClientWorld } from './producer-client.ts'
import { ProducerClient } from './producer-client.ts'
import { replicaContents } from './replica-contents.ts'
import { SimRng } from './rng.ts'
import type { TraceEntry } from './trace.ts'

/** How long the cluster may take for what it owes. */
export const setUpMsMax = 30_000
/** After healing: every write ends, everything committed is read. */
export const healMsMax = 10_000
/** After healing: every replica is in sync. */
export const wholeMsMax = 30_000
export const stopMsMax = 40_000
const superviseMs = 500

export interface RunResult {
  readonly seed: number
  readonly plan: Plan
  readonly failure: SimFailure | undefined
  readonly report: Report | undefined
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly faults: number
  /** From healing until everything was live and complete. */
  readonly healedInMs: number
  readonly coverage: Coverage
  readonly cluster: SimCluster
}

class Run {
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly coverage = new Coverage()
  readonly observer: InvariantObserver
  readonly nemesis: Nemesis
  readonly history: History
  report: Report | undefined
  healedInMs = 0
  readonly #world: ClientWorld
  readonly #operator: SimOperator
  readonly #producers: ProducerClient[] = []
  readonly #consumers: ConsumerClient[] = []
  #clientsMade = 0

  constructor (seed: number, plan: Plan) {
    this.plan = plan
    this.cluster = new SimCluster({ seed, brokers: plan.brokers })
    this.observer = new InvariantObserver(this.cluster, this.coverage)
    this.cluster.observer = this.observer
    this.history = new History(() => this.cluster.scheduler.now)
    this.#world = {
      cluster: this.cluster, plan, history: this.history, coverage: this.coverage,
      committed: (topic, partition, offset, how) => { this.#mustBeCommitted(topic, partition, offset, how) }
    }
    this.#operator = new SimOperator(this.cluster)
    const hosts = Array.from({ length: plan.producers + plan.consumers }, (_, index) => `c${index}`)
    this.nemesis = new Nemesis(this.cluster, plan,
      { hosts, restartOne: (rng) => { this.#restartClient(rng) } }, this.coverage)
  }

  async play (): Promise<void> {
    const { cluster, nemesis, plan } = this
    cluster.start()
    this.#supervise()
    for (const topic of plan.topics) this.#operator.apply(topic)
    await this.#until(setUpMsMax, 'topics were not made', () => this.#allLed() &&
      plan.topics.every((topic) => this.#operator.applied.has(topic.name)))
    for (let i = 0; i < plan.producers; i++) this.#newProducer(`c${i}`)
    for (let i = 0; i < plan.consumers; i++) this.#newConsumer(`c${plan.producers + i}`)
    nemesis.begin()
    await cluster.scheduler.run(cluster.scheduler.now + plan.safetyMs)
    if (cluster.scheduler.failure !== undefined) return
    await this.#heal()
  }

  async #heal (): Promise<void> {
    const { cluster, nemesis } = this
    const healedAtMs = cluster.scheduler.now
    nemesis.heal()
    for (const producer of this.#producers) producer.stop()
    const probe = new ProducerClient(this.#world, 'probe', 'probe', 6 * healMsMax)
    for (const { name, partitions } of this.plan.topics) {
      for (let partition = 0; partition < partitions; partition++) probe.send(name, partition)
    }
    await this.#until(healedAtMs + healMsMax, 'writes do not end',
      () => probe.idle && this.#producers.every((each) => each.idle))
    for (const consumer of this.#consumers) consumer.stop()
    const drain = new ConsumerClient(this.#world, 'drain', 'drain', { group: false, drain: true })
    const ends = new Map([...this.observer.partitions].map(({ key, end }) => [key, end]))
    await this.#until(healedAtMs + healMsMax, 'reads do not end', () => this.#keys().every(({ key, id }) =>
      drain.positionOf(key) >= (ends.get(id) ?? 0)))
    await this.#until(healedAtMs + wholeMsMax, 'in-sync sets are not whole', () => this.#allInSync())
    await this.#until(healedAtMs + wholeMsMax, 'tables are not what was written last',
      () => this.observer.rows.isStored())
    this.healedInMs = cluster.scheduler.now - healedAtMs
    await this.#check(healedAtMs)
    for (const broker of cluster.brokers) this.observer.count(broker)
    nemesis.retire()
    for (const broker of cluster.brokers) broker.stop()
    await this.#until(cluster.scheduler.now + stopMsMax, 'brokers do not stop',
      () => cluster.brokers.every((broker) => !broker.running))
  }

  async #check (healedAtMs: number): Promise<void> {
    const { cluster, history } = this
    this.report = checkHistory(history.operations, { drained: true })
    const replicas = await replicaContents(cluster, this.observer)
    const anomalies = [
      ...this.report.anomalies,
      ...findStuck(history.operations, { healedAtMs, boundMs: healMsMax, keys: this.#keys().map(({ key }) => key) }),
      ...findDivergedReplicas(replicas)
    ]
    const first = anomalies[0]
    if (first === undefined) return
    const rest = anomalies.slice(1, 20).map(({ kind, key, message }) => `\n  ${kind} ${key}: ${message}`).join('')
    cluster.scheduler.fail(new SimFailure(first.kind, `${first.key}: ${first.message}` +
      (anomalies.length > 1 ? `\n${anomalies.length - 1} more:${rest}` : '')))
  }

  /** Fails the run when `condition` does not come true in time. */
  async #until (untilMs: number, complaint: string, condition: () => boolean): Promise<void> {
    const { scheduler } = this.cluster
    if (scheduler.failure !== undefined) return
    let looks = 0
    const reached = await scheduler.run(untilMs, () => ++looks % 16 === 0 && condition())
    if (reached || scheduler.failure !== undefined || condition()) return
    scheduler.fail(new SimFailure('liveness', `${complaint} by ${Math.round(untilMs)} ms\n${this.#state()}`))
  }

  /** The topics' partitions, by their name and by their id. */
  #keys (): { key: string, id: string }[] {
    const keys: { key: string, id: string }[] = []
    for (const { name, partitions } of this.plan.topics) {
      const topicId = this.observer.rows.topicId(name)
      for (let partition = 0; partition < partitions; partition++) {
        keys.push({ key: `${name}-${partition}`, id: `${topicId}-${partition}` })
      }
    }
    return keys
  }

  #mustBeCommitted (topic: string, partition: number, offset: number, how: string): void {
    const { end } = this.observer.partition(this.observer.rows.topicId(topic), partition)
    if (offset < end) return
    this.cluster.scheduler.fail(new SimFailure('commit before answer',
      `${topic}-${partition}: offset ${offset}: ${how}; committed are ${end}`))
  }

  #allLed (): boolean {
    return this.#keys().every(({ id }) => (this.observer.rows.latest.get(id)?.leader ?? -1) >= 0)
  }

  #allInSync (): boolean {
    return [...this.observer.rows.latest.values()].every((row) =>
      row.leader >= 0 && row.inSync.length === row.replicas.length && row.adding.length + row.removing.length === 0)
  }

  #state (): string {
    const brokers = this.cluster.brokers.map((broker) =>
      `  broker ${broker.id}: ${broker.running ? broker.node?.notReady() || 'ready' : 'not running'}`)
    const rows = [...this.observer.rows.latest.values()].map((row) =>
      `  ${row.topicId}-${row.partition}: leader ${row.leader} epoch ${row.leaderEpoch} version ${row.version} ` +
      `in sync ${row.inSync.map((member) => member.brokerId).join()} of ${row.replicas.join()} floor ${row.minInSync}`)
    return [...brokers, ...rows].join('\n')
  }

  #supervise (): void {
    this.cluster.scheduler.schedule(superviseMs, undefined, 'supervise', () => {
      this.nemesis.supervise()
      this.#supervise()
    })
  }

  #newProducer (host: string): void {
    const producer = new ProducerClient(this.#world, host, `p${++this.#clientsMade}`, this.plan.deliveryTimeoutMs)
    producer.begin()
    this.#producers.push(producer)
  }

  #newConsumer (host: string): void {
    const group = this.#consumers.length % 2 === 0
    this.#consumers.push(new ConsumerClient(this.#world, host, `r${++this.#clientsMade}`, { group, drain: false }))
  }

  #restartClient (rng: SimRng): void {
    const producers = this.#producers.filter((each) => !each.process.dead)
    const consumers = this.#consumers.filter((each) => !each.process.dead)
    const victim = rng.pick([...producers, ...consumers])
    victim.process.kill()
    if (victim instanceof ProducerClient) this.#newProducer(victim.host)
    else this.#newConsumer(victim.host)
  }
}

export interface Spectator {
  readonly onLine?: ((line: LogLine) => void) | undefined
  readonly onEvent?: ((entry: TraceEntry) => void) | undefined
}

export async function runSeed (
  seed: number, plan: Plan = drawPlan(new SimRng(seed)), spectator: Spectator = {}
): Promise<RunResult> {
  const run = new Run(seed, plan)
  run.cluster.book.onLine = spectator.onLine
  run.cluster.scheduler.trace.onEntry = spectator.onEvent
  const { scheduler, network } = run.cluster
  try {
    await run.play()
  } catch (error) {
    scheduler.fail(error instanceof SimFailure ? error : SimFailure.from('uncaught error', 'the simulator', error))
  }
  run.coverage.reached('a stream met back-pressure', network.counters.backPressure)
  run.coverage.reached('a unary request came twice', network.counters.duplicates)
  run.coverage.reached('a write reached the API late', run.cluster.kube.counters.lateWrites)
  return {
    seed, plan, failure: scheduler.failure, report: run.report, hash: scheduler.trace.hash, events: scheduler.events,
    virtualMs: scheduler.now, faults: run.nemesis.total, healedInMs: run.healedInMs, coverage: run.coverage,
    cluster: run.cluster
  }
}
