// Faults on demand do what they say, once asked for and never otherwise.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startKubeApi } from '../../../local/kube/api.ts'
import type { KubeApi } from '../../../local/kube/api.ts'
import type { Fault, FaultRequest, Faults } from '../../../local/kube/faults.ts'
import { Client } from './client.ts'

let api: KubeApi
let client: Client
let next: Fault | undefined
let asked: FaultRequest[]
const faults: Faults = {
  onRequest (request) {
    asked.push(request)
    const fault = next
    next = undefined
    return fault
  }
}
const path = '/api/v1/namespaces/default/configmaps'
const object = (name: string): unknown => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })

beforeEach(async () => {
  asked = []
  next = undefined
  api = await startKubeApi({ faults })
  client = new Client({ url: api.url })
})

afterEach(async () => { await api.close() })

describe('faults', () => {
  it('are told what the request asks for', async () => {
    await client.post(`${path}`, object('x'))
    await client.get(`${path}?watch=false`)
    await client.apply(`${path}/x`, object('x'), 'me')
    await client.get('/version')
    expect(asked.map(({ verb, resource, namespace, name, sequence }) =>
      [verb, resource, namespace, name, sequence])).toEqual([
      ['create', 'configmaps', 'default', undefined, 1], ['list', 'configmaps', 'default', undefined, 2],
      ['apply', 'configmaps', 'default', 'x', 3], ['other', '', undefined, undefined, 4]])
  })

  it('break the connection before the write', async () => {
    next = { kind: 'reset' }
    await expect(client.post(path, object('reset'))).rejects.toThrow()
    expect(api.get('configmaps', 'default', 'reset')).toBeUndefined()
  })

  it('break it after the write', async () => {
    next = { kind: 'lostReply' }
    await expect(client.post(path, object('lost'))).rejects.toThrow()
    expect(api.get('configmaps', 'default', 'lost')).toBeDefined()
  })

  it('hold the answer back', async () => {
    let release: () => void = () => {}
    next = { kind: 'stall', release: new Promise<void>(resolve => { release = resolve }) }
    const reply = client.post(path, object('stalled'))
    await client.get(path)
    expect(api.get('configmaps', 'default', 'stalled')).toBeUndefined()
    release()
    expect((await reply).status).toBe(201)
  })

  it('refuse with a Status', async () => {
    for (const [code, reason] of [[401, 'Unauthorized'], [403, 'Forbidden'], [409, 'Conflict'],
      [500, 'InternalError']] as const) {
      next = { kind: 'refuse', code }
      const { status, body } = await client.get(path)
      expect([status, body.kind, body.reason, body.code]).toEqual([code, 'Status', reason, code])
    }
  })

  it('throttle with Retry-After', async () => {
    next = { kind: 'throttle', retryAfterSeconds: 7 }
    const { status, headers, body } = await client.post(path, object('x'))
    expect([status, headers['retry-after'], body.reason]).toEqual([429, '7', 'TooManyRequests'])
    expect(body.details.retryAfterSeconds).toBe(7)
  })

  it('let a watch go stale', async () => {
    next = { kind: 'staleWatch' }
    const stale = await client.watch(`${path}?allowWatchBookmarks=true`)
    const live = await client.watch(path)
    await client.post(path, object('unseen'))
    await live.until(events => events.length === 1)
    expect(stale.events).toEqual([])
    stale.close()
    live.close()
  })

  it('drop events from one watcher alone', async () => {
    faults.dropEvent = ({ sequence }, event) => sequence === 1 && event.object.metadata.name === 'dropped'
    try {
      const blind = await client.watch(path)
      const live = await client.watch(path)
      await client.post(path, object('dropped'))
      await client.post(path, object('shown'))
      await live.until(events => events.length === 2)
      const events = await blind.until(found => found.length === 1)
      expect(events[0].object.metadata.name).toBe('shown')
      blind.close()
      live.close()
    } finally {
      delete faults.dropEvent
    }
  })
})
