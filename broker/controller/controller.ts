// The office of controller, held by one broker: puts together tables, sessions and the watch over the
// brokers that are away. Everything here is level-triggered: news only say that the tables are to be
// looked at again.
import { WireError } from '../../wire/errors.ts'
import type {
  ApplyTopicRequest, ApplyTopicResponse, DeleteTopicRequest, DeleteTopicResponse, DescribeClusterRequest,
  DescribeClusterResponse, ReplicaReport, Sent, SessionRequest, SessionResponse
} from '../../wire/messages.ts'
import type { Clock, Net, Rng, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import type { Self } from '../session/contract.ts'
import type { Api } from './api.ts'
import type { ControllerOffice } from './contract.ts'
import type { AgentCounters } from './counters.ts'
import { describeTables, takeCensus } from './describe.ts'
import type { Census } from './describe.ts'
import type { Bureau } from './desk.ts'
import { Elections } from './elections.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Moving } from './moving.ts'
import { preferredWishes } from './preferred.ts'
import { difference, everything } from './push.ts'
import { Reception } from './reception.ts'
import type { SessionEnd } from './reception.ts'
import { Repairs } from './repairs.ts'
import { Removals } from './removals.ts'
import { Restore } from './restore.ts'
import { Roster } from './roster.ts'
import type { TableStore } from './store.ts'
import { sameBroker } from './table.ts'
import type { Table, TableDraft } from './table.ts'
import { Tables } from './tables.ts'
import type { Takeover } from './takeover.ts'
import { TopicDesk } from './topic-desk.ts'
import { pause, Ticker } from './wait.ts'
import { Watch } from './watch.ts'

export interface ControllerOptions {
  readonly clock: Clock
  readonly rng: Rng
  readonly net: Net
  readonly log: Log
  readonly api: Api
  readonly store: TableStore
  readonly self: Self
  readonly counters: AgentCounters
  readonly brokersExpected: number
  /** Ids of the brokers that the controller before knew; undefined: nothing is known of them. */
  readonly brokersKnown: readonly number[] | undefined
  readonly takeover: Takeover
  /** Clock time since when brokers have not answered this one, for those that do not. */
  readonly silentSince: ReadonlyMap<number, number>
  /** How long a silent broker is waited for while most are silent. */
  readonly patienceMs: number
  /** The office is over; called once. */
  ended (reason: string, how: OfficeEnd): void
}

export interface OfficeEnd {
  /** Others should try first. */
  readonly backOff?: boolean
  /** The tables are not as this controller left them. */
  readonly doubt?: boolean
  /** A controller epoch that a broker has seen: the next one must be higher. */
  readonly epochSeen?: number
}

const tickMs = 100
/** This process was held up when a tick comes so late: it cannot have heard anybody. */
const tickLateMs = 500
const housekeepingMs = 1_000
/** A Lease that cannot be released so fast stays: brokers that stop do not wait for the API. */
const resignMs = 300

export class Controller implements ControllerOffice {
  readonly controllerEpoch: number
  readonly moving: Moving
  readonly repairs: Repairs
  readonly #options: ControllerOptions
  readonly #roster: Roster
  readonly #elections: Elections
  readonly #tables: Tables
  readonly #reception: Reception
  readonly #watch: Watch
  readonly #topics: TopicDesk
  readonly #removals: Removals
  readonly #restore: Restore
  readonly #keeper: LeaseKeeper
  readonly #ticker: Ticker
  readonly #hope = { count: 0 }
  #open = true
  #tickedAt: number
  #housekeptAt: number
  #leaseReadAt: number
  #minoritySince: number | undefined
  /** Replicas were removed since the last tick. */
  #removed = false

  constructor (options: ControllerOptions) {
    this.#options = options
    const { clock, takeover } = options
    this.controllerEpoch = takeover.controllerEpoch
    this.#roster = new Roster(clock, () => this.#tables.brokers())
    this.#elections = new Elections({
      clock,
      ask: (brokerId, questionId, partitions) => this.#reception.askEnds(brokerId, questionId, partitions),
      ready: () => { this.#tables.kick() }
    })
    this.#tables = new Tables({
      clock,
      store: options.store,
      bureau: this.#bureau(),
      takeover,
      decideBrokers: (draft, hold) => { this.#decideBrokers(draft, hold) },
      rootSettled: () => {
        this.#reception.promote()
        this.#topics.makeInternal()
      },
      written: (before, after) => { this.#written(before, after) },
      lost: (reason, doubt) => { this.end(reason, { doubt }) }
    })
    const shared = {
      ...options,
      roster: this.#roster,
      elections: this.#elections,
      tables: this.#tables,
      controllerEpoch: this.controllerEpoch,
      isFrozen: (table: string) => this.#restore.isFrozen(table)
    }
    this.#removals = new Removals(shared)
    this.#restore = new Restore({
      ...shared, removals: this.#removals, suspicion: takeover.suspicion, changed: () => { this.#changed() }
    })
    this.repairs = new Repairs({ ...shared, restore: this.#restore })
    this.moving = new Moving({ ...shared, removals: this.#removals })
    this.#reception = new Reception({
      ...shared,
      mayPromote: () => !this.#restore.isTotal,
      joined: session => { this.#restore.joined(session) },
      progress: (leader, learners) => { this.moving.progress(leader, learners) },
      everything: () => everything(this.#tables.all()),
      changed: () => { this.#changed() },
      reported: reports => { this.#reported(reports) },
      lostSession: (brokerId, how) => { this.#lostSession(brokerId, how) },
      outdated: (reason, epochSeen) => { this.end(reason, { epochSeen }) }
    })
    this.#watch = new Watch({
      ...shared,
      brokerId: options.self.brokerId,
      peerAddress: options.self.peerAddress,
      registry: () => this.#tables.brokers(),
      gone: brokerIds => { this.#gone(brokerIds) },
      outdated: (reason, epochSeen) => { this.end(reason, { epochSeen }) }
    })
    this.#topics = new TopicDesk({ ...shared, mayChange: name => this.#restore.mayChange(name) })
    this.#keeper = new LeaseKeeper({
      ...shared, isOpen: () => this.#open, lost: reason => { this.end(reason) }
    })
    this.#ticker = new Ticker(clock, tickMs, () => { this.#tick() })
    this.#tickedAt = this.#housekeptAt = this.#leaseReadAt = clock.now()
  }

  /** Begins to decide. */
  start (): void {
    const { clock, silentSince, counters, log, takeover } = this.#options
    counters.takeovers += 1
    counters.isController = 1
    log.info({ controllerEpoch: this.controllerEpoch }, 'this broker is the controller')
    for (const broker of takeover.root.brokers.values()) {
      this.#roster.miss(broker.brokerId, silentSince.get(broker.brokerId) ?? clock.now())
      if (broker.fenced) this.#roster.bury(broker.brokerId)
    }
    this.#ticker.start()
    this.#watch.look()
    this.#changed()
  }

  get isOpen (): boolean { return this.#open }

  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest> {
    return this.#reception.session(stream)
  }

  applyTopic (request: ApplyTopicRequest): Promise<Sent<ApplyTopicResponse>> {
    return this.#topics.apply(request)
  }

  deleteTopic (request: DeleteTopicRequest): Promise<Sent<DeleteTopicResponse>> {
    return this.#topics.delete(request)
  }

  describeCluster (request: DescribeClusterRequest): Promise<Sent<DescribeClusterResponse>> {
    return Promise.resolve({
      ...describeTables(this.#tables.all(), request.topics),
      ...this.moving.describe(request.topics),
      lowDisks: this.#roster.sessions().filter(({ diskLowMs }) => diskLowMs > 0).map(session => ({
        brokerId: session.brokerId, full: session.diskFull, lowMs: session.diskLowMs
      })),
      controller: this.#options.self.brokerId,
      controllerEpoch: this.controllerEpoch
    })
  }

  census (): Census { return takeCensus(this.#tables.all()) }

  /** Gives the office up for good; the Lease stays as it is. Idempotent. */
  end (reason: string, how: OfficeEnd = {}): void {
    if (!this.#open) return
    this.#open = false
    const { counters, log, ended } = this.#options
    log.info({ controllerEpoch: this.controllerEpoch }, `no longer the controller: ${reason}`)
    this.#ticker.stop()
    this.#watch.stop()
    this.#elections.stop()
    const error = new WireError('NOT_CONTROLLER', reason)
    this.#tables.stop(error)
    this.#reception.close(error)
    counters.isController = 0
    counters.sessions = 0
    ended(reason, how)
  }

  /** Gives the office up and says so in the Lease, that the others need not find out. Never fails. */
  async resign (): Promise<void> {
    if (!this.#open) return
    await Promise.race([this.#keeper.release(), pause(this.#options.clock, resignMs)])
    this.end('this broker stops')
  }

  #bureau (): Bureau {
    const { counters, log } = this.#options
    return {
      roster: this.#roster,
      elections: this.#elections,
      counters,
      log,
      hope: this.#hope,
      mayDecide: table => this.#open && !this.#restore.isFrozen(table),
      outdated: reason => { this.end(reason) }
    }
  }

  /** Brokers came, went or told news. */
  #changed (): void {
    this.#hope.count += 1
    this.#removals.changed()
    this.#restore.look()
    this.#tables.kick()
  }

  /** Thousands may come one by one: only those that change a decision are looked at, and not each by itself. */
  #reported (reports: readonly ReplicaReport[]): void {
    this.#removals.changed()
    if (reports.some(report => report.removed)) this.#removed = true
    if (reports.some(report => report.damaged !== '') || this.#hasHopeless()) this.#changed()
  }

  #hasHopeless (): boolean {
    for (const { desk } of this.#tables.shelves()) if (desk.hasHopeless) return true
    return false
  }

  /** Root table: sessions unfence, absences fence. No row may name a leader of an incarnation before this one. */
  #decideBrokers (draft: TableDraft, hold: boolean): void {
    for (const session of this.#roster.sessions()) {
      const known = draft.brokers.get(session.brokerId)
      const { draining, maintenance } = { draining: known?.draining === true, maintenance: known?.maintenance === true }
      const wanted = { ...session.info, fenced: false, stopping: session.stopping, draining, maintenance }
      if (sameBroker(known, wanted)) continue
      // That a broker stops is written with the leaderships that it loses, not once before them.
      if (hold && session.stopping && sameBroker(known, { ...wanted, stopping: false })) continue
      if (session.state === 'joining' && !this.#roster.isCurrent(session) && this.#leadsByName(session.brokerId)) {
        continue
      }
      draft.setBroker(wanted)
    }
    if (hold) return
    for (const broker of draft.brokers.values()) {
      if (broker.fenced || !this.#roster.isGone(broker.brokerId)) continue
      draft.setBroker({ ...broker, fenced: true, stopping: false })
    }
  }

  #leadsByName (brokerId: number): boolean {
    return this.#tables.all().some(table => [...table.rows.values()].some(rows =>
      rows.some(row => row.leader === brokerId && this.#roster.leadership(row) === 'lost')))
  }

  #written (before: Table, after: Table): void {
    const news = difference(before, after)
    for (const { brokerId, fenced } of news.brokers) {
      if (!fenced) continue
      this.#options.counters.brokersFenced += 1
      this.#options.log.info({ brokerId }, 'broker fenced')
    }
    this.#reception.push(news)
    if ([...before.brokers.keys()].some(brokerId => !after.brokers.has(brokerId))) this.#reception.pushEverything()
    this.#removals.changed()
    this.#removals.look()
    this.#reception.release()
    // A broker that joins waits for rows in other tables before the root names it.
    if (after.name !== this.#tables.root.writer.table.name) this.#tables.root.writer.kick()
  }

  #lostSession (brokerId: number, how: SessionEnd): void {
    this.#elections.gone(brokerId)
    if (how === 'silent') this.#watch.silent(brokerId)
    if (how === 'stopping') this.#watch.left(brokerId)
    this.#watch.look()
    this.#changed()
  }

  #gone (brokerIds: readonly number[]): void {
    this.#options.log.info({ brokers: brokerIds }, 'brokers are gone')
    this.#changed()
  }

  #tick (): void {
    const now = this.#options.clock.now()
    const late = now - this.#tickedAt
    this.#tickedAt = now
    if (late > tickLateMs) this.#roster.forgive(late)
    this.#reception.dropSilent()
    this.#watch.look()
    this.#checkMinority(now)
    if (!this.#open) return
    if (this.#removed) {
      this.#removed = false
      this.#removals.look()
    }
    if (now - this.#housekeptAt >= housekeepingMs) {
      this.#housekeptAt = now
      this.#housekeep()
    }
    if (now - this.#leaseReadAt >= limits.leaseCheckMs) {
      this.#leaseReadAt = now
      void this.#keeper.look()
    }
  }

  #housekeep (): void {
    const resting = new Set([...this.#tables.brokers().values()]
      .flatMap(one => one.draining || one.maintenance ? [one.brokerId] : []))
    for (const wish of preferredWishes(this.#tables.all(), this.#roster, this.#options.clock.now(), resting)) {
      this.#elections.want(wish)
    }
    this.#topics.makeInternal()
    this.moving.look()
    this.#removals.look()
    this.#removals.lookForLate()
    this.#removals.lookForLeft()
    this.#restore.readWaivers().then(() => { this.#restore.look() }, (error: unknown) => {
      if (this.#open) this.#options.log.warn({ error: String(error) }, 'the root table could not be read')
    })
    if (this.#hasHopeless()) this.#changed()
  }

  #checkMinority (now: number): void {
    if (!this.#roster.isMinority(false)) {
      this.#minoritySince = undefined
      return
    }
    this.#minoritySince ??= now
    if (now - this.#minoritySince >= limits.controllerMinorityMs) {
      this.end('most brokers have no session here', { backOff: true })
    }
  }
}
