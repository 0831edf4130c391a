import { describe, expect, it } from 'vitest'
import { KubeError } from '../../../operator/kube/api.ts'
import { LeaderLease } from '../../../operator/kube/lease.ts'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { FakeClock, settle } from '../fake-clock.ts'
import { fakeRng } from '../fake-rng.ts'
import { silentLog } from '../silent-log.ts'
import { ScriptedApi } from './scripted-api.ts'

interface Spec { holderIdentity: string, renewTime: string, leaseTransitions: number, leaseDurationSeconds: number }

/** One whose process can stand still: time goes on, and no timer knows of it. */
class StoppableClock extends FakeClock {
  stoodMs = 0
  override now (): number { return super.now() + this.stoodMs }
}

function setUp (held?: Partial<Spec>): { api: ScriptedApi, clock: StoppableClock, lease: LeaderLease, seen: string[] } {
  const api = new ScriptedApi()
  if (held !== undefined) {
    api.stored = {
      apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'op', resourceVersion: '50' }, spec: held
    }
  }
  const clock = new StoppableClock()
  const seen: string[] = []
  const lease = new LeaderLease({
    api,
    clock,
    rng: fakeRng(),
    log: silentLog,
    namespace: 'n',
    name: 'op',
    identity: 'me',
    onAcquired: () => { seen.push('acquired') },
    onLost: () => { seen.push('lost') }
  })
  return { api, clock, lease, seen }
}

const specOf = (object: KubeObject | undefined): Spec => object?.['spec'] as Spec

