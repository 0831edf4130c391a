// A broker's bond with the controller: finds it, registers, takes in its news; and takes the office when
// the brokers agree that nobody holds it.
//
//   const agent = new SessionAgent(options)   // serves Session, AskController, AnnounceController at once
//   agent.attach(replicas)
//   agent.start()
//   await agent.stop()                         // SIGTERM: leaderships move first
//   agent.close()                              // after the replicas have drained and flushed
import { assert } from '../assert.ts'
import { WireError } from '../../wire/errors.ts'
import type {
  AnnounceControllerRequest, AnnounceControllerResponse, AskControllerRequest, AskControllerResponse,
  PartitionRow, ReplicaReport, Sent, SessionRequest, SessionResponse, SessionResponse_Push
} from '../../wire/messages.ts'
import type { Stream, StreamHandlers } from '../../wire/ports.ts'
import { Api } from '../controller/api.ts'
import type { ControllerOffice } from '../controller/contract.ts'
import { newCounters } from '../controller/counters.ts'
import type { AgentCounters } from '../controller/counters.ts'
import { pause } from '../controller/wait.ts'
import * as limits from '../limits.ts'
import { nobody } from '../row.ts'
import { Candidacy } from './candidacy.ts'
import type { ClusterView, ControllerLink, InSyncRequest, LocalReplicas, Self } from './contract.ts'
import { Link } from './link.ts'
import type { LinkEnd } from './link.ts'
import type { AgentOptions } from './options.ts'
import { canDoWithout, relaySession } from './relay.ts'
import { isSame, Search } from './search.ts'
import type { Whereabouts } from './search.ts'
import { View } from './view.ts'
import { afterFirst, refuse } from './waiting-room.ts'

/** Between two tries to connect again, and between two rounds of asking. */
const againMs = 50
const askAgainMs = 100
const rejectedAgainMs = 1_000
/** Then the lost controller is tried again: it may have been away only from here. */
const campaignMs = 1_000
/** Head start of each candidate before the next. */
const rankMs = 50
/** A controller that hears nobody has given up by then. */
const deafMsMax = limits.sessionTimeoutMs + limits.controllerMinorityMs
/** Longest wait for a controller to ask for MayStop. */
const stopAloneMsMax = 500

export class SessionAgent implements ControllerLink {
  readonly self: Self
  readonly counters: AgentCounters = newCounters()
  readonly #options: AgentOptions
  readonly #view = new View()
  readonly #search: Search
  readonly #candidacy: Candidacy
  #replicas: LocalReplicas | undefined
  #link: Link | undefined
  /** Where to go next, ahead of everything else. */
  #hint: Whereabouts | undefined
  /** Ends the pause or the session that the loop waits for. */
  #interrupt: (() => void) | undefined
  #controller: Whereabouts = { controllerEpoch: 0, controller: nobody, address: '' }
  /** Since when there has been no session, after there was one. */
  #lostSince: number | undefined
  #stopping = false
  #closed = false
  #released: (() => void) | undefined

