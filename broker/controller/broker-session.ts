// The controller's side of one broker's session stream: who registered, what it reported, when it was
// last heard, and the one ordered way of news to it.
import type {
  BrokerInfo, PartitionKey, PartitionRow, ReplicaReport, Sent, SessionRequest_Addresses, SessionRequest_Heartbeat,
  SessionRequest_Register, SessionResponse, SessionResponse_RemoveReplica
} from '../../wire/messages.ts'
import type { WireError } from '../../wire/errors.ts'
import type { Stream } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import { partitionKeyText } from '../row.ts'
import { isNothing, parts } from './push.ts'
import type { News } from './push.ts'

/**
 * opened: has not said who it is. joining: it has, and its rows are being put right. registered: the root
 * table names this incarnation, unfenced, and it gets news. closed: for good.
 */
export type SessionState = 'opened' | 'joining' | 'registered' | 'closed'

export class BrokerSession {
  readonly stream: Stream<SessionResponse>
  readonly #controllerEpoch: number
  readonly #controller: number
  state: SessionState = 'opened'
  /** As it registers: never fenced. Set from 'joining' on. */
  #info: BrokerInfo | undefined
  /** The last report of each replica, by partition key. */
  readonly replicas = new Map<string, ReplicaReport>()
  /** By partition key, of topics that are being deleted: the broker has said that it holds nothing of it any more. */
  readonly rid = new Map<string, boolean>()
  /** Clock time of the last message. */
  heardAt: number
  /** The first acknowledgement of a heartbeat of which it has not said that it came. */
  #unseen: { readonly sequence: number, readonly sentAt: number } | undefined
  registeredAt = 0
  stopping = false
  /** MayStop was sent: what follows is a clean end. */
  released = false
  fsyncAgeMs = 0
  /** For how long its volume has been low on space, as it said last; 0: it is not. */
  diskLowMs = 0
  diskFull = false
  /** Leaders that it cannot reach, and since when: clock time of the first heartbeat that said so. */
  unreachable: ReadonlyMap<number, number> = new Map()
  starved: ReadonlySet<string> = new Set()
  /** Leader epochs that this very incarnation was elected for while it joined, by partition key. */
  readonly elected = new Map<string, number>()
  #slow = false
  /** News was left out while the broker was slow: everything is sent again once it is not. */
  #behind = false
  readonly #everything: () => News

  /** @param everything gives the state of all tables, for a broker that fell behind */
  constructor (stream: Stream<SessionResponse>, controller: { epoch: number, brokerId: number }, now: number,
    everything: () => News) {
    this.stream = stream
    this.#controllerEpoch = controller.epoch
    this.#controller = controller.brokerId
    this.heardAt = now
    this.#everything = everything
  }

