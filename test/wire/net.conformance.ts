// What every implementation of Net keeps to. The harness knows how to let time pass: really, or by
// stepping the simulator.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../wire/errors.ts'
import type { Listener, Net, ResponseOf, Services, Stream, StreamHandlers, StreamMethod } from '../../wire/ports.ts'

export interface NetHarness {
  /** Two processes. */
  readonly server: Net
  readonly client: Net
  /** An address to listen at; the port may be 0. */
  readonly listenAddress: string
  /** An address of this network where nobody listens. */
  readonly deadAddress: string
  /** Lets time pass until it holds; throws when it does not for some seconds. */
  until (condition: () => boolean): Promise<void>
  /** Lets time pass until it settles. */
  run<T> (promise: Promise<T>): Promise<T>
  close (): Promise<void>
}

/** Records what arrives at one side of a stream. */
export class Recorder<In> implements StreamHandlers<In> {
  readonly messages: In[] = []
  drains = 0
  closes: (WireError | undefined)[] = []
  afterClose = 0

  message (message: In): void {
    if (this.closes.length > 0) this.afterClose++
    this.messages.push(message)
  }

  drain (): void {
    if (this.closes.length > 0) this.afterClose++
    this.drains++
  }

  close (error: WireError | undefined): void {
    this.closes.push(error)
  }
}

