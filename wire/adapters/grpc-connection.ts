// The shared connection to one address: one session of HTTP/2. It dials when it is made; when it breaks,
// or cannot be made, its calls end and the next call makes another. Waiting between attempts is the
// caller's business.
import { connect, constants } from 'node:http2'
import type {
  ClientHttp2Session, ClientHttp2Stream, ClientSessionRequestOptions, IncomingHttpHeaders
} from 'node:http2'
import { WireError } from '../errors.ts'
import type { Sent } from '../messages.ts'
import type { RequestOf, ResponseOf, Stream, StreamHandlers, StreamMethod, UnaryMethod } from '../ports.ts'
import { rpcs } from './descriptors.ts'
import { fromBreak, fromTrailers } from './grpc-errors.ts'
import { Deframer, frame } from './grpc-frame.ts'
import { keepAlive } from './grpc-keepalive.ts'
import {
  clusterName, connectionWindowBytes, frameBytesMax, headerBytesMax, sessionMemoryMegabytes, streamWindowBytes
} from './grpc-options.ts'
import type { GrpcNetOptions } from './grpc-options.ts'
import { GrpcStream } from './grpc-stream.ts'

/** Breaks one call with an error. */
type Break = (error: WireError) => void

export class GrpcConnection {
  readonly address: string
  readonly #options: GrpcNetOptions
  readonly #cluster: () => string
  readonly #session: ClientHttp2Session
  readonly #changed: (connection: GrpcConnection) => void
  readonly #calls = new Set<Break>()
  readonly #dialTimer: NodeJS.Timeout
  #broken: Error | undefined
  #released = false

