import { describe, expect, test } from 'vitest'
import type { NetHarness } from '../wire/net.conformance.ts'
import { netConformance, Recorder } from '../wire/net.conformance.ts'
import { netClusterConformance } from '../wire/net-cluster.conformance.ts'
import type { WireError } from '../../wire/errors.ts'
import type { Listener, Services, Stream } from '../../wire/ports.ts'
import type { ReplicateResponse, SessionRequest, SessionResponse } from '../../wire/messages.ts'
import { SimNet } from './net.ts'
import { keepaliveMs, keepaliveTimeoutMs, SimNetwork } from './network.ts'
import { SimRng } from './rng.ts'
import { Scheduler } from './scheduler.ts'

function simulate () {
  const scheduler = new Scheduler(new SimRng(1))
  const network = new SimNetwork(scheduler)
  const until = async (condition: () => boolean): Promise<void> => {
    // Several may wait at once: each lets a little time pass, then looks again.
    for (let slice = 0; slice < 400; slice++) {
      if (condition()) return
      await scheduler.run(scheduler.now + 50, condition)
      if (scheduler.failure !== undefined) throw scheduler.failure
    }
    throw new Error('it did not happen within 20 s of virtual time')
  }
  const run = async<T> (promise: Promise<T>): Promise<T> => {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await until(() => settled)
    return await promise
  }
  const boot = (host: string) => {
    const process = scheduler.process(host)
    return { process, net: new SimNet(network, process, host) }
  }
  return { scheduler, network, until, run, boot }
}

const harness = async (): Promise<NetHarness> => {
  const { until, run, boot, scheduler } = simulate()
  // `run` of a promise that needs no event still has to let microtasks go by.
  scheduler.schedule(0, undefined, 'begin', () => {})
  return {
    server: boot('server').net, client: boot('client').net,
    listenAddress: 'server:0', deadAddress: 'server:9', until, run, close: async () => {}
  }
}

netConformance('SimNet', harness)
netClusterConformance('SimNet', harness)

