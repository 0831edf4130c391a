// What became of brokers without a session. Each is dialled at once and again and again: refused or
// reset, or another process at its address: it is gone; silent for 2 s: gone; alive: it will come by
// itself, told by the same call where the controller is. Who had said that it stops is gone, undialled.
import type { BrokerInfo } from '../../wire/messages.ts'
import { WireError } from '../../wire/errors.ts'
import type { Clock, Net } from '../../wire/ports.ts'
import * as limits from '../limits.ts'
import type { Roster } from './roster.ts'
import { pause } from './wait.ts'

const probeTimeoutMs = 200
/** Between two calls to a broker that lives. */
const probeAgainMs = 200
/** A connection that breaks while it is being used may be its last breath, or a hiccup. */
const resetsMax = 2
const resetPauseMs = 10

export interface WatchOptions {
  readonly clock: Clock
  readonly net: Net
  readonly roster: Roster
  readonly controllerEpoch: number
  readonly brokerId: number
  readonly peerAddress: string
  registry (): ReadonlyMap<number, BrokerInfo>
  /** How long a silent broker is waited for while fewer than half of the brokers are here. */
  readonly patienceMs: number
  /** Brokers were given up: they are to be fenced. */
  gone (brokerIds: readonly number[]): void
  /** A broker has seen a newer controller. */
  outdated (reason: string, epochSeen: number): void
}

export class Watch {
  readonly #options: WatchOptions
  readonly #probing = new Set<number>()
  /** Had their chance to answer since they went missing, however long they were silent before. */
  readonly #tried = new Set<number>()
  #stopped = false

  constructor (options: WatchOptions) {
    this.#options = options
  }

  stop (): void { this.#stopped = true }

  /** Begins to dial whoever is missing; gives up the silent. Called regularly and after each lost session. */
  look (): void {
    const { roster } = this.#options
    const given: number[] = []
    for (const brokerId of roster.missing()) {
      if (this.#isSilent(brokerId) && this.#tried.has(brokerId) && roster.bury(brokerId)) given.push(brokerId)
      else if (!this.#probing.has(brokerId)) this.#begin(brokerId)
    }
    if (given.length > 0) this.#options.gone(given)
  }

  /** The broker had said that it stops: whatever it leads still, its process may go on answering, or hang. */
  left (brokerId: number): void {
    this.#giveUp(brokerId)
  }

  /** The broker's session fell silent: that was its time to answer. */
  silent (brokerId: number): void {
    this.#tried.add(brokerId)
  }

  #giveUp (brokerId: number): void {
    if (this.#options.roster.bury(brokerId)) this.#options.gone([brokerId])
  }

  /** A controller that cannot hear most brokers must not fence those: it is the one that is cut off. */
  #isSilent (brokerId: number): boolean {
    const { roster, patienceMs } = this.#options
    return roster.silentMs(brokerId) >= (roster.isMinority(true) ? patienceMs : limits.sessionTimeoutMs)
  }

  #begin (brokerId: number): void {
    this.#probing.add(brokerId)
    void this.#probe(brokerId).finally(() => {
      this.#probing.delete(brokerId)
      this.#tried.delete(brokerId)
    })
  }

  async #probe (brokerId: number): Promise<void> {
    const { clock, roster } = this.#options
    let resets = 0
    while (!this.#stopped && roster.missing().includes(brokerId)) {
      const verdict = await this.#call(brokerId)
      if (this.#stopped || !roster.missing().includes(brokerId)) return
      this.#tried.add(brokerId)
      resets = verdict === 'reset' ? resets + 1 : 0
      if (verdict === 'gone' || resets >= resetsMax) {
        this.#giveUp(brokerId)
        return
      }
      if (verdict === 'alive') roster.heard(brokerId)
      if (verdict === 'silent') this.look()
      await pause(clock, verdict === 'reset' ? resetPauseMs : probeAgainMs)
    }
  }

  async #call (brokerId: number): Promise<'alive' | 'gone' | 'reset' | 'silent'> {
    const { net, controllerEpoch, peerAddress } = this.#options
    const broker = this.#options.registry().get(brokerId)
    if (broker === undefined) return 'gone'
    try {
      const answer = await net.call(broker.peerAddress, 'AnnounceController',
        { controllerEpoch, controller: this.#options.brokerId, controllerAddress: peerAddress }, probeTimeoutMs)
      // The address has a new owner: another broker, or the same one started anew.
      if (answer.brokerId !== brokerId || answer.incarnation !== broker.incarnation) return 'gone'
      if (answer.controllerEpoch > controllerEpoch) {
        const seen = answer.controllerEpoch
        this.#options.outdated(`broker ${brokerId} has seen epoch ${seen}`, seen)
      }
      return 'alive'
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      if (error.code === 'CONNECTION_REFUSED' || error.code === 'WRONG_BROKER') return 'gone'
      return error.code === 'UNAVAILABLE' ? 'reset' : 'silent'
    }
  }
}