  /** It has said whose session it is. */
  get isNamed (): boolean { return this.#info !== undefined }

  get info (): BrokerInfo {
    if (this.#info === undefined) throw new TypeError('the session has not registered')
    return this.#info
  }

  get brokerId (): number { return this.info.brokerId }

  /**
   * Clock time until which both heard each other: who is heard but hears nobody can no more lead than the silent. Of a
   * slow one nobody can say: acknowledgements wait behind what it has not taken in yet.
   */
  get reachedAt (): number {
    return this.#slow ? this.heardAt : Math.min(this.heardAt, this.#unseen?.sentAt ?? Infinity)
  }

  /** For a while now nothing has become durable there: its disk hangs, or is full. */
  get isStalled (): boolean { return this.fsyncAgeMs > limits.fsyncAgeMsMax }

  join (register: SessionRequest_Register, info: BrokerInfo): void {
    this.#info = { ...info, fenced: false, stopping: false, maintenance: false }
    this.state = 'joining'
    this.report(register.replicas)
  }

  readdress ({ listeners, rack }: SessionRequest_Addresses): void {
    this.#info = { ...this.info, listeners, ...rack !== '' && { rack } }
  }

  report (reports: readonly ReplicaReport[]): void {
    for (const report of reports) {
      const key = partitionKeyText(report.topicId, report.partition)
      if (!report.removed) this.replicas.set(key, report)
      else if (this.replicas.get(key)?.replicaGen === report.replicaGen) this.replicas.delete(key)
      if (this.rid.has(key)) this.rid.set(key, !this.replicas.has(key))
    }
  }

  /** Acknowledges it. True when the broker struggles as a leader, or cannot reach one. */
  heartbeat (message: SessionRequest_Heartbeat, now: number): boolean {
    this.fsyncAgeMs = message.fsyncAgeMs
    this.diskLowMs = message.diskLowMs
    this.diskFull = message.diskFull
    this.unreachable = new Map(message.unreachable.map(leader => [leader, this.unreachable.get(leader) ?? now]))
    this.starved = new Set(message.starved.map(key => partitionKeyText(key.topicId, key.partition)))
    const { sequence, acknowledged } = message
    // 0: none has come yet, or its version does not say.
    if (acknowledged > 0 && acknowledged >= (this.#unseen?.sequence ?? 0)) this.#unseen = { sequence, sentAt: now }
    this.#send({ heartbeatAck: { sequence } })
    return this.starved.size > 0 || this.unreachable.size > 0 || this.isStalled
  }

  /** The controller's process stood still for so long. */
  forgive (ms: number): void {
    this.heardAt += ms
    if (this.#unseen !== undefined) this.#unseen = { ...this.#unseen, sentAt: this.#unseen.sentAt + ms }
    this.unreachable = new Map([...this.unreachable].map(([leader, since]) => [leader, since + ms]))
  }

  registered (now: number): void {
    this.state = 'registered'
    this.registeredAt = now
    this.#send({ registered: { controllerEpoch: this.#controllerEpoch, controller: this.#controller } })
  }

  /** Says why there will be no session, and ends it. */
  refuse (error: WireError): void {
    if (this.state === 'closed') return
    this.#send({
      registered: { error: error.toDetail(), controllerEpoch: this.#controllerEpoch, controller: this.#controller }
    })
    this.state = 'closed'
    this.stream.end()
  }

  /** False once the broker is slow: `news` is then sent as a part of everything, later. */
  push (news: News): boolean {
    if (isNothing(news) || this.state !== 'registered') return true
    if (this.#slow) {
      this.#behind = true
      return false
    }
    for (const push of parts(news, { controllerEpoch: this.#controllerEpoch, full: false })) this.#send({ push })
    return true
  }

  pushEverything (): void {
    if (this.#slow) {
      this.#behind = true
      return
    }
    for (const push of parts(this.#everything(), { controllerEpoch: this.#controllerEpoch, full: true })) {
      this.#send({ push })
    }
  }

  /** Orders, for confirmed removals only. They are repeated until the broker reports the removal. */
  remove (replicas: readonly SessionResponse_RemoveReplica[]): void {
    if (replicas.length === 0 || this.#slow) return
    this.#send({ push: { controllerEpoch: this.#controllerEpoch, full: false, remove: replicas } })
  }

  drained (): void {
    this.#slow = false
    if (!this.#behind) return
    this.#behind = false
    this.pushEverything()
  }

  askEnds (questionId: number, partitions: readonly PartitionKey[]): void {
    this.#send({ askEnds: { questionId, partitions } })
  }

  answerChange (requestId: number, error: WireError | undefined, row: PartitionRow | undefined): void {
    this.#send({ changeInSyncResult: { requestId, row, ...error !== undefined && { error: error.toDetail() } } })
  }

  mayStop (): void {
    if (this.released) return
    this.released = true
    this.#send({ mayStop: {} })
  }

  #send (message: Sent<SessionResponse>): void {
    if (this.state === 'closed') return
    if (!this.stream.send(message)) this.#slow = true
  }
}
