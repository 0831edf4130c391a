// One side of a stream over a grpc-js call. Encoding is done here, not in grpc-js, so that what cannot be
// decoded is a typed error and back-pressure counts bytes instead of messages.
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { Stream, StreamHandlers } from '../ports.ts'
import type { Codec } from './codec.ts'

/** `send` answers false above this, and `drain` comes below half of it. */
const pendingBytesMax = 1024 * 1024
const pendingMessagesMax = 4096

/** What both kinds of grpc-js calls have. */
interface Messages {
  write (bytes: Buffer, written: () => void): boolean
  end (): void
  on (event: 'data', received: (bytes: Buffer) => void): unknown
  pause (): unknown
  resume (): unknown
}

export class GrpcStream<In extends object, Out extends object> implements Stream<Out> {
  readonly #duplex: Messages
  readonly #incoming: Codec<In>
  readonly #outgoing: Codec<Out>
  readonly #messageBytesMax: number
  readonly #breakCall: (error: WireError | undefined) => void
  #handlers: StreamHandlers<In> | undefined
  /** `handlers.close` was called, or is about to be. */
  #closed = false
  #ended = false
  /** Nothing can be sent any more. */
  #over = false
  #wantsDrain = false
  #pendingBytes = 0
  /** Sizes of the messages that grpc-js has not passed on yet, oldest first. */
  readonly #pending: number[] = []

  /** @param breakCall tells the other side, by whatever means this side of a call has. */
  constructor (duplex: Messages, incoming: Codec<In>, outgoing: Codec<Out>,
    messageBytesMax: number, breakCall: (error: WireError | undefined) => void) {
    this.#duplex = duplex
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#messageBytesMax = messageBytesMax
    this.#breakCall = breakCall
  }

  /** Until then nothing is delivered. */
  start (handlers: StreamHandlers<In>): void {
    this.#handlers = handlers
    this.#duplex.on('data', this.#received)
  }

  send (message: Sent<Out>): boolean {
    if (this.#over) return true
    const bytes = this.#outgoing.encode(message)
    if (bytes.length > this.#messageBytesMax) {
      this.destroy(new WireError('RECORD_TOO_LARGE',
        `a message of ${bytes.length} bytes; the limit is ${this.#messageBytesMax}`))
      return true
    }
    this.#pendingBytes += bytes.length
    this.#pending.push(bytes.length)
    this.#duplex.write(bytes, this.#written)
    this.#wantsDrain ||= this.#pendingBytes >= pendingBytesMax || this.#pending.length >= pendingMessagesMax
    return !this.#wantsDrain
  }

  end (): void {
    if (this.#over) return
    this.#over = true
    this.#ended = true
    this.#duplex.end()
  }

  destroy (error?: WireError): void {
    if (this.#closed && this.#over) return
    this.#over = true
    this.#breakCall(error)
    this.#duplex.resume()
    if (this.#closed) return
    this.#closed = true
    // Later, because whoever destroys is in the middle of something, and may not have handlers yet.
    queueMicrotask(() => this.#handlers?.close(error ?? new WireError('CANCELLED')))
  }

  pause (): void {
    if (!this.#closed) this.#duplex.pause()
  }

  resume (): void {
    this.#duplex.resume()
  }

  /** Did this side end it? */
  get ended (): boolean { return this.#ended }

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

  readonly #written = (): void => {
    this.#pendingBytes -= this.#pending.shift() ?? 0
    if (!this.#wantsDrain || this.#pendingBytes > pendingBytesMax / 2 ||
      this.#pending.length > pendingMessagesMax / 2) return
    this.#wantsDrain = false
    if (!this.#closed) this.#handlers?.drain?.()
  }
}
