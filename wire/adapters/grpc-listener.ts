// A gRPC server. It accepts its connections itself and hands them to grpc-js, which has no limit on them.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js'
import { WireError } from '../errors.ts'
import type { Listener, Method, Services, StreamMethod, UnaryMethod } from '../ports.ts'
import { parseAddress } from './address.ts'
import { rpcs } from './descriptors.ts'
import { toStatus, toWireError } from './grpc-errors.ts'
import { serverOptions } from './grpc-options.ts'
import type { GrpcNetOptions } from './grpc-options.ts'
import { GrpcStream } from './grpc-stream.ts'

const identity = (bytes: Buffer): Buffer => bytes

/** Rejects with WireError ADDRESS_IN_USE, or INVALID_REQUEST when nobody may listen there. */
export async function listen (address: string, services: Services, options: GrpcNetOptions): Promise<Listener> {
  const { host, port } = parseAddress(address)
  const grpc = new Server(serverOptions(options))
  for (const method of Object.keys(rpcs) as Method[]) register(grpc, method, services, options)
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure())
  const sockets = new Set<Socket>()
  const acceptor = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    injector.injectConnection(socket)
  })
  acceptor.maxConnections = options.connectionsMax
  acceptor.listen({ host, port })
  try {
    await once(acceptor, 'listening')
  } catch (error) {
    injector.destroy()
    throw listenError(address, error as NodeJS.ErrnoException)
  }
  const bound = acceptor.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: graceMs => closing ??= close(graceMs)
  }

  async function close (graceMs: number): Promise<void> {
    const closed = once(acceptor, 'close')
    acceptor.close()
    grpc.tryShutdown(() => {})
    const timer = setTimeout(() => {
      grpc.forceShutdown()
      for (const socket of sockets) socket.destroy()
    }, graceMs)
    await closed
    clearTimeout(timer)
    injector.destroy()
  }
}

function listenError (address: string, error: NodeJS.ErrnoException): WireError {
  if (error.code === 'EADDRINUSE') {
    return new WireError('ADDRESS_IN_USE', `another process listens at ${address}`, {}, { cause: error })
  }
  return new WireError('INVALID_REQUEST', `cannot listen at ${address}: ${error.message}`, {}, { cause: error })
}

function register (grpc: Server, method: Method, services: Services, options: GrpcNetOptions): void {
  const { path, stream } = rpcs[method]
  if (stream) {
    const service = services.streams?.[method as StreamMethod]
    if (service !== undefined) grpc.register(path, serveStream(method as StreamMethod, service, options), identity, identity, 'bidi')
  } else {
    const service = services.unary?.[method as UnaryMethod]
    if (service !== undefined) grpc.register(path, serveUnary(method as UnaryMethod, service), identity, identity, 'unary')
  }
}

function serveStream<M extends StreamMethod> (method: M, service: NonNullable<NonNullable<Services['streams']>[M]>,
  options: GrpcNetOptions): (call: ServerDuplexStream<Buffer, Buffer>) => void {
  const { request, response } = rpcs[method]
  return call => {
    const stream = new GrpcStream(call, request, response, options.messageBytesMax, error => {
      // grpc-js turns an 'error' into the status of the call.
      call.emit('error', toStatus(error ?? new WireError('UNAVAILABLE')))
    })
    // A stream that was reset ends too, and is said to be cancelled a little later.
    call.on('end', () => setImmediate(() => { if (!call.cancelled) stream.closeIncoming() }))
    call.on('cancelled', () => {
      stream.close(stream.ended ? undefined : new WireError('UNAVAILABLE', 'the caller went away'))
    })
    try {
      stream.start(service(stream, { peer: call.getPeer() }))
    } catch (error) {
      // grpc-js would take it for the caller's problem; it is a failed assertion of ours.
      queueMicrotask(() => { throw error })
    }
  }
}

function serveUnary<M extends UnaryMethod> (method: M, service: NonNullable<NonNullable<Services['unary']>[M]>):
(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void {
  const { request, response } = rpcs[method]
  return (call, callback) => {
    const answer = async (): Promise<Buffer> =>
      response.encode(await service(request.decode(call.request), { peer: call.getPeer() }))
    answer().then(bytes => callback(null, bytes), reason => callback(toStatus(toWireError(reason))))
  }
}
