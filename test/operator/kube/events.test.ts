import { describe, expect, it } from 'vitest'
import { KubeError } from '../../../operator/kube/api.ts'
import { KubeEvents, type Happening } from '../../../operator/kube/events.ts'
import { FakeClock } from '../fake-clock.ts'
import { fakeRng } from '../fake-rng.ts'
import { silentLog } from '../silent-log.ts'
import { ScriptedApi } from './scripted-api.ts'

const cluster = {
  apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events', namespace: 'n', uid: 'u1' }
}
const happening: Happening = { type: 'Warning', reason: 'ScaleDownRefused', action: 'Scale', note: 'brokers keep data' }

function setUp (): { api: ScriptedApi, clock: FakeClock, events: KubeEvents } {
  const api = new ScriptedApi()
  const clock = new FakeClock()
  return { api, clock, events: new KubeEvents({ api, clock, rng: fakeRng(), log: silentLog, instance: 'op-1' }) }
}

describe('events', () => {
  it('writes one events.k8s.io/v1 Event with a MicroTime', async () => {
    const { api, events } = setUp()
    events.record(cluster, happening)
    await events.settled()
    expect(api.writes).toMatchObject([{
      verb: 'create',
      object: {
        apiVersion: 'events.k8s.io/v1',
        eventTime: '2026-01-02T03:04:05.678000Z',
        reportingController: 'millrace.dev/operator',
        reportingInstance: 'op-1',
        type: 'Warning',
        reason: 'ScaleDownRefused',
        action: 'Scale',
        note: 'brokers keep data',
        regarding: { kind: 'Cluster', name: 'events', uid: 'u1' }
      }
    }])
  })

  it('counts a repeat in a series, written once a minute at most', async () => {
    const { api, clock, events } = setUp()
    for (let second = 0; second < 130; second++) {
      events.record(cluster, happening)
      await clock.advance(1_000)
    }
    await events.settled()
    expect(api.writes.map(({ verb }) => verb)).toEqual(['create', 'patch', 'patch'])
    expect(api.writes[2]!.object['series']).toMatchObject({ count: 121 })
  })

  it('begins anew after ten minutes, and for another object', async () => {
    const { api, clock, events } = setUp()
    events.record(cluster, happening)
    events.record({ ...cluster, metadata: { ...cluster.metadata, uid: 'u2' } }, happening)
    await clock.advance(10 * 60_000)
    events.record(cluster, happening)
    await events.settled()
    expect(api.writes.map(({ verb }) => verb)).toEqual(['create', 'create', 'create'])
  })

  it('never fails its caller', async () => {
    const { api, events } = setUp()
    api.onCall = () => new KubeError(403, 'Forbidden', 'no')
    events.record(cluster, happening)
    await events.settled()
    expect(api.writes).toEqual([])
  })
})
