// One direction of one call: packets arrive in the order of sending, each after a delay of its own.
import type { WireError } from '../../wire/errors.ts'
import type { Connection, Side } from './net-connection.ts'

export interface Packet {
  readonly kind: 'open' | 'message' | 'end' | 'reset'
  readonly bytes: Buffer | undefined
  readonly error: WireError | undefined
  /** When it arrives at the earliest; set when it sets out. */
  atMs: number
}

export class Pipe {
  readonly #connection: Connection
  readonly #fromOpener: boolean
  readonly #label: string
  readonly #deliver: (packet: Packet) => void
  readonly #drained: () => void
  #queue: Packet[] = []
  #bytes = 0
  #lastAtMs = 0
  #started = false
  #closed = false
  #paused = false
  /** An arrival is scheduled, or the head waits for the link. */
  #busy = false
  #wantsDrain = false
  readonly #arriving = (): void => { this.#arrive() }

  constructor (connection: Connection, from: Side | undefined, label: string,
    deliver: (packet: Packet) => void, drained: () => void) {
    this.#connection = connection
    this.#fromOpener = from === connection.opener
    this.#label = label
    this.#deliver = deliver
    this.#drained = drained
  }

  get #from (): Side | undefined { return this.#fromOpener ? this.#connection.opener : this.#connection.acceptor }
  get #to (): Side | undefined { return this.#fromOpener ? this.#connection.acceptor : this.#connection.opener }

  start (): void {
    this.#started = true
    for (const packet of this.#queue) this.#setOut(packet)
    this.#arm()
  }

  /** False: send no more until drained. */
  send (packet: Packet): boolean {
    if (this.#closed || this.#from?.broken === true) return true
    const { network } = this.#connection
    network.counters.packets++
    this.#queue.push(packet)
    this.#bytes += packet.bytes?.length ?? 0
    if (this.#started) {
      this.#setOut(packet)
      this.#arm()
    }
    if (this.#bytes >= network.conditions.windowBytes && !this.#wantsDrain) {
      this.#wantsDrain = true
      network.counters.backPressure++
    }
    return !this.#wantsDrain
  }

  pause (): void { this.#paused = true }

  resume (): void {
    this.#paused = false
    this.#arm()
  }

  /** What is under way is lost. */
  drop (): void {
    this.#queue = []
    this.#bytes = 0
  }

  close (): void {
    this.#closed = true
    this.drop()
  }

  #setOut (packet: Packet): void {
    const { network } = this.#connection
    this.#lastAtMs = Math.max(this.#lastAtMs, network.scheduler.now + this.#link().delayMs())
    packet.atMs = this.#lastAtMs
    const { breakChance } = network.conditions
    if (breakChance > 0 && network.rng.chance(breakChance)) this.#connection.break()
  }

  #link () { return this.#connection.linkFrom(this.#from ?? this.#connection.opener) }

  #arm (): void {
    const head = this.#queue[0]
    const to = this.#to
    if (this.#busy || head === undefined || to === undefined || !this.#started || this.#paused || this.#closed) return
    this.#busy = true
    const afterMs = Math.max(0, head.atMs - this.#connection.network.scheduler.now)
    to.process.schedule(afterMs, this.#label, this.#arriving, head)
  }

  #arrive (): void {
    const { network } = this.#connection
    const link = this.#link()
    if (link.cut) {
      link.whenWhole((lateMs) => {
        this.#lastAtMs = Math.max(this.#lastAtMs, network.scheduler.now + lateMs)
        for (const packet of this.#queue) packet.atMs = Math.max(packet.atMs, network.scheduler.now + lateMs)
        this.#busy = false
        this.#arm()
      })
      return
    }
    this.#busy = false
    if (this.#closed || this.#paused || this.#to?.broken === true) return
    const packet = this.#queue.shift()
    if (packet === undefined) return
    this.#bytes -= packet.bytes?.length ?? 0
    if (packet.bytes !== undefined) network.scheduler.trace.mixBytes(packet.bytes)
    this.#offerDrain()
    this.#deliver(packet)
    this.#arm()
  }

  #offerDrain (): void {
    const { network } = this.#connection
    const from = this.#from
    if (!this.#wantsDrain || from === undefined || this.#bytes > network.conditions.windowBytes / 2) return
    this.#wantsDrain = false
    from.process.schedule(this.#connection.linkFrom(this.#to!).delayMs(), 'drain', () => {
      if (!from.broken) this.#drained()
    })
  }
}
