// Fetch: a subscription per partition; committed batches are pushed while it has credit.
import * as limits from '../limits.ts'
import { WireError } from '../../wire/errors.ts'
import type { FetchRequest, FetchRequest_Subscribe, FetchResponse } from '../../wire/messages.ts'
import type { Services, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { FetchResult, PartitionRef, Partitions } from '../partition/contract.ts'
import { offsetAfter } from '../partition/feeder.ts'

export function fetchServices (partitions: Partitions): Services {
  return { streams: { Fetch: stream => new FetchStream(partitions, stream) } }
}

interface Subscription {
  readonly id: number
  readonly ref: PartitionRef
  /** As the client said, until the first read: what this leader gave is good in its later epochs too. */
  leaderEpoch: number
  readonly fromFollower: boolean
  offset: number
  creditBytes: number
  /** A read is under way. */
  reading: boolean
  /** In the queue of those that may go on. */
  queued: boolean
  /** The partition changed since the read began. */
  changed: boolean
  /** The high watermark as last sent; -1: nothing was sent yet. */
  sentHighWatermark: number
  cancel: (() => void) | undefined
  ended: boolean
}

class FetchStream implements StreamHandlers<FetchRequest> {
  readonly #partitions: Partitions
  readonly #stream: Stream<FetchResponse>
  readonly #subscriptions = new Map<number, Subscription>()
  /** Those that may read, in turn: none overtakes another when the client is slow. */
  #queue: Subscription[] = []
  #reading = 0
  #blocked = false
  #closed = false

  constructor (partitions: Partitions, stream: Stream<FetchResponse>) {
    this.#partitions = partitions
    this.#stream = stream
  }

  message (request: FetchRequest): void {
    if (this.#closed) return
    if (request.subscribe !== undefined) this.#subscribe(request.subscribe)
    else if (request.credit !== undefined) this.#credit(request.credit.subscriptionId, request.credit.bytes)
    else if (request.unsubscribe !== undefined) this.#end(this.#subscriptions.get(request.unsubscribe.subscriptionId))
    else this.#break('a request of an unknown kind')
  }

  drain (): void {
    this.#blocked = false
    this.#run()
  }

  close (): void {
    this.#closed = true
    for (const subscription of [...this.#subscriptions.values()]) this.#end(subscription)
    this.#stream.end()
  }

  #break (reason: string): void {
    this.#stream.destroy(new WireError('INVALID_REQUEST', reason))
    this.close()
  }

  #subscribe (request: FetchRequest_Subscribe): void {
    const { subscriptionId: id, topic, topicId, partition, offset, leaderEpoch, fromFollower } = request
    if (this.#subscriptions.has(id)) {
      this.#break(`subscription ${id} is in use`)
      return
    }
    if (this.#subscriptions.size >= limits.subscriptionsPerStreamMax) {
      this.#refuse(id, new WireError('BROKER_BUSY', 'too many subscriptions on one stream'))
      return
    }
    if (offset < 0) {
      this.#refuse(id, new WireError('INVALID_REQUEST', `offset ${offset}`))
      return
    }
    const subscription: Subscription = {
      id,
      ref: { topic, topicId, partition },
      leaderEpoch,
      fromFollower,
      offset,
      creditBytes: 0,
      reading: false,
      queued: false,
      changed: false,
      sentHighWatermark: -1,
      cancel: undefined,
      ended: false
    }
    this.#subscriptions.set(id, subscription)
    this.#add(subscription, request.creditBytes)
  }

  #credit (id: number, bytes: number): void {
    const subscription = this.#subscriptions.get(id)
    // Credit for a subscription that has just ended with an error crosses it on the way.
    if (subscription !== undefined) this.#add(subscription, bytes)
  }

  #add (subscription: Subscription, bytes: number): void {
    if (bytes < 0) {
      this.#break('negative credit')
      return
    }
    subscription.creditBytes = Math.min(subscription.creditBytes + bytes, limits.fetchCreditBytesMax)
    this.#wake(subscription)
  }

  #wake (subscription: Subscription): void {
    if (subscription.ended || subscription.queued || subscription.reading || subscription.creditBytes <= 0) return
    subscription.queued = true
    this.#queue.push(subscription)
    this.#run()
  }

  #run (): void {
    while (!this.#blocked && !this.#closed && this.#reading < limits.fetchReadsPerStreamMax) {
      const subscription = this.#queue.shift()
      if (subscription === undefined) return
      subscription.queued = false
      if (!subscription.ended) this.#read(subscription)
    }
  }

  #read (subscription: Subscription): void {
    const { ref, offset, leaderEpoch, fromFollower } = subscription
    subscription.reading = true
    subscription.changed = false
    this.#reading++
    // Before the read: what changes while it runs must not be missed.
    subscription.cancel ??= this.#partitions.whenChanged(ref, () => {
      subscription.cancel = undefined
      subscription.changed = true
      this.#wake(subscription)
    })
    const bytesMax = Math.min(subscription.creditBytes, limits.fetchBytesPerMessageMax)
    this.#partitions.fetch(ref, offset, leaderEpoch, bytesMax, fromFollower).then(
      result => {
        this.#readDone(subscription)
        if (!subscription.ended) this.#deliver(subscription, result)
        this.#run()
      },
      (error: unknown) => {
        this.#readDone(subscription)
        if (!subscription.ended) {
          this.#end(subscription)
          this.#refuse(subscription.id, error instanceof WireError ? error : new WireError('INTERNAL', String(error)))
        }
        this.#run()
      })
  }

  #readDone (subscription: Subscription): void {
    subscription.reading = false
    this.#reading--
  }

  #deliver (subscription: Subscription, result: FetchResult): void {
    const { records, highWatermark } = result
    subscription.leaderEpoch = -1
    if (records.length === 0) {
      if (highWatermark !== subscription.sentHighWatermark) this.#send(subscription, result)
      // The end: whenChanged goes on from here.
      if (subscription.changed) this.#wake(subscription)
      return
    }
    subscription.offset = offsetAfter(records)
    subscription.creditBytes -= records.length
    this.#send(subscription, result)
    this.#wake(subscription)
  }

  #send (subscription: Subscription, { records, highWatermark, logStart, leaderEpoch }: FetchResult): void {
    subscription.sentHighWatermark = highWatermark
    const message = { subscriptionId: subscription.id, records, highWatermark, logStart, leaderEpoch }
    if (!this.#stream.send(message)) this.#blocked = true
  }

  #refuse (subscriptionId: number, error: WireError): void {
    if (!this.#stream.send({ subscriptionId, error: error.toDetail() })) this.#blocked = true
  }

  #end (subscription: Subscription | undefined): void {
    if (subscription === undefined || subscription.ended) return
    subscription.ended = true
    subscription.cancel?.()
    this.#subscriptions.delete(subscription.id)
  }
}
