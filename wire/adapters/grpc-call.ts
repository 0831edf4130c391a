// The accepting side of one gRPC call.
import { constants } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import { WireError } from '../errors.ts'
import type { CallContext, Method, Services, StreamMethod, UnaryMethod } from '../ports.ts'
import { rpcs } from './descriptors.ts'
import { toTrailers, toWireError } from './grpc-errors.ts'
import { Deframer, frame } from './grpc-frame.ts'
import type { GrpcNetOptions } from './grpc-options.ts'
import { GrpcStream } from './grpc-stream.ts'

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc+proto' }
/** For trailers to reach a client that may not read. */
const lingerMs = 1_000

export class GrpcCall {
  readonly #http: ServerHttp2Stream
  readonly #options: GrpcNetOptions
  #held: () => number = () => 0
  /** What was held at the last sweep. */
  #heldSince: { readonly bytes: number, readonly at: number } | undefined
  #error: WireError | undefined

  constructor (http: ServerHttp2Stream, options: GrpcNetOptions) {
    this.#http = http
    this.#options = options
  }

  /** False when the method is not served. */
  serve (method: Method, services: Services, context: CallContext): boolean {
    return rpcs[method].stream
      ? this.#serveStream(method as StreamMethod, services.streams ?? {}, context)
      : this.#serveUnary(method as UnaryMethod, services.unary ?? {}, context)
  }

  /** Ends the call with an error, which the client gets if it reads. */
  fail (error: WireError): void {
    const http = this.#http
    if (http.closed || http.destroyed) return
    if (!http.headersSent) {
      http.respond({ ...responseHeaders, ...toTrailers(error) }, { endStream: true })
    } else {
      this.#error = error
      http.end()
    }
    // What the client still sends is read and dropped, for a moment.
    http.resume()
    setTimeout(() => { http.close(constants.NGHTTP2_CANCEL) }, lingerMs).unref()
  }

  /** Ends a call whose message began long ago and is not whole. */
  checkDeadline (): void {
    const bytes = this.#held()
    const now = performance.now()
    if (bytes === 0) this.#heldSince = undefined
    else if (this.#heldSince === undefined) this.#heldSince = { bytes, at: now }
    else if (now - this.#heldSince.at >= this.#options.messageDeadlineMs) {
      this.#http.close(constants.NGHTTP2_CANCEL)
    }
  }

  #respond (): void {
    const http = this.#http
    http.on('wantTrailers', () => { http.sendTrailers(toTrailers(this.#error)) })
    http.respond(responseHeaders, { waitForTrailers: true })
  }

  #serveStream<M extends StreamMethod> (method: M, services: NonNullable<Services['streams']>,
    context: CallContext): boolean {
    const service = services[method]
    if (service === undefined) return false
    const http = this.#http
    const { request, response } = rpcs[method]
    this.#respond()
    const stream = new GrpcStream(http, request, response, this.#options.messageBytesMax, error => {
      this.fail(error ?? new WireError('UNAVAILABLE'))
    })
    this.#held = () => stream.held
    // Node ends a stream that it resets: both arrive together, the end a little sooner.
    http.on('end', () => setImmediate(() => { if (!http.closed) stream.closeIncoming() }))
    http.on('close', () => {
      stream.close(stream.ended ? undefined : new WireError('UNAVAILABLE', 'the caller went away'))
    })
    stream.start(service(stream, context))
    return true
  }

  #serveUnary<M extends UnaryMethod> (method: M, services: NonNullable<Services['unary']>,
    context: CallContext): boolean {
    const service = services[method]
    if (service === undefined) return false
    const http = this.#http
    const { request, response } = rpcs[method]
    const { messageBytesMax } = this.#options
    let asked: Buffer | undefined
    const deframer = new Deframer(messageBytesMax, message => { asked ??= message })
    this.#held = () => deframer.held
    const answer = async (): Promise<Buffer> => {
      if (asked === undefined) throw new WireError('INVALID_REQUEST', 'a call without a request')
      return frame(response, await service(request.decode(asked), context), messageBytesMax)
    }
    http.on('data', (chunk: Buffer) => {
      const problem = deframer.push(chunk)
      if (problem !== undefined) this.fail(problem)
    })
    http.on('end', () => {
      if (http.aborted || http.headersSent) return
      answer().then(bytes => {
        if (http.closed || http.destroyed) return
        this.#respond()
        http.end(bytes)
      }, (reason: unknown) => { this.fail(toWireError(reason)) })
    })
    return true
  }
}
