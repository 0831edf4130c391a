// One call on a connection, stream or unary: a pipe each way, and what each side was told.
import { WireError } from '../../wire/errors.ts'
import type { Method, Stream, StreamHandlers } from '../../wire/ports.ts'
import { ErrorDetail, rpcs } from '../../wire/adapters/descriptors.ts'
import type { Connection, Side } from './net-connection.ts'
import { accept } from './net-accept.ts'
import { Pipe } from './net-pipe.ts'
import type { Packet } from './net-pipe.ts'

/** As GrpcNet's default. */
const messageBytesMax = 8 * 1024 * 1024 + 64 * 1024

/** Encodes or decodes one direction of a method. */
interface Messages {
  encode (message: object): Buffer
  decode (bytes: Buffer): object
}

/** One side of the call. */
export class End implements Stream<object> {
  readonly side: Side
  handlers: StreamHandlers<object> | undefined
  readonly #call: Call
  readonly #incoming: Messages
  readonly #outgoing: Messages
  /** handlers.close was called, or will be in this very turn. */
  #closed = false
  /** Nothing more may be sent from here. */
  #finished = false

  constructor (call: Call, side: Side, incoming: Messages, outgoing: Messages) {
    this.#call = call
    this.side = side
    this.#incoming = incoming
    this.#outgoing = outgoing
  }

  get over (): boolean { return this.#closed && this.#finished }

  send (message: object): boolean {
    if (this.#finished) return true
    const bytes = this.#outgoing.encode(message)
    if (bytes.length > messageBytesMax) {
      this.destroy(
        new WireError('RECORD_TOO_LARGE', `a message of ${bytes.length} bytes; the limit is ${messageBytesMax}`)
      )
      return true
    }
    return this.#call.pipeFrom(this).send({ kind: 'message', bytes, error: undefined, atMs: 0 })
  }

  end (): void {
    if (this.#finished) return
    this.#finished = true
    this.#call.pipeFrom(this).send({ kind: 'end', bytes: undefined, error: undefined, atMs: 0 })
    // The accepting side's end is the call's end.
    if (this === this.#call.acceptor) queueMicrotask(() => { this.closed(undefined) })
  }

  destroy (error?: WireError): void {
    if (this.over) return
    const pipe = this.#call.pipeFrom(this)
    if (!this.#finished || this === this.#call.opener) {
      // A reset may overtake what was sent before it.
      if (this.#call.connection.network.rng.chance(0.5)) pipe.drop()
      const shown = this === this.#call.opener
        ? new WireError('UNAVAILABLE', 'the caller went away')
        : carried(error ?? new WireError('UNAVAILABLE'))
      pipe.send({ kind: 'reset', bytes: undefined, error: shown, atMs: 0 })
    }
    this.#finished = true
    this.#call.pipeTo(this).close()
    queueMicrotask(() => { this.closed(error ?? new WireError('CANCELLED')) })
  }

  pause (): void { this.#call.pipeTo(this).pause() }
  resume (): void { this.#call.pipeTo(this).resume() }

  drained (): void { if (!this.#closed) this.handlers?.drain?.() }

  /** A packet from the other side. */
  take (packet: Packet): void {
    if (this.#closed) return
    switch (packet.kind) {
      case 'open': break
      case 'message': this.handlers?.message(this.#incoming.decode(packet.bytes!)); break
      case 'end':
        // An opener that ends still listens; an acceptor that ends has said everything.
        if (this === this.#call.opener) this.#finished = true
        this.closed(undefined)
        break
      case 'reset':
        this.#finished = true
        this.closed(packet.error)
        break
    }
  }

  /** The connection broke, as this side sees it. */
  broken (error: WireError): void {
    this.#finished = true
    this.closed(error)
  }

  closed (error: WireError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#call.pipeTo(this).close()
    this.handlers?.close(error)
    this.#call.review()
  }
}

/** As the wire carries it. */
function carried (error: WireError): WireError {
  return WireError.fromDetail(ErrorDetail.decode(ErrorDetail.encode(error.toDetail())))
}

export class Call {
  readonly connection: Connection
  readonly method: Method
  readonly opener: End
  acceptor: End | undefined
  readonly #cluster: string
  readonly #up: Pipe
  readonly #down: Pipe
  #started = false

  /** @param cluster that it is meant for; '': not said */
  constructor (connection: Connection, method: Method, cluster: string) {
    this.connection = connection
    this.method = method
    this.#cluster = cluster
    const { request, response } = rpcs[method]
    this.opener = new End(this, connection.opener, response as Messages, request as Messages)
    this.#up = new Pipe(connection, connection.opener, `${method} >`,
      (packet) => { this.#arrive(packet) }, () => { this.opener.drained() })
    this.#down = new Pipe(connection, undefined, `${method} <`,
      (packet) => { this.opener.take(packet) }, () => { this.acceptor?.drained() })
    connection.calls.add(this)
    if (connection.established) this.start()
  }

  pipeFrom (end: End): Pipe { return end === this.opener ? this.#up : this.#down }
  pipeTo (end: End): Pipe { return end === this.opener ? this.#down : this.#up }

  /** The connection stands: what was sent so far sets out. */
  start (): void {
    if (this.#started) return
    this.#started = true
    this.#up.start()
    this.#down.start()
  }

  broken (side: Side, error: WireError): void {
    const end = side === this.opener.side ? this.opener : this.acceptor
    if (side === this.opener.side) this.#down.close()
    else this.#up.close()
    end?.broken(error)
    this.review()
  }

  /** Forgets the call when both sides are done with it. */
  review (): void {
    const { connection } = this
    const gone = (end: End | undefined): boolean => end === undefined || end.over || end.side.broken
    if (!gone(this.opener) || (this.acceptor !== undefined && !gone(this.acceptor))) return
    if (connection.calls.delete(this)) connection.listener?.callEnded(connection)
  }

  /** At the accepting side; the first packet says what is called. */
  #arrive (packet: Packet): void {
    const { acceptor: side, listener } = this.connection
    if (side === undefined || listener === undefined || side.broken) return
    if (this.acceptor === undefined) {
      const { request, response } = rpcs[this.method]
      const end = this.acceptor = new End(this, side, request as Messages, response as Messages)
      if (this.#cluster !== '' && listener.clusters.length > 0 && !listener.clusters.includes(this.#cluster)) {
        this.connection.network.counters.wrongClusters++
        end.destroy(new WireError('WRONG_BROKER', `${this.connection.address} is not of ${this.#cluster}`))
        return
      }
      const handlers = accept(this.method, listener.services, end, this.opener.side.host, this.connection.network)
      if (handlers === undefined) {
        end.destroy(new WireError('UNIMPLEMENTED', `${this.connection.address} does not serve ${this.method}`))
        return
      }
      end.handlers = handlers
    }
    this.acceptor.take(packet)
  }
}
