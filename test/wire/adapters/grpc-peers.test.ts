// GrpcNet beside others: the reference implementation of gRPC, and peers that mean no good.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Stream } from 'node:http2'
import { connect, createServer, Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { rpcs } from '../../../wire/adapters/descriptors.ts'
import { GrpcNet } from '../../../wire/adapters/grpc-net.ts'
import type { GrpcNetOptions } from '../../../wire/adapters/grpc-options.ts'
import { WireError } from '../../../wire/errors.ts'
import type { Services } from '../../../wire/ports.ts'
import { Recorder } from '../net.conformance.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => { for (const clean of cleanups.splice(0).reverse()) await clean() })

async function until (condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error('it did not come about within 10 s')
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

async function listen (services: Services, options: Partial<GrpcNetOptions> = {}): Promise<string> {
  const listener = await new GrpcNet(options).listen('127.0.0.1:0', services)
  cleanups.push(async () => { await listener.close(0) })
  return listener.address
}

function client (options: Partial<GrpcNetOptions> = {}): GrpcNet {
  const net = new GrpcNet(options)
  cleanups.push(async () => { await net.close() })
  return net
}

/** A way to the listener that swallows everything once it is told to: neither side hears of it. */
async function swallowing (address: string): Promise<{ address: string, swallow (): void }> {
  const pipes: [Socket, Socket][] = []
  const between = createServer(socket => {
    const target = connect(Number(address.split(':')[1]), '127.0.0.1')
    for (const end of [socket, target]) end.on('error', () => {})
    socket.pipe(target)
    target.pipe(socket)
    pipes.push([socket, target])
  })
  await new Promise<void>(resolve => between.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const pair of pipes) for (const end of pair) end.destroy()
    between.close()
  })
  const swallow = (): void => {
    for (const [socket, target] of pipes) {
      socket.unpipe(target)
      target.unpipe(socket)
      target.resume()
      socket.resume()
    }
  }
  return { address: `127.0.0.1:${(between.address() as AddressInfo).port}`, swallow }
}

async function failure (promise: Promise<unknown>): Promise<WireError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof WireError)) throw new Error(`rejects with a WireError, not ${String(error)}`)
  return error
}

const same = (bytes: Buffer): Buffer => bytes
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)
const adapter = join(import.meta.dirname, '../../../wire/adapters/grpc-net.ts')

describe('grpc-js as the client', () => {
  const dial = (address: string): grpc.Client => {
    const other = new grpc.Client(address, grpc.credentials.createInsecure())
    cleanups.push(() => { other.close() })
    return other
  }

  it('is answered, with a value or a status', async () => {
    const address = await listen({
      unary: {
        AskController: async ({ brokerId }) => {
          if (brokerId === 9) throw new WireError('NOT_CONTROLLER', 'it is ünother', { controllerAddress: 'c:1' })
          return { brokerId: brokerId + 1 }
        }
      }
    })
    const { path, request, response } = rpcs.AskController
    const ask = (brokerId: number): Promise<Buffer> => new Promise((resolve, reject) => {
      dial(address).makeUnaryRequest(path, same, same, request.encode({ brokerId }),
        (error: grpc.ServiceError | null, answer?: Buffer) => {
          if (error === null) resolve(answer!)
          else reject(error)
        })
    })
    expect(response.decode(await ask(3)).brokerId).toBe(4)
    await expect(ask(9)).rejects.toMatchObject({ code: grpc.status.FAILED_PRECONDITION, details: 'it is ünother' })
  })

  it('streams both ways', async () => {
    const address = await listen({
      streams: {
        Produce: stream => ({
          message: ({ correlationId }) => { stream.send({ correlationId }) },
          close: () => { stream.end() }
        })
      }
    })
    const { path, request, response } = rpcs.Produce
    const call = dial(address).makeBidiStreamRequest<Buffer, Buffer>(path, same, same, new grpc.Metadata())
    const seen: number[] = []
    call.on('data', (bytes: Buffer) => seen.push(response.decode(bytes).correlationId))
    for (let id = 1; id <= 50; id++) call.write(request.encode({ correlationId: id, batch: new Uint8Array(50_000) }))
    call.end()
    const [status] = await once(call, 'status') as [grpc.StatusObject]
    expect(status.code).toBe(grpc.status.OK)
    expect(seen).toEqual(upTo(50))
  })
})

