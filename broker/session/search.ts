// Where the controller is: the Lease says it, or the peers do. And whether it is lost: a broker takes the
// office only when more than half of the unfenced brokers have lost the controller too.
import { WireError } from '../../wire/errors.ts'
import type { AskControllerResponse, BrokerInfo } from '../../wire/messages.ts'
import type { Clock, Net } from '../../wire/ports.ts'
import type { Api } from '../controller/api.ts'
import { readLease } from '../controller/lease.ts'
import { TableFormatError } from '../controller/row-text.ts'
import { decodeTable, tableKind } from '../controller/table-codec.ts'
import { rootName } from '../controller/table.ts'
import { KubeError } from '../io/ports.ts'
import type { Log } from '../io/ports.ts'
import * as limits from '../limits.ts'
import { nobody } from '../row.ts'
import type { Self } from './contract.ts'

export interface Whereabouts {
  readonly controllerEpoch: number
  /** Broker id. */
  readonly controller: number
  readonly address: string
  /** Peer address of a broker to go through, as the controller itself cannot be reached. */
  readonly via?: string
}

export interface Findings {
  /** A controller that a peer has a session with, or the Lease names. */
  readonly found: Whereabouts | undefined
  /** What was lost, through a peer that still has it. */
  readonly through: Whereabouts | undefined
  /** More than half of the unfenced brokers, by a quorum read, agree that there is none. */
  readonly agreed: boolean
  /** The highest controller epoch that anybody who was asked has seen. */
  readonly epochSeen: number
  /** How many brokers that live would go first, by broker id: one candidate at a time is fastest for all. */
  readonly rank: number
}

/** The same office: nothing newer than what was lost. */
export function isSame (a: Whereabouts | undefined, lost: Whereabouts | undefined): boolean {
  return a !== undefined && lost !== undefined && a.address === lost.address &&
    a.controllerEpoch <= lost.controllerEpoch
}

export interface SearchOptions {
  readonly clock: Clock
  readonly net: Net
  readonly api: Api
  readonly log: Log
  readonly self: Self
  /** The brokers as last pushed, for when the API does not answer. */
  known (): readonly BrokerInfo[]
}

const preparedMsMax = 1_000
const rankMax = 4

export class Search {
  readonly #options: SearchOptions
  /** Since when brokers have not answered at all, by broker id. */
  readonly #silentSince = new Map<number, number>()

  #prepared: { at: number, brokers: Promise<readonly BrokerInfo[] | undefined> } | undefined
  /** The last complaint, so that each is made once. */
  #told = ''

  constructor (options: SearchOptions) {
    this.#options = options
  }

