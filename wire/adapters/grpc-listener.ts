// A gRPC server on node:http2, with a limit on everything that a client can make it keep.
import { once } from 'node:events'
import { constants, createServer } from 'node:http2'
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { WireError } from '../errors.ts'
import type { CallContext, Listener, ListenOptions, Method, Services } from '../ports.ts'
import { bracketed, listenOptions } from '../address.ts'
import { rpcs } from './descriptors.ts'
import { GrpcCall } from './grpc-call.ts'
import { keepAlive } from './grpc-keepalive.ts'
import {
  clusterName, connectionWindowBytes, frameBytesMax, headerBytesMax, sessionMemoryMegabytes, streamWindowBytes
} from './grpc-options.ts'
import type { GrpcNetOptions } from './grpc-options.ts'

const methods = new Map<string, Method>(
  (Object.keys(rpcs) as Method[]).map(method => [rpcs[method].path, method]))

/** Rejects with WireError ADDRESS_IN_USE, or INVALID_REQUEST when nobody may listen there. */
export async function listen (address: string, services: Services, options: GrpcNetOptions,
  terms: Required<ListenOptions>): Promise<Listener> {
  const listener = new GrpcListener(services, options, terms)
  await listener.listen(address)
  return listener
}

class GrpcListener implements Listener {
  readonly #services: Services
  readonly #options: GrpcNetOptions
  readonly #terms: Required<ListenOptions>
  readonly #server: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new Set<Socket>()
  readonly #calls = new Set<GrpcCall>()
  readonly #sweep: NodeJS.Timeout
  #closing: Promise<void> | undefined
  address = ''

  constructor (services: Services, options: GrpcNetOptions, terms: Required<ListenOptions>) {
    this.#services = services
    this.#options = options
    this.#terms = terms
    this.#server = createServer({
      settings: {
        initialWindowSize: streamWindowBytes,
        maxFrameSize: frameBytesMax,
        maxHeaderListSize: headerBytesMax,
        maxConcurrentStreams: options.streamsPerConnectionMax
      },
      maxSessionMemory: sessionMemoryMegabytes
    })
    this.#server.maxConnections = options.connectionsMax
    this.#server.on('connection', (socket: Socket) => { this.#hold(socket) })
    this.#server.on('session', session => { this.#accept(session) })
    this.#server.on('stream', (stream, headers) => { this.#serve(stream, headers) })
    this.#server.on('sessionError', () => { /* 'close' of the session ends its calls */ })
    this.#sweep = setInterval(() => {
      for (const call of this.#calls) call.checkDeadline()
    }, options.messageDeadlineMs / 2).unref()
  }

  async listen (address: string): Promise<void> {
    this.#server.listen(listenOptions(address))
    try {
      await once(this.#server, 'listening')
    } catch (error) {
      clearInterval(this.#sweep)
      throw listenError(address, error as NodeJS.ErrnoException)
    }
    const bound = this.#server.address() as AddressInfo
    this.address = `${bracketed(bound.address)}:${bound.port}`
  }

  async close (graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs)
    await this.#closing
  }

  async #close (graceMs: number): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const session of this.#sessions) session.close()
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
      for (const socket of this.#sockets) socket.destroy()
    }, graceMs)
    await closed
    clearTimeout(timer)
    clearInterval(this.#sweep)
  }

  #hold (socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => { this.#sockets.delete(socket) })
  }

  #accept (session: ServerHttp2Session): void {
    this.#sessions.add(session)
    if (!session.destroyed) session.setLocalWindowSize(connectionWindowBytes)
    keepAlive(session, this.#terms.keepaliveMs, () => { session.destroy() })
    let calls = 0
    session.on('stream', stream => {
      calls++
      stream.once('close', () => { calls-- })
    })
    session.setTimeout(this.#options.idleMs, () => { if (calls === 0) session.destroy() })
    session.once('close', () => { this.#sessions.delete(session) })
  }

  #serve (http: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // What breaks a stream shows in its 'close'.
    http.on('error', () => {})
    const isGrpc = headers[':method'] === 'POST' && headers['content-type']?.startsWith('application/grpc') === true
    if (!isGrpc) {
      http.respond({ ':status': constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE }, { endStream: true })
      return
    }
    const path = headers[':path'] ?? ''
    const method = methods.get(path)
    const call = new GrpcCall(http, this.#options)
    this.#calls.add(call)
    http.once('close', () => { this.#calls.delete(call) })
    const meant = headers[clusterName]
    if (meant !== undefined && !isOneOf(this.#terms.clusters, meant)) {
      call.fail(new WireError('WRONG_BROKER', `this is a broker of ${this.#terms.clusters[0]}, not of ${
        String(meant).slice(0, 100)}`))
      return
    }
    if (method === undefined || !call.serve(method, this.#services, contextOf(http))) {
      call.fail(new WireError('UNIMPLEMENTED', `there is no ${path.slice(0, 100)} here`))
    }
  }
}

/** A listener that belongs to no cluster serves everybody. */
function isOneOf (clusters: readonly string[], meant: string | string[]): boolean {
  return clusters.length === 0 || clusters.includes(String(meant))
}

function contextOf ({ session }: ServerHttp2Stream): CallContext {
  const { remoteAddress = '', remotePort = 0 } = session?.socket ?? {}
  // One of IPv4 as a listener for both says it.
  return { peer: `${bracketed(remoteAddress.replace(/^::ffff:/, ''))}:${remotePort}` }
}

function listenError (address: string, error: NodeJS.ErrnoException): WireError {
  if (error.code === 'EADDRINUSE') {
    return new WireError('ADDRESS_IN_USE', `another process listens at ${address}`, {}, { cause: error })
  }
  return new WireError('INVALID_REQUEST', `cannot listen at ${address}: ${error.message}`, {}, { cause: error })
}
