// One Replicate stream to a broker that leads, and the followers here that share it.
import * as limits from '../limits.ts'
import type { ReplicateRequest, ReplicateResponse } from '../../wire/messages.ts'
import type { Stream, StreamHandlers, Timer } from '../../wire/ports.ts'
import type { Follower } from './follower.ts'
import type { ReplicatorHost } from './replicator.ts'

/** The first pause before a lost stream is opened again. */
const retryMsMin = 10
/** A leader that could not be reached for so long is reported. */
const unreachableMs = 500

interface Subscription {
  readonly follower: Follower
  /** 0: none; the leader refused it, or there is no stream. */
  id: number
  /** Of the log with which it subscribed; -1: it was empty. */
  fetchOffset: number
  /** The durable end last said; -1: nothing yet. */
  acknowledged: number
  /** In #acks. */
  due: boolean
}

export class LeaderStream {
  readonly #host: ReplicatorHost
  readonly #brokerId: number
  readonly #followers = new Map<Follower, Subscription>()
  readonly #byId = new Map<number, Subscription>()
  #stream: Stream<ReplicateRequest> | undefined
  #incarnation = ''
  #generation = 0
  #address = ''
  #nextId = 1
  /** Subscriptions with news to acknowledge, sent together. */
  #acks: Subscription[] = []
  #flushing = false
  /** Refused, to be tried again. */
  readonly #refused = new Set<Subscription>()
  #refusedTimer: Timer | undefined
  #reconnectTimer: Timer | undefined
  #retryMs = retryMsMin
  /** Since when no stream has brought anything; -1 while one does. */
  #failingSinceMs = -1
  #paused = false
  #closed = false

  constructor (host: ReplicatorHost, brokerId: number) {
    this.#host = host
    this.#brokerId = brokerId
  }

