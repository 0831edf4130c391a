// One connection: the dial, the calls that share it, and how each side learns that it is broken. TCP as
// programs see it: what is sent arrives in order, late, or never; each side finds out by itself.
import { WireError } from '../../wire/errors.ts'
import type { Call } from './net-call.ts'
import type { SimListener } from './net-listener.ts'
import { connectTimeoutMs, keepaliveMs, keepaliveTimeoutMs } from './network.ts'
import type { Link, SimNetwork } from './network.ts'
import type { SimEvent, SimProcess } from './scheduler.ts'

/** TCP's first pause before it asks again. */
const synAgainMs = 1_000

export class Side {
  readonly host: string
  /** Where what the other side sends goes to. */
  readonly name: string
  readonly process: SimProcess
  /** It has learnt that the connection is gone (or has made it so). */
  broken = false
  /** The kernel's word that the connection ended is on its way here. */
  told = false
  keepalive: SimEvent | undefined

  constructor (host: string, process: SimProcess, name: string) {
    this.host = host
    this.name = name
    this.process = process
  }
}

export class Connection {
  readonly network: SimNetwork
  readonly address: string
  readonly opener: Side
  /** Unset while dialling. */
  acceptor: Side | undefined
  listener: SimListener | undefined
  readonly calls = new Set<Call>()
  /** The opener may begin calls on it. */
  usable = true
  established = false
  /** From the opener to the acceptor, and back; while dialling, to whoever has the address at that moment. */
  there: Link
  back: Link
  readonly target: { readonly host: string, readonly port: number }
  #dialTimeout: SimEvent | undefined