export function netConformance (name: string, make: () => Promise<NetHarness>): void {
  describe(`${name}: Net`, () => {
    let harness: NetHarness
    let listeners: Listener[]

    beforeEach(async () => {
      harness = await make()
      listeners = []
    })

    afterEach(async () => {
      for (const listener of listeners) await harness.run(listener.close(0))
      await harness.close()
    })

    async function listen (services: Services, address = harness.listenAddress): Promise<Listener> {
      const listener = await harness.run(harness.server.listen(address, services))
      listeners.push(listener)
      return listener
    }

    function open<M extends StreamMethod> (address: string, method: M):
    { stream: ReturnType<typeof harness.client.open<M>>, seen: Recorder<ResponseOf<M>> } {
      const seen = new Recorder<ResponseOf<M>>()
      return { stream: harness.client.open(address, method, seen), seen }
    }

    async function rejection (promise: Promise<unknown>): Promise<WireError> {
      const reason = await harness.run(promise.then(() => undefined, (error: unknown) => error))
      if (!(reason instanceof WireError)) throw new Error(`rejects with a WireError, not ${String(reason)}`)
      return reason
    }

    /** A server of Session that shows its ends of streams. */
    async function sessions (): Promise<{ address: string, streams: Stream<ResponseOf<'Session'>>[],
      seen: Recorder<unknown>[] }> {
      const streams: Stream<ResponseOf<'Session'>>[] = []
      const seen: Recorder<unknown>[] = []
      const { address } = await listen({
        streams: {
          Session: stream => {
            const recorder = new Recorder<unknown>()
            streams.push(stream)
            seen.push(recorder)
            return recorder
          }
        }
      })
      return { address, streams, seen }
    }

    describe('call', () => {
      it('carries every field there and back, unset ones as zero values', async () => {
        const { address } = await listen({
          unary: {
            DescribeCluster: async request => {
              expect(request).toStrictEqual({ topics: ['a', 'ü'] })
              const controllerEpoch = Number.MAX_SAFE_INTEGER
              return { controller: -1, controllerEpoch, offline: 300, brokers: [{ rack: 'r' }] }
            }
          }
        })
        const answer = await harness.run(
          harness.client.call(address, 'DescribeCluster', { topics: ['a', 'ü'] }, 5_000))
        expect(answer.controller).toBe(-1)
        expect(answer.controllerEpoch).toBe(Number.MAX_SAFE_INTEGER)
        expect(answer.offline).toBe(300)
        expect(answer.error).toBeUndefined()
        expect(answer.topics).toEqual([])
        expect(answer.brokers[0]).toStrictEqual({
          brokerId: 0, volumeId: '', brokerEpoch: 0, incarnation: '', fenced: false, stopping: false,
          clientAddress: '', peerAddress: '', rack: 'r', draining: false, listeners: [], maintenance: false
        })
      })

      it('rejects with the WireError of the other side, detail and all', async () => {
        const { address } = await listen({
          unary: {
            GetMetadata: async () => {
              throw new WireError('NOT_LEADER', 'broker 2 leads', { leader: 2, leaderEpoch: 7, leaderAddress: 'b:1' })
            }
          }
        })
        const error = await rejection(harness.client.call(address, 'GetMetadata', {}, 5_000))
        expect(error.code).toBe('NOT_LEADER')
        expect(error.message).toBe('broker 2 leads')
        expect(error.detail).toMatchObject({ leader: 2, leaderEpoch: 7, leaderAddress: 'b:1' })
      })

      it('rejects with INTERNAL, and no word of it, for any other error', async () => {
        const { address } = await listen({
          unary: { GetMetadata: async () => { throw new TypeError('secret') } }
        })
        const error = await rejection(harness.client.call(address, 'GetMetadata', {}, 5_000))
        expect(error.code).toBe('INTERNAL')
        expect(error.message).not.toContain('secret')
      })

      it('rejects with UNIMPLEMENTED for a method that is not served', async () => {
        const { address } = await listen({})
        const error = await rejection(harness.client.call(address, 'GetMetadata', {}, 5_000))
        expect(error.code).toBe('UNIMPLEMENTED')
      })

      it('rejects with TIMED_OUT when no answer comes', async () => {
        const { address } = await listen({ unary: { GetMetadata: async () => await new Promise(() => {}) } })
        const error = await rejection(harness.client.call(address, 'GetMetadata', {}, 50))
        expect(error.code).toBe('TIMED_OUT')
      })

      it('rejects with CONNECTION_REFUSED at once when nobody listens', async () => {
        const error = await rejection(harness.client.call(harness.deadAddress, 'GetMetadata', {}, 3_600_000))
        expect(error.code).toBe('CONNECTION_REFUSED')
      })

      it('rejects with INVALID_REQUEST for what is no address', async () => {
        for (const address of ['', 'host', 'host:port', 'unix:/tmp/x', 'a:70000', 'dns:///a:1']) {
          const error = await rejection(harness.client.call(address, 'GetMetadata', {}, 1_000))
          expect(error.code).toBe('INVALID_REQUEST')
        }
      })

      it('rejects with UNAVAILABLE when the other side goes away in the middle', async () => {
        let called = false
        const listener = await listen({
          unary: {
            GetMetadata: async () => {
              called = true
              return await new Promise(() => {})
            }
          }
        })
        const answer = rejection(harness.client.call(listener.address, 'GetMetadata', {}, 60_000))
        await harness.until(() => called)
        await harness.run(listener.close(0))
        expect((await answer).code).toBe('UNAVAILABLE')
      })
    })

    describe('open', () => {
      it('delivers in order, both ways, and ends cleanly', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        for (let sequence = 0; sequence < 200; sequence++) {
          mine.stream.send({ request: 'heartbeat', heartbeat: { sequence } })
        }
        await harness.until(() => seen[0]?.messages.length === 200)
        const rest = { unreachable: [], fsyncAgeMs: 0, starved: [], diskLowMs: 0, diskFull: false, acknowledged: 0 }
        expect(seen[0]?.messages[7]).toStrictEqual({ request: 'heartbeat', heartbeat: { sequence: 7, ...rest } })
        for (let sequence = 0; sequence < 200; sequence++) {
          streams[0]?.send({ response: 'heartbeatAck', heartbeatAck: { sequence } })
        }
        await harness.until(() => mine.seen.messages.length === 200)
        expect(mine.seen.messages.map(message => message.heartbeatAck?.sequence))
          .toEqual(Array.from({ length: 200 }, (_, index) => index))
        mine.stream.end()
        await harness.until(() => seen[0]?.closes.length === 1)
        expect(seen[0]?.closes).toEqual([undefined])
        streams[0]?.send({ response: 'mayStop', mayStop: {} })
        streams[0]?.end()
        await harness.until(() => mine.seen.closes.length === 1)
        expect(mine.seen.closes).toEqual([undefined])
        expect(mine.seen.messages.at(-1)).toStrictEqual({ response: 'mayStop', mayStop: {} })
      })

      it('closes both sides when the accepting one ends', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        streams[0]?.send({ response: 'mayStop', mayStop: {} })
        streams[0]?.end()
        await harness.until(() => mine.seen.closes.length === 1 && seen[0]?.closes.length === 1)
        expect(mine.seen.messages).toHaveLength(1)
        expect(mine.seen.closes).toEqual([undefined])
      })

      it('shows the accepting side\'s error to the opener, and closes the accepting side once', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        streams[0]?.send({ response: 'mayStop', mayStop: {} })
        streams[0]?.destroy(new WireError('NOT_CONTROLLER', undefined, { controllerAddress: 'c:9' }))
        streams[0]?.destroy()
        streams[0]?.send({ response: 'mayStop', mayStop: {} })
        await harness.until(() => mine.seen.closes.length === 1 && seen[0]?.closes.length === 1)
        expect(mine.seen.closes[0]?.code).toBe('NOT_CONTROLLER')
        expect(mine.seen.closes[0]?.detail.controllerAddress).toBe('c:9')
        expect(seen[0]?.closes[0]?.code).toBe('NOT_CONTROLLER')
      })

      it('shows an error to the accepting side when the opener destroys', async () => {
        const { address, seen } = await sessions()
        const mine = open(address, 'Session')
        mine.stream.send({ request: 'stop', stop: {} })
        await harness.until(() => seen[0]?.messages.length === 1)
        mine.stream.destroy()
        mine.stream.destroy()
        expect(mine.stream.send({ request: 'stop', stop: {} })).toBe(true)
        await harness.until(() => mine.seen.closes.length === 1 && seen[0]?.closes.length === 1)
        expect(mine.seen.closes[0]).toBeInstanceOf(WireError)
        expect(seen[0]?.closes[0]).toBeInstanceOf(WireError)
        expect(seen[0]?.messages).toHaveLength(1)
      })

      it('may be destroyed while it is being accepted', async () => {
        const seen = new Recorder<unknown>()
        const { address } = await listen({
          streams: {
            Session: stream => {
              stream.destroy(new WireError('WRONG_CLUSTER'))
              return seen
            }
          }
        })
        const mine = open(address, 'Session')
        await harness.until(() => mine.seen.closes.length === 1 && seen.closes.length === 1)
        expect(mine.seen.closes[0]?.code).toBe('WRONG_CLUSTER')
      })

      it('closes with CONNECTION_REFUSED when nobody listens, and not before it has returned', async () => {
        const mine = open(harness.deadAddress, 'Session')
        expect(mine.seen.closes).toHaveLength(0)
        mine.stream.send({ request: 'stop', stop: {} })
        await harness.until(() => mine.seen.closes.length === 1)
        expect(mine.seen.closes[0]?.code).toBe('CONNECTION_REFUSED')
      })

      it('closes with UNIMPLEMENTED for a method that is not served', async () => {
        const { address } = await listen({})
        const mine = open(address, 'Session')
        await harness.until(() => mine.seen.closes.length === 1)
        expect(mine.seen.closes[0]?.code).toBe('UNIMPLEMENTED')
      })

      it('closes both sides when the connection breaks', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        await harness.run(listeners[0]!.close(0))
        await harness.until(() => mine.seen.closes.length === 1 && seen[0]?.closes.length === 1)
        expect(mine.seen.closes[0]?.code).toBe('UNAVAILABLE')
        expect(mine.seen.afterClose + seen[0]!.afterClose).toBe(0)
      })

      it('carries many streams over one connection, beside each other', async () => {
        const { address, seen } = await sessions()
        const mine = Array.from({ length: 20 }, () => open(address, 'Session'))
        mine.forEach(({ stream }, index) => stream.send({ request: 'heartbeat', heartbeat: { sequence: index } }))
        await harness.until(() => seen.length === 20 && seen.every(each => each.messages.length === 1))
      })
    })

    describe('back-pressure', () => {
      it('answers false when the other side does not read, and drains when it does', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        streams[0]?.pause()
        const clusterUid = 'x'.repeat(256 * 1024)
        let sent = 0
        // Far more than any window between the two.
        while (sent < 400) {
          sent++
          if (!mine.stream.send({ request: 'register', register: { clusterUid } })) break
        }
        expect(sent).toBeLessThan(400)
        expect(mine.seen.drains).toBe(0)
        streams[0]?.resume()
        await harness.until(() => mine.seen.drains === 1)
        await harness.until(() => seen[0]?.messages.length === sent)
      })

      it('holds messages back while paused', async () => {
        const { address, streams } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        mine.stream.pause()
        let sent = 0
        while (sent < 400) {
          sent++
          const full = { topicsRemoved: ['x'.repeat(256 * 1024)] }
          if (!streams[0]!.send({ response: 'push', push: full })) break
        }
        streams[0]?.end()
        mine.stream.resume()
        await harness.until(() => mine.seen.closes.length === 1)
        expect(mine.seen.messages).toHaveLength(sent)
        expect(mine.seen.closes).toEqual([undefined])
      })
    })

    describe('connections', () => {
      it('reaches an address as soon as somebody listens there', async () => {
        const listener = await listen({ unary: { GetMetadata: async () => ({ controller: 1 }) } })
        const { address } = listener
        const ask = async (): Promise<number> =>
          (await harness.client.call(address, 'GetMetadata', {}, 5_000)).controller
        expect(await harness.run(ask())).toBe(1)
        await harness.run(listener.close(0))
        for (let attempt = 0; attempt < 3; attempt++) {
          expect(['CONNECTION_REFUSED', 'UNAVAILABLE']).toContain((await rejection(ask())).code)
        }
        await listen({ unary: { GetMetadata: async () => ({ controller: 2 }) } }, address)
        expect(await harness.run(ask())).toBe(2)
      })

      it('forgets an address without breaking what is open', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        harness.client.forget(address)
        const other = open(address, 'Session')
        await harness.until(() => streams.length === 2)
        mine.stream.send({ request: 'stop', stop: {} })
        other.stream.send({ request: 'stop', stop: {} })
        await harness.until(() => seen.every(each => each.messages.length === 1))
        expect(mine.seen.closes).toHaveLength(0)
      })

      it('breaks everything and takes nothing more once closed', async () => {
        const { address, streams, seen } = await sessions()
        const mine = open(address, 'Session')
        await harness.until(() => streams.length === 1)
        await harness.run(harness.client.close())
        await harness.until(() => mine.seen.closes.length === 1 && seen[0]?.closes.length === 1)
        expect(mine.seen.closes[0]).toBeInstanceOf(WireError)
        const late = open(address, 'Session')
        await harness.until(() => late.seen.closes.length === 1)
        expect(late.seen.closes[0]?.code).toBe('CLOSED')
        expect((await rejection(harness.client.call(address, 'GetMetadata', {}, 1_000))).code).toBe('CLOSED')
      })
    })

    describe('listen', () => {
      it('rejects with ADDRESS_IN_USE', async () => {
        const { address } = await listen({})
        expect((await rejection(harness.server.listen(address, {}))).code).toBe('ADDRESS_IN_USE')
      })

      it('lets open calls end when it closes with time to spare', async () => {
        let answer: (() => void) | undefined
        const listener = await listen({
          unary: {
            GetMetadata: async () => await new Promise(resolve => { answer = () => { resolve({ controller: 3 }) } })
          }
        })
        const asked = harness.client.call(listener.address, 'GetMetadata', {}, 60_000)
        await harness.until(() => answer !== undefined)
        const closed = listener.close(60_000)
        answer?.()
        expect((await harness.run(asked)).controller).toBe(3)
        await harness.run(closed)
        await listener.close(0)
      })
    })
  })
}
