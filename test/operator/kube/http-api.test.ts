// The real client against a server of this test: what goes over the wire, and what comes of bad answers.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NodeClock } from '../../../wire/adapters/node-clock.ts'
import { isEverydayAnswer, KubeError, type WatchEvent } from '../../../operator/kube/api.ts'
import { loadCredentials } from '../../../operator/kube/credentials.ts'
import { HttpApi } from '../../../operator/kube/http-api.ts'
import { kinds, type KubeObject } from '../../../operator/kube/types.ts'
import { FakeClock } from '../fake-clock.ts'

interface Seen {
  method: string
  url: string
  type: string
  accept: string | undefined
  body: unknown
  authorization: string | undefined
}

let server: Server
let url: string
let seen: Seen[]
let answer: (response: ServerResponse, request: IncomingMessage) => void

beforeEach(async () => {
  seen = []
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      seen.push({
        method: request.method!,
        url: request.url!,
        type: request.headers['content-type'] ?? '',
        accept: request.headers.accept,
        body: text === '' ? undefined : JSON.parse(text),
        authorization: request.headers.authorization
      })
      answer(response, request)
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise(resolve => { server.close(resolve) })
})

async function client (env: Record<string, string> = { MILLRACE_KUBE: url }): Promise<HttpApi> {
  return new HttpApi({ credentials: await loadCredentials(env), clock: new NodeClock(), userAgent: 'test' })
}

function json (status: number, body: object, headers: Record<string, string> = {}): typeof answer {
  return response => { response.writeHead(status, headers).end(JSON.stringify(body)) }
}

const topicKind = { apiVersion: 'millrace.dev/v1alpha1', kind: 'Topic' } as const
const topic: KubeObject = { ...topicKind, metadata: { name: 'a', namespace: 'n' } }

describe('requests', () => {
  it('applies as one manager, forced, the status too', async () => {
    const api = await client()
    answer = json(200, topic)
    await api.apply(kinds.topic, topic)
    await api.apply(kinds.topic, topic, 'status')
    const path = '/apis/millrace.dev/v1alpha1/namespaces/n/topics/a'
    expect(seen).toMatchObject([
      { method: 'PATCH', url: `${path}?fieldManager=millrace-operator&force=true`, body: topic },
      { method: 'PATCH', url: `${path}/status?fieldManager=millrace-operator&force=true`, body: topic }
    ])
    expect(seen[0]!.type).toBe('application/apply-patch+yaml')
  })

  it('deletes with preconditions, and does not mind what is gone', async () => {
    const api = await client()
    answer = json(404, { kind: 'Status', reason: 'NotFound', code: 404 })
    await api.delete(kinds.pod, 'n', 'a', { uid: 'u', propagationPolicy: 'Orphan' })
    expect(seen[0]).toMatchObject({
      method: 'DELETE',
      url: '/api/v1/namespaces/n/pods/a',
      body: { preconditions: { uid: 'u' }, propagationPolicy: 'Orphan' }
    })
  })

  it('lists a page of all namespaces and gives the items their kind', async () => {
    const api = await client()
    answer = json(200, { metadata: { resourceVersion: '7', continue: 'c' }, items: [{ metadata: { name: 'a' } }] })
    expect(await api.list(kinds.pod, { namespace: '', labelSelector: 'a=b,c', limit: 2 })).toEqual({
      items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } }], resourceVersion: '7', continue: 'c'
    })
    expect(seen[0]!.url).toBe('/api/v1/pods?labelSelector=a%3Db%2Cc&limit=2')
  })

  it('asks for metadata alone where nothing else is wanted, and calls the objects what they are', async () => {
    const api = await client()
    const partial = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: { name: 'a' } }
    answer = json(200, { metadata: { resourceVersion: '7' }, items: [partial] })
    const query = { namespace: '', metadataOnly: true }
    expect((await api.list(kinds.topic, query)).items).toEqual([{ ...topicKind, metadata: { name: 'a' } }])
    answer = response => { response.writeHead(200).end(`${JSON.stringify({ type: 'ADDED', object: partial })}\n`) }
    const event = await new Promise<WatchEvent>(resolve => {
      api.watch(kinds.topic, { ...query, resourceVersion: '7', timeoutSeconds: 9 }, { event: resolve, end: () => {} })
    })
    expect(event.object).toEqual({ ...topicKind, metadata: { name: 'a' } })
    expect(seen.map(({ accept }) => accept)).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
    ])
  })

  it('answers undefined for what is not there', async () => {
    const api = await client()
    answer = json(404, { kind: 'Status', reason: 'NotFound' })
    expect(await api.get(kinds.lease, 'n', 'x')).toBeUndefined()
  })
})

