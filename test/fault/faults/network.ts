// The network between hosts (brokers, the Kubernetes API, the operator, clients): TCP proxies that brokers
// advertise instead of their own ports, so that every connection goes through one. Each direction between
// two hosts has a gate of its own.
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { Dialers } from './dialer.ts'
import { Gate } from './gate.ts'
import { pipeThrough } from './pipe.ts'

const address = '127.0.0.1'
const connectionsMax = 4_000

interface Connection {
  readonly from: string
  readonly to: string
  break (): void
}

export class Network {
  readonly #gates = new Map<string, Gate>()
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Set<Connection>()
  readonly #down = new Set<string>()
  readonly #dialers: Dialers

  /** @param hosts pids of everybody who may dial, by name; asked for each connection. */
  constructor (hosts: () => ReadonlyMap<string, number>) {
    this.#dialers = new Dialers(hosts)
  }

  gate (from: string, to: string): Gate {
    const key = `${from} ${to}`
    let gate = this.#gates.get(key)
    if (gate === undefined) this.#gates.set(key, gate = new Gate())
    return gate
  }

  /** Listens on `port` for `to`. @param target the port that `to` listens at now, undefined for none. */
  async listen (to: string, port: number, target: () => number | undefined): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, socket => {
      void this.#join(socket, to, port, target)
    })
    server.maxConnections = connectionsMax
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host: address, port, backlog: 512 }, resolve)
    await promise
    this.#servers.push(server)
  }

  /** Nobody listens there any more: connections break, new ones are refused (reset). */
  down (to: string): void {
    this.#down.add(to)
    for (const connection of [...this.#connections]) if (connection.to === to) connection.break()
  }

  up (to: string): void { this.#down.delete(to) }

  /** One direction, by the host that sends and the one that does not receive. Undone by what it returns. */
  cut (pairs: readonly (readonly [string, string])[]): () => void {
    const gates = pairs.map(([from, to]) => this.gate(from, to))
    for (const gate of gates) gate.cut()
    return () => { for (const gate of gates) gate.heal() }
  }

  delay (pairs: readonly (readonly [string, string])[], delayMs: number): () => void {
    for (const [from, to] of pairs) this.gate(from, to).delayMs = delayMs
    return () => { for (const [from, to] of pairs) this.gate(from, to).delayMs = 0 }
  }

  healAll (): void {
    this.#down.clear()
    for (const gate of this.#gates.values()) gate.healAll()
  }

  async close (): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map(server => new Promise(resolve => { server.close(resolve) })))
  }

  async #join (client: Socket, to: string, port: number, target: () => number | undefined): Promise<void> {
    this.#hold(client)
    client.pause()
    if (this.#down.has(to)) return void client.resetAndDestroy()
    const from = await this.#dialers.nameOf(client.remotePort ?? 0, port)
    if (client.destroyed) return
    // Whoever cannot be told apart could not be cut off either.
    if (from === undefined) return void client.resetAndDestroy()
    const [there, back] = [this.gate(from, to), this.gate(to, from)]
    // A handshake needs both directions.
    await new Promise<void>(resolve => { there.whenOpen(() => { back.whenOpen(resolve) }) })
    if (client.destroyed) return
    const targetPort = target()
    if (targetPort === undefined || this.#down.has(to)) return void client.resetAndDestroy()
    const server = connect({ host: address, port: targetPort, noDelay: true, allowHalfOpen: true })
    this.#hold(server)
    const connection: Connection = {
      from,
      to,
      break: () => {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }
    }
    this.#connections.add(connection)
    const forget = (): void => { if (client.destroyed && server.destroyed) this.#connections.delete(connection) }
    client.once('close', forget)
    server.once('close', forget)
    pipeThrough(client, server, there)
    pipeThrough(server, client, back)
  }

  #hold (socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => { /* 'close' follows */ })
    socket.once('close', () => { this.#sockets.delete(socket) })
  }
}
