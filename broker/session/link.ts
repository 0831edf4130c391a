// One session stream from a broker to a controller, from its opening to its end.
import { WireError } from '../../wire/errors.ts'
import type {
  BrokerInfo, PartitionRow, ReplicaReport, Sent, SessionRequest, SessionResponse, SessionResponse_Push
} from '../../wire/messages.ts'
import type { Clock, Net, Stream } from '../../wire/ports.ts'
import type { Volume } from '../log/contract.ts'
import * as limits from '../limits.ts'
import type { InSyncRequest, LocalReplicas, Self } from './contract.ts'
import { Ticker } from '../controller/wait.ts'

/**
 * refused: nobody listens. broken: the connection broke. silent: no acknowledgement for 2 s. resigned: it is
 * not, or no longer, the controller. rejected: it will not have this broker. dropped: this side hung up.
 */
export type LinkEnd = 'refused' | 'broken' | 'silent' | 'resigned' | 'rejected' | 'dropped'

export interface LinkOptions {
  readonly clock: Clock
  readonly net: Net
  readonly self: Self
  readonly volume: Pick<Volume, 'controllerEpoch' | 'fsyncAgeMs' | 'full' | 'lowMs'>
  readonly replicas: LocalReplicas
  readonly address: string
  /** The address is not the controller's but a peer's, who shall pass the session on. */
  readonly relay: boolean
  registered (controllerEpoch: number, controller: number): void
  /** Whole: parts have been put together. */
  push (push: SessionResponse_Push): void
  mayStop (): void
  /** Once, the last call. `error` says why it was rejected or where the controller is. */
  ended (end: LinkEnd, error: WireError | undefined): void
}

/** Nobody is there who does not say a word within this. */
const firstWordMs = 600

type ChangeDone = (error: WireError | undefined, row: PartitionRow | undefined) => void

export class Link {
  readonly address: string
  readonly #options: LinkOptions
  readonly #stream: Stream<SessionRequest>
  readonly #heartbeats: Ticker
  readonly #changes = new Map<number, ChangeDone>()
  #sequence = 0
  #acknowledged = 0
  #requestId = 0
  #tickedAt: number
  #progressAt = -Infinity
  /** Clock time of the last message from the controller. */
  heardAt: number
  /** The first heartbeat that has not been acknowledged. */
  #unanswered: { readonly sequence: number, readonly sentAt: number } | undefined
  #heard = false
  #registered = false
  /** -1: there is space. */
  #fullSinceMs = -1
  #ended = false
  /** Parts of a push whose last part has not come yet. */
  #parts: SessionResponse_Push | undefined
  #refusal: WireError | undefined

