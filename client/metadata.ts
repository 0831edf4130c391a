// What the client knows of topics, leaders and addresses. It never goes back: a row counts only when its
// (leaderEpoch, version) is not below the known one, so a stale broker cannot lead it astray.
import type {
  ErrorDetail, GetMetadataResponse, PartitionRow, Sent, TopicInfo, TopicMetadata
} from '../wire/messages.ts'
import type { FindCodec } from '../wire/compression.ts'
import type { Clock, Net, Rng, Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import { BrokerAddresses } from './broker-addresses.ts'
import { errorOf, toMillraceError } from './errors.ts'
import type { MillraceError } from './errors.ts'
import type { Tell } from './events.ts'
import {
  anotherTopicMs, backoffMsMax, goneTopicMs, metadataAgeMsMax, metadataPauseMsMax, unknownTopicMs
} from './limits.ts'
import { askForMetadata, NoAnswer } from './metadata-request.ts'
import type { Tracing } from './tracing.ts'
import { cancelled } from './waiting.ts'

/** The outside world of a client, and whom it tells that it waits. */
export interface ClientPorts {
  readonly net: Net
  readonly clock: Clock
  readonly rng: Rng
  /** Called whenever something is waited for; may be called often with the same text. */
  readonly onWaiting: (what: string) => void
  readonly codecs: FindCodec
  readonly tell: Tell
  readonly tracing: Tracing | undefined
}

export interface Leader {
  readonly brokerId: number
  readonly address: string
  readonly leaderEpoch: number
}

export interface TopicView {
  readonly name: string
  readonly topicId: string
  readonly info: TopicInfo
  /** By partition number, without gaps. */
  readonly partitions: readonly PartitionRow[]
}

interface TopicState extends TopicView {
  info: TopicInfo
  topicId: string
  partitions: PartitionRow[]
  /** A broker with a session has said that the name is this topic. */
  isSure: boolean
  /** What brokers with a session call by the name since then, and none has contradicted. */
  rival: { readonly topicId: string, readonly since: number } | undefined
}

function isNewer (row: PartitionRow, than: PartitionRow): boolean {
  if (row.leaderEpoch !== than.leaderEpoch) return row.leaderEpoch > than.leaderEpoch
  return row.version > than.version
}

export class Metadata {
  readonly #ports: ClientPorts
  readonly #topics = new Map<string, TopicState>()
  /** Names that somebody wants to know about, with how many do. */
  readonly #tracked = new Map<string, number>()
  /** When a broker first said that there is no such topic, while none has said otherwise since. */
  readonly #unknownSince = new Map<string, number>()
  readonly #gone = new Set<string>()
  readonly #addresses: BrokerAddresses
  readonly #listeners = new Set<() => void>()
  #failure: MillraceError | undefined
  #controllerEpoch = -1
  #running = false
  #again = false
  #ageTimer: Timer | undefined
  #retryTimer: Timer | undefined
  readonly #backoff: Backoff
  /** Pauses between questions that are answered, while somebody goes on asking. */
  readonly #pace: Backoff
  #answeredAt = -Infinity
  #closed = false

  constructor (ports: ClientPorts, bootstrap: readonly string[]) {
    this.#ports = ports
    this.#addresses = new BrokerAddresses(ports.net, ports.rng, bootstrap)
    this.#backoff = new Backoff(ports.rng)
    this.#pace = new Backoff(ports.rng, metadataPauseMsMax)
  }

  /** Why the last question failed; undefined when it was answered. */
  get failure (): MillraceError | undefined { return this.#failure }

  topic (name: string): TopicView | undefined {
    return this.#topics.get(name)
  }

  /** True once brokers have said again and again, over unknownTopicMs (goneTopicMs), that there is no such topic. */
  isGone (name: string): boolean {
    return this.#gone.has(name)
  }

  #forgetDoubt (name: string): void {
    this.#unknownSince.delete(name)
    this.#gone.delete(name)
  }

  leader (name: string, partition: number): Leader | undefined {
    const row = this.#topics.get(name)?.partitions[partition]
    if (row === undefined || row.leader < 0) return undefined
    const address = this.#addresses.get(row.leader)
    if (address === undefined) return undefined
    return { brokerId: row.leader, address, leaderEpoch: row.leaderEpoch }
  }

  /** A follower in sync that lives in the rack, when the leader does not; in the leader's stead, for readers. */
  near (name: string, partition: number, rack: string): Leader | undefined {
    const row = this.#topics.get(name)?.partitions[partition]
    if (row === undefined || this.#addresses.isIn(rack, row.leader)) return undefined
    const inRack = row.inSync.map(({ brokerId }) => brokerId).filter(id => this.#addresses.isIn(rack, id))
    if (inRack.length === 0) return undefined
    // Of several each gets its share.
    const brokerId = inRack.sort((a, b) => a - b)[partition % inRack.length]!
    return { brokerId, address: this.#addresses.get(brokerId)!, leaderEpoch: row.leaderEpoch }
  }

  /** True when a broker of the cluster has the address now, or it is a bootstrap address. */
  isKnownAddress (address: string): boolean {
    return this.#addresses.isKnown(address)
  }

  /** Calls `listener` after every answer and every failure. Returns its end. */
  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  track (name: string): void {
    const before = this.#tracked.get(name) ?? 0
    this.#tracked.set(name, before + 1)
    if (before === 0) this.#forgetDoubt(name)
    this.#ageTimer ??= this.#startAge()
    if (!this.#topics.has(name)) this.requestRefresh()
  }

  untrack (name: string): void {
    const left = (this.#tracked.get(name) ?? 0) - 1
    if (left > 0) {
      this.#tracked.set(name, left)
      return
    }
    this.#tracked.delete(name)
    this.#forgetDoubt(name)
    this.#topics.delete(name)
  }

  #startAge (): Timer {
    const age = metadataAgeMsMax * (0.9 + 0.2 * this.#ports.rng.fraction())
    return this.#ports.clock.setTimer(age, () => {
      this.#ageTimer = this.#startAge()
      this.requestRefresh()
    })
  }

  /**
   * Asks again soon; questions that are already on their way do not count. At once after a while without questions;
   * else whoever misses a leader, and hears of every answer, would ask as fast as brokers answer.
   */
  requestRefresh (): void {
    if (this.#closed) return
    this.#again = true
    if (this.#running || this.#retryTimer !== undefined) return
    const restedMs = this.#ports.clock.now() - this.#answeredAt
    if (restedMs >= backoffMsMax) this.#pace.reset()
    const pause = restedMs >= backoffMsMax ? 0 : this.#pace.next() - restedMs
    if (pause > 0) this.#startAfter(pause)
    else this.#start()
  }

  #startAfter (ms: number): void {
    this.#retryTimer = this.#ports.clock.setTimer(ms, () => {
      this.#retryTimer = undefined
      this.#start()
    })
  }

  #start (): void {
    if (this.#tracked.size === 0 || this.#closed) return
    this.#running = true
    this.#again = false
    const names = [...this.#tracked.keys()]
    this.ask(names, true).then(response => {
      const news = this.#apply(response)
      if (news) {
        this.#backoff.reset()
        this.#pace.reset()
      }
      this.#finished(undefined)
    }, (error: unknown) => { this.#finished(toMillraceError(error)) })
  }

  #finished (failure: MillraceError | undefined): void {
    this.#running = false
    if (this.#closed) return
    this.#failure = failure
    this.#answeredAt = this.#ports.clock.now()
    if (failure === undefined && this.#unresolved() === undefined) this.#backoff.reset()
    // A topic that is not there yet and a cluster that does not answer are asked about again.
    const missing = this.#unresolved()
    if (failure !== undefined) this.#ports.onWaiting(`a broker at ${this.#addresses.bootstrap} (${failure.message})`)
    else if (missing !== undefined) this.#ports.onWaiting(`topic ${missing}`)
    if (failure !== undefined || missing !== undefined) this.#startAfter(this.#backoff.next())
    else if (this.#again) this.#startAfter(this.#pace.next())
    for (const listener of this.#listeners) listener()
  }

  /** A tracked topic that is not known, or in doubt, and not known to be gone. */
  #unresolved (): string | undefined {
    for (const name of this.#tracked.keys()) {
      if (this.isGone(name)) continue
      const known = this.#topics.get(name)
      if (known === undefined || known.rival !== undefined || this.#unknownSince.has(name)) return name
    }
    return undefined
  }

  /** One question to whoever answers; another broker is the first to be asked each time. */
  async ask (topics: readonly string[], includeInternal: boolean): Promise<GetMetadataResponse> {
    try {
      const response = await askForMetadata(this.#ports, this.#addresses.candidates(), { topics, includeInternal },
        clusterUid => this.#addresses.isOther(clusterUid))
      this.#addresses.belong(response.clusterUid)
      return response
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      if (this.#addresses.refused(error.failures)) this.#controllerEpoch = -1
      throw error.cause
    }
  }

  #apply (response: GetMetadataResponse): boolean {
    let news = false
    const current = response.controllerEpoch >= this.#controllerEpoch
    if (current) {
      this.#controllerEpoch = response.controllerEpoch
      news = this.#addresses.update(response.brokers, response.controller >= 0)
    }
    for (const metadata of response.topics) {
      if (metadata.topic !== undefined && metadata.error === undefined) {
        news = this.#applyTopic(metadata, metadata.topic, current, current && response.controller >= 0) || news
      }
    }
    // A broker without a session does not know what exists.
    if (current && response.controller >= 0) this.#applyUnknown(response)
    return news
  }

  #applyUnknown (response: GetMetadataResponse): void {
    const known = new Set<string>()
    for (const metadata of response.topics) {
      if (metadata.topic !== undefined && metadata.error === undefined) known.add(metadata.topic.name)
    }
    const now = this.#ports.clock.now()
    for (const name of this.#tracked.keys()) {
      if (known.has(name)) this.#forgetDoubt(name)
      else if (!this.#unknownSince.has(name)) this.#unknownSince.set(name, now)
      // A broker that was just cut off may lag behind; a topic that was there needs more to be believed gone.
      else if (now - this.#unknownSince.get(name)! >= (this.#topics.has(name) ? goneTopicMs : unknownTopicMs)) {
        this.#gone.add(name)
        this.#topics.delete(name)
      }
    }
  }

  #applyTopic (metadata: TopicMetadata, info: TopicInfo, current: boolean, isSure: boolean): boolean {
    const { name, topicId } = info
    const rows = [...metadata.partitions].sort((a, b) => a.partition - b.partition)
    if (!this.#tracked.has(name) || rows.some((row, index) => row.partition !== index)) return false
    const known = this.#topics.get(name)
    if (known === undefined) {
      if (rows.length === 0) return false
      this.#topics.set(name, { name, topicId, info, partitions: rows, isSure, rival: undefined })
      return true
    }
    if (known.topicId !== topicId) {
      // What a broker without a session knows may be long gone: it cannot replace anything.
      if (!isSure || !this.#isReplaced(known, topicId)) return false
      Object.assign(known, { topicId, info, partitions: rows, isSure, rival: undefined })
      return true
    }
    if (isSure) {
      known.isSure = true
      known.rival = undefined
    }
    if (current) known.info = info
    let news = false
    for (const [index, row] of rows.entries()) {
      const before = known.partitions[index]
      if (before !== undefined && !isNewer(row, before)) continue
      news ||= before === undefined || row.leader !== before.leader || row.leaderEpoch !== before.leaderEpoch
      known.partitions[index] = row
    }
    return news
  }

  /** A broker with a session calls another topic by the name: this one was made again, or that one lags. */
  #isReplaced (known: TopicState, topicId: string): boolean {
    const now = this.#ports.clock.now()
    if (known.rival?.topicId !== topicId) known.rival = { topicId, since: now }
    return !known.isSure || now - known.rival.since >= anotherTopicMs
  }

  /** Takes over what an error says about the leader. True when it is news. */
  hint (name: string, partition: number, detail: Sent<ErrorDetail>): boolean {
    const state = this.#topics.get(name)
    const row = state?.partitions[partition]
    const { leader = -1, leaderEpoch = -1, leaderAddress = '' } = detail
    if (state === undefined || row === undefined || leader < 0 || leaderEpoch < row.leaderEpoch) return false
    const moved = leaderEpoch > row.leaderEpoch
    const readdressed = this.#addresses.set(leader, leaderAddress)
    if (moved) state.partitions[partition] = { ...row, leader, leaderEpoch, version: -1 }
    return moved || (readdressed && leader === row.leader)
  }

  /** Asks about a topic that is not known, even if it was not there before. */
  lookAgain (name: string): void {
    if (this.isGone(name)) this.#forgetDoubt(name)
    if (!this.#topics.has(name)) this.requestRefresh()
  }

  /**
   * The topic, as soon as it is known; the caller tracks it.
   * @throws MillraceError UNKNOWN_TOPIC when brokers say that there is none, TIMED_OUT, CANCELLED.
   */
  waitForTopic (name: string, timeoutMs: number, signal?: AbortSignal): Promise<TopicView> {
    const { clock } = this.#ports
    this.lookAgain(name)
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const view = this.#topics.get(name)
        if (view !== undefined) finish(() => { resolve(view) })
        else if (this.isGone(name)) finish(() => { reject(unknownTopic(name)) })
      }
      const finish = (end: () => void): void => {
        timer.cancel()
        stop()
        signal?.removeEventListener('abort', aborted)
        end()
      }
      const aborted = (): void => { finish(() => { reject(cancelled()) }) }
      const timer = clock.setTimer(timeoutMs, () => {
        finish(() => { reject(this.#timedOut(name, timeoutMs)) })
      })
      const stop = this.onChange(check)
      signal?.addEventListener('abort', aborted, { once: true })
      if (signal?.aborted === true) aborted()
      else check()
    })
  }

  #timedOut (topic: string, timeoutMs: number): MillraceError {
    const why = this.#failure === undefined ? `topic ${topic} is not known yet` : this.#failure.message
    return errorOf('TIMED_OUT', `no broker at ${this.#addresses.bootstrap} told about topic ${topic} within ` +
      `${timeoutMs / 1000} s: ${why}`, { topic }, { cause: this.#failure })
  }

  close (): void {
    this.#closed = true
    this.#ageTimer?.cancel()
    this.#retryTimer?.cancel()
    this.#listeners.clear()
  }
}

export function unknownTopic (topic: string): MillraceError {
  return errorOf('UNKNOWN_TOPIC', `no topic ${topic}; create it: millrace topic create ${topic}`, { topic })
}
