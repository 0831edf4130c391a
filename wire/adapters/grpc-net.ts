// Net over gRPC, plaintext: connections by grpc-connection.ts, listeners by grpc-listener.ts.
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { Listener, ListenOptions, Net, RequestOf, ResponseOf, Services, Stream, StreamHandlers, StreamMethod,
  UnaryMethod } from '../ports.ts'
import { parseAddress } from '../address.ts'
import { GrpcConnection } from './grpc-connection.ts'
import { toWireError } from './grpc-errors.ts'
import { listen } from './grpc-listener.ts'
import { defaultOptions, listenerKeepaliveMs } from './grpc-options.ts'
import type { GrpcNetOptions } from './grpc-options.ts'

/** What a stream is that could not be opened. */
const noStream: Stream<never> = {
  send: () => true, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {}
}

export class GrpcNet implements Net {
  readonly #options: GrpcNetOptions
  readonly #connections = new Map<string, GrpcConnection>()
  /** Let go of, with calls still open. */
  readonly #released = new Set<GrpcConnection>()
  #cluster = ''
  #closed = false

  constructor (options: Partial<GrpcNetOptions> = {}) {
    this.#options = { ...defaultOptions, ...options }
  }

  open<M extends StreamMethod> (address: string, method: M,
    handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>> {
    try {
      return this.#connect(address).open(method, handlers)
    } catch (reason) {
      queueMicrotask(() => handlers.close(toWireError(reason)))
      return noStream
    }
  }

  async call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>,
    timeoutMs: number): Promise<ResponseOf<M>> {
    return await this.#connect(address).call(method, request, timeoutMs)
  }

  async listen (address: string, services: Services,
    { keepaliveMs = listenerKeepaliveMs, clusters = [] }: ListenOptions = {}): Promise<Listener> {
    return await listen(address, services, this.#options, { keepaliveMs, clusters })
  }

  identify (cluster: string): void { this.#cluster = cluster }

  /** Calls that are open go on; the next one opens a new connection. */
  forget (address: string): void {
    this.#connections.get(address)?.release()
  }

  async close (): Promise<void> {
    this.#closed = true
    for (const connection of [...this.#connections.values(), ...this.#released]) {
      connection.break(new WireError('CLOSED', 'the network was closed'))
    }
  }

  #connect (address: string): GrpcConnection {
    if (this.#closed) throw new WireError('CLOSED')
    let connection = this.#connections.get(address)
    if (connection === undefined) {
      parseAddress(address)
      connection = new GrpcConnection(address, this.#options, () => this.#cluster, this.#changed)
      this.#connections.set(address, connection)
    }
    if (connection.full) throw new WireError('BROKER_BUSY', `too many open calls to ${address}`)
    return connection
  }

  readonly #changed = (connection: GrpcConnection): void => {
    const { address } = connection
    if (this.#connections.get(address) === connection) this.#connections.delete(address)
    if (connection.idle) this.#released.delete(connection)
    else this.#released.add(connection)
  }
}
