// Streams between processes whose messages wait until the test delivers them, in order per direction.
import type { PartitionRow, ReplicateRequest, ReplicateResponse, Sent } from '../../../wire/messages.ts'
import type { Listener, Net, Services, Stream, StreamHandlers, StreamMethod } from '../../../wire/ports.ts'
import { WireError } from '../../../wire/errors.ts'

export interface InTransit {
  readonly text: string
  readonly deliver: () => void
}

interface End {
  handlers: StreamHandlers<never> | undefined
  closed: boolean
  paused: boolean
}

/** Carries messages of all processes. */
export class Network {
  readonly #links = new Map<string, InTransit[]>()
  readonly #services = new Map<string, Services>()
  readonly #nets = new Map<string, TestNet>()

  net (name: string): TestNet {
    const net = new TestNet(this, name)
    this.#nets.set(name, net)
    return net
  }

  link (from: string, to: string): InTransit[] {
    const key = `${from}>${to}`
    let queue = this.#links.get(key)
    if (queue === undefined) {
      queue = []
      this.#links.set(key, queue)
    }
    return queue
  }

  links (): [string, InTransit[]][] { return [...this.#links] }
  current (name: string): TestNet | undefined { return this.#nets.get(name) }
  services (name: string): Services | undefined { return this.#services.get(name) }
  serve (name: string, services: Services | undefined): void {
    if (services === undefined) this.#services.delete(name)
    else this.#services.set(name, services)
  }
}

export class TestNet implements Net {
  readonly #network: Network
  readonly #name: string
  #dead = false
  readonly #ends: { end: End, other: End, peer: string }[] = []

  constructor (network: Network, name: string) {
    this.#network = network
    this.#name = name
  }

  open<M extends StreamMethod> (address: string, method: M, handlers: never): Stream<never> {
    const near: End = { handlers, closed: false, paused: false }
    const far: End = { handlers: undefined, closed: false, paused: false }
    const nearStream = this.#stream(near, far, this.#name, address)
    this.#post(this.#name, address, 'open', () => {
      const acceptor = this.#network.services(address)?.streams?.[method] as
        ((stream: Stream<never>, context: { peer: string }) => StreamHandlers<never>) | undefined
      if (acceptor === undefined) {
        this.#post(address, this.#name, 'refused', () => { close(near, new WireError('CONNECTION_REFUSED')) })
        return
      }
      far.handlers = acceptor(this.#stream(far, near, address, this.#name), { peer: this.#name })
      this.#network.current(address)?.accepted(far, near, this.#name)
    })
    this.#ends.push({ end: near, other: far, peer: address })
    return nearStream
  }

  #stream (mine: End, other: End, from: string, to: string): Stream<never> {
    return {
      send: (message: never) => {
        if (mine.closed || this.#dead) return true
        this.#post(from, to, describe(message), () => {
          if (!other.closed) other.handlers?.message(complete(message))
        })
        return true
      },
      end: () => { this.#end(mine, other, from, to, undefined) },
      destroy: (error?: WireError) => { this.#end(mine, other, from, to, error ?? new WireError('UNAVAILABLE')) },
      pause: () => { mine.paused = true },
      resume: () => { mine.paused = false }
    }
  }

  #end (mine: End, other: End, from: string, to: string, error: WireError | undefined): void {
    if (mine.closed) return
    mine.closed = true
    this.#post(from, to, 'end', () => { close(other, error) })
  }

  #post (from: string, to: string, text: string, deliver: () => void): void {
    this.#network.link(from, to).push({ text, deliver })
  }

  accepted (end: End, other: End, peer: string): void {
    this.#ends.push({ end, other, peer })
  }

  /** The process is gone: the other sides learn it when their link delivers. */
  crash (): void {
    this.#dead = true
    for (const { end, other, peer } of this.#ends) {
      end.closed = true
      this.#post(this.#name, peer, 'reset', () => { close(other, new WireError('UNAVAILABLE')) })
    }
  }

  /** Breaks every stream between here and `peer`. */
  reset (peer: string): void {
    for (const { end, other, peer: to } of this.#ends) {
      if (to !== peer) continue
      close(end, new WireError('UNAVAILABLE'))
      close(other, new WireError('UNAVAILABLE'))
    }
  }

  /** Streams of this side that deliver no more for now. */
  get pausedStreams (): number { return this.#ends.filter(({ end }) => end.paused).length }

  listen (_address: string, services: Services): Promise<Listener> {
    this.#network.serve(this.#name, services)
    return Promise.resolve({ address: this.#name, close: () => Promise.resolve() })
  }

  call (): Promise<never> { return Promise.reject(new WireError('UNAVAILABLE')) }
  identify (): void {}
  forget (): void {}
  close (): Promise<void> { return Promise.resolve() }
}

function close (end: End, error: WireError | undefined): void {
  if (end.closed && end.handlers === undefined) return
  end.closed = true
  const { handlers } = end
  end.handlers = undefined
  handlers?.close(error)
}

/** As decoded messages are: every field there. */
function complete (message: Sent<ReplicateRequest> | Sent<ReplicateResponse>): never {
  return structuredClone(message) as never
}

function describe (message: Sent<ReplicateRequest> & Sent<ReplicateResponse>): string {
  const { subscribe, acks, unsubscribe, records, diverged, refused, row } = message
  if (subscribe) {
    const { leaderEpoch, fetchOffset, lastEpoch, durableEnd } = subscribe
    return `subscribe e${leaderEpoch} from ${fetchOffset}(e${lastEpoch}) durable ${durableEnd}`
  }
  if (acks) return `ack ${(acks.acks ?? []).map(ack => `e${ack.leaderEpoch} ${ack.durableEnd}`).join(', ')}`
  if (unsubscribe) return 'unsubscribe'
  if (records) {
    return `records e${message.leaderEpoch}${records.records?.length === 0 ? ' none' : ''} hw ${records.highWatermark}`
  }
  if (diverged) return `diverged e${message.leaderEpoch}: epoch ${diverged.epoch} ends at ${diverged.endOffset}`
  if (refused) return `refused ${refused.error?.code}${refused.row ? ` ${rowText(refused.row)}` : ''}`
  return row ? rowText(row) : '?'
}

function rowText ({ leaderEpoch, version }: Sent<PartitionRow>): string {
  return `row e${leaderEpoch} v${version}`
}