describe('grpc-js as the server', () => {
  async function serve (register: (server: grpc.Server) => void): Promise<string> {
    const server = new grpc.Server()
    register(server)
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
    cleanups.push(() => { server.forceShutdown() })
    return `127.0.0.1:${port}`
  }

  it('answers, with a value or a status', async () => {
    const { path, request, response } = rpcs.AskController
    const address = await serve(server => {
      server.register(path, (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) => {
        const { brokerId } = request.decode(call.request)
        if (brokerId === 9) callback({ code: grpc.status.UNAVAILABLE, details: 'nöt now' })
        else callback(null, response.encode({ brokerId: brokerId + 1 }))
      }, same, same, 'unary')
    })
    const net = client()
    expect((await net.call(address, 'AskController', { brokerId: 3 }, 5_000)).brokerId).toBe(4)
    expect(await failure(net.call(address, 'AskController', { brokerId: 9 }, 5_000)))
      .toMatchObject({ code: 'UNAVAILABLE', message: `${address}: nöt now` })
    expect((await failure(net.call(address, 'GetMetadata', {}, 5_000))).code).toBe('UNIMPLEMENTED')
  })

  it('streams both ways', async () => {
    const { path, request, response } = rpcs.Produce
    const address = await serve(server => {
      server.register(path, (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (bytes: Buffer) => {
          call.write(response.encode({ correlationId: request.decode(bytes).correlationId }))
        })
        call.on('end', () => { call.end() })
      }, same, same, 'bidi')
    })
    const seen = new Recorder<{ correlationId: number }>()
    const stream = client().open(address, 'Produce', seen)
    for (let id = 1; id <= 50; id++) stream.send({ correlationId: id, batch: new Uint8Array(50_000) })
    stream.end()
    await until(() => seen.closes.length === 1)
    expect(seen.closes).toEqual([undefined])
    expect(seen.messages.map(({ correlationId }) => correlationId)).toEqual(upTo(50))
  })
})

describe('a peer that is', () => {
  it('paused is given up when it is dialled', async () => {
    const program = `
      const { GrpcNet } = await import(${JSON.stringify(adapter)})
      console.log((await new GrpcNet().listen('127.0.0.1:0', {})).address)`
    const other = spawn(process.execPath, ['--input-type=module', '-e', program],
      { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanups.push(() => other.kill('SIGKILL'))
    const address = String((await once(other.stdout, 'data'))[0]).trim()
    other.kill('SIGSTOP')
    const error = await failure(client({ connectTimeoutMs: 100 }).call(address, 'GetMetadata', {}, 60_000))
    expect(error.code).toBe('UNAVAILABLE')
    expect(error.message).toContain('within 100 ms')
  })

  it('gone without a word is noticed by who dialled', async () => {
    let accepted = 0
    const way = await swallowing(await listen({ streams: { Session: () => { accepted++; return new Recorder() } } }))
    const seen = new Recorder<unknown>()
    client({ keepaliveMs: 300 }).open(way.address, 'Session', seen)
    await until(() => accepted === 1)
    way.swallow()
    await until(() => seen.closes.length === 1)
    expect(seen.closes[0]?.code).toBe('UNAVAILABLE')
  })

  it('gone without a word is noticed by who was dialled', async () => {
    const seen: Recorder<unknown>[] = []
    const listener = await client().listen('127.0.0.1:0', {
      streams: { Session: () => { seen.push(new Recorder<unknown>()); return seen[0]! } }
    }, { keepaliveMs: 300 })
    cleanups.push(async () => { await listener.close(0) })
    const way = await swallowing(listener.address)
    client().open(way.address, 'Session', new Recorder())
    await until(() => seen.length === 1)
    way.swallow()
    await until(() => seen[0]!.closes.length === 1)
    expect(seen[0]!.closes[0]?.code).toBe('UNAVAILABLE')
  })

  it('no server of gRPC is an error', async () => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => server.close())
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    expect((await failure(client().call(address, 'GetMetadata', {}, 5_000))).code).toBe('UNAVAILABLE')
  })

  it('greedy gets so many streams', async () => {
    const address = await listen({ streams: { Session: () => new Recorder() } })
    const net = client({ streamsPerConnectionMax: 2 })
    const seen = [0, 1, 2].map(() => {
      const recorder = new Recorder<unknown>()
      net.open(address, 'Session', recorder)
      return recorder
    })
    await until(() => seen[2]?.closes.length === 1)
    expect(seen.map(({ closes }) => closes.map(error => error?.code))).toEqual([[], [], ['BROKER_BUSY']])
  })

  it('one of too many is not let in', async () => {
    const address = await listen({ unary: { GetMetadata: async () => ({}) } }, { connectionsMax: 1 })
    await client().call(address, 'GetMetadata', {}, 5_000)
    expect((await failure(client().call(address, 'GetMetadata', {}, 5_000))).code).toBe('UNAVAILABLE')
  })

  it('idle is let go, and comes back when it has something to say', async () => {
    const address = await listen({ unary: { GetMetadata: async () => ({}) } }, { idleMs: 50 })
    const silent = connect(Number(address.split(':')[1]), '127.0.0.1')
    silent.on('error', () => {}).resume()
    const net = client()
    await net.call(address, 'GetMetadata', {}, 5_000)
    await once(silent, 'close')
    await net.call(address, 'GetMetadata', {}, 5_000).catch(() => {})
    await net.call(address, 'GetMetadata', {}, 5_000)
  })
})

