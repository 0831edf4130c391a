// The Fetch stream to one broker: a subscription per partition, each with credit of its own.
import { WireError } from '../wire/errors.ts'
import type { FetchRequest, FetchRequest_Subscribe, FetchResponse } from '../wire/messages.ts'
import type { Clock, Net, Stream } from '../wire/ports.ts'

/** Who reads a partition. */
export interface Subscriber {
  received (response: FetchResponse): void
  /** The subscription is over. */
  ended (error: WireError): void
}

const SUBSCRIPTION_IDS = 2 ** 32

export class FetchChannel {
  readonly address: string
  readonly #net: Net
  readonly #clock: Clock
  #stream: Stream<FetchRequest> | undefined
  /** Counts streams: what an earlier one still says is not listened to. */
  #generation = 0
  #nextId = 0
  #heardAt = 0
  /** When the broker was asked for something that it has not answered; -1: it has said something since. */
  #askedAt = -1
  readonly #subscribers = new Map<number, Subscriber>()

  constructor (net: Net, clock: Clock, address: string) {
    this.#net = net
    this.#clock = clock
    this.address = address
  }

  get isIdle (): boolean { return this.#subscribers.size === 0 }

  /** Nothing was heard of the broker for so long, and nothing asked: it may hang, or have nothing to say. */
  isQuiet (ms: number): boolean { return this.#askedAt < 0 && this.#clock.now() - this.#heardAt >= ms }

  /** The broker was asked so long ago, and has said nothing since. */
  isHanging (ms: number): boolean { return this.#askedAt >= 0 && this.#clock.now() - this.#askedAt >= ms }

  /** Returns the id of the subscription; the broker answers at once, even if there is nothing to read. */
  subscribe (subscriber: Subscriber, subscribe: Omit<FetchRequest_Subscribe, 'subscriptionId'>): number {
    this.#stream ??= this.#open()
    if (this.#askedAt < 0) this.#askedAt = this.#clock.now()
    const subscriptionId = this.#nextId
    this.#nextId = (this.#nextId + 1) % SUBSCRIPTION_IDS
    this.#subscribers.set(subscriptionId, subscriber)
    // Requests are small and bounded by the number of subscriptions: a slow broker is no reason to hold one back.
    this.#stream.send({ subscribe: { ...subscribe, subscriptionId } })
    return subscriptionId
  }

  credit (subscriptionId: number, bytes: number): void {
    this.#stream?.send({ credit: { subscriptionId, bytes } })
  }

  unsubscribe (subscriptionId: number): void {
    if (this.#subscribers.delete(subscriptionId)) this.#stream?.send({ unsubscribe: { subscriptionId } })
  }

  #open (): Stream<FetchRequest> {
    const generation = ++this.#generation
    this.#heardAt = this.#clock.now()
    this.#askedAt = -1
    const current = (): boolean => generation === this.#generation
    return this.#net.open(this.address, 'Fetch', {
      message: response => { if (current()) this.#answered(response) },
      // Later, since a stream may fail while it is being opened.
      close: error => { this.#clock.defer(() => { if (current()) this.#broken(error) }) }
    })
  }

  #answered (response: FetchResponse): void {
    this.#heardAt = this.#clock.now()
    this.#askedAt = -1
    const subscriber = this.#subscribers.get(response.subscriptionId)
    // It may have unsubscribed.
    if (subscriber === undefined) return
    if (response.error === undefined) {
      subscriber.received(response)
      return
    }
    this.#subscribers.delete(response.subscriptionId)
    subscriber.ended(WireError.fromDetail(response.error))
  }

  #broken (error: WireError | undefined): void {
    this.#generation++
    this.#stream = undefined
    const subscribers = [...this.#subscribers.values()]
    this.#subscribers.clear()
    const cause = error ?? new WireError('UNAVAILABLE', `broker ${this.address} closed the stream`)
    const retriable = cause.retriable ? cause : new WireError('UNAVAILABLE', cause.message, {}, { cause })
    for (const subscriber of subscribers) subscriber.ended(retriable)
  }

  end (): void {
    this.#generation++
    this.#subscribers.clear()
    this.#stream?.destroy()
    this.#stream = undefined
  }
}
