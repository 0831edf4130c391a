// One cluster with its clients, from setting up to the last check. What happens in between is up to the
// seed's nemesis (run.ts) or to a script (scenario.ts).
import type { Anomaly } from '../check/anomaly.ts'
import type { Report } from '../check/checker.ts'
import { checkHistory } from '../check/checker.ts'
import { History } from '../check/history.ts'
import type { Key, Operation } from '../check/history.ts'
import { findStuck } from '../check/liveness.ts'
import { findDivergedReplicas } from '../check/replicas.ts'
import type { SimBroker } from './broker.ts'
import { SimCluster } from './cluster.ts'
import { ConsumerClient } from './consumer-client.ts'
import { Coverage } from './coverage.ts'
import { SimFailure } from './failure.ts'
import { afterLoss, beforeLoss } from './given-up.ts'
import { GroupWorkload } from './group-client.ts'
import { QueueWorkload } from './queue-client.ts'
import { ofGone, ofThose } from './incarnations.ts'
import { Nemesis } from './nemesis.ts'
import { InvariantObserver } from './observer.ts'
import { scrub } from './scrub.ts'
import { Settled } from './settled.ts'
import { SimOperator } from './operator.ts'
import type { Plan } from './plan.ts'
import type { ClientWorld } from './producer-client.ts'
import { ProducerClient } from './producer-client.ts'
import { replicaContents } from './replica-contents.ts'
import type { SimRng } from './rng.ts'
import { Topics } from './topics.ts'

/** How long the cluster may take for what it owes. */
export const setUpMsMax = 30_000
/** After healing: every write ends, everything committed is read. */
export const healMsMax = 10_000
/** After healing: every replica is in sync. */
export const wholeMsMax = 30_000
/** After healing: members that were lost are seen to be, and the group has read everything. */
export const groupMsMax = 30_000
/** After the death of all members, and their coordinator's: another one, and sessions of 3 s. */
export const emptyMsMax = 15_000
/** A coordinator's death is seen by then, and there is another. */
const calmAfterDeathMs = 4_000
export const stopMsMax = 40_000
/**
 * After it was whole: leadership stays for 30 s where it was taken from one that struggled, brokers are evened out when
 * all has been well for 10 s, and what is moved by that copies (broker/limits.ts).
 */
const settledMsMax = 90_000
/** After healing: leases that were lost to what happened before are another's by then. */
const calmAfterMs = 10_000
const superviseMs = 500

export class Simulation {
  readonly cluster: SimCluster
  readonly plan: Plan
  readonly coverage = new Coverage()
  readonly observer: InvariantObserver
  readonly nemesis: Nemesis
  readonly history: History
  report: Report | undefined
  healedInMs = 0
  readonly #world: ClientWorld
  readonly topics: Topics
  readonly operator: SimOperator
  readonly #producers: ProducerClient[] = []
  readonly #consumers: ConsumerClient[] = []
  readonly #group: GroupWorkload
  readonly #queue: QueueWorkload
  #clientsMade = 0
  /** Of answers that nobody could judge when they came. */
  readonly #toCheck: (() => void)[] = []

  constructor (seed: number, plan: Plan) {
    this.plan = plan
    const { brokers, learnerBytesPerSecond, newAddressChance } = plan
    this.cluster = new SimCluster({ seed, brokers, learnerBytesPerSecond, newAddressChance })
    this.topics = new Topics(plan.topics)
    this.observer = new InvariantObserver(this.cluster, this.topics, this.coverage)
    this.cluster.observer = this.observer
    this.history = new History(() => this.cluster.scheduler.now)
    this.#world = {
      cluster: this.cluster, plan, history: this.history, coverage: this.coverage,
      topics: this.topics,
      committed: (...place) => { this.#mustBeCommitted(...place) }
    }
    this.operator = new SimOperator(this.cluster)
    const clients = plan.producers + plan.consumers
    const hosts = Array.from({ length: clients + plan.members + plan.workers }, (_, index) => `c${index}`)
    const logStart = (key: Key): number =>
      this.observer.logStart(this.topics.partitions().find((each) => each.key === key)?.id ?? '')
    this.#group = new GroupWorkload(this.#world, hosts.slice(clients, clients + plan.members), logStart)
    this.#queue = new QueueWorkload(this.#world, hosts.slice(clients + plan.members), logStart)
    const victims = {
      hosts,
      restartOne: (rng: SimRng) => { this.restartClient(rng) },
      tablesHarmed: () => { this.observer.rows.tablesHarmed = true }
    }
    const { cluster, coverage, operator, topics } = this
    this.nemesis = new Nemesis({ cluster, coverage, operator, topics, victims, rows: this.observer.rows }, plan)
  }