  /** Since when peers have been silent, by broker id; clock times. */
  get silentSince (): ReadonlyMap<number, number> { return this.#silentSince }

  /** A controller whose session fell silent was last reached then. */
  fellSilent (brokerId: number, reachedAt: number): void {
    this.#silentSince.set(brokerId, reachedAt)
  }

  /** There is a controller: nobody is asked for now, and a silence that was noticed before says nothing of later. */
  forgetSilence (): void {
    this.#silentSince.clear()
  }

  /** Whom the Lease names; undefined when nobody, or the API does not answer. */
  async lease (): Promise<Whereabouts | undefined> {
    const { api, self, log } = this.#options
    try {
      const { holder, epoch, address } = await readLease(api, self.clusterName)
      return holder === nobody || address === '' ? undefined : { controllerEpoch: epoch, controller: holder, address }
    } catch (error) {
      if (!(error instanceof KubeError)) throw error
      log.debug({ kind: error.kind, status: error.status }, `the Lease cannot be read: ${error.message}`)
      return undefined
    }
  }

  /**
   * Asks everybody.
   *
   * @param lost what failed: a peer's word for the same does not count as found
   * @param patienceMs how long a silent peer is waited for
   */
  async ask (lost: Whereabouts | undefined, patienceMs: number): Promise<Findings> {
    const table = await this.#registry()
    const brokers = table ?? this.#options.known()
    const answers = await Promise.all(brokers.filter(broker => broker.brokerId !== this.#options.self.brokerId)
      .map(async broker => ({ broker, answer: await this.#askOne(broker) })))
    let epochSeen = 0
    let agreeing = 0
    let found: Whereabouts | undefined
    let witness = ''
    for (const { broker, answer } of answers) {
      if (typeof answer === 'object') {
        epochSeen = Math.max(epochSeen, answer.controllerEpoch)
        if (answer.connected && answer.controllerEpoch >= (found?.controllerEpoch ?? 0)) {
          const { controllerEpoch, controller, controllerAddress } = answer
          found = { controllerEpoch, controller, address: controllerAddress }
          // The controller itself has no session to pass others on to.
          witness = broker.brokerId === controller ? '' : broker.peerAddress
        }
      }
      if (!broker.fenced && this.#agrees(broker.brokerId, answer, patienceMs)) agreeing += 1
    }
    const unfenced = brokers.filter(broker => !broker.fenced)
    const rank = this.#rank(answers.flatMap(({ broker, answer }) => typeof answer === 'object' ? [broker] : []), table)
    if (unfenced.some(broker => broker.brokerId === this.#options.self.brokerId)) agreeing += 1
    const agreed = table !== undefined && found === undefined &&
      (unfenced.length === 0 || agreeing * 2 > unfenced.length)
    if (!isSame(found, lost)) return { found, through: undefined, agreed, epochSeen, rank }
    const through = found === undefined || witness === '' ? undefined : { ...found, via: witness }
    return { found: undefined, through, agreed, epochSeen, rank }
  }

  /** Reads the brokers ahead of being asked to ask them. */
  prepare (): void {
    this.#prepared = { at: this.#options.clock.now(), brokers: this.#brokers() }
  }

  #registry (): Promise<readonly BrokerInfo[] | undefined> {
    const prepared = this.#prepared
    this.#prepared = undefined
    return prepared !== undefined && this.#options.clock.now() - prepared.at < preparedMsMax
      ? prepared.brokers
      : this.#brokers()
  }

  #rank (alive: readonly BrokerInfo[], table: readonly BrokerInfo[] | undefined): number {
    const { brokerId } = this.#options.self
    // Before the first registration nobody knows who else there is.
    if (table?.length === 0) return Math.min(brokerId, rankMax)
    return Math.min(alive.filter(broker => broker.brokerId < brokerId && !broker.fenced && !broker.stopping).length,
      rankMax)
  }

  #agrees (brokerId: number, answer: AskControllerResponse | 'refused' | 'silent', patienceMs: number): boolean {
    if (answer !== 'silent') return answer === 'refused' || !answer.connected
    const since = this.#silentSince.get(brokerId) ?? this.#options.clock.now()
    return this.#options.clock.now() - since >= patienceMs
  }

  async #askOne (broker: BrokerInfo): Promise<AskControllerResponse | 'refused' | 'silent'> {
    const { net, self, clock } = this.#options
    try {
      const answer = await net.call(broker.peerAddress, 'AskController', { brokerId: self.brokerId },
        limits.askControllerMs)
      this.#silentSince.delete(broker.brokerId)
      // Another broker has the address now: the one that was asked is not there.
      return answer.brokerId === broker.brokerId ? answer : 'refused'
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      if (error.code === 'CONNECTION_REFUSED' || error.code === 'WRONG_BROKER') {
        this.#silentSince.delete(broker.brokerId)
        return 'refused'
      }
      if (!this.#silentSince.has(broker.brokerId)) this.#silentSince.set(broker.brokerId, clock.now())
      return 'silent'
    }
  }

  /** The root table's, by a quorum read; empty before there is one; undefined when the API does not answer. */
  async #brokers (): Promise<readonly BrokerInfo[] | undefined> {
    const { api, self, log } = this.#options
    try {
      const object = await api.get(tableKind, rootName(self.clusterName))
      return object === undefined ? [] : [...decodeTable(object).brokers.values()]
    } catch (error) {
      if (error instanceof KubeError) return undefined
      if (!(error instanceof TableFormatError)) throw error
      if (this.#told !== error.message) {
        log.error({ table: rootName(self.clusterName) }, `the root table does not read: ${error.message}`)
      }
      this.#told = error.message
      return undefined
    }
  }
}
