import { describe, expect, it } from 'vitest'
import { KubeError } from '../../../operator/kube/api.ts'
import { Reflector } from '../../../operator/kube/reflector.ts'
import { kinds, type KubeObject } from '../../../operator/kube/types.ts'
import { FakeClock, settle } from '../fake-clock.ts'
import { fakeRng } from '../fake-rng.ts'
import { silentLog } from '../silent-log.ts'
import { ScriptedApi } from './scripted-api.ts'

function pod (name: string, resourceVersion: string, extra: object = {}): KubeObject {
  const metadata = { name, namespace: 'n', uid: `uid-${name}`, resourceVersion, ...extra }
  return { apiVersion: 'v1', kind: 'Pod', metadata }
}

function setUp (): { api: ScriptedApi, clock: FakeClock, reflector: Reflector<KubeObject>, changes: string[] } {
  const api = new ScriptedApi()
  const clock = new FakeClock()
  const reflector = new Reflector<KubeObject>({
    api, clock, rng: fakeRng(), log: silentLog, kind: kinds.pod, query: { namespace: 'n', labelSelector: 'a=b' }
  })
  const changes: string[] = []
  reflector.onChange((key, object, previous) => {
    changes.push(`${key} ${previous?.metadata.resourceVersion ?? '-'} → ${object?.metadata.resourceVersion ?? '-'}`)
  })
  api.lists = [{ items: [pod('a', '5'), pod('b', '7')], resourceVersion: '10', continue: '' }]
  return { api, clock, reflector, changes }
}