  get failed (): boolean { return this.cluster.scheduler.failure !== undefined }

  /** Brokers, topics, clients that begin their work. */
  async setUp (): Promise<void> {
    const { cluster, plan } = this
    cluster.start()
    this.#supervise()
    for (const topic of this.topics.all) this.operator.apply(topic)
    await this.#until(setUpMsMax, 'topics were not made', () => this.#allLed() && this.#allThere())
    for (let i = 0; i < plan.producers; i++) this.#newProducer(`c${i}`)
    for (let i = 0; i < plan.consumers; i++) this.#newConsumer(`c${plan.producers + i}`)
    this.#group.begin()
    this.#queue.begin()
  }

  /** Lets virtual time pass. */
  async pass (ms: number): Promise<void> {
    const { scheduler } = this.cluster
    if (!this.failed) await scheduler.run(scheduler.now + ms)
  }

  /** Everything is whole from now on: it must become live and complete, and hold everything promised. */
  async finish (): Promise<void> {
    if (this.failed) return
    const { cluster, nemesis } = this
    nemesis.heal()
    let healedAtMs = cluster.scheduler.now
    this.#group.heal()
    this.#queue.heal()
    await scrub(cluster, this.coverage)
    // Brokers that all have new addresses find each other when the old ones have been silent for 10 s (decision 0018).
    const boundMs = this.plan.newAddressChance > 0 ? setUpMsMax : healMsMax
    // What people ask for, and give up, is a part of becoming live.
    await this.#until(healedAtMs + boundMs, 'topics are not as wished', () => this.#allThere())
    await this.#until(healedAtMs + boundMs, 'lost sets are not recovered', () => nemesis.isRecovered)
    if (boundMs > healMsMax) healedAtMs = cluster.scheduler.now
    await this.#becomeWhole(healedAtMs)
    if (this.failed) return
    this.healedInMs = cluster.scheduler.now - healedAtMs
    await this.#check(healedAtMs)
    await this.#settle()
    if (this.plan.members + this.plan.workers > 0) await this.#membersDie()
    for (const check of this.#toCheck) check()
    for (const broker of cluster.brokers) this.observer.count(broker)
    nemesis.retire()
    for (const broker of cluster.brokers) broker.stop()
    await this.#until(cluster.scheduler.now + stopMsMax, 'brokers do not stop',
      () => cluster.brokers.every((broker) => !broker.running))
  }

