// The in-process face of the embedded API, its limits, and what it does on a full day.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiError, startKubeApi } from '../../../local/kube/api.ts'
import type { KubeApi, WatchEvent } from '../../../local/kube/api.ts'
import { Client, media } from './client.ts'

let api: KubeApi
let client: Client

beforeEach(async () => {
  api = await startKubeApi({})
  client = new Client({ url: api.url })
})

afterEach(async () => { await api.close() })

const map = (name: string, data: Record<string, string> = {}): { metadata: { name: string }, data: Record<string,
  string> } =>
  ({ metadata: { name }, data })

describe('the in-process interface', () => {
  it('reads and writes what HTTP clients see', async () => {
    const made = await api.create('configmaps', map('one', { a: '1' }))
    expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name: 'one' } })
    expect((await client.get('/api/v1/namespaces/default/configmaps/one')).body).toEqual(made)
    const changed = await api.update('configmaps', { ...made, data: { a: '2' } })
    expect(api.get('configmaps', 'default', 'one')).toEqual(changed)
    await expect(api.update('configmaps', made)).rejects.toMatchObject({ code: 409, reason: 'Conflict' })
    const patched = await api.patch('configmaps', 'default', 'one', { data: { b: '3' } })
    expect(patched.data).toEqual({ a: '2', b: '3' })
    expect(api.list('configmaps', { fieldSelector: 'metadata.name=one' })).toEqual([patched])
    await api.delete('configmaps', 'default', 'one')
    expect(api.get('configmaps', 'default', 'one')).toBeUndefined()
    await expect(api.delete('configmaps', 'default', 'one')).rejects.toBeInstanceOf(ApiError)
  })

  it('writes statuses and scales', async () => {
    const labels = { a: 'b' }
    const made = await api.create('statefulsets.apps', {
      metadata: { name: 'set' },
      spec: {
        selector: { matchLabels: labels },
        serviceName: 's',
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } }
      }
    })
    const status = await api.updateStatus('statefulsets.apps', { ...made, spec: {}, status: { replicas: 1 } })
    expect(status).toMatchObject({ spec: { replicas: 1, serviceName: 's' }, status: { replicas: 1 } })
    const scaled = await api.patch('statefulsets.apps', 'default', 'set', { spec: { replicas: 4 } },
      { subresource: 'scale' })
    expect(scaled.spec).toMatchObject({ replicas: 4 })
    const merged = await api.patch('statefulsets.apps', 'default', 'set', { status: { readyReplicas: 1 } },
      { subresource: 'status' })
    expect(merged.status).toMatchObject({ replicas: 1, readyReplicas: 1 })
  })

  it('watches from what is there, each change once and in order', async () => {
    await api.create('configmaps', map('before'))
    const pending = api.create('configmaps', map('racing'))
    const seen: string[] = []
    const stop = api.watch('configmaps',
      ({ type, object }: WatchEvent) => { seen.push(`${type} ${object.metadata.name}`) })
    expect(seen).toEqual(['ADDED before', 'ADDED racing'])
    await pending
    await api.patch('configmaps', 'default', 'racing', { data: { x: 'y' } })
    await api.delete('configmaps', 'default', 'before')
    expect(seen.slice(2)).toEqual(['MODIFIED racing', 'DELETED before'])
    stop()
    await api.create('configmaps', map('after'))
    expect(seen).toHaveLength(4)
  })

  it('refuses resources that nobody serves', () => {
    expect(() => api.list('nothings.example.com')).toThrow(ApiError)
  })

  it('leaves what was read alone', async () => {
    const first = await api.create('configmaps', map('same', { a: '1' }))
    const text = JSON.stringify(first)
    await api.patch('configmaps', 'default', 'same', { metadata: { labels: { x: 'y' } }, data: { a: '2' } })
    expect(JSON.stringify(first)).toBe(text)
  })
})

