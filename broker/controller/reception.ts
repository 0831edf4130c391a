// Receives session streams: lets brokers register, takes their messages, gives them news.
import { WireError } from '../../wire/errors.ts'
import { unreachable } from '../assert.ts'
import type {
  PartitionKey, PartitionRow, ReplicaReport, SessionRequest, SessionRequest_ChangeInSync,
  SessionRequest_LearnerProgress, SessionRequest_Register, SessionResponse
} from '../../wire/messages.ts'
import type { Clock, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import type { Self } from '../session/contract.ts'
import { BrokerSession } from './broker-session.ts'
import { shrink } from './in-sync.ts'
import type { Elections } from './elections.ts'
import type { News } from './push.ts'
import type { Roster } from './roster.ts'
import type { Tables } from './tables.ts'

/** A broker that connects again may have its old stream for a moment. */
const streamsMax = 2 * limits.brokersMax

export type SessionEnd = 'silent' | 'broken' | 'stopping'

export interface ReceptionOptions {
  readonly clock: Clock
  readonly log: Log
  readonly self: Self
  readonly controllerEpoch: number
  readonly counters: { pushes: number, sessions: number }
  readonly roster: Roster
  readonly tables: Tables
  readonly elections: Elections
  everything (): News
  /** False while the tables' word for what there is may be wrong. */
  mayPromote (): boolean
  /** A broker has said what it knows. */
  joined (session: BrokerSession): void
  /** Who is there changed. */
  changed (): void
  /** Replicas were made, damaged or removed. */
  reported (reports: readonly ReplicaReport[]): void
  /** A leader tells how far learners are. */
  progress (leader: number, learners: readonly SessionRequest_LearnerProgress[]): void
  /** @param how silent: nothing was heard for 2 s; broken: its connection is; stopping: it had said that it stops */
  lostSession (brokerId: number, how: SessionEnd): void
  outdated (reason: string, epochSeen: number): void
}

export class Reception {
  readonly #options: ReceptionOptions
  readonly #streams = new Set<BrokerSession>()
  #closed: WireError | undefined

  constructor (options: ReceptionOptions) {
    this.#options = options
  }

  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest> {
    const { clock, controllerEpoch, self } = this.#options
    const session = new BrokerSession(stream, { epoch: controllerEpoch, brokerId: self.brokerId }, clock.now(),
      this.#options.everything)
    const refusal = this.#closed ?? (this.#streams.size >= streamsMax ? new WireError('BROKER_BUSY') : undefined)
    if (refusal !== undefined) session.refuse(refusal)
    else this.#streams.add(session)
    return {
      message: message => { if (session.state !== 'closed') this.#message(session, message) },
      drain: () => { session.drained() },
      close: () => { this.#ended(session, false) }
    }
  }

  askEnds (brokerId: number, questionId: number, partitions: readonly PartitionKey[]): boolean {
    const session = this.#options.roster.session(brokerId)
    session?.askEnds(questionId, partitions)
    return session !== undefined
  }

  /** Those that stop hear of it last: whom they send their producers to shall know by then that it leads. */
  push (news: News): void {
    const sessions = this.#options.roster.sessions()
    for (const stopping of [false, true]) {
      for (const session of sessions) {
        if (session.stopping === stopping && session.push(news)) this.#options.counters.pushes += 1
      }
    }
  }

  /** A push tells what is there, not what has gone: a broker that was forgotten takes everything anew. */
  pushEverything (): void {
    for (const session of this.#options.roster.sessions()) {
      if (session.state === 'registered') session.pushEverything()
    }
  }

  /** Those whom the root table names now are registered, and told everything. */
  promote (): void {
    const { clock, roster, counters, log } = this.#options
    if (!this.#options.mayPromote()) return
    let promoted = false
    for (const session of roster.sessions()) {
      if (session.state !== 'joining' || !roster.isCurrent(session)) continue
      session.registered(clock.now())
      session.pushEverything()
      promoted = true
      log.info({ brokerId: session.brokerId, address: session.info.peerAddress }, 'broker registered')
    }
    counters.sessions = roster.sessions().filter(session => session.state === 'registered').length
    if (promoted) this.#options.changed()
    this.release()
  }

  /** Brokers that stop may do so once nothing that can be moved is led by them, or waits for their acknowledgements. */
  release (): void {
    const { roster, tables } = this.#options
    for (const session of roster.sessions()) {
      if (!session.stopping || session.released || session.state !== 'registered') continue
      if (tables.brokers().get(session.brokerId)?.stopping === true && !this.#isNeeded(session.brokerId)) {
        session.mayStop()
      }
    }
  }

  dropSilent (): void {
    const { clock, roster } = this.#options
    for (const session of roster.sessions()) {
      if (clock.now() - session.heardAt < limits.sessionTimeoutMs) continue
      session.stream.destroy(new WireError('TIMED_OUT', 'no heartbeat'))
      this.#ended(session, true)
    }
    for (const session of this.#streams) {
      if (session.state === 'opened' && clock.now() - session.heardAt >= limits.sessionTimeoutMs) {
        session.stream.destroy(new WireError('TIMED_OUT', 'not registered in time'))
        this.#streams.delete(session)
      }
    }
  }

  close (error: WireError): void {
    this.#closed = error
    for (const session of this.#streams) session.refuse(error)
    this.#streams.clear()
  }

  #message (session: BrokerSession, message: SessionRequest): void {
    session.heardAt = this.#options.clock.now()
    if (message.register !== undefined) {
      this.#register(session, message.register)
      return
    }
    if (session.state === 'opened') {
      this.#refuse(session, new WireError('INVALID_REQUEST', 'a session begins with Register'))
      return
    }
    switch (message.request) {
      case 'heartbeat': {
        const { heartbeat } = message
        if (heartbeat === undefined) return
        if (session.heartbeat(heartbeat, this.#options.clock.now())) this.#options.tables.kick()
        return
      }
      case 'changeInSync':
        if (message.changeInSync !== undefined) this.#changeInSync(session, message.changeInSync)
        return
      case 'ends':
        if (message.ends !== undefined) {
          this.#options.elections.answer(session.brokerId, message.ends.questionId, message.ends.ends)
        }
        return
      case 'reports':
        session.report(message.reports?.replicas ?? [])
        this.#options.reported(message.reports?.replicas ?? [])
        return
      case 'progress':
        this.#options.progress(session.brokerId, message.progress?.learners ?? [])
        return
      case 'addresses':
        if (message.addresses === undefined) return
        session.readdress(message.addresses)
        this.#options.changed()
        return
      case 'stop':
        session.stopping = true
        this.#options.changed()
        return
      case 'register':
      case undefined:
        return
      default:
        unreachable(message.request)
    }
  }

  #register (session: BrokerSession, register: SessionRequest_Register): void {
    const { roster, controllerEpoch } = this.#options
    const { broker } = register
    if (broker === undefined || session.state !== 'opened') {
      this.#refuse(session, new WireError('INVALID_REQUEST', 'Register comes once and names a broker'))
      return
    }
    const seen = register.controllerEpochSeen
    const stranger = this.#mayNotRegister(register)
    // Only a broker of this cluster can know of a newer controller.
    if (stranger === undefined && seen > controllerEpoch) {
      this.#options.outdated(`broker ${broker.brokerId} has seen controller epoch ${seen}`, seen)
      return
    }
    const error = stranger ?? roster.refuse(broker, register.boots)
    if (error !== undefined) {
      this.#options.log.warn({ brokerId: broker.brokerId, code: error.code }, error.message)
      this.#refuse(session, error)
      return
    }
    session.join(register, broker)
    const old = roster.admit(session)
    if (old !== undefined) this.#replace(old)
    this.#options.joined(session)
    this.#options.changed()
  }

  #mayNotRegister ({ clusterUid, broker }: SessionRequest_Register): WireError | undefined {
    const { self, tables } = this.#options
    if (clusterUid !== self.clusterUid) {
      return new WireError('WRONG_CLUSTER', `this is cluster ${self.clusterUid}, not ${clusterUid}`)
    }
    if (broker === undefined || broker.brokerId < 0 || !/^[0-9a-f]{16}$/.test(broker.volumeId) ||
      !/^[0-9a-f]{16}$/.test(broker.incarnation)) {
      return new WireError('INVALID_REQUEST', 'a broker has an id, a volume and an incarnation')
    }
    const known = tables.brokers()
    if (!known.has(broker.brokerId) && known.size >= limits.brokersMax) {
      return new WireError('INVALID_REQUEST', `a cluster has ${limits.brokersMax} brokers at most`)
    }
    return undefined
  }

  #refuse (session: BrokerSession, error: WireError): void {
    session.refuse(error)
    this.#ended(session, false)
  }

  /** The same broker, connected again or started again: the old stream is of no use. */
  #replace (old: BrokerSession): void {
    old.state = 'closed'
    old.stream.destroy()
    this.#streams.delete(old)
    this.#options.elections.gone(old.brokerId)
  }

  #ended (session: BrokerSession, silent: boolean): void {
    this.#streams.delete(session)
    const was = session.state
    const wasCurrent = this.#options.roster.dismiss(session)
    session.state = 'closed'
    if (!wasCurrent || was === 'opened' || this.#closed !== undefined) return
    this.#options.log.info({ brokerId: session.brokerId, silent }, 'session lost')
    this.#options.lostSession(session.brokerId, session.stopping ? 'stopping' : silent ? 'silent' : 'broken')
    this.#options.counters.sessions =
      this.#options.roster.sessions().filter(other => other.state === 'registered').length
  }

  #changeInSync (session: BrokerSession, request: SessionRequest_ChangeInSync): void {
    const shelf = this.#options.tables.shelfOfTopic(request.topicId)
    if (shelf === undefined) {
      session.answerChange(request.requestId, new WireError('UNKNOWN_TOPIC_ID'), undefined)
      return
    }
    shelf.desk.change(session, request)
    shelf.writer.kick()
  }

  #isNeeded (brokerId: number): boolean {
    for (const { writer, desk } of this.#options.tables.shelves()) {
      for (const rows of writer.table.rows.values()) {
        for (const row of rows) {
          const needed = row.leader === brokerId
            ? !desk.isHopeless(row) && this.#isMovable(row)
            : this.#isDroppable(row, brokerId)
          if (needed) return true
        }
      }
    }
    return false
  }

  #isMovable (row: PartitionRow): boolean {
    const { roster } = this.#options
    return row.inSync.some(member => member.brokerId !== row.leader &&
      roster.member(row.topicId, row.partition, member) === 'live' && roster.isFit(row, member.brokerId))
  }

  #isDroppable (row: PartitionRow, brokerId: number): boolean {
    return row.inSync.some(member => member.brokerId === brokerId) &&
      shrink(row, row.leader, this.#options.roster) !== row.inSync
  }
}