  get idle (): boolean { return this.#followers.size === 0 }
  get unreachable (): boolean {
    return this.#failingSinceMs >= 0 && this.#host.clock.now() - this.#failingSinceMs >= unreachableMs
  }

  follow (follower: Follower): void {
    const subscription = { follower, id: 0, fetchOffset: -1, acknowledged: -1, due: false }
    this.#followers.set(follower, subscription)
    if (this.#stream !== undefined) this.#subscribe(subscription)
    else if (this.#reconnectTimer === undefined) this.#open()
  }

  unfollow (follower: Follower): void {
    const subscription = this.#followers.get(follower)
    if (subscription === undefined) return
    this.#followers.delete(follower)
    this.#refused.delete(subscription)
    const { id } = subscription
    if (id === 0) return
    this.#forget(subscription)
    this.#stream?.send({ request: 'unsubscribe', unsubscribe: { subscriptionId: id } })
  }

  close (): void {
    this.#closed = true
    this.#refusedTimer?.cancel()
    this.#reconnectTimer?.cancel()
    this.#stream?.end()
    this.#lost()
  }

  // The stream

  #open (): void {
    const { clock, net } = this.#host
    this.#reconnectTimer = undefined
    if (this.#closed) return
    const broker = this.#host.broker(this.#brokerId)
    this.#address = broker?.peerAddress ?? ''
    this.#incarnation = broker?.incarnation ?? ''
    // Unknown: brokersChanged opens it.
    if (this.#address === '') return
    if (this.#failingSinceMs < 0) this.#failingSinceMs = clock.now()
    this.#stream = net.open(this.#address, 'Replicate', this.#handlers(++this.#generation))
    this.#paused = false
    for (const subscription of this.#followers.values()) this.#subscribe(subscription)
  }

  /** What a stream other than the last one opened brings late is dropped. */
  #handlers (generation: number): StreamHandlers<ReplicateResponse> {
    return {
      message: response => { if (generation === this.#generation) this.#receive(response) },
      close: () => {
        if (generation !== this.#generation) return
        this.#lost()
        this.#retry()
      }
    }
  }

  #lost (): void {
    this.#stream = undefined
    this.#generation++
    if (this.#failingSinceMs < 0) this.#failingSinceMs = this.#host.clock.now()
    for (const subscription of this.#followers.values()) {
      subscription.id = 0
      subscription.due = false
      subscription.follower.unheard()
    }
    this.#byId.clear()
    this.#refused.clear()
    this.#acks = []
  }

  #retry (): void {
    if (this.#closed || this.#reconnectTimer !== undefined) return
    const { clock, rng } = this.#host
    const pauseMs = this.#retryMs * (0.75 + rng.fraction() / 4)
    this.#retryMs = Math.min(this.#retryMs * 2, limits.replicateRetryMsMax)
    this.#reconnectTimer = clock.setTimer(pauseMs, () => { this.#open() })
  }

  brokersChanged (): void {
    const broker = this.#host.broker(this.#brokerId)
    if (broker === undefined || broker.peerAddress === '' || this.idle) return
    if (broker.peerAddress === this.#address && broker.incarnation === this.#incarnation) return
    // Another process: whatever the stream to the old one still does, nobody is at its other end.
    const old = this.#stream
    this.#lost()
    old?.destroy()
    this.#reconnectTimer?.cancel()
    this.#retryMs = retryMsMin
    this.#open()
  }

  throttle (): void {
    const { saturated } = this.#host
    if (this.#stream === undefined || saturated === this.#paused) return
    this.#paused = saturated
    if (!saturated) {
      this.#stream.resume()
      return
    }
    this.#stream.pause()
    this.#host.whenDurable(() => { this.throttle() })
  }

  // Subscriptions

  #subscribe (subscription: Subscription): void {
    if (this.#stream === undefined) return
    const id = this.#nextId++
    subscription.id = id
    this.#byId.set(id, subscription)
    const subscribe = subscription.follower.subscribe(id, this.#host.brokerEpoch)
    subscription.fetchOffset = subscribe.lastEpoch === -1 ? -1 : subscribe.fetchOffset ?? -1
    subscription.acknowledged = subscribe.durableEnd ?? -1
    this.#stream.send({ request: 'subscribe', subscribe })
  }

  #forget (subscription: Subscription): void {
    this.#byId.delete(subscription.id)
    subscription.id = 0
    subscription.follower.unheard()
  }

  #receive (response: ReplicateResponse): void {
    this.#failingSinceMs = -1
    this.#retryMs = retryMsMin
    // Messages of a subscription that is over are dropped here: ids are never used again.
    const subscription = this.#byId.get(response.subscriptionId)
    if (subscription === undefined) return
    const { follower } = subscription
    const wasHeard = follower.isCurrent
    const next = follower.receive(response, this.#host.clock.now())
    switch (next) {
      case 'go-on':
        if (!wasHeard && follower.isCurrent) this.#heard(subscription, response.records?.logStart ?? 0)
        this.throttle()
        return
      case 'row':
        this.#host.adopt(response.row!)
        return
      case 'resubscribe':
        this.#forget(subscription)
        this.#subscribe(subscription)
        return
      case 'retry':
      case 'damaged':
        this.#endSubscription(subscription, response, next)
    }
  }

  /** The first word of the leader: a tail that it cannot compare it has not counted. What is durable is said anew. */
  #heard (subscription: Subscription, logStart: number): void {
    if (subscription.fetchOffset < 0 || subscription.fetchOffset > logStart) return
    subscription.acknowledged = 0
    this.acknowledge(subscription.follower)
  }

  #endSubscription (subscription: Subscription, response: ReplicateResponse, next: 'retry' | 'damaged'): void {
    const { follower, id } = subscription
    this.#forget(subscription)
    const refused = response.refused
    if (refused === undefined) this.#stream?.send({ request: 'unsubscribe', unsubscribe: { subscriptionId: id } })
    if (refused === undefined || next === 'damaged') this.#host.refused(follower, next)
    else if (refused.row !== undefined) {
      // The newer row comes with the refusal, and may end this follower at once.
      this.#host.adopt(refused.row)
    }
    if (this.#followers.get(follower) !== subscription) return
    this.#refused.add(subscription)
    this.#refusedTimer ??= this.#host.clock.setTimer(limits.subscribeRetryMs, () => {
      this.#refusedTimer = undefined
      const again = [...this.#refused]
      this.#refused.clear()
      for (const other of again) if (other.id === 0) this.#subscribe(other)
    })
  }

  // Acknowledgements

  acknowledge (follower: Follower): void {
    const subscription = this.#followers.get(follower)
    if (subscription === undefined || subscription.id === 0 || subscription.due) return
    subscription.due = true
    this.#acks.push(subscription)
    if (this.#flushing) return
    this.#flushing = true
    // One message for everything that one fsync made durable.
    this.#host.clock.defer(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush (): void {
    const due = this.#acks
    this.#acks = []
    const acks = []
    for (const subscription of due) {
      subscription.due = false
      const { durableEnd } = subscription.follower.state
      if (subscription.id === 0 || durableEnd <= subscription.acknowledged) continue
      subscription.acknowledged = durableEnd
      acks.push({ subscriptionId: subscription.id, leaderEpoch: subscription.follower.epoch, durableEnd })
    }
    if (acks.length > 0) this.#stream?.send({ request: 'acks', acks: { acks } })
  }
}