  async #becomeWhole (healedAtMs: number): Promise<void> {
    for (const producer of this.#producers) producer.stop()
    const probe = new ProducerClient(this.#world, 'probe', 'probe', 6 * healMsMax)
    for (const { name, partitionsThere } of this.topics.ordinary) {
      for (let partition = 0; partition < partitionsThere; partition++) probe.send(name, partition, true)
    }
    await this.#until(healedAtMs + healMsMax, 'writes do not end',
      () => probe.idle && this.#producers.every((each) => each.idle), () => probe.idle ? '' : `  ${probe.waitsFor}`)
    for (const consumer of this.#consumers) consumer.stop()
    const drain = new ConsumerClient(this.#world, 'drain', 'drain', { group: false, drain: true })
    const ends = new Map([...this.observer.partitions].map(({ key, end }) => [key, end]))
    await this.#until(healedAtMs + healMsMax, 'reads do not end', () =>
      this.topics.partitions(this.topics.ordinary).every(({ key, id }) => drain.positionOf(key) >= (ends.get(id) ?? 0)))
    await this.#groupDone(healedAtMs, ends)
    await this.#until(healedAtMs + wholeMsMax, 'in-sync sets are not whole', () => this.#allInSync())
    await this.#until(healedAtMs + wholeMsMax, 'tables are not what was written last',
      () => this.observer.rows.isStored())
  }

  /** By itself, with nothing in the way any more. */
  async #settle (): Promise<void> {
    const { cluster, coverage, plan } = this
    const settled = new Settled(cluster, this.topics, this.observer.rows)
    // As the operator says every wish again from time to time: who gave up the move that a wish had begun took it back.
    for (const topic of this.topics.all) if (topic.phase === 'there') this.operator.apply(topic)
    await this.#until(cluster.scheduler.now + settledMsMax, 'it is not settled', () => settled.wrong() === '',
      () => `  ${settled.wrong()}`)
    if (settled.hasShared(plan.brokers)) coverage.reached('an added broker has its share')
  }

  /** The group has read everything too. */
  async #groupDone (healedAtMs: number, endsById: ReadonlyMap<string, number>): Promise<void> {
    const ends = new Map(this.topics.partitions(this.topics.lasting).map(({ key, id }) => [key, endsById.get(id) ?? 0]))
    await this.#until(healedAtMs + groupMsMax, 'the group does not read on', () => this.#group.isDone(ends),
      () => this.#group.state(ends))
    await this.#until(healedAtMs + groupMsMax, 'the queue group does not go on', () => this.#queue.isDone(ends),
      () => this.#queue.state(ends))
    this.#queue.done(ends, healedAtMs + calmAfterMs)
  }

  /**
   * All at once, without a word, now and then with their coordinator: their groups must be seen to be empty, or nobody
   * may delete them.
   */
  async #membersDie (): Promise<void> {
    if (this.failed) return
    const { scheduler, brokers } = this.cluster
    const membersOf = ({ node }: SimBroker): number => node?.parts?.groups.membersCount ?? 0
    // A group that is between two coordinators is nowhere for a moment.
    const areLed = (): boolean => this.#allLed() && brokers.every(({ node }) => node?.notReady() === '')
    const members = (): number => brokers.reduce((sum, broker) => sum + membersOf(broker), 0)
    this.#group.die()
    this.#queue.die()
    if (scheduler.rng.fork('last').chance(0.5)) brokers.find((broker) => membersOf(broker) > 0)?.end('kill')
    await this.pass(calmAfterDeathMs)
    await this.#until(scheduler.now + emptyMsMax, 'dead members are still in their groups',
      () => members() === 0 && areLed(),
      () => `  ${members()} members`)
    this.coverage.reached('dead members left an empty group')
  }

  async #check (healedAtMs: number): Promise<void> {
    const { cluster, history } = this
    const starts = new Map(this.topics.partitions().map(({ key, id }) => [key, this.observer.logStart(id)]))
    const removedBelow = (key: string): number => starts.get(key) ?? 0
    const replicas = await replicaContents(cluster, this.observer)
    const keys = this.topics.partitions(this.topics.ordinary).map(({ key }) => key)
    const now = this.topics.remade ? ofThose(history.operations, (key) => starts.has(key)) : history.operations
    const { there, past } = this.#lives(now)
    this.report = checkHistory(there, { drained: true, removedBelow })
    const anomalies = [
      ...this.report.anomalies,
      ...this.topics.gone().flatMap((isHere) => checkHistory(ofGone(history.operations, isHere),
        { drained: false, removedBelow: () => Infinity }).anomalies),
      ...past,
      ...findStuck(there, { healedAtMs, boundMs: healMsMax, keys, removedBelow }),
      ...findDivergedReplicas(replicas),
      ...this.#queue.anomalies(history.operations)
    ]
    const [first] = anomalies
    if (first === undefined) return
    const rest = anomalies.slice(1, 20).map(({ kind, key, message }) => `\n  ${kind} ${key}: ${message}`).join('')
    cluster.scheduler.fail(new SimFailure(first.kind, `${first.key}: ${first.message}` +
      (anomalies.length > 1 ? `\n${anomalies.length - 1} more:${rest}` : '')))
  }

  /** The history without what people gave up, and what was wrong in the lives that partitions had before. */
  #lives (history: readonly Operation[]): { there: readonly Operation[], past: Anomaly[] } {
    const past: Anomaly[] = []
    let there = history
    for (const loss of this.observer.givenUp) {
      const key = this.topics.key(this.topics.nameOf(loss.topicId), loss.topicId, loss.partition)
      const before = beforeLoss(there, key, loss)
      past.push(...checkHistory(before, { drained: false, removedBelow: () => Infinity }).anomalies)
      there = afterLoss(there, key, loss)
    }
    return { there, past }
  }

  /** Fails the run when `condition` does not come true in time. */
  async #until (untilMs: number, complaint: string, condition: () => boolean,
    more: () => string = () => ''): Promise<void> {
    const { scheduler } = this.cluster
    if (scheduler.failure !== undefined) return
    let looks = 0
    const reached = await scheduler.run(untilMs, () => ++looks % 16 === 0 && condition())
    if (reached || scheduler.failure !== undefined || condition()) return
    scheduler.fail(new SimFailure('liveness', `${complaint} by ${Math.round(untilMs)} ms\n${this.#state()}\n${more()}`))
  }

  /** The broker that the newest row of 't0-0' names, -1 for none. */
  leaderOf (key: string): number {
    const id = this.topics.partitions().find((each) => each.key === key)?.id ?? ''
    return this.observer.rows.latest.get(id)?.leader ?? -1
  }

  /** The longest time without an acknowledged write since `sinceMs`, by partition. */
  gaps (sinceMs: number): Map<string, number> {
    const { now } = this.cluster.scheduler
    const acknowledged = new Map(this.topics.partitions(this.topics.ordinary).map(({ key }) => [key, [sinceMs, now]]))
    for (const operation of this.history.operations) {
      if (operation.kind === 'send' && operation.outcome === 'ok' && operation.endMs >= sinceMs) {
        acknowledged.get(operation.key)?.push(operation.endMs)
      }
    }
    return new Map([...acknowledged].map(([key, times]) => {
      times.sort((a, b) => a - b)
      return [key, times.reduce((longest, at, i) => Math.max(longest, at - (times[i - 1] ?? at)), 0)]
    }))
  }

  #mustBeCommitted (topicId: string, partition: number, offset: number, how: string, leaderEpoch = -1): void {
    const record = this.observer.partition(topicId, partition)
    const check = (): void => {
      if (offset < record.end || record.gaveUp(offset, leaderEpoch)) return
      this.cluster.scheduler.fail(new SimFailure('commit before answer',
        `${topicId}-${partition}: offset ${offset}: ${how}; committed are ${record.end}`))
    }
    // What a leader commits that was elected while the observer still read its disk is known later.
    if (offset >= record.end && this.observer.isReading(topicId, partition)) this.#toCheck.push(check)
    else check()
  }

  #allThere (): boolean { return this.topics.all.every(({ phase }) => phase === 'there') && this.operator.idle }

  #allLed (): boolean {
    return this.topics.partitions().every(({ id }) => (this.observer.rows.latest.get(id)?.leader ?? -1) >= 0)
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
    const waiting = this.#producers.filter((each) => !each.idle).map((each) => `  ${each.waitsFor}`)
    return [...brokers, ...rows, ...waiting].join('\n')
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

  /** One dies, another takes its place on its host. */
  restartClient (rng: SimRng): void {
    const producers = this.#producers.filter((each) => !each.process.dead)
    const consumers = this.#consumers.filter((each) => !each.process.dead)
    const victim = rng.pick([...producers, ...consumers])
    victim.process.kill()
    if (victim instanceof ProducerClient) this.#newProducer(victim.host)
    else this.#newConsumer(victim.host)
  }
}