describe('lease', () => {
  it('makes the Lease when there is none, with six digits of a second', async () => {
    const { api, lease, seen } = setUp()
    lease.start()
    await settle()
    expect(seen).toEqual(['acquired'])
    expect(specOf(api.stored)).toMatchObject({ holderIdentity: 'me', leaseDurationSeconds: 15, leaseTransitions: 0 })
    expect(specOf(api.stored).renewTime).toMatch(/^2026-01-02T03:04:05\.678000Z$/)
  })

  it('takes one that was released, or that it held itself, at once', async () => {
    for (const holderIdentity of ['', 'me']) {
      const { lease, seen } = setUp({ holderIdentity })
      lease.start()
      await settle()
      expect(seen).toEqual(['acquired'])
    }
  })

  it("waits for 15 s without a change by its own clock, whatever time is written in the other's Lease", async () => {
    const { api, clock, lease, seen } = setUp({ holderIdentity: 'you', renewTime: '1999-01-01T00:00:00.000000Z' })
    lease.start()
    await clock.advance(14_000)
    expect(seen).toEqual([])
    // It renews: another 15 s.
    api.stored = { ...api.stored!, metadata: { name: 'op', resourceVersion: '51' } }
    await clock.advance(14_000)
    expect(seen).toEqual([])
    await clock.advance(6_000)
    expect(seen).toEqual(['acquired'])
    expect(specOf(api.stored)).toMatchObject({ holderIdentity: 'me', leaseTransitions: 1 })
  })

  it('renews every two seconds or so', async () => {
    const { api, clock, lease } = setUp()
    lease.start()
    await clock.advance(22_000)
    expect(api.writes.length).toBe(11)
    expect(specOf(api.stored).leaseTransitions).toBe(0)
  })

  it('renews without a read, and reads when somebody else wrote it, as a label', async () => {
    const { api, clock, lease, seen } = setUp()
    lease.start()
    await settle()
    const calls: string[] = []
    api.onCall = verb => { calls.push(verb); return undefined }
    await clock.advance(2_500)
    expect(calls).toEqual(['replace'])
    api.stored = { ...api.stored!, metadata: { name: 'op', resourceVersion: '999', labels: { a: 'b' } } }
    await clock.advance(2_500)
    expect(calls).toEqual(['replace', 'replace', 'get', 'replace'])
    await clock.advance(2_500)
    expect(calls.slice(4)).toEqual(['replace'])
    expect(seen).toEqual(['acquired'])
    expect(api.stored.metadata.labels).toEqual({ a: 'b' })
  })

  it('gives up after 10 s without a renewal, and says so when the API server answers', async () => {
    const { api, clock, lease, seen } = setUp()
    lease.start()
    await settle()
    api.onCall = () => new KubeError(0, 'ConnectionRefused', 'no')
    await clock.advance(9_000)
    expect(seen).toEqual(['acquired'])
    await clock.advance(4_000)
    expect([lease.isLeader, lease.isStale, seen]).toEqual([false, true, ['acquired']])
    // A process that is started anew could do nothing either: it leaves when there is something to do.
    await clock.advance(300_000)
    api.onCall = () => new KubeError(503, 'ServiceUnavailable', 'not yet')
    await clock.advance(10_000)
    expect([lease.isLeader, lease.isStale, seen]).toEqual([false, true, ['acquired']])
    const writes = api.writes.length
    api.onCall = () => undefined
    await clock.advance(2_500)
    expect([lease.isLeader, lease.isStale, seen]).toEqual([false, true, ['acquired', 'lost']])
    await clock.advance(60_000)
    expect([api.writes.length, seen]).toEqual([writes, ['acquired', 'lost']])
  })

  it('is stale when its process stood still for 10 s, before any request of its own has told it', async () => {
    const { clock, lease, seen } = setUp()
    expect(lease.isStale).toBe(false)
    lease.start()
    await clock.advance(5_000)
    expect(lease.isStale).toBe(false)
    clock.stoodMs = 12_000
    expect([lease.isStale, lease.isLeader]).toEqual([true, true])
    // Nobody took it meanwhile: it is renewed, and goes on.
    await clock.advance(2_500)
    expect([lease.isStale, seen]).toEqual([false, ['acquired']])
  })

  it('survives a conflict', async () => {
    const { api, clock, lease, seen } = setUp()
    lease.start()
    await settle()
    let failures = 2
    api.onCall = verb => verb === 'replace' && failures-- > 0 ? new KubeError(409, 'Conflict', 'stale') : undefined
    await clock.advance(20_000)
    expect(seen).toEqual(['acquired'])
    expect(lease.isLeader).toBe(true)
  })

  it('stops leading at once when somebody else holds it', async () => {
    const { api, clock, lease, seen } = setUp()
    lease.start()
    await settle()
    const metadata = { name: 'op', resourceVersion: '999' }
    api.stored = { ...api.stored!, metadata, spec: { ...specOf(api.stored), holderIdentity: 'you' } }
    await clock.advance(3_000)
    expect(seen).toEqual(['acquired', 'lost'])
  })

  it('releases what it holds when stopped', async () => {
    const { api, clock, lease } = setUp()
    lease.start()
    await settle()
    await lease.stop()
    expect(specOf(api.stored)).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
    expect(clock.timers).toBe(0)
  })

  it('writes nothing and says nothing more when stopped while it waits for the API server after a loss', async () => {
    const { api, clock, lease, seen } = setUp()
    lease.start()
    await settle()
    api.onCall = () => new KubeError(0, 'ConnectionRefused', 'no')
    await clock.advance(20_000)
    expect([lease.isStale, seen]).toEqual([true, ['acquired']])
    const writes = api.writes.length
    // Stopped in the middle of the look that would find it answering.
    let stopped: Promise<void> | undefined
    api.onCall = () => {
      stopped ??= lease.stop()
      return undefined
    }
    await clock.advance(2_500)
    await stopped
    await clock.advance(60_000)
    expect([api.writes.length, seen, clock.timers]).toEqual([writes, ['acquired'], 0])
  })

  it('does not touch a Lease of somebody else when stopped', async () => {
    const { api, lease } = setUp({ holderIdentity: 'you' })
    lease.start()
    await settle()
    await lease.stop()
    expect(api.writes).toEqual([])
  })
})
