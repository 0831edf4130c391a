// The Produce stream to one broker. It opens when something is sent and again after it broke; what was
// on it then fails with the reason and is sent again by the lanes, in order.
import { WireError } from '../wire/errors.ts'
import type { ProduceRequest, ProduceResponse } from '../wire/messages.ts'
import type { Clock, Net, Rng, Stream, Timer } from '../wire/ports.ts'
import { Backoff } from './backoff.ts'
import { channelPauseMsMax } from './limits.ts'
import type { ProduceBatch } from './produce-batch.ts'

/** Who sends batches: a partition of the producer. */
export interface BatchOwner {
  acknowledged (batch: ProduceBatch, baseOffset: number): void
  refused (batch: ProduceBatch, error: WireError): void
  /** The channel takes more again. */
  pump (): void
}

interface Pending {
  readonly owner: BatchOwner
  readonly batch: ProduceBatch
}

const CORRELATION_IDS = 2 ** 32

export class ProduceChannel {
  readonly address: string
  readonly #net: Net
  readonly #clock: Clock
  #stream: Stream<ProduceRequest> | undefined
  /** Counts streams: what an earlier one still says is not listened to. */
  #generation = 0
  #nextId = 0
  #writable = true
  /** In the order of sending. */
  readonly #pending = new Map<number, Pending>()
  readonly #blocked = new Set<BatchOwner>()
  readonly #backoff: Backoff
  /** Nobody listens there: until it fires nothing is sent, and then everything that waits on one stream. */
  #rest: Timer | undefined

  constructor (net: Net, clock: Clock, rng: Rng, address: string) {
    this.#net = net
    this.#clock = clock
    this.address = address
    this.#backoff = new Backoff(rng, channelPauseMsMax)
  }

  get isIdle (): boolean { return this.#pending.size === 0 }

  /** False: the broker takes no more for now, and `owner.pump` is called when it does. */
  isWritable (owner: BatchOwner): boolean {
    const writable = this.#writable && this.#rest === undefined
    if (!writable) this.#blocked.add(owner)
    return writable
  }

  send (owner: BatchOwner, batch: ProduceBatch, request: Omit<ProduceRequest, 'correlationId'>): void {
    this.#stream ??= this.#open()
    const correlationId = this.#nextId
    this.#nextId = (this.#nextId + 1) % CORRELATION_IDS
    this.#pending.set(correlationId, { owner, batch })
    batch.sentAt = this.#clock.now()
    if (!this.#stream.send({ ...request, correlationId })) this.#writable = false
  }

  #open (): Stream<ProduceRequest> {
    const generation = ++this.#generation
    const current = (): boolean => generation === this.#generation
    return this.#net.open(this.address, 'Produce', {
      message: response => { if (current()) this.#answered(response) },
      drain: () => { if (current()) this.#drained() },
      // Later, since a stream may fail while it is being opened.
      close: error => { this.#clock.defer(() => { if (current()) this.#broken(error) }) }
    })
  }

  #answered (response: ProduceResponse): void {
    this.#backoff.reset()
    const pending = this.#pending.get(response.correlationId)
    // The lane may have given up on it.
    if (pending === undefined) return
    this.#pending.delete(response.correlationId)
    const { owner, batch } = pending
    if (response.error === undefined) owner.acknowledged(batch, response.baseOffset)
    else owner.refused(batch, WireError.fromDetail(response.error))
  }

  #drained (): void {
    this.#writable = true
    const blocked = [...this.#blocked]
    this.#blocked.clear()
    for (const owner of blocked) owner.pump()
  }

  #broken (error: WireError | undefined): void {
    this.#generation++
    this.#stream = undefined
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    this.#writable = true
    // Each partition for itself would dial as often as there are partitions.
    if (error?.code === 'CONNECTION_REFUSED') this.#takeRest()
    const cause = error ?? new WireError('UNAVAILABLE', `broker ${this.address} closed the stream`)
    for (const { owner, batch } of pending) owner.refused(batch, asRetriable(cause))
    if (this.#rest === undefined) this.#drained()
  }

  #takeRest (): void {
    this.#rest ??= this.#clock.setTimer(this.#backoff.next(), () => {
      this.#rest = undefined
      this.#drained()
    })
  }

  /** Forgets a batch: its answer, if one comes, means nothing any more. */
  abandon (batch: ProduceBatch): void {
    for (const [id, pending] of this.#pending) {
      if (pending.batch === batch) this.#pending.delete(id)
    }
  }

  /** When the oldest unanswered batch was sent; undefined for none. */
  oldestSentAt (): number | undefined {
    for (const { batch } of this.#pending.values()) return batch.sentAt
    return undefined
  }

  /** Breaks the stream; what is on it fails with `error`. */
  break (error: WireError): void {
    const stream = this.#stream
    this.#stream = undefined
    stream?.destroy(error)
    this.#broken(error)
  }

  /** Nothing more is sent. */
  end (): void {
    this.#rest?.cancel()
    this.#rest = undefined
    const stream = this.#stream
    this.#stream = undefined
    stream?.end()
  }
}

/** A stream's end says nothing about the batches on it: each may be sent again (KIP-98). */
function asRetriable (error: WireError): WireError {
  return error.retriable ? error : new WireError('UNAVAILABLE', error.message, error.detail, { cause: error })
}
