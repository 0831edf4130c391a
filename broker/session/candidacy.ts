// How a broker comes to the office of controller and loses it again.
import type { SessionRequest, SessionResponse } from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'
import { OfficeLost } from '../controller/api.ts'
import type { Api } from '../controller/api.ts'
import { Controller } from '../controller/controller.ts'
import type { OfficeEnd } from '../controller/controller.ts'
import type { AgentCounters } from '../controller/counters.ts'
import { TableFormatError } from '../controller/row-text.ts'
import { TableStore } from '../controller/store.ts'
import { takeOver } from '../controller/takeover.ts'
import * as limits from '../limits.ts'
import type { Self } from './contract.ts'
import type { AgentOptions } from './options.ts'
import { WaitingRoom } from './waiting-room.ts'

/** The Kubernetes API may take so long for each step of a takeover; meanwhile peers believe in this broker. */
const takeMsMax = 3_000
/** Takeovers of this broker that count as recent: each doubles its patience. */
const recentMs = 10 * 60 * 1000
const recentMax = 5
/** After an office that failed; doubled by each recent one. */
const backOffMs = 1_000

export interface CandidacyOptions extends Omit<AgentOptions, 'volume'> {
  readonly api: Api
  readonly self: Self
  readonly counters: AgentCounters
  /** Ids of the brokers that the last controller knew, as far as this one has heard; undefined: nothing yet. */
  known (): readonly number[] | undefined
  /** The office is over. */
  ended (): void
}

export class Candidacy {
  readonly #options: CandidacyOptions
  readonly #waiting = new WaitingRoom()
  #controller: Controller | undefined
  #taking = false
  /** Goes up with each attempt and with each reason to give one up. */
  #attempt = 0
  /** Clock times. */
  #takeovers: number[] = []
  #notBefore = -Infinity
  /** The highest controller epoch that a broker met this one's office with. */
  #epochSeen = 0
  /** Why the tables may not be what this broker left when it had the office. */
  #doubt = ''

  constructor (options: CandidacyOptions) {
    this.#options = options
  }

  get office (): Controller | undefined { return this.#controller }
  /** In office, or about to be. */
  get isActive (): boolean { return this.#taking || this.#controller !== undefined }
  get mayTry (): boolean { return !this.isActive && this.#options.clock.now() >= this.#notBefore }
  /** How long silent peers are waited for. */
  get patienceMs (): number { return limits.silentPeerAgreesMs * 2 ** this.#recent() }

  /** The controller's side of a session; undefined: this broker is not the controller. */
  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest> | undefined {
    if (this.#controller !== undefined) return this.#controller.session(stream)
    return this.#taking ? this.#waiting.session(stream) : undefined
  }

  /**
   * Takes the office. Undefined: somebody else was faster, or the tables do not read.
   *
   * @param leaseEpoch of the Lease that leads nowhere, 0 for none
   * @param silentSince clock time since when brokers do not answer, by broker id
   */
  async take (
    epochSeen: number, leaseEpoch: number, silentSince: ReadonlyMap<number, number>
  ): Promise<Controller | undefined> {
    const { clock, api, self, log, counters, settings } = this.#options
    const { patienceMs } = this
    const attempt = ++this.#attempt
    let deadline = clock.now() + takeMsMax
    const wanted = (): boolean => this.#attempt === attempt && clock.now() < deadline
    this.#taking = true
    try {
      const store = new TableStore({ ...this.#options, cluster: self.clusterName, counters, wanted })
      const takeover = await takeOver({
        api,
        store,
        brokerId: self.brokerId,
        peerAddress: self.peerAddress,
        epochSeen: Math.max(epochSeen, this.#epochSeen),
        leaseEpoch,
        doubt: this.#doubt,
        wanted,
        wallTimeMs: () => clock.wallTime(),
        progress: () => { deadline = clock.now() + takeMsMax }
      })
      if (!wanted()) return undefined
      deadline = Infinity
      this.#doubt = ''
      this.#takeovers.push(clock.now())
      this.#controller = new Controller({
        ...this.#options,
        store,
        takeover,
        silentSince,
        patienceMs,
        brokersExpected: settings.brokersExpected,
        brokersKnown: this.#options.known(),
        ended: (reason, how) => { this.#ended(attempt, reason, how) }
      })
      this.#controller.start()
      this.#waiting.admit(stream => this.session(stream) ?? { message: () => {}, close: () => {} })
      return this.#controller
    } catch (error) {
      if (error instanceof OfficeLost) log.debug({}, `the office is not to be had: ${error.message}`)
      else if (error instanceof TableFormatError) log.error({}, `the tables do not read: ${error.message}`)
      else throw error
      // Others shall try: it may be this broker's way to the API that is broken. A lost race is no failure.
      const failed = error instanceof TableFormatError || clock.now() >= deadline
      if (failed) this.#notBefore = clock.now() + backOffMs * this.#options.rng.fraction()
      return undefined
    } finally {
      this.#taking = false
      this.#waiting.sendAway('')
    }
  }

  /** Somebody holds the office under this epoch. */
  outdated (controllerEpoch: number): void {
    if (this.#controller === undefined) {
      if (this.#taking) this.#attempt += 1
      return
    }
    if (controllerEpoch > this.#controller.controllerEpoch) {
      this.end(`controller epoch ${controllerEpoch} was announced`)
    }
  }

  /** Another broker has the office, and settles by itself what this one doubted. */
  followed (): void { this.#doubt = '' }

  end (reason: string): void {
    this.#controller?.end(reason)
    this.#attempt += 1
  }

  async resign (): Promise<void> {
    await this.#controller?.resign()
  }

  #ended (attempt: number, reason: string, { backOff = false, doubt = false, epochSeen = 0 }: OfficeEnd): void {
    this.#epochSeen = Math.max(this.#epochSeen, epochSeen)
    if (doubt) this.#doubt = reason
    if (this.#attempt === attempt) this.#attempt += 1
    this.#controller = undefined
    const ms = backOff ? backOffMs * 2 ** this.#recent() : 0
    this.#notBefore = this.#options.clock.now() + ms * (1 + this.#options.rng.fraction())
    this.#options.ended()
  }

  #recent (): number {
    const now = this.#options.clock.now()
    this.#takeovers = this.#takeovers.filter(at => now - at < recentMs)
    return Math.min(this.#takeovers.length, recentMax)
  }
}