  constructor (network: SimNetwork, opener: Side, address: string, target: { host: string, port: number }) {
    this.network = network
    this.opener = opener
    this.address = address
    this.target = target
    this.there = this.back = network.link(opener.host, target.host)
    this.#aim()
    network.add(this)
    network.counters.dials++
    this.#dialTimeout = opener.process.schedule(connectTimeoutMs, 'dial timeout', () => {
      this.breakSide(opener, new WireError('UNAVAILABLE', `${address} did not answer within ${connectTimeoutMs} ms`))
    })
    this.#dial(this.there.delayMs())
  }

  /** The host that the address leads to, and the links to it. */
  #aim (): string | undefined {
    const { network, opener } = this
    const host = network.hostAt(this.target.host)
    this.there = network.link(opener.host, host ?? this.target.host)
    this.back = network.link(host ?? this.target.host, opener.host)
    return host
  }

  linkFrom (side: Side): Link { return side === this.opener ? this.there : this.back }

  other (side: Side): Side | undefined { return side === this.opener ? this.acceptor : this.opener }

  #dial (afterMs: number): void {
    const { network } = this
    network.scheduler.schedule(afterMs, undefined, 'dial', () => {
      if (this.opener.broken || this.opener.process.dead) return
      const hostName = this.#aim()
      if (hostName === undefined) return this.#strayed()
      const host = network.host(hostName)
      for (const link of [this.there, this.back]) {
        if (!link.cut) continue
        link.whenWhole((lateMs) => { this.#dial(lateMs) })
        return
      }
      // A host without power swallows SYNs; the dial times out, or finds it again at a later SYN.
      if (!host.powered) return this.#dial(synAgainMs)
      const listener = host.listeners.get(this.target.port)
      if (listener === undefined) this.#refused()
      else listener.process.schedule(0, 'accept', () => { this.#accepted(listener) })
    }, this.address)
  }

  /** Nobody has the address. */
  #strayed (): void {
    this.network.counters.astray++
    if (this.network.names.get(this.target.host)?.refuses === true) this.#refused()
    else this.#dial(synAgainMs)
  }

  #refused (): void {
    this.network.counters.refusals++
    this.opener.process.schedule(this.back.delayMs(), 'refused', () => {
      this.breakSide(this.opener, new WireError('CONNECTION_REFUSED', `nobody listens at ${this.address}`))
    }, this.address)
  }

  #accepted (listener: SimListener): void {
    if (this.opener.broken || this.opener.process.dead) return
    if (listener.closing) return this.#refused()
    const acceptor = this.acceptor = new Side(listener.host, listener.process, listener.name)
    this.listener = listener
    listener.connections.add(this)
    this.opener.process.schedule(this.back.delayMs(), 'connected', () => {
      if (this.opener.broken || acceptor.broken) return
      this.network.scheduler.cancel(this.#dialTimeout!)
      this.established = true
      for (const call of [...this.calls]) call.start()
      this.review()
    }, this.address)
  }

  /** This side knows now that the connection is gone; the other will be told if the network lets it. */
  breakSide (side: Side, error: WireError): void {
    if (side.broken) return
    side.broken = true
    this.network.counters.breaks++
    if (this.#dialTimeout !== undefined) this.network.scheduler.cancel(this.#dialTimeout)
    if (side.keepalive !== undefined) this.network.scheduler.cancel(side.keepalive)
    if (side === this.opener) this.usable = false
    for (const call of [...this.calls]) call.broken(side, error)
    this.#tell(this.other(side), this.linkFrom(side))
    this.#leave()
  }

  /** The process is gone; if its host is there, the kernel says so to the other side. */
  endpointDied (process: SimProcess, hostPowered: boolean): void {
    for (const side of [this.opener, this.acceptor]) {
      if (side === undefined || side.process !== process || side.broken) continue
      side.broken = true
      if (hostPowered) this.#tell(this.other(side), this.linkFrom(side))
    }
    this.#leave()
    this.review()
  }

  /** The first packet that reaches a host which knows nothing of the connection is answered by a reset. */
  afterPowerOn (name: string): void {
    for (const side of [this.opener, this.acceptor]) {
      if (side?.name !== name || !side.process.dead) continue
      this.#tell(this.other(side), this.linkFrom(side), this.network.rng.fraction() * keepaliveMs)
    }
  }

  /** Both sides find it broken, each in its own time. */
  break (): void {
    for (const side of [this.opener, this.acceptor]) {
      side?.process.schedule(this.linkFrom(side).delayMs(), 'reset', () => {
        this.breakSide(side, new WireError('UNAVAILABLE', 'connection reset'))
      }, this.address)
    }
  }

  #tell (side: Side | undefined, link: Link, lateMs = 0): void {
    if (side === undefined || side.broken || side.told) return
    if (link.cut) {
      const { name } = this.other(side)!
      // Nothing comes from an address that nobody has any more.
      link.whenWhole((late) => { if (this.network.hostAt(name) !== undefined) this.#tell(side, link, late) })
      return
    }
    side.told = true
    side.process.schedule(lateMs + link.delayMs(), 'reset', () => {
      this.breakSide(side, new WireError('UNAVAILABLE', `${this.address}: the connection broke`))
    }, this.address)
  }

  /** Keepalive pings: a side whose peer cannot answer them gives the connection up after a while. */
  review (): void {
    if (!this.established) return
    for (const side of [this.opener, this.acceptor!]) {
      const peer = this.other(side)!
      const silent = this.there.cut || this.back.cut || peer.process.paused || peer.process.dead
      if (!silent || side.broken) {
        if (side.keepalive !== undefined) this.network.scheduler.cancel(side.keepalive)
        side.keepalive = undefined
      } else if (side.keepalive === undefined) {
        const afterMs = keepaliveTimeoutMs + this.network.rng.fraction() * keepaliveMs
        side.keepalive = side.process.schedule(afterMs, 'keepalive timeout', () => {
          this.breakSide(side, new WireError('UNAVAILABLE', `${this.address}: keepalive timed out`))
        }, this.address)
      }
    }
  }

  /** Gone once nobody holds an end of it. */
  #leave (): void {
    const gone = (side: Side | undefined): boolean => side === undefined || side.broken
    if (!gone(this.opener) || !gone(this.acceptor)) return
    this.network.remove(this)
    this.listener?.left(this)
  }
}