describe('a client that', () => {
  /** A stream of HTTP/2 by hand; resolves to its trailers or the code it was reset with. */
  function raw (address: string, path: string, write: (stream: ClientHttp2Stream) => void,
    headers: Record<string, string> = {}): Promise<string> {
    const session = connectHttp2(`http://${address}`)
    session.on('error', () => {})
    cleanups.push(() => { session.destroy() })
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', ...headers })
    write(stream)
    return new Promise(resolve => {
      stream.on('response', head => {
        if (head[':status'] !== 200) resolve(`HTTP ${head[':status']}`)
        else if (head['grpc-status'] !== undefined) resolve(`status ${String(head['grpc-status'])}`)
      })
      stream.on('trailers', trailers => { resolve(`status ${String(trailers['grpc-status'])}`) })
      stream.on('error', () => {})
      stream.on('close', () => { resolve(`reset ${stream.rstCode}`) })
      stream.resume()
    })
  }

  const services = (seen: Recorder<unknown>): Services => ({
    streams: { Produce: () => seen }, unary: { GetMetadata: async () => ({}) }
  })

  it.each([
    ['says a length over the limit', Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1]), 'status 3'],
    ['compresses', Buffer.from([1, 0, 0, 0, 0]), 'status 3'],
    ['sends what is no message', Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f]), 'status 3']
  ])('%s is refused, and its stream ends', async (_name, bytes, answer) => {
    const seen = new Recorder<unknown>()
    const address = await listen(services(seen))
    expect(await raw(address, rpcs.Produce.path, stream => { stream.write(bytes) })).toBe(answer)
    await until(() => seen.closes.length === 1)
    expect(seen.closes[0]).toBeInstanceOf(WireError)
    expect(seen.messages).toEqual([])
    expect(await raw(address, rpcs.GetMetadata.path, stream => { stream.end(bytes) })).toBe(answer)
  })

  it('never finishes a message is cut off', async () => {
    const seen = new Recorder<unknown>()
    const address = await listen(services(seen), { messageDeadlineMs: 60 })
    const ended = raw(address, rpcs.Produce.path, stream => { stream.write(Buffer.from([0, 0, 0, 1, 0, 9])) })
    expect(await ended).toBe('reset 8')
    await until(() => seen.closes.length === 1)
  })

  it('calls what is not there, or nothing that is gRPC, is told so', async () => {
    const address = await listen(services(new Recorder()))
    const end = (stream: { end (): void }): void => { stream.end() }
    expect(await raw(address, '/millrace.v1.ProduceService/Nothing', end)).toBe('status 12')
    expect(await raw(address, '/__proto__', end)).toBe('status 12')
    expect(await raw(address, rpcs.GetMetadata.path, end)).toBe('status 3')
    expect(await raw(address, rpcs.GetMetadata.path, end, { 'content-type': 'text/html' })).toBe('HTTP 415')
  })

  it('resets in the middle costs nobody anything', async () => {
    const seen = new Recorder<unknown>()
    const address = await listen(services(seen))
    const session = connectHttp2(`http://${address}`)
    session.on('error', () => {})
    const stream = session.request({
      ':method': 'POST', ':path': rpcs.Produce.path, 'content-type': 'application/grpc'
    })
    stream.on('error', () => {})
    stream.write(Buffer.from([0, 0, 0, 1, 0, 9]))
    await once(stream, 'response')
    session.destroy()
    await until(() => seen.closes.length === 1)
    expect(seen.closes[0]?.code).toBe('UNAVAILABLE')
    expect(await client().call(address, 'GetMetadata', {}, 5_000)).toMatchObject({ controller: 0 })
  })
})

describe('a connection that is broken while it is made', () => {
  it('ends the call, whenever it is, and nothing else', async () => {
    const address = await listen({ unary: { AskController: () => new Promise(() => {}) } })
    for (let turns = 0; turns < 40; turns++) {
      const net = new GrpcNet()
      const failed = failure(net.call(address, 'AskController', { brokerId: 1 }, 5_000))
      for (let turn = 0; turn < turns; turn++) await new Promise(resolve => { setImmediate(resolve) })
      await net.close()
      expect((await failed).code).toMatch(/CLOSED|UNAVAILABLE/)
    }
  })

  it('is taken for broken in the very turn in which the socket connects', async () => {
    const address = await listen({ unary: { AskController: () => new Promise(() => {}) } })
    const net = new GrpcNet()
    const emit = Socket.prototype.emit
    let closed: Promise<void> | undefined
    // The session learns of it in this event, and says 'connect' a turn later.
    Socket.prototype.emit = function (this: Socket, ...event: Parameters<typeof emit>) {
      const heard = emit.apply(this, event)
      if (String(event[0]) === 'connect') closed ??= net.close()
      return heard
    } as typeof emit
    cleanups.push(() => { Socket.prototype.emit = emit })
    const failed = await failure(net.call(address, 'AskController', { brokerId: 1 }, 5_000))
    expect(failed.code).toMatch(/CLOSED|UNAVAILABLE/)
    await closed
  })
})