describe('limits', () => {
  it('answers 400 to what is no JSON and no URL', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    for (const body of ['{', '[]', '"x"', '']) expect((await client.post(path, body)).status).toBe(400)
    expect((await client.get('/api/v1/namespaces/%zz/configmaps')).status).toBe(400)
    expect((await client.get(`${path}?limit=many`)).status).toBe(400)
    expect((await client.post(`${path}?dryRun=Some`, map('x'))).status).toBe(422)
    expect((await client.post(`${path}?fieldValidation=Maybe`, map('x'))).status).toBe(422)
    expect((await client.patch(`${path}/x`, 'text/plain', 'x')).status).toBe(415)
  })

  it('refuses web pages and foreign host names', async () => {
    const pages = [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { host: 'evil.example' }]
    for (const headers of pages) {
      const { status, body } = await client.post('/api/v1/namespaces/default/configmaps', map('x'), { headers })
      expect([status, body.reason]).toEqual([403, 'Forbidden'])
    }
    expect((await client.get('/readyz', { headers: { host: 'localhost:1' } })).status).toBe(200)
  })

  it('keeps fields named like parts of JavaScript apart from them', async () => {
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto"},' +
      '"data":{"__proto__":"a","constructor":"b","toString":"c"}}'
    expect((await client.post('/api/v1/namespaces/default/configmaps', body)).status).toBe(201)
    const { text } = await client.get('/api/v1/namespaces/default/configmaps/proto')
    expect(text).toContain('"__proto__":"a"')
    const patched = await client.patch('/api/v1/namespaces/default/configmaps/proto', media.merge,
      '{"data":{"__proto__":"z"}}')
    expect(patched.text).toContain('"__proto__":"z"')
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })

  it('ends watches and refuses calls when it closes', async () => {
    const watch = await client.watch('/api/v1/namespaces/default/configmaps')
    await api.close()
    await watch.until(() => watch.ended)
    await expect(client.get('/readyz')).rejects.toThrow()
  })

  it('forgets old changes and says so: 410', async () => {
    const small = await startKubeApi({ historyEventsMax: 5 })
    try {
      const other = new Client({ url: small.url })
      const first = await small.create('configmaps', map('first'))
      for (let at = 0; at < 10; at++) await small.create('configmaps', map(`more-${at}`))
      const watch = await other.watch(`/api/v1/configmaps?resourceVersion=${first.metadata.resourceVersion}`)
      const [event] = await watch.until(events => events.length > 0)
      expect(event).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })
      await watch.until(() => watch.ended)
      const chunk = await other.get('/api/v1/configmaps?limit=2')
      for (let at = 0; at < 10; at++) await small.create('configmaps', map(`late-${at}`))
      const next = await other.get(`/api/v1/configmaps?limit=2&continue=${chunk.body.metadata.continue}`)
      expect([next.status, next.body.reason]).toEqual([410, 'Expired'])
      const ahead = await other.get('/api/v1/configmaps?resourceVersion=999999')
      expect([ahead.status, ahead.body.details.causes[0].reason]).toEqual([504, 'ResourceVersionTooLarge'])
    } finally {
      await small.close()
    }
  })

  it('holds thousands of objects, listed whole and in order', async () => {
    const names = Array.from({ length: 2000 }, (_, at) => `cm-${String(at).padStart(4, '0')}`)
    const seen = new Set<string>()
    const stop = api.watch('configmaps', ({ object }) => { seen.add(object.metadata.name) })
    await Promise.all(names.toReversed().map(async name => await api.create('configmaps', map(name))))
    stop()
    expect(seen.size).toBe(2000)
    const { body } = await client.get('/api/v1/namespaces/default/configmaps')
    expect((body.items as { metadata: { name: string } }[]).map(item => item.metadata.name)).toEqual(names)
  })
})

describe('time', () => {
  it('comes from the clock that is given', async () => {
    const still = await startKubeApi({ clock: { wallTime: () => Date.UTC(2030, 0, 2, 3, 4, 5) } })
    try {
      const { metadata } = await still.create('configmaps', map('x'))
      expect(metadata.creationTimestamp).toBe('2030-01-02T03:04:05Z')
    } finally {
      await still.close()
    }
  })
})