describe('errors', () => {
  it('has the reason, the message and Retry-After of the server', async () => {
    const api = await client()
    answer = json(429, { kind: 'Status', reason: 'TooManyRequests', message: 'slow down' }, { 'retry-after': '3' })
    await expect(api.create(kinds.topic, topic)).rejects.toMatchObject({
      status: 429, reason: 'TooManyRequests', message: 'slow down', retryAfterMs: 3000
    })
  })

  it('survives an answer that is not JSON', async () => {
    const api = await client()
    answer = response => { response.writeHead(503).end('<html>') }
    await expect(api.get(kinds.pod, 'n', 'a')).rejects.toMatchObject({ status: 503, message: '<html>' })
  })

  it('says that the connection broke in the middle', async () => {
    const api = await client()
    answer = response => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{', () => { response.destroy() })
    }
    await expect(api.get(kinds.pod, 'n', 'a')).rejects.toMatchObject({ status: 0, reason: 'ConnectionBroken' })
  })

  it('says that nobody listens', async () => {
    const api = await client({ MILLRACE_KUBE: 'http://127.0.0.1:1' })
    await expect(api.get(kinds.pod, 'n', 'a')).rejects.toMatchObject({ status: 0, reason: 'ConnectionRefused' })
  })

  it('gives up on a server that does not answer', async () => {
    const clock = new FakeClock()
    const api = new HttpApi({ credentials: await loadCredentials({ MILLRACE_KUBE: url }), clock, userAgent: 'test' })
    const arrived = new Promise<void>(resolve => { answer = () => { resolve() } })
    const asked = expect(api.get(kinds.pod, 'n', 'a')).rejects.toMatchObject({ reason: 'TimedOut' })
    await arrived
    await clock.advance(15_000)
    await asked
  })
})

it('tells of every answer, so that failures can be counted', async () => {
  const answers: string[] = []
  const api = new HttpApi({
    credentials: await loadCredentials({ MILLRACE_KUBE: url }),
    clock: new NodeClock(),
    userAgent: 'test',
    onAnswer: error => {
      answers.push(error === undefined ? 'fine' : `${error.status} ${isEverydayAnswer(error) ? 'everyday' : 'failed'}`)
    }
  })
  answer = json(200, topic)
  await api.get(kinds.topic, 'n', 'a')
  for (const status of [404, 409, 403, 503]) {
    answer = json(status, { kind: 'Status', code: status })
    await api.get(kinds.topic, 'n', 'a').catch(() => {})
  }
  expect(answers).toEqual(['fine', '404 everyday', '409 everyday', '403 failed', '503 failed'])
})

