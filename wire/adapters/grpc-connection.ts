// One channel of grpc-js: the shared connection to one address. It is let go of as soon as a dial fails,
// so that grpc-js' own backoff never stands between a caller's new attempt and a broker that is back.
import { Client, connectivityState, credentials, Metadata, status } from '@grpc/grpc-js'
import type { ServiceError, StatusObject } from '@grpc/grpc-js'
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { RequestOf, ResponseOf, Stream, StreamHandlers, StreamMethod, UnaryMethod } from '../ports.ts'
import { rpcs } from './descriptors.ts'
import { fromStatus } from './grpc-errors.ts'
import { channelOptions } from './grpc-options.ts'
import type { GrpcNetOptions } from './grpc-options.ts'
import { GrpcStream } from './grpc-stream.ts'

const noMetadata = new Metadata()
const identity = (bytes: Buffer): Buffer => bytes

/** Breaks one call with an error. */
type Break = (error: WireError) => void

export class GrpcConnection {
  readonly address: string
  readonly #options: GrpcNetOptions
  readonly #client: Client
  readonly #changed: (connection: GrpcConnection) => void
  readonly #calls = new Set<Break>()
  #dialing = false
  #released = false

  /** @param changed is called when `released` has become true and when `idle` has after that. */
  constructor (address: string, options: GrpcNetOptions, changed: (connection: GrpcConnection) => void) {
    this.address = address
    this.#options = options
    this.#changed = changed
    this.#client = new Client(address, credentials.createInsecure(), channelOptions(options))
  }

  /** Takes no more calls. */
  get released (): boolean { return this.#released }
  get idle (): boolean { return this.#calls.size === 0 }

  get full (): boolean {
    return this.#calls.size >= this.#options.streamsPerConnectionMax
  }

  open<M extends StreamMethod> (method: M, handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>> {
    const { path, request, response } = rpcs[method]
    const call = this.#client.makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity, noMetadata)
    const stream = new GrpcStream(call, response, request, this.#options.messageBytesMax, () => {
      this.#over(destroy)
      call.cancel()
    })
    const destroy: Break = error => stream.destroy(error)
    this.#calls.add(destroy)
    // 'status' says everything that 'error' does.
    call.on('error', () => {})
    call.on('status', (ending: StatusObject) => {
      this.#over(destroy)
      if (ending.code !== status.OK) stream.close(this.#failure(ending))
      else if (call.readableEnded) stream.close(undefined)
      else call.on('end', () => stream.close(undefined))
    })
    stream.start(handlers)
    this.#dial()
    return stream
  }

  call<M extends UnaryMethod> (method: M, request: Sent<RequestOf<M>>, timeoutMs: number): Promise<ResponseOf<M>> {
    const { promise, resolve, reject } = Promise.withResolvers<ResponseOf<M>>()
    const { path, ...rpc } = rpcs[method]
    const bytes = rpc.request.encode(request)
    const answered = (error: ServiceError | null, answer: Buffer | undefined): void => {
      this.#over(cancel)
      if (error !== null) return reject(this.#failure(error))
      try {
        resolve(rpc.response.decode(answer ?? Buffer.alloc(0)))
      } catch (reason) {
        reject(reason as Error)
      }
    }
    const call = this.#client.makeUnaryRequest<Buffer, Buffer>(path, identity, identity, bytes,
      noMetadata, { deadline: Date.now() + timeoutMs }, answered)
    const cancel: Break = error => {
      this.#over(cancel)
      reject(error)
      call.cancel()
    }
    this.#calls.add(cancel)
    this.#dial()
    return promise
  }

  /** No new calls; those that are open go on. Idempotent. */
  release (): void {
    if (this.#released) return
    this.#released = true
    this.#client.close()
    this.#changed(this)
  }

  break (error: WireError): void {
    for (const end of [...this.#calls]) end(error)
    this.release()
  }

  #over (call: Break): void {
    if (this.#calls.delete(call) && this.#released && this.idle) this.#changed(this)
  }

  #failure (ending: StatusObject): WireError {
    if (this.#released) return fromStatus(ending, this.address)
    const state = this.#client.getChannel().getConnectivityState(false)
    if (state === connectivityState.TRANSIENT_FAILURE) this.release()
    return fromStatus(ending, this.address)
  }

  /** Watches over the dial that the call before it has begun, if there was no connection. */
  #dial (): void {
    if (this.#dialing || this.#released) return
    if (this.#client.getChannel().getConnectivityState(false) === connectivityState.READY) return
    this.#dialing = true
    const { connectTimeoutMs } = this.#options
    this.#client.waitForReady(Date.now() + connectTimeoutMs, error => {
      this.#dialing = false
      if (error === undefined || this.#released) return
      this.break(new WireError('UNAVAILABLE', `${this.address} did not answer within ${connectTimeoutMs} ms`))
    })
  }
}
