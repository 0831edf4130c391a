// What a member knows of its own standing, word by word of its coordinator.
import { expect, it } from 'vitest'
import type { GroupSessionRequest, GroupSessionResponse } from '../../wire/messages.ts'
import type { Net, StreamHandlers } from '../../wire/ports.ts'
import type { Held } from '../../client/held.ts'
import { Membership } from '../../client/group-membership.ts'
import type { ClientPorts, Metadata } from '../../client/metadata.ts'
import { FakeClock, SeededRng } from './fake-clock.ts'

const sessionTimeoutMs = 1_000

/** A coordinator that says what it is told to say. */
class Standing {
  readonly clock = new FakeClock()
  readonly sent: GroupSessionRequest[] = []
  readonly held = new Set<number>()
  suspended = false
  #stream: StreamHandlers<GroupSessionResponse> | undefined

  constructor () {
    const net = {
      open: (_address: string, _method: string, handlers: StreamHandlers<GroupSessionResponse>) => {
        this.#stream = handlers
        return { send: (message: GroupSessionRequest) => this.sent.push(message) > 0, end: () => {}, destroy: () => {} }
      }
    } as unknown as Net
    const metadata = {
      leader: () => ({ address: 'a:1', leaderEpoch: 1 }), hint: () => false, requestRefresh: () => {}
    } as unknown as Metadata
    const ports = {
      net, clock: this.clock, rng: new SeededRng(1), onWaiting: () => {}, tell: () => {}
    } as unknown as ClientPorts
    const keep = (partitions: readonly Held[], is: boolean): void => {
      for (const { partition } of partitions) this.held[is ? 'add' : 'delete'](partition)
    }
    new Membership(ports, metadata, {
      group: 'audit', topics: ['orders'], assignor: 'GROUP_ASSIGNOR_UNIFORM', instanceId: '', rack: '', client: '',
      sessionTimeoutMs, instanceGraceMs: 0, releaseTimeoutMs: 1_000
    }, () => 0, {
      assigned: partitions => { keep(partitions, true) },
      revoked: partitions => { keep(partitions, false) },
      lost: partitions => { keep(partitions, false) },
      suspended: is => { this.suspended = is },
      failed: error => { throw error }
    }).join()
  }

  alive (): void { this.#stream?.message({ alive: {} } as GroupSessionResponse) }

  assign (epoch: number, ...partitions: number[]): void {
    const topic = { topic: 'orders', topicId: 'o', partitions, epochs: partitions.map(() => epoch) }
    this.#stream?.message({ assignment: { memberEpoch: epoch, coming: 0, partitions: [topic] } } as never)
  }

  breaks (): void { this.#stream?.close(undefined) }
}

it('is suspended when nothing was heard for a session timeout, until it knows that it holds what it has', async () => {
  const it = new Standing()
  it.assign(1, 0, 1)
  await it.clock.advance(sessionTimeoutMs / 2)
  it.alive()
  await it.clock.advance(sessionTimeoutMs)
  expect(it.suspended).toBe(false)
  await it.clock.advance(sessionTimeoutMs)
  expect(it.suspended).toBe(true)

  // A stream to a coordinator that has to write down first what becomes of it, and answers heartbeats meanwhile.
  const before = it.sent.length
  it.breaks()
  await it.clock.until(() => it.sent.slice(before).some(({ join }) => join !== undefined))
  await it.clock.until(() => it.sent.at(-1)?.heartbeat !== undefined)
  it.alive()
  expect(it.suspended).toBe(true)
  it.assign(3, 1)
  expect([it.suspended, [...it.held]]).toEqual([false, [1]])
  await it.clock.advance(sessionTimeoutMs / 2)
  it.alive()
  await it.clock.advance(0.6 * sessionTimeoutMs)
  expect(it.suspended).toBe(false)
})
