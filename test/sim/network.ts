// Hosts and the links between them: what every process' SimNet stands on. Links delay and cut; hosts
// lose power; connections break. Nothing here knows a message.
import { peerKeepaliveMs } from '../../broker/limits.ts'
import type { Connection } from './net-connection.ts'
import type { SimListener } from './net-listener.ts'
import type { SimRng } from './rng.ts'
import type { Scheduler, SimProcess } from './scheduler.ts'

export interface NetConditions {
  /** Every packet takes this and an exponential time of mean `delayMeanMs` more. */
  delayMinMs: number
  delayMeanMs: number
  /** So often a packet takes up to `spikeMs` more; later packets of other streams overtake it. */
  spikeChance: number
  spikeMs: number
  /** So often a packet is the last that its connection carries. */
  breakChance: number
  /** So often a unary request reaches its handler twice before it is answered. */
  duplicateChance: number
  /** Bytes on their way from which on send() answers false. */
  windowBytes: number
}

export const calmConditions: NetConditions = {
  delayMinMs: 0.1, delayMeanMs: 0.3, spikeChance: 0, spikeMs: 0, breakChance: 0, duplicateChance: 0,
  windowBytes: 1024 * 1024
}

/** As wire/adapters/grpc-options.ts. */
export const connectTimeoutMs = 2_000
/** Pings as brokers send them to each other: one so often, and so long for its answer. */
export const keepaliveMs = peerKeepaliveMs / 2
export const keepaliveTimeoutMs = peerKeepaliveMs

/** No link is slower than this without being cut. */
const delayMsMax = 2_000

interface Waiter {
  readonly resumed: (lateMs: number) => void
  readonly sinceMs: number
}

/** One direction between two hosts. */
export class Link {
  readonly #network: SimNetwork
  #cut = false
  #waiters: Waiter[] = []
  /** Multiplies every delay: a slow link. */
  slowness = 1

  constructor (network: SimNetwork) { this.#network = network }

  get cut (): boolean { return this.#cut }

  delayMs (): number {
    const { conditions, rng } = this.#network
    const spike = conditions.spikeChance > 0 && rng.chance(conditions.spikeChance)
      ? rng.fraction() * conditions.spikeMs
      : 0
    const delay = (conditions.delayMinMs + rng.exponential(conditions.delayMeanMs) + spike) * this.slowness
    return Math.min(delay, delayMsMax)
  }

  /** `resumed` runs when the link is whole again, told how long after that TCP tries again. */
  whenWhole (resumed: (lateMs: number) => void): void {
    this.#waiters.push({ resumed, sinceMs: this.#network.scheduler.now })
  }

  setCut (cut: boolean): void {
    if (cut === this.#cut) return
    this.#cut = cut
    if (cut) return
    const waiters = this.#waiters
    this.#waiters = []
    const { rng, scheduler } = this.#network
    // Retransmissions double their distance: the longer the cut, the later the next one after it.
    for (const { resumed, sinceMs } of waiters) resumed(rng.fraction() * Math.min(3_000, 200 + scheduler.now - sinceMs))
  }
}

interface Host {
  powered: boolean
  nextPort: number
  readonly listeners: Map<number, SimListener>
}

/** Where an address leads that is not its host's own name. */
export interface Name {
  /** Asked at every dial; undefined: nobody has it. */
  host (): string | undefined
  /** Dials to nobody are refused; else nothing ever comes back. */
  readonly refuses: boolean
}

export class SimNetwork {
  readonly scheduler: Scheduler
  readonly rng: SimRng
  conditions: NetConditions = { ...calmConditions }
  readonly #hosts = new Map<string, Host>()
  readonly #links = new Map<string, Link>()
  /** Others stand for the host that is called so. */
  readonly names = new Map<string, Name>()
  readonly #connections = new Set<Connection>()
  /** A service failed with what is no WireError: its caller gets INTERNAL. */
  onServiceError: ((error: unknown) => void) | undefined
  /** Counts of what the network did, for coverage. */
  readonly counters = {
    packets: 0, dials: 0, refusals: 0, astray: 0, wrongClusters: 0, breaks: 0, duplicates: 0, backPressure: 0
  }

  constructor (scheduler: Scheduler) {
    this.scheduler = scheduler
    this.rng = scheduler.rng.fork('network')
  }

  host (name: string): Host {
    let host = this.#hosts.get(name)
    if (host === undefined) this.#hosts.set(name, host = { powered: true, nextPort: 40_000, listeners: new Map() })
    return host
  }

  /** The host that has the name now. */
  hostAt (name: string): string | undefined {
    const known = this.names.get(name)
    return known === undefined ? name : known.host()
  }

  link (from: string, to: string): Link {
    const id = `${from}>${to}`
    let link = this.#links.get(id)
    if (link === undefined) this.#links.set(id, link = new Link(this))
    return link
  }

  connections (): readonly Connection[] { return [...this.#connections] }

  /** One direction, as firewalls do it: nothing arrives, nobody is told. */
  cut (from: string, to: string): void { this.#set(from, to, true) }
  heal (from: string, to: string): void { this.#set(from, to, false) }

  healAll (): void {
    for (const link of this.#links.values()) {
      link.slowness = 1
      link.setCut(false)
    }
    this.review()
  }

  /** The machine goes dark: its processes die elsewhere; no peer hears of it. */
  powerOff (name: string): void {
    this.host(name).powered = false
    this.review()
  }

  /** @param name by which it is found from now on; who dialled another one never hears from there. */
  powerOn (hostName: string, name = hostName): void {
    this.host(hostName).powered = true
    for (const connection of this.#connections) connection.afterPowerOn(name)
    this.review()
  }

  /** To be called after a process was paused or resumed: keepalives go by what they can reach. */
  review (): void {
    for (const connection of this.#connections) connection.review()
  }

  died (process: SimProcess, hostName: string): void {
    const host = this.host(hostName)
    for (const [port, listener] of host.listeners) if (listener.process === process) host.listeners.delete(port)
    for (const connection of this.#connections) connection.endpointDied(process, host.powered)
  }

  add (connection: Connection): void { this.#connections.add(connection) }
  remove (connection: Connection): void { this.#connections.delete(connection) }

  #set (from: string, to: string, cut: boolean): void {
    this.link(from, to).setCut(cut)
    this.review()
  }
}
