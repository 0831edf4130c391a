// The Net port of one simulated process. What it promises is what GrpcNet promises (test/wire/
// net.conformance.ts runs on both); messages go through the production codec, so that processes share
// no memory and every field crosses a real encoding.
import { parseAddress } from '../../wire/address.ts'
import { WireError } from '../../wire/errors.ts'
import type { Sent } from '../../wire/messages.ts'
import type {
  Listener, ListenOptions, Method, Net, RequestOf, ResponseOf, Services, Stream, StreamHandlers, StreamMethod,
  UnaryMethod
} from '../../wire/ports.ts'
import { Call } from './net-call.ts'
import { Connection, Side } from './net-connection.ts'
import { SimListener } from './net-listener.ts'
import type { SimNetwork } from './network.ts'
import type { SimProcess } from './scheduler.ts'

/** As GrpcNet's default. */
const callsPerConnectionMax = 128

const noStream: Stream<never> = {
  send: () => true, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {}
}

export class SimNet implements Net {
  readonly #network: SimNetwork
  readonly #process: SimProcess
  readonly #host: string
  /** By which others find it: what knows nothing of its connections answers there once it is gone. */
  readonly #name: string
  readonly #connections = new Map<string, Connection>()
  #cluster = ''
  #closed = false

  constructor (network: SimNetwork, process: SimProcess, host: string, name = host) {
    this.#network = network
    this.#process = process
    this.#host = host
    this.#name = name
    process.onDeath.push(() => { network.died(process, host) })
  }

  open<M extends StreamMethod> (address: string, method: M,
    handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>> {
    try {
      return this.#begin(address, method, handlers as StreamHandlers<object>) as unknown as Stream<RequestOf<M>>
    } catch (error) {
      queueMicrotask(() => { handlers.close(error as WireError) })
      return noStream
    }
  }

  async call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>,
    timeoutMs: number): Promise<ResponseOf<M>> {
    const { promise, resolve, reject } = Promise.withResolvers<ResponseOf<M>>()
    const stream = this.#begin(address, method, {
      message: (answer) => { resolve(answer as ResponseOf<M>) },
      close: (error) => { reject(error ?? new WireError('UNAVAILABLE', `${address} ended without an answer`)) }
    })
    stream.send(request)
    const timer = this.#process.clock.setTimer(timeoutMs, () => {
      reject(new WireError('TIMED_OUT', `${address} did not answer in time`))
      stream.destroy()
    })
    try {
      return await promise
    } finally {
      timer.cancel()
    }
  }

  identify (cluster: string): void { this.#cluster = cluster }

  listen (address: string, services: Services, { clusters = [] }: ListenOptions = {}): Promise<Listener> {
    return new Promise((resolve) => {
      const { host: name, port } = parseAddress(address)
      const host = this.#network.host(this.#host)
      if (host.listeners.has(port)) throw new WireError('ADDRESS_IN_USE', `another process listens at ${address}`)
      const place = { name, port: port === 0 ? host.nextPort++ : port }
      resolve(new SimListener(this.#network, this.#process, this.#host, place, services, clusters))
    })
  }

  forget (address: string): void { this.#connections.delete(address) }

  close (): Promise<void> {
    this.#closed = true
    for (const connection of this.#network.connections()) {
      if (connection.opener.process !== this.#process) continue
      connection.breakSide(connection.opener, new WireError('CLOSED', 'the network was closed'))
    }
    return Promise.resolve()
  }

  #begin (address: string, method: Method, handlers: StreamHandlers<object>): Stream<object> {
    const call = new Call(this.#connect(address), method, this.#cluster)
    call.opener.handlers = handlers
    call.pipeFrom(call.opener).send({ kind: 'open', bytes: undefined, error: undefined, atMs: 0 })
    return call.opener
  }

  #connect (address: string): Connection {
    if (this.#closed) throw new WireError('CLOSED')
    let connection = this.#connections.get(address)
    if (connection === undefined || !connection.usable) {
      const target = parseAddress(address)
      connection = new Connection(this.#network, new Side(this.#host, this.#process, this.#name), address, target)
      this.#connections.set(address, connection)
    }
    if (connection.calls.size >= callsPerConnectionMax) {
      throw new WireError('BROKER_BUSY', `too many open calls to ${address}`)
    }
    return connection
  }
}
