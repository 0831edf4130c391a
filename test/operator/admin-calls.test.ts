import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { AdminCalls } from '../../operator/admin-calls.ts'
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import { WireError } from '../../wire/errors.ts'
import type { Listener, Services } from '../../wire/ports.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => { for (const clean of cleanups.splice(0).reverse()) await clean() })

async function broker (services: Services, address = '127.0.0.1:0'): Promise<Listener> {
  const listener = await new GrpcNet().listen(address, services)
  cleanups.push(async () => { await listener.close(0) })
  return listener
}

function calls (): AdminCalls {
  const made = new AdminCalls(() => Date.now())
  cleanups.push(() => { made.close() })
  return made
}

async function failure (promise: Promise<unknown>): Promise<WireError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason)
  if (error instanceof WireError) return error
  throw new Error(`rejects with a WireError, not ${String(error)}`)
}

describe('the operator\'s calls to a broker', () => {
  it('bring the request there and the answer back, absent fields absent', async () => {
    const { address } = await broker({
      unary: {
        ApplyTopic: request => Promise.resolve({
          topic: { topic: { name: request.name, partitions: request.partitions, retentionMs: -1 } }
        })
      }
    })
    const answer = await calls().call(address, 'ApplyTopic', { name: 'orders', partitions: 12 }, 5_000, 'ns/events')
    expect(answer.error).toBeUndefined()
    expect(answer.topic).toMatchObject({ orphaned: false, topic: { name: 'orders', partitions: 12, retentionMs: -1 } })
  })

  it('fail with the broker\'s own error, details and all', async () => {
    const { address } = await broker({
      unary: {
        DescribeCluster: () => Promise.reject(new WireError('NOT_CONTROLLER', 'nöt me', { controllerAddress: 'c:1' }))
      }
    })
    const error = await failure(calls().call(address, 'DescribeCluster', {}, 5_000, 'ns/events'))
    expect(error).toMatchObject({ code: 'NOT_CONTROLLER', message: 'nöt me', detail: { controllerAddress: 'c:1' } })
  })

  it('say when nobody listens, and reach a broker that is back at once', async () => {
    const services: Services = { unary: { DescribeCluster: () => Promise.resolve({ controller: 2 }) } }
    const first = await broker(services)
    const client = calls()
    expect((await client.call(first.address, 'DescribeCluster', {}, 5_000, 'ns/events')).controller).toBe(2)
    await first.close(0)
    expect((await failure(client.call(first.address, 'DescribeCluster', {}, 5_000, 'ns/events'))).code)
      .toMatch(/CONNECTION_REFUSED|UNAVAILABLE/)
    await broker(services, first.address)
    expect((await client.call(first.address, 'DescribeCluster', {}, 5_000, 'ns/events')).controller).toBe(2)
  })

  it('are refused by a broker of another cluster, which has the address now', async () => {
    const listener = await new GrpcNet().listen('127.0.0.1:0',
      { unary: { DescribeCluster: () => Promise.resolve({ controller: 2 }) } }, { clusters: ['ns/events', 'uid'] })
    cleanups.push(async () => { await listener.close(0) })
    expect((await calls().call(listener.address, 'DescribeCluster', {}, 5_000, 'ns/events')).controller).toBe(2)
    expect((await failure(calls().call(listener.address, 'DescribeCluster', {}, 5_000, 'ns/others'))).code)
      .toBe('WRONG_BROKER')
  })

  it('do not wait for a connection as long as for an answer: nobody may be at the address of a pod', async () => {
    const sockets: Socket[] = []
    const mute = createServer(socket => { sockets.push(socket) }).listen(0, '127.0.0.1')
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy()
      mute.close()
    })
    await once(mute, 'listening')
    const address = `127.0.0.1:${(mute.address() as AddressInfo).port}`
    // The test ends long before the call's own deadline.
    expect(await failure(calls().call(address, 'DescribeCluster', {}, 600_000, 'ns/events')))
      .toMatchObject({ code: 'UNAVAILABLE', message: `${address}: no connection within 2000 ms` })
  })

  it('end when the time is over, and refuse what is no admin call', async () => {
    const { address } = await broker({ unary: { DescribeCluster: () => new Promise(() => {}) } })
    expect((await failure(calls().call(address, 'DescribeCluster', {}, 50, 'ns/events'))).code).toBe('TIMED_OUT')
    expect((await failure(calls().call(address, 'GetMetadata', {}, 50, 'ns/events'))).code).toBe('UNIMPLEMENTED')
  })
})