describe('reflector', () => {
  it('lists in pages, then watches from there with bookmarks and a time limit', async () => {
    const { api, reflector } = setUp()
    api.lists = [
      { items: [pod('a', '5')], resourceVersion: '10', continue: 'next' },
      { items: [pod('b', '7')], resourceVersion: '10', continue: '' }
    ]
    reflector.start()
    await reflector.synced
    expect(api.listQueries.map(query => query.continue)).toEqual(['', 'next'])
    expect(api.listQueries[0]).toMatchObject({ namespace: 'n', labelSelector: 'a=b', limit: 500 })
    expect([...reflector.values()].map(object => object.metadata.name)).toEqual(['a', 'b'])
    expect(api.watches[0]!.query).toMatchObject({ resourceVersion: '10', timeoutSeconds: 270 })
  })

  it('tells of each change once, after it is in the copy', async () => {
    const { api, reflector, changes } = setUp()
    reflector.start()
    await settle()
    const [watch] = api.watches
    watch!.send('MODIFIED', pod('a', '11'))
    watch!.send('MODIFIED', pod('a', '11'))
    watch!.send('DELETED', pod('b', '12'))
    watch!.send('ADDED', pod('c', '13'))
    expect(changes).toEqual(['n/a - → 5', 'n/b - → 7', 'n/a 5 → 11', 'n/b 7 → -', 'n/c - → 13'])
    expect(reflector.get('n/c')?.metadata.resourceVersion).toBe('13')
  })

  it('drops managedFields and what client-side apply left behind', async () => {
    const { api, reflector } = setUp()
    reflector.start()
    await settle()
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'kept' }
    api.watches[0]!.send('ADDED', pod('c', '11', { managedFields: [{}], annotations }))
    expect(reflector.get('n/c')?.metadata).toEqual({
      name: 'c', namespace: 'n', uid: 'uid-c', resourceVersion: '11', annotations: { mine: 'kept' }
    })
  })

  it('watches on from the last bookmark after an ordinary end', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    await clock.advance(60_000)
    api.watches[0]!.send('BOOKMARK', pod('', '42'))
    await clock.advance(60_000)
    api.watches[0]!.end()
    expect(api.watches[1]!.query.resourceVersion).toBe('42')
    expect(api.listQueries).toHaveLength(1)
  })

  it('lists again when its version has expired, and notices what went meanwhile', async () => {
    const { api, clock, reflector, changes } = setUp()
    reflector.start()
    await settle()
    api.lists = [{ items: [pod('b', '8')], resourceVersion: '20', continue: '' }]
    api.watches[0]!.end(new KubeError(410, 'Expired', 'too old resource version'))
    await clock.advance(1_000)
    expect(api.listQueries).toHaveLength(2)
    expect(changes.slice(2)).toEqual(['n/b 7 → 8', 'n/a 5 → -'])
    expect(api.watches[1]!.query.resourceVersion).toBe('20')
  })

  it('pauses between failures, longer each time, 30 s at most, and never gives up', async () => {
    const { api, clock, reflector } = setUp()
    api.lists = [new KubeError(0, 'ConnectionRefused', 'no')]
    reflector.start()
    const at: number[] = []
    for (let count = 1; count < 12; count++) {
      while (api.listQueries.length <= count) await clock.advance(50)
      at.push(clock.now())
    }
    const pauses = at.slice(1).map((time, index) => time - at[index]!)
    expect(pauses.slice(0, 4)).toEqual([400, 800, 1600, 3200])
    expect(Math.max(...pauses)).toBe(30_000)
    expect(reflector.isSynced).toBe(false)
    api.lists = [{ items: [pod('a', '5')], resourceVersion: '10', continue: '' }]
    await clock.advance(31_000)
    expect(reflector.isSynced).toBe(true)
  })

  it('goes on within a moment when the server is known to answer again', async () => {
    const { api, clock, reflector } = setUp()
    api.lists = [new KubeError(0, 'ConnectionRefused', 'no')]
    reflector.start()
    await clock.advance(60_000)
    api.lists = [{ items: [pod('a', '5')], resourceVersion: '10', continue: '' }]
    const asked = api.listQueries.length
    reflector.retrySoon()
    await clock.advance(500)
    expect([reflector.isSynced, api.listQueries.length]).toEqual([true, asked + 1])
    // One that pauses before nothing does nothing.
    reflector.retrySoon()
    await clock.advance(1_000)
    expect([api.listQueries.length, api.watches.length]).toEqual([asked + 1, 1])
  })

  it('opens a watch again that has brought nothing since before an outage: its server may be gone', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    await clock.advance(4_000)
    api.watches[0]!.send('ADDED', pod('c', '13'))
    await clock.advance(4_900)
    reflector.retrySoon()
    await clock.advance(1_000)
    expect(api.watches).toHaveLength(1)
    reflector.retrySoon()
    expect(api.watches[0]!.stopped).toBe(true)
    reflector.retrySoon()
    await clock.advance(500)
    expect(api.watches).toHaveLength(2)
    expect(api.watches[1]!.query).toMatchObject({ resourceVersion: '13' })
    await clock.advance(60_000)
    expect([api.watches.length, api.listQueries.length]).toEqual([2, 1])
  })

  it('waits as long as the server asks, whoever else it answers again', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    api.watches[0]!.end(new KubeError(429, 'TooManyRequests', 'slow down', 7_000))
    await clock.advance(6_000)
    reflector.retrySoon()
    await clock.advance(900)
    expect(api.watches).toHaveLength(1)
    await clock.advance(200)
    expect(api.watches).toHaveLength(2)
  })

  it('waits as long as the server asks (429, Retry-After)', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    api.watches[0]!.end(new KubeError(429, 'TooManyRequests', 'slow down', 7_000))
    await clock.advance(6_900)
    expect(api.watches).toHaveLength(1)
    await clock.advance(200)
    expect(api.watches).toHaveLength(2)
  })

  it('takes silence for a broken watch', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    await clock.advance(100_000)
    api.watches[0]!.send('BOOKMARK', pod('', '11'))
    await clock.advance(140_000)
    expect(api.watches).toHaveLength(1)
    await clock.advance(20_000)
    expect(api.watches[0]!.stopped).toBe(true)
    expect(api.watches[1]!.query.resourceVersion).toBe('11')
  })

  it('tells how long it has heard nothing, however often it asked', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    await clock.advance(400_000)
    expect(api.watches.length).toBeGreaterThan(2)
    expect(reflector.silenceMs).toBe(400_000)
    for (let round = 0; round < 3; round++) {
      api.watches.at(-1)!.end(new KubeError(0, 'ConnectionRefused', 'away'))
      api.lists = [new KubeError(0, 'ConnectionRefused', 'away')]
      await clock.advance(60_000)
    }
    expect(reflector.silenceMs).toBe(580_000)
  })

  it('doubts its version when every watch fails (an API restored from a backup)', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    for (let watch = 0; watch < 3; watch++) {
      api.watches[watch]!.end(new KubeError(504, 'Timeout', 'Too large resource version'))
      await clock.advance(5_000)
    }
    expect(api.listQueries).toHaveLength(2)
  })

  it('does not spin on a server that ends every watch at once', async () => {
    const { api, clock, reflector } = setUp()
    reflector.start()
    await settle()
    for (let round = 0; round < 20; round++) {
      api.watches.at(-1)!.end()
      await clock.advance(100)
    }
    expect(api.watches.length).toBeLessThan(6)
  })

  it('takes in own writes, and ignores the older events that follow', async () => {
    const { api, reflector, changes } = setUp()
    reflector.start()
    await settle()
    reflector.observe(pod('a', '15'))
    api.watches[0]!.send('MODIFIED', pod('a', '12'))
    api.watches[0]!.send('MODIFIED', pod('a', '15'))
    expect(reflector.get('n/a')?.metadata.resourceVersion).toBe('15')
    expect(changes.slice(2)).toEqual(['n/a 5 → 15'])
    reflector.observe(pod('a', '9'))
    expect(reflector.get('n/a')?.metadata.resourceVersion).toBe('15')
    reflector.observeDeleted(pod('a', '15'))
    expect(reflector.get('n/a')).toBeUndefined()
  })

  it('stops: no event, no timer', async () => {
    const { api, clock, reflector, changes } = setUp()
    reflector.start()
    await settle()
    reflector.stop()
    api.watches[0]!.send('ADDED', pod('c', '11'))
    await clock.advance(1_000_000)
    expect(changes).toHaveLength(2)
    expect(clock.timers).toBe(0)
  })
})