describe('SimNet under faults', () => {
  async function sessions () {
    const sim = simulate()
    const server = sim.boot('s')
    const client = sim.boot('c')
    const seen = new Recorder<SessionRequest>()
    let accepted: Stream<SessionResponse> | undefined
    const services: Services = {
      streams: {
        Session: (stream) => {
          accepted = stream
          return seen
        },
        Replicate: () => new Recorder()
      }
    }
    const listener: Listener = await sim.run(server.net.listen('s:9091', services))
    const mine = new Recorder<SessionResponse>()
    const stream = client.net.open('s:9091', 'Session', mine)
    stream.send({ request: 'stop', stop: {} })
    await sim.until(() => seen.messages.length === 1)
    return { ...sim, server, client, seen, mine, stream, listener, accepted: accepted!, services }
  }

  function codes (recorder: { closes: (WireError | undefined)[] }): (string | undefined)[] {
    return recorder.closes.map((error) => error?.code)
  }

  test('a killed process closes its peers\' streams; nothing of it runs again', async () => {
    const { server, mine, seen, until } = await sessions()
    server.process.kill()
    await until(() => mine.closes.length === 1)
    expect(codes(mine)).toEqual(['UNAVAILABLE'])
    expect(seen.closes).toEqual([])
  })

  test('a machine without power is noticed by keepalive only, and swallows dials', async () => {
    const { network, server, client, mine, until, scheduler } = await sessions()
    const from = scheduler.now
    network.powerOff('s')
    server.process.kill()
    const dialled = new Recorder<SessionResponse>()
    client.net.forget('s:9091')
    client.net.open('s:9091', 'Session', dialled)
    await until(() => mine.closes.length === 1)
    expect(scheduler.now - from).toBeGreaterThanOrEqual(keepaliveTimeoutMs)
    expect(scheduler.now - from).toBeLessThanOrEqual(keepaliveTimeoutMs + keepaliveMs + 50)
    expect(mine.closes[0]?.message).toContain('keepalive')
    await until(() => dialled.closes.length === 1)
    expect(codes(dialled)).toEqual(['UNAVAILABLE'])
    expect(scheduler.now - from).toBeGreaterThan(1_900)
  })

  test('a short cut delays, in order; a long one breaks both sides', async () => {
    const { network, mine, seen, stream, until, scheduler } = await sessions()
    network.cut('c', 's')
    for (let sequence = 0; sequence < 5; sequence++) stream.send({ request: 'heartbeat', heartbeat: { sequence } })
    await scheduler.run(scheduler.now + 1_000)
    expect(seen.messages).toHaveLength(1)
    network.heal('c', 's')
    await until(() => seen.messages.length === 6)
    expect(seen.messages.slice(1).map((message) => message.heartbeat?.sequence)).toEqual([0, 1, 2, 3, 4])
    network.cut('s', 'c')
    stream.send({ request: 'stop', stop: {} })
    await until(() => seen.messages.length === 7)
    await until(() => mine.closes.length === 1 && seen.closes.length === 1)
    expect([...codes(mine), ...codes(seen)]).toEqual(['UNAVAILABLE', 'UNAVAILABLE'])
  })

  test('a paused process accepts nothing, answers nothing, and finds everything when it wakes', async () => {
    const { network, server, stream, mine, seen, until, scheduler } = await sessions()
    server.process.pause()
    network.review()
    stream.send({ request: 'stop', stop: {} })
    await scheduler.run(scheduler.now + keepaliveTimeoutMs - 100)
    expect(seen.messages).toHaveLength(1)
    server.process.resume()
    network.review()
    await until(() => seen.messages.length === 2)
    await scheduler.run(scheduler.now + 20_000)
    expect([...mine.closes, ...seen.closes]).toEqual([])
  })

  test('a process that is paused for longer than keepalives wait is given up, by dials too', async () => {
    const { network, server, mine, seen, until, scheduler, client } = await sessions()
    const from = scheduler.now
    server.process.pause()
    network.review()
    const dialled = new Recorder<SessionResponse>()
    client.net.forget('s:9091')
    client.net.open('s:9091', 'Session', dialled)
    await until(() => mine.closes.length === 1)
    expect(scheduler.now - from).toBeGreaterThanOrEqual(keepaliveTimeoutMs)
    expect(mine.closes[0]?.message).toContain('keepalive')
    await until(() => dialled.closes.length === 1)
    expect(codes(dialled)).toEqual(['UNAVAILABLE'])
    expect(seen.closes).toEqual([])
    server.process.resume()
    network.review()
    await until(() => seen.closes.length === 1)
    expect(seen.messages).toHaveLength(1)
  })

  test('a broken connection takes all its streams with it, on both sides', async () => {
    const { network, mine, seen, client, until } = await sessions()
    const other = new Recorder<SessionResponse>()
    client.net.open('s:9091', 'Replicate', other as unknown as Recorder<ReplicateResponse>)
    for (const connection of network.connections()) connection.break()
    await until(() => mine.closes.length === 1 && other.closes.length === 1 && seen.closes.length === 1)
    expect([...codes(mine), ...codes(other), ...codes(seen)]).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE'])
    expect(network.connections()).toEqual([])
  })

  test('processes share no memory', async () => {
    const { accepted, mine, until } = await sessions()
    const push = { topicsRemoved: ['a'], rows: [{ replicas: [1, 2] }] }
    accepted.send({ response: 'push', push })
    push.topicsRemoved[0] = 'b'
    push.rows[0]!.replicas.push(3)
    await until(() => mine.messages.length === 1)
    expect(mine.messages[0]?.push).toMatchObject({ topicsRemoved: ['a'], rows: [{ replicas: [1, 2] }] })
  })

  test('a unary request may reach its handler twice, and is answered once', async () => {
    const { network, run, boot } = simulate()
    network.conditions.duplicateChance = 1
    let handled = 0
    await run(boot('s').net.listen('s:1', { unary: { GetMetadata: () => Promise.resolve({ controller: ++handled }) } }))
    const answer = await run(boot('c').net.call('s:1', 'GetMetadata', {}, 1_000))
    expect([answer.controller, handled]).toEqual([2, 2])
  })
})