  constructor (options: AgentOptions) {
    this.#options = options
    this.self = options.self
    const { counters, self } = this
    const api = new Api({ ...options, counters })
    const shared = { ...options, api, self }
    this.#search = new Search({ ...shared, known: () => this.#view.brokers() })
    this.#candidacy = new Candidacy({
      ...shared,
      counters,
      known: () => this.#view.loaded ? this.#view.brokers().map(({ brokerId }) => brokerId) : undefined,
      ended: () => { this.#wake() }
    })
  }

  get view (): ClusterView { return this.#view }
  /** Set while this broker is the controller. */
  get office (): ControllerOffice | undefined { return this.#candidacy.office }
  /** True while there is a session in which this broker is registered. */
  get isRegistered (): boolean { return this.#link?.isRegistered === true }

  /** Before start: who has the replicas. */
  attach (replicas: LocalReplicas): void {
    this.#replicas = replicas
  }

  /** Begins to look for the controller. The peer port must be listening. */
  start (): void {
    assert(this.#replicas !== undefined, 'attach comes before start')
    void this.#run()
  }

  /**
   * Moves leaderships away, the office of controller last; resolves when this broker may stop, or after
   * 3 s. The session stays until close. Never rejects.
   */
  async stop (): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    const { clock } = this.#options
    const deadline = clock.now() + limits.stopMsMax
    let aloneUntil = clock.now() + stopAloneMsMax
    let released = false
    const asked = new WeakSet<Link>()
    const release = new Promise<void>(resolve => { this.#released = resolve }).then(() => { released = true })
    while (!released && clock.now() < Math.min(deadline, aloneUntil)) {
      const link = this.#link
      if (link?.isRegistered === true) {
        if (!asked.has(link)) link.stop()
        asked.add(link)
        aloneUntil = clock.now() + stopAloneMsMax
      }
      await Promise.race([release, pause(clock, againMs)])
    }
    await this.#candidacy.resign()
  }

  /** Ends everything at once. Idempotent. */
  close (): void {
    this.#closed = true
    this.#candidacy.end('this broker stops')
    this.#link?.drop()
    this.#wake()
  }

  /** Clients of other listeners find this broker elsewhere from now on, or its node is in another rack. */
  advertise (told: Pick<Self, 'listeners' | 'rack'>): void {
    this.self.listeners = told.listeners
    this.self.rack = told.rack
    // Without a session they are a part of the next Register.
    this.#link?.advertise(told)
  }

  changeInSync (
    request: InSyncRequest, done: (error: WireError | undefined, row: PartitionRow | undefined) => void
  ): void {
    const link = this.#link
    if (link?.isRegistered === true) link.changeInSync(request, done)
    else this.#options.clock.defer(() => { done(new WireError('CONTROLLER_UNAVAILABLE'), undefined) })
  }

  reportReplicas (reports: readonly ReplicaReport[]): void {
    // Without a session they are a part of the next Register.
    this.#link?.report(reports)
  }

  session (stream: Stream<SessionResponse>): StreamHandlers<SessionRequest> {
    return this.#candidacy.session(stream) ?? afterFirst(first => this.#passOn(stream, first))
  }

  /** For a broker that is cut off from the controller, while this one is not. */
  #passOn (stream: Stream<SessionResponse>, first: SessionRequest): StreamHandlers<SessionRequest> {
    const { address, via } = this.#controller
    const mayRelay = first.register?.relay === true && this.isRegistered && via === undefined
    return mayRelay ? relaySession(this.#options.net, address, stream, first) : refuse(stream, address)
  }

  askController (_request: AskControllerRequest): Sent<AskControllerResponse> {
    const { brokerId, peerAddress } = this.self
    const { controllerEpoch } = this.#options.volume
    if (this.#candidacy.isActive) {
      return { brokerId, controllerEpoch, controller: brokerId, controllerAddress: peerAddress, connected: true }
    }
    const { controller, address } = this.#controller
    return { brokerId, controllerEpoch, controller, controllerAddress: address, connected: this.isRegistered }
  }

  announceController (request: AnnounceControllerRequest): Sent<AnnounceControllerResponse> {
    const { controllerEpoch, controller, controllerAddress } = request
    const seen = this.#options.volume.controllerEpoch
    const connectedTo = this.#link === undefined ? 0 : this.#controller.controllerEpoch
    if (controllerEpoch >= seen && controllerEpoch > connectedTo && !this.#closed) {
      if (this.#isDeaf(controller, controllerEpoch)) return this.#identified(seen)
      if (controller !== this.self.brokerId) this.#candidacy.outdated(controllerEpoch)
      if (this.#isJoining(controller, controllerAddress)) return this.#identified(seen)
      this.#hint = { controllerEpoch, controller, address: controllerAddress }
      this.#wake()
    }
    return this.#identified(seen)
  }

  #identified (controllerEpoch: number): Sent<AnnounceControllerResponse> {
    return { controllerEpoch, brokerId: this.self.brokerId, incarnation: this.self.incarnation }
  }

  /** A peer knew of the new controller before it announced itself: the session that is being opened leads there. */
  #isJoining (controller: number, address: string): boolean {
    const where = this.#controller
    return this.#link?.isRegistered === false && where.via === undefined && where.controller === controller &&
      where.address === address
  }

  /** The controller that fell silent is heard, but has not answered since: for as long as it may keep the office. */
  #isDeaf (controller: number, controllerEpoch: number): boolean {
    const since = this.#search.silentSince.get(controller) ?? -Infinity
    return controllerEpoch <= this.#controller.controllerEpoch && this.#options.clock.now() - since < deafMsMax
  }

  async #run (): Promise<void> {
    while (!this.#closed) {
      const where = this.#takeHint() ?? await this.#search.lease()
      if (this.#closed) return
      // The Lease naming this very broker while it holds no office: left by its last process.
      if (where === undefined || (where.controller === this.self.brokerId && !this.#candidacy.isActive)) {
        await this.#campaign(where)
      }
      else await this.#follow(where)
    }
  }

  /** A session's whole life, and what to do after it. */
  async #follow (where: Whereabouts): Promise<void> {
    const { clock, log } = this.#options
    this.#controller = where
    const { end, error } = await this.#connect(where)
    if (this.#closed) return
    this.#view.setController(where.controllerEpoch, nobody, '')
    switch (end) {
      case 'dropped':
        return
      case 'rejected':
        log.error({ controller: where.controller, code: error?.code },
          `the controller refuses this broker: ${error?.message ?? ''}`)
        if (error?.code === 'VOLUME_ROLLED_BACK') {
          await this.#renew(error)
          return
        }
        await this.#pause(rejectedAgainMs)
        return
      case 'broken': {
        const lostMs = clock.now() - (this.#lostSince ?? -Infinity)
        if (lostMs < limits.controllerLostMs && this.#hint === undefined) {
          this.#hint = where
          await this.#sleep(Math.min(againMs, limits.controllerLostMs - lostMs))
          return
        }
        break
      }
      case 'refused': // Its process is gone: nothing comes back sooner than a new controller.
      case 'resigned':
      case 'silent':
    }
    // As it registered: its epoch may be above the one that led here.
    await this.#campaign(this.#controller)
  }

  /**
   * The volume is an older copy of one that has registered since: what it acknowledged after that is not on it.
   * Under another identity its replicas are counted for nothing, and follow as learners from where they are.
   */
  async #renew (refusal: WireError): Promise<void> {
    const { volume, log, renewed } = this.#options
    this.close()
    try {
      await volume.renewVolumeId()
      log.error({}, 'the volume was rolled back: it begins again under another identity, as a learner of everything')
      renewed(refusal)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      renewed(error)
    }
  }

  #connect (where: Whereabouts): Promise<{ end: LinkEnd, error: WireError | undefined }> {
    const { clock, net, volume } = this.#options
    const replicas = this.#replicas
    assert(replicas !== undefined, 'attach comes before start')
    return new Promise(resolve => {
      let registered = false
      const link = new Link({
        clock,
        net,
        self: this.self,
        volume,
        replicas,
        address: where.via ?? where.address,
        relay: where.via !== undefined,
        registered: (controllerEpoch, controller) => {
          registered = true
          this.#lostSince = undefined
          this.#registered({ ...where, controllerEpoch, controller })
        },
        push: push => { this.#push(push) },
        mayStop: () => { this.#released?.() },
        ended: (end, error) => {
          if (this.#link === link) this.#link = undefined
          this.#interrupt = undefined
          if (end === 'silent' && registered) this.#search.fellSilent(where.controller, link.reachedAt)
          if (registered) {
            this.#lostSince = clock.now()
            if (!this.#closed) this.#search.prepare()
          }
          resolve({ end, error })
        }
      })
      this.#link = link
      this.#interrupt = () => { link.drop() }
      if (where.via !== undefined) {
        void canDoWithout({ clock, net, self: this.self, where, isOver: () => this.#link !== link })
          .then(yes => { if (yes) link.drop() })
      }
    })
  }

  #registered (where: Whereabouts): void {
    const { volume, log } = this.#options
    if (where.controllerEpoch > volume.controllerEpoch) volume.setControllerEpoch(where.controllerEpoch)
    this.#controller = where
    this.#search.forgetSilence()
    // Found twice: when this session ends, a hint to its controller would only keep from looking for another.
    if ((this.#hint?.controllerEpoch ?? 0) <= where.controllerEpoch) this.#hint = undefined
    if (where.controller !== this.self.brokerId) this.#candidacy.followed()
    this.#view.setController(where.controllerEpoch, where.controller, where.address)
    this.counters.registrations += 1
    log.info({ controller: where.controller, controllerEpoch: where.controllerEpoch }, 'registered with the controller')
  }

  /** Pushes of a controller that is not the newest known are dropped for ever. */
  #push (push: SessionResponse_Push): void {
    if (push.controllerEpoch < this.#options.volume.controllerEpoch) return
    this.#view.apply(push)
    this.#replicas?.apply(push)
  }

  /**
   * The controller is lost: asks whoever there is, again and again for a while, and takes the office if
   * all agree. Ends with a hint where to go, or to try everything anew.
   */
  async #campaign (lost: Whereabouts | undefined): Promise<void> {
    const { clock } = this.#options
    const began = clock.now()
    let way: Whereabouts | undefined
    do {
      const { found, through, agreed, epochSeen, rank } = await this.#search.ask(lost, this.#candidacy.patienceMs)
      if (this.#closed || this.#hint !== undefined) return
      way = through
      if (found !== undefined) this.#hint = found
      else if (agreed && !this.#stopping && this.#candidacy.mayTry) {
        await this.#takeOffice(epochSeen, lost?.controllerEpoch ?? 0, rank)
      } else await this.#pause(askAgainMs)
      if (this.#closed || this.#hint !== undefined) return
      const lease = await this.#search.lease()
      if (lease !== undefined && !isSame(lease, lost) && lease.controller !== this.self.brokerId) this.#hint ??= lease
    } while (this.#hint === undefined && clock.now() - began < campaignMs)
    // All others still have what is lost here.
    this.#hint ??= way
  }

  async #takeOffice (epochSeen: number, leaseEpoch: number, rank: number): Promise<void> {
    if (rank > 0) await this.#sleep(rank * rankMs)
    if (this.#hint !== undefined || this.#closed) return
    const office = await this.#candidacy.take(
      Math.max(epochSeen, this.#options.volume.controllerEpoch), leaseEpoch, this.#search.silentSince)
    if (office === undefined) return
    this.#hint ??= {
      controllerEpoch: office.controllerEpoch, controller: this.self.brokerId, address: this.self.peerAddress
    }
  }

  #takeHint (): Whereabouts | undefined {
    const hint = this.#hint
    this.#hint = undefined
    return hint
  }

  /** Half of it by chance, so that brokers do not move in step; news of a controller end it. */
  async #pause (ms: number): Promise<void> {
    if (this.#hint === undefined) await this.#sleep(ms * (0.5 + this.#options.rng.fraction()))
  }

  #sleep (ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#options.clock.setTimer(ms, () => {
        this.#interrupt = undefined
        resolve()
      })
      this.#interrupt = () => {
        timer.cancel()
        this.#interrupt = undefined
        resolve()
      }
    })
  }

  #wake (): void {
    this.#interrupt?.()
  }
}