  /**
   * @param cluster that the next call is meant for
   * @param changed is called when `released` has become true and when `idle` has after that.
   */
  constructor (address: string, options: GrpcNetOptions, cluster: () => string,
    changed: (connection: GrpcConnection) => void) {
    this.address = address
    this.#options = options
    this.#cluster = cluster
    this.#changed = changed
    this.#session = connect(`http://${address}`, {
      settings: {
        enablePush: false,
        initialWindowSize: streamWindowBytes,
        maxFrameSize: frameBytesMax,
        maxHeaderListSize: headerBytesMax
      },
      maxSessionMemory: sessionMemoryMegabytes
    })
    this.#dialTimer = setTimeout(() => {
      this.#destroy(new Error(`no answer within ${options.connectTimeoutMs} ms`))
    }, options.connectTimeoutMs).unref()
    this.#session.on('connect', () => {
      // The event comes a turn later than the connection: it may have been broken meanwhile.
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(connectionWindowBytes)
    })
    this.#session.once('remoteSettings', () => {
      clearTimeout(this.#dialTimer)
      keepAlive(this.#session, options.keepaliveMs, error => { this.#destroy(error) })
    })
    this.#session.on('error', error => { this.#broken ??= error })
    this.#session.on('goaway', () => { this.release() })
    this.#session.on('close', () => { this.#ended() })
    this.#session.unref()
  }

  /** Takes no more calls. */
  get released (): boolean { return this.#released }
  get idle (): boolean { return this.#calls.size === 0 }
  get full (): boolean { return this.#calls.size >= this.#options.streamsPerConnectionMax }

  open<M extends StreamMethod> (method: M, handlers: StreamHandlers<ResponseOf<M>>): Stream<RequestOf<M>> {
    const { path, request, response } = rpcs[method]
    // Otherwise Node ends a stream before it resets it, and the other side takes that for a clean end.
    const http = this.#request(path, { waitForTrailers: true })
    http.on('wantTrailers', () => { if (!http.closed) http.sendTrailers({}) })
    const stream = new GrpcStream(http, response, request, this.#options.messageBytesMax, () => {
      this.#over(destroy)
      http.close(constants.NGHTTP2_CANCEL)
    })
    const destroy: Break = error => { stream.destroy(error) }
    this.#begin(destroy)
    this.#settle(http, error => {
      this.#over(destroy)
      stream.close(error)
    })
    stream.start(handlers)
    return stream
  }

  call<M extends UnaryMethod> (method: M, request: Sent<RequestOf<M>>, timeoutMs: number): Promise<ResponseOf<M>> {
    // Clients run on Node 20, which has no Promise.withResolvers.
    let resolve!: (response: ResponseOf<M>) => void
    let reject!: (error: Error) => void
    const promise = new Promise<ResponseOf<M>>((yes, no) => { [resolve, reject] = [yes, no] })
    const { path, ...rpc } = rpcs[method]
    const bytes = frame(rpc.request, request, this.#options.messageBytesMax)
    const http = this.#request(path)
    let answer: Buffer | undefined
    const deframer = new Deframer(this.#options.messageBytesMax, message => { answer = message })
    const cancel: Break = error => {
      this.#over(cancel)
      clearTimeout(timer)
      reject(error)
      http.close(constants.NGHTTP2_CANCEL)
    }
    const timer = setTimeout(() => {
      cancel(new WireError('TIMED_OUT', `${this.address} did not answer within ${timeoutMs} ms`))
    }, timeoutMs)
    this.#begin(cancel)
    http.on('data', (chunk: Buffer) => {
      const problem = deframer.push(chunk)
      if (problem !== undefined) cancel(problem)
    })
    this.#settle(http, error => {
      this.#over(cancel)
      clearTimeout(timer)
      if (error !== undefined) return reject(error)
      if (answer === undefined) return reject(new WireError('INTERNAL', `${this.address} answered nothing`))
      try {
        resolve(rpc.response.decode(answer))
      } catch (reason) {
        reject(reason as Error)
      }
    })
    http.end(bytes)
    return promise
  }

  /** No new calls; those that are open go on. Idempotent. */
  release (): void {
    if (this.#released) return
    this.#released = true
    this.#changed(this)
    if (!this.#session.closed) this.#session.close()
  }

  break (error: WireError): void {
    for (const end of [...this.#calls]) end(error)
    this.release()
    this.#destroy(error)
  }

  /** Throws WireError UNAVAILABLE when the session takes no more. */
  #request (path: string, options?: ClientSessionRequestOptions): ClientHttp2Stream {
    const cluster = this.#cluster()
    try {
      return this.#session.request({
        ':method': 'POST',
        ':path': path,
        te: 'trailers',
        'content-type': 'application/grpc+proto',
        ...cluster !== '' && { [clusterName]: cluster }
      }, options)
    } catch (error) {
      this.release()
      throw new WireError('UNAVAILABLE', `${this.address}: ${(error as Error).message}`, {}, { cause: error })
    }
  }

  /**
   * Calls `over` once: when the answer's trailers say how the call went and what came before them has been
   * read, or when the stream breaks.
   */
  #settle (http: ClientHttp2Stream, over: (error: WireError | undefined) => void): void {
    let settled = false
    let succeeded = false
    const settle = (error: WireError | undefined): void => {
      if (settled) return
      settled = true
      over(error)
      // A server may end its side first; then nobody reads what this side still sends.
      if (!http.closed) http.close(constants.NGHTTP2_NO_ERROR)
    }
    const judge = (trailers: IncomingHttpHeaders): void => {
      const error = fromTrailers(trailers, this.address)
      if (error !== undefined || http.readableEnded) settle(error)
      else succeeded = true
    }
    http.on('response', headers => {
      if (headers['grpc-status'] !== undefined) judge(headers)
      else if (headers[':status'] !== 200) {
        settle(new WireError('UNAVAILABLE', `${this.address} answers HTTP ${String(headers[':status'])}`))
      }
    })
    http.on('trailers', judge)
    http.on('end', () => { if (succeeded) settle(undefined) })
    http.on('error', error => { settle(fromBreak(this.#broken ?? error, http.rstCode, this.address)) })
    http.on('close', () => { settle(fromBreak(this.#broken, http.rstCode, this.address)) })
  }

  #begin (call: Break): void {
    if (this.#calls.size === 0) this.#session.ref()
    this.#calls.add(call)
  }

  #over (call: Break): void {
    if (!this.#calls.delete(call) || this.#calls.size > 0) return
    if (!this.#session.destroyed) this.#session.unref()
    if (this.#released) this.#changed(this)
  }

  #destroy (error: Error): void {
    this.#broken ??= error
    this.#session.destroy()
  }

  #ended (): void {
    clearTimeout(this.#dialTimer)
    for (const end of [...this.#calls]) end(fromBreak(this.#broken, undefined, this.address))
    this.release()
  }
}