  constructor (options: LinkOptions) {
    this.#options = options
    this.address = options.address
    const { clock, net, self, volume, replicas } = options
    this.#tickedAt = this.heardAt = clock.now()
    this.#stream = net.open(options.address, 'Session', {
      message: message => { if (!this.#ended) this.#message(message) },
      close: error => { this.#closed(error) }
    })
    this.#send({
      register: {
        clusterUid: self.clusterUid,
        broker: brokerOf(self),
        controllerEpochSeen: volume.controllerEpoch,
        relay: options.relay,
        replicas: replicas.reports(),
        boots: self.boots
      }
    })
    this.#heartbeats = new Ticker(clock, limits.heartbeatMs, () => { this.#beat() })
    this.#heartbeats.start()
    // Its acknowledgement tells at once that somebody is there; registering may have to wait for the API.
    this.#beat()
  }

  get isRegistered (): boolean { return this.#registered && !this.#ended }

  /** Clock time until which both heard each other: a controller that is heard but hears nobody is as good as silent. */
  get reachedAt (): number { return Math.min(this.heardAt, this.#unanswered?.sentAt ?? Infinity) }

  changeInSync (request: InSyncRequest, done: ChangeDone): void {
    this.#requestId += 1
    this.#changes.set(this.#requestId, done)
    const { inSync, added } = request
    this.#send({ changeInSync: { ...request, inSync: [...inSync], added: [...added], requestId: this.#requestId } })
  }

  report (replicas: readonly ReplicaReport[]): void {
    this.#send({ reports: { replicas } })
  }

  stop (): void {
    this.#send({ stop: {} })
  }

  advertise ({ listeners, rack }: Pick<Self, 'listeners' | 'rack'>): void {
    this.#send({ addresses: { listeners, rack } })
  }

  /** Hangs up. `ended` is called with 'dropped'. */
  drop (): void {
    if (this.#ended) return
    this.#stream.end()
    this.#end('dropped', undefined)
  }

  #beat (): void {
    const { clock, replicas, volume } = this.#options
    const now = clock.now()
    const lateMs = now - this.#tickedAt - limits.heartbeatMs
    this.#tickedAt = now
    // This process was held up: what the controller sent meanwhile is still to be read.
    if (lateMs > limits.heartbeatMs) this.#forgive(lateMs)
    if (now - this.heardAt >= (this.#heard ? limits.sessionTimeoutMs : firstWordMs)) {
      this.#stream.destroy(new WireError('TIMED_OUT', 'the controller is silent'))
      this.#end('silent', undefined)
      return
    }
    this.#tellProgress(now)
    this.#sequence += 1
    this.#unanswered ??= { sequence: this.#sequence, sentAt: now }
    this.#send({
      heartbeat: {
        sequence: this.#sequence,
        unreachable: replicas.unreachable(),
        fsyncAgeMs: Math.round(this.#stalledMs(now)),
        starved: replicas.starved(),
        diskLowMs: Math.round(volume.lowMs()),
        diskFull: volume.full,
        acknowledged: this.#acknowledged
      }
    })
  }

  #forgive (ms: number): void {
    this.heardAt += ms
    if (this.#unanswered !== undefined) {
      this.#unanswered = { ...this.#unanswered, sentAt: this.#unanswered.sentAt + ms }
    }
  }

  #answered (sequence: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, sequence)
    if (sequence >= (this.#unanswered?.sequence ?? Infinity)) this.#unanswered = undefined
  }

  /** A disk without space takes as little as one that hangs: another broker must lead. */
  #stalledMs (now: number): number {
    const { volume } = this.#options
    if (!volume.full) this.#fullSinceMs = -1
    else if (this.#fullSinceMs < 0) this.#fullSinceMs = now
    return Math.max(volume.fsyncAgeMs(), this.#fullSinceMs < 0 ? 0 : now - this.#fullSinceMs)
  }

  /** Only while there are learners: most brokers never send it. */
  #tellProgress (now: number): void {
    if (!this.#registered || now - this.#progressAt < limits.progressMs) return
    const learners = this.#options.replicas.learnerProgress()
    if (learners.length === 0) return
    this.#progressAt = now
    this.#send({ progress: { learners } })
  }

  #message (message: SessionResponse): void {
    this.heardAt = this.#options.clock.now()
    this.#heard = true
    const { registered, heartbeatAck, push, askEnds, changeInSyncResult, mayStop } = message
    if (heartbeatAck !== undefined) this.#answered(heartbeatAck.sequence)
    if (registered !== undefined) {
      if (registered.error !== undefined) this.#refusal = WireError.fromDetail(registered.error)
      else {
        this.#registered = true
        this.#options.registered(registered.controllerEpoch, registered.controller)
      }
    }
    if (push !== undefined) this.#push(push)
    if (askEnds !== undefined) {
      const ends = this.#options.replicas.ends(askEnds.partitions)
      this.#send({ ends: { questionId: askEnds.questionId, ends } })
    }
    if (changeInSyncResult !== undefined) {
      const { requestId, error, row } = changeInSyncResult
      const done = this.#changes.get(requestId)
      this.#changes.delete(requestId)
      done?.(error === undefined ? undefined : WireError.fromDetail(error), row)
    }
    if (mayStop !== undefined) this.#options.mayStop()
  }

  #push (push: SessionResponse_Push): void {
    const parts = this.#parts
    const whole = parts === undefined ? push : {
      ...parts,
      brokers: [...parts.brokers, ...push.brokers],
      topics: [...parts.topics, ...push.topics],
      rows: [...parts.rows, ...push.rows],
      topicsRemoved: [...parts.topicsRemoved, ...push.topicsRemoved],
      remove: [...parts.remove, ...push.remove]
    }
    this.#parts = push.more ? whole : undefined
    if (!push.more) this.#options.push(whole)
  }

  #closed (error: WireError | undefined): void {
    const refusal = this.#refusal
    // Nobody of this cluster is at the address: its process is gone.
    if (error?.code === 'WRONG_BROKER') this.#end('refused', error)
    else if (refusal !== undefined) this.#end(refusal.code === 'NOT_CONTROLLER' ? 'resigned' : 'rejected', refusal)
    else if (error?.code === 'CONNECTION_REFUSED') this.#end('refused', error)
    else this.#end(this.#fellSilent() ? 'silent' : 'broken', error)
  }

  /**
   * Keepalives found out before the session did: who has said nothing for so long is not tried again first. Not when
   * it was this process that stood still.
   */
  #fellSilent (): boolean {
    const now = this.#options.clock.now()
    return this.#registered && now - this.#tickedAt <= 2 * limits.heartbeatMs &&
      now - this.reachedAt >= limits.sessionTimeoutMs / 2
  }

  #end (end: LinkEnd, error: WireError | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#heartbeats.stop()
    this.#changes.clear()
    this.#options.ended(end, error)
  }

  #send (message: Sent<SessionRequest>): void {
    if (!this.#ended) this.#stream.send(message)
  }
}

function brokerOf (self: Self): Sent<BrokerInfo> {
  const { brokerId, volumeId, brokerEpoch, incarnation, clientAddress, peerAddress, rack, listeners } = self
  return { brokerId, volumeId, brokerEpoch, incarnation, clientAddress, peerAddress, rack, listeners }
}