describe('watch', () => {
  async function watch (write: (response: ServerResponse) => void): Promise<unknown[]> {
    const api = await client()
    answer = response => { response.writeHead(200); write(response) }
    const events: unknown[] = []
    await new Promise<void>(resolve => {
      api.watch(kinds.topic, { namespace: 'n', resourceVersion: '5', timeoutSeconds: 9 }, {
        event: event => { events.push(event) },
        end: error => { events.push(error === undefined ? 'end' : `${error.status} ${error.reason}`); resolve() }
      })
    })
    return events
  }

  const line = (type: string, name: string): string => `${JSON.stringify({ type, object: { metadata: { name } } })}\n`

  it('asks for bookmarks and hands on each line, however it was cut', async () => {
    const text = line('ADDED', 'ä') + line('BOOKMARK', '')
    const bytes = Buffer.from(text)
    expect(await watch(response => {
      for (const byte of bytes) response.write(Buffer.of(byte))
      response.end()
    })).toEqual([
      { type: 'ADDED', object: { ...topicKind, metadata: { name: 'ä' } } },
      { type: 'BOOKMARK', object: { ...topicKind, metadata: { name: '' } } },
      'end'
    ])
    expect(seen[0]!.url).toBe('/apis/millrace.dev/v1alpha1/namespaces/n/topics?' +
      'watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=9')
  })

  it('ends with the error that the server sends in the stream', async () => {
    expect(await watch(response => {
      const error = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }
      response.write(`${JSON.stringify(error)}\n${line('ADDED', 'late')}`)
    })).toEqual(['410 Expired'])
  })

  it('ends with an error for nonsense and for a reset', async () => {
    expect(await watch(response => { response.write('nonsense\n') })).toEqual(['0 ConnectionBroken'])
    expect(await watch(response => { response.write(line('ADDED', 'a'), () => { response.destroy() }) }))
      .toEqual([expect.anything(), '0 ConnectionBroken'])
  })

  it('says nothing any more once it was stopped', async () => {
    const api = await client()
    const { promise, resolve } = Promise.withResolvers<ServerResponse>()
    answer = response => { response.writeHead(200).flushHeaders(); resolve(response) }
    const events: unknown[] = []
    const stop = api.watch(kinds.pod, { namespace: '', resourceVersion: '', timeoutSeconds: 9 }, {
      event: event => { events.push(event) }, end: () => { events.push('end') }
    })
    const response = await promise
    const closed = new Promise(done => { response.once('close', done) })
    stop()
    await closed
    expect(events).toEqual([])
  })
})

describe('credentials', () => {
  let folder: string

  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'millrace-kubeconfig-')) })
  afterEach(() => { rmSync(folder, { recursive: true }) })

  function kubeconfig (user: object): string {
    const path = join(folder, 'config')
    writeFileSync(path, JSON.stringify({
      'current-context': 'x',
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
      clusters: [{ name: 'c', cluster: { server: `${url}/` } }],
      users: [{ name: 'u', user }]
    }))
    return path
  }

  it.each([
    ['nothing', {}, undefined],
    ['a token', { token: 'secret' }, 'Bearer secret'],
    ['a token file beside it', { tokenFile: 'token' }, 'Bearer from-file'],
    ['a program that prints a token', {
      exec: {
        apiVersion: 'client.authentication.k8s.io/v1',
        interactiveMode: 'Never',
        command: 'echo',
        args: [JSON.stringify({
          apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'from-exec' }
        })]
      }
    }, 'Bearer from-exec']
  ])('reads a kubeconfig with %s', async (_what, user, authorization) => {
    writeFileSync(join(folder, 'token'), 'from-file\n')
    const credentials = await loadCredentials({ KUBECONFIG: kubeconfig(user) })
    expect(credentials.namespace).toBe('team')
    const api = new HttpApi({ credentials, clock: new NodeClock(), userAgent: 'test' })
    answer = json(200, topic)
    await api.get(kinds.topic, 'n', 'a')
    expect(seen[0]!.authorization).toBe(authorization)
    api.close()
  })

  it('is an error like others when the token cannot be read', async () => {
    const api = await client({ KUBECONFIG: kubeconfig({ tokenFile: 'missing' }) })
    await expect(api.get(kinds.topic, 'n', 'a')).rejects.toMatchObject({ status: 0, reason: 'CredentialsFailed' })
  })

  it('says in one line what is wrong with a kubeconfig', async () => {
    const path = join(folder, 'empty')
    writeFileSync(path, '')
    await expect(loadCredentials({ KUBECONFIG: path })).rejects
      .toThrow(`${path}: the current context names no cluster with a server`)
  })
})

it('is a KubeError whatever happens', async () => {
  const api = await client()
  answer = response => { response.destroy() }
  await expect(api.list(kinds.pod, { namespace: '' })).rejects.toBeInstanceOf(KubeError)
})
