// Produce: batches in, answers out when they are committed.
import * as limits from '../limits.ts'
import type { ProduceRequest, ProduceResponse } from '../../wire/messages.ts'
import type { Services, Stream, StreamHandlers } from '../../wire/ports.ts'
import type { Partitions } from '../partition/contract.ts'

export function produceServices (partitions: Partitions): Services {
  return { streams: { Produce: stream => new ProduceStream(partitions, stream) } }
}

class ProduceStream implements StreamHandlers<ProduceRequest> {
  readonly #partitions: Partitions
  readonly #stream: Stream<ProduceResponse>
  #pending = 0
  #pendingBytes = 0
  /** The client does not take its answers as fast as they come. */
  #blocked = false
  #paused = false
  #ended = false

  constructor (partitions: Partitions, stream: Stream<ProduceResponse>) {
    this.#partitions = partitions
    this.#stream = stream
  }

  message ({ correlationId, topic, topicId, partition, batch }: ProduceRequest): void {
    const bytes = batch.length
    this.#pending++
    this.#pendingBytes += bytes
    this.#partitions.append({ topic, topicId, partition }, batch, (error, baseOffset, leaderEpoch) => {
      this.#pending--
      this.#pendingBytes -= bytes
      const answer = error === undefined
        ? { correlationId, baseOffset, leaderEpoch }
        : { correlationId, error: error.toDetail(), baseOffset: -1, leaderEpoch: -1 }
      if (!this.#stream.send(answer)) this.#blocked = true
      this.#throttle()
      this.#endWhenDone()
    })
    this.#throttle()
  }

  drain (): void {
    this.#blocked = false
    this.#throttle()
  }

  close (): void {
    this.#ended = true
    this.#endWhenDone()
  }

  /** The client may end its side first: what is under way is answered still. */
  #endWhenDone (): void {
    if (this.#ended && this.#pending === 0) this.#stream.end()
  }

  #throttle (): void {
    // Once paused, half of it must be answered before more is read.
    const share = this.#paused ? 0.5 : 1
    const tooMuch = this.#blocked || this.#pendingBytes > limits.producePendingBytesPerStreamMax * share ||
      this.#pending > limits.producePendingPerStreamMax * share
    if (tooMuch === this.#paused) return
    this.#paused = tooMuch
    if (tooMuch) this.#stream.pause()
    else this.#stream.resume()
  }
}
