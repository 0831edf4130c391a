// One side of a gRPC stream on a stream of HTTP/2.
import type { Http2Stream } from 'node:http2'
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { Stream, StreamHandlers } from '../ports.ts'
import type { Codec } from './codec.ts'
import { Deframer, frame } from './grpc-frame.ts'

/** `send` answers false above this; `drain` comes when all of it has gone. */
const pendingBytesMax = 1024 * 1024

export class GrpcStream<In extends object, Out extends object> implements Stream<Out> {
  readonly #http: Http2Stream
  readonly #incoming: Codec<In>
  readonly #outgoing: Codec<Out>
  readonly #messageBytesMax: number
  readonly #breakCall: (error: WireError | undefined) => void
  readonly #deframer: Deframer
  #handlers: StreamHandlers<In> | undefined
  /** `handlers.close` was called, or is about to be. */
  #closed = false
  #ended = false
  /** Nothing can be sent any more. */
  #over = false
  #wantsDrain = false
  #corked = false

  /** @param breakCall tells the other side, by whatever means this side of a call has. */
  constructor (http: Http2Stream, incoming: Codec<In>, outgoing: Codec<Out>, messageBytesMax: number,
    breakCall: (error: WireError | undefined) => void) {
    this.#http = http
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#messageBytesMax = messageBytesMax
    this.#breakCall = breakCall
    this.#deframer = new Deframer(messageBytesMax, this.#received)
    http.on('drain', this.#drained)
  }

  /** Until then nothing is delivered. */
  start (handlers: StreamHandlers<In>): void {
    this.#handlers = handlers
    this.#http.on('data', this.#arrived)
  }

  /** Did this side end it? */
  get ended (): boolean { return this.#ended }

  /** Bytes of a message that has begun to arrive. */
  get held (): number { return this.#deframer.held }

  send (message: Sent<Out>): boolean {
    if (this.#over) return true
    let bytes: Buffer
    try {
      bytes = frame(this.#outgoing, message, this.#messageBytesMax)
    } catch (error) {
      if (!(error instanceof WireError && error.code === 'RECORD_TOO_LARGE')) throw error
      this.destroy(error)
      return true
    }
    this.#cork()
    this.#http.write(bytes)
    this.#wantsDrain ||= this.#http.writableLength >= pendingBytesMax
    return !this.#wantsDrain
  }

  end (): void {
    if (this.#over) return
    this.#over = true
    this.#ended = true
    this.#http.end()
  }

  destroy (error?: WireError): void {
    if (this.#closed && this.#over) return
    this.#over = true
    this.#breakCall(error)
    this.#http.resume()
    if (this.#closed) return
    this.#closed = true
    // Later, because whoever destroys is in the middle of something, and may not have handlers yet.
    queueMicrotask(() => this.#handlers?.close(error ?? new WireError('CANCELLED')))
  }

  pause (): void {
    if (!this.#closed) this.#http.pause()
  }

  resume (): void {
    this.#http.resume()
  }

  /** The other side will send no more. Idempotent. */
  closeIncoming (): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.close(undefined)
  }

  /** The call is over, both ways. Idempotent. */
  close (error: WireError | undefined): void {
    this.#over = true
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.close(error)
  }

  /** Messages that are sent in one turn go out in one write. */
  #cork (): void {
    if (this.#corked) return
    this.#corked = true
    this.#http.cork()
    process.nextTick(this.#uncork)
  }

  readonly #uncork = (): void => {
    this.#corked = false
    this.#http.uncork()
  }

  readonly #arrived = (chunk: Buffer): void => {
    if (this.#closed) return
    const problem = this.#deframer.push(chunk)
    if (problem !== undefined) this.destroy(problem)
  }

  readonly #received = (bytes: Buffer): void => {
    if (this.#closed) return
    let message: In
    try {
      message = this.#incoming.decode(bytes)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.destroy(error)
      return
    }
    this.#handlers?.message(message)
  }

  readonly #drained = (): void => {
    if (!this.#wantsDrain) return
    this.#wantsDrain = false
    if (!this.#closed) this.#handlers?.drain?.()
  }
}
