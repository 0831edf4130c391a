// What a process serves at an address.
import type { Listener, Services } from '../../wire/ports.ts'
import { WireError } from '../../wire/errors.ts'
import type { Connection } from './net-connection.ts'
import type { SimNetwork } from './network.ts'
import type { SimProcess } from './scheduler.ts'

export class SimListener implements Listener {
  readonly address: string
  /** The host part of the address, by which others find it. */
  readonly name: string
  readonly host: string
  readonly process: SimProcess
  readonly services: Services
  /** Empty: it serves everybody. */
  readonly clusters: readonly string[]
  readonly connections = new Set<Connection>()
  readonly #network: SimNetwork
  readonly #port: number
  #closing: Promise<void> | undefined
  #closed: (() => void) | undefined

  constructor (network: SimNetwork, process: SimProcess, host: string, { name, port }: { name: string, port: number },
    services: Services, clusters: readonly string[]) {
    this.#network = network
    this.host = host
    this.name = name
    this.#port = port
    this.process = process
    this.services = services
    this.clusters = clusters
    this.address = `${name}:${port}`
    network.host(host).listeners.set(port, this)
  }

  get closing (): boolean { return this.#closing !== undefined }

  close (graceMs: number): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve
      const { listeners } = this.#network.host(this.host)
      if (listeners.get(this.#port) === this) listeners.delete(this.#port)
      // Openers are asked (GOAWAY) to begin nothing more on their connections.
      for (const connection of this.connections) {
        connection.usable = false
        this.#breakIdle(connection)
      }
      this.process.schedule(graceMs, 'close listener', () => {
        for (const connection of [...this.connections]) this.#break(connection)
      })
      this.#settle()
    })
    return this.#closing
  }

  /** A call on the connection has ended. */
  #breakIdle (connection: Connection): void {
    if (this.closing && connection.calls.size === 0) this.#break(connection)
  }

  callEnded (connection: Connection): void { this.#breakIdle(connection) }

  left (connection: Connection): void {
    this.connections.delete(connection)
    this.#settle()
  }

  #break (connection: Connection): void {
    if (connection.acceptor !== undefined) {
      connection.breakSide(connection.acceptor, new WireError('UNAVAILABLE', 'the listener was closed'))
    }
    this.connections.delete(connection)
    this.#settle()
  }

  #settle (): void {
    if (this.connections.size === 0) this.#closed?.()
  }
}
