// Plays a Service's address: takes connections on 127.0.0.1 and joins each to one of the pods.
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { address } from './types.ts'

const connectionsMax = 2_000
const connectMsMax = 1_000

/** Listens at once; connections are taken when `serve` has been called. */
export class Proxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #candidates: () => number[] = () => []
  #turn = 0

  private constructor () {
    this.#server = createServer({ noDelay: true }, client => { void this.#join(client) })
    this.#server.maxConnections = connectionsMax
  }

  /** Rejects with the system's error (EADDRINUSE ...). @param port 0: a free one. */
  static async listen (port: number): Promise<Proxy> {
    const proxy = new Proxy()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    proxy.#server.once('error', reject)
    proxy.#server.listen({ host: address, port }, resolve)
    await promise
    proxy.#server.off('error', reject)
    return proxy
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** @param candidates answers the ports to try, best first; equally good ones are taken in turn. */
  serve (candidates: () => number[]): void {
    this.#candidates = candidates
  }

  async close (): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #join (client: Socket): Promise<void> {
    this.#hold(client)
    for (const port of this.#candidates()) {
      const target = await dial(port)
      if (target === undefined) continue
      this.#hold(target)
      client.on('close', () => { target.destroy() })
      target.on('close', () => { client.destroy() })
      if (client.destroyed) target.destroy()
      client.pipe(target)
      target.pipe(client)
      return
    }
    // Nobody: a reset tells a client sooner than silence.
    client.resetAndDestroy()
  }

  #hold (socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => { socket.destroy() })
    socket.once('close', () => { this.#sockets.delete(socket) })
  }

  /** Spreads connections over several equally good ports. */
  inTurn<T> (choices: readonly T[]): T[] {
    if (choices.length === 0) return []
    const first = this.#turn++ % choices.length
    return [...choices.slice(first), ...choices.slice(0, first)]
  }
}

/** Undefined when nobody answers there. */
async function dial (port: number): Promise<Socket | undefined> {
  return await new Promise(resolve => {
    const socket = connect({ host: address, port, noDelay: true })
    const timer = setTimeout(() => { socket.destroy() }, connectMsMax)
    socket.once('close', () => { resolve(undefined) })
    socket.on('error', () => {})
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}
