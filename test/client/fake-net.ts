// A network in memory: messages are copied, take a millisecond, keep their order per stream, and can be
// held up or cut off per address.
import { WireError } from '../../wire/errors.ts'
import type {
  CallContext, Clock, Listener, Net, RequestOf, ResponseOf, Services, Stream, StreamHandlers, StreamMethod, UnaryMethod
} from '../../wire/ports.ts'
import type { Sent } from '../../wire/messages.ts'

interface Link {
  readonly address: string
  cut: (error: WireError) => void
}

type AnyHandlers = StreamHandlers<unknown>
type OpenAny = (stream: Stream<unknown>, context: CallContext) => AnyHandlers
type ServeAny = (request: unknown, context: CallContext) => Promise<unknown>

export class FakeNet implements Net {
  readonly #clock: Clock
  readonly #servers = new Map<string, Services>()
  readonly #links = new Set<Link>()
  /** Addresses that take connections and say nothing; what they would say waits. */
  readonly #held = new Map<string, (() => void)[]>()
  latencyMs = 1
  /** Streams opened, by address and method. */
  readonly opened: string[] = []
  calls = 0

  constructor (clock: Clock) {
    this.#clock = clock
  }

  listen (address: string, services: Services): Promise<Listener> {
    if (this.#servers.has(address)) return Promise.reject(new WireError('ADDRESS_IN_USE'))
    this.#servers.set(address, services)
    return Promise.resolve({
      address,
      close: () => {
        this.stop(address)
        return Promise.resolve()
      }
    })
  }

  /** As after kill -9: connections break, new ones are refused. */
  stop (address: string): void {
    this.#servers.delete(address)
    this.#held.delete(address)
    this.breakStreams(address)
  }

  breakStreams (address: string): void {
    for (const link of [...this.#links]) if (link.address === address) link.cut(new WireError('UNAVAILABLE'))
  }

  /** As after SIGSTOP. */
  hold (address: string): void {
    if (!this.#held.has(address)) this.#held.set(address, [])
  }

  /** As after SIGCONT: everything that waited arrives now. */
  release (address: string): void {
    const waiting = this.#held.get(address) ?? []
    this.#held.delete(address)
    for (const deliver of waiting) deliver()
  }

  #deliver (address: string, run: () => void): void {
    this.#clock.setTimer(this.latencyMs, () => {
      const held = this.#held.get(address)
      if (held === undefined) run()
      else held.push(run)
    })
  }

  open<M extends StreamMethod> (address: string, method: M,
    handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>> {
    this.opened.push(`${address} ${method}`)
    let server: AnyHandlers | undefined
    const client = handlers as AnyHandlers
    const state = { clientOpen: true, serverOpen: true }
    const link: Link = { address, cut: error => { endBoth(error) } }
    const endBoth = (error: WireError | undefined): void => {
      this.#links.delete(link)
      if (state.clientOpen) {
        state.clientOpen = false
        client.close(error)
      }
      if (state.serverOpen) {
        state.serverOpen = false
        server?.close(error)
      }
    }
    const toClient: Stream<unknown> = {
      send: message => {
        const copy = structuredClone(message)
        this.#deliver(address, () => { if (state.clientOpen) client.message(copy) })
        return true
      },
      end: () => { this.#deliver(address, () => { endBoth(undefined) }) },
      destroy: error => { this.#deliver(address, () => { endBoth(error) }) },
      pause: () => {},
      resume: () => {}
    }
    this.#links.add(link)
    this.#deliver(address, () => {
      if (!state.clientOpen) return
      const open = this.#servers.get(address)?.streams?.[method] as OpenAny | undefined
      if (open === undefined) endBoth(new WireError('CONNECTION_REFUSED', `nobody listens at ${address}`))
      else server = open(toClient, { peer: 'client' })
    })
    return {
      send: message => {
        const copy = structuredClone(message)
        // What was sent before the client broke the stream may still arrive.
        this.#deliver(address, () => { if (state.serverOpen) server?.message(copy) })
        return true
      },
      end: () => { this.#deliver(address, () => { endBoth(undefined) }) },
      destroy: () => {
        state.clientOpen = false
        this.#deliver(address, () => { endBoth(new WireError('CANCELLED')) })
      },
      pause: () => {},
      resume: () => {}
    }
  }

  call<M extends UnaryMethod> (address: string, method: M, request: Sent<RequestOf<M>>,
    timeoutMs: number): Promise<ResponseOf<M>> {
    this.calls++
    return new Promise((resolve, reject) => {
      this.#clock.setTimer(timeoutMs, () => { reject(new WireError('TIMED_OUT')) })
      this.#deliver(address, () => {
        const serve = this.#servers.get(address)?.unary?.[method] as ServeAny | undefined
        if (serve === undefined) {
          reject(new WireError('CONNECTION_REFUSED', `nobody listens at ${address}`))
          return
        }
        serve(structuredClone(request), { peer: 'client' }).then(answer => {
          const copy = structuredClone(answer)
          this.#deliver(address, () => { resolve(copy as ResponseOf<M>) })
        }, (error: unknown) => { this.#deliver(address, () => { reject(error as Error) }) })
      })
    })
  }

  identify (): void {}
  forget (_address: string): void {}

  close (): Promise<void> {
    for (const link of [...this.#links]) link.cut(new WireError('CANCELLED'))
    return Promise.resolve()
  }
}
