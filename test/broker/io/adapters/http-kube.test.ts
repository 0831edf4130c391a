import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KubeError } from '../../../../broker/io/ports.ts'
import type { KubeErrorKind } from '../../../../broker/io/ports.ts'
import { HttpKube } from '../../../../broker/io/adapters/http-kube.ts'
import { startKubeApi } from '../../../../local/kube/api.ts'
import { kubeConformance } from '../kube.conformance.ts'

kubeConformance('HTTP', async () => {
  const api = await startKubeApi({})
  return {
    kube: new HttpKube({ url: api.url, namespace: 'default' }),
    other: new HttpKube({ url: api.url, namespace: 'default' }),
    run: async promise => await promise,
    close: async () => { await api.close() }
  }
})

const leases = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
const lease = { apiVersion: leases.apiVersion, kind: 'Lease', metadata: { name: 'a', resourceVersion: '7' } }

let server: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
let kube: HttpKube
let folder: string

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-kube-'))
  writeFileSync(join(folder, 'token'), 'first\n')
  server = createServer((request, response) => { answer(request, response) })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  kube = new HttpKube({
    url: `http://127.0.0.1:${port}`, namespace: 'my ns', timeoutMs: 200, tokenPath: join(folder, 'token')
  })
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  rmSync(folder, { recursive: true })
})

async function failure (promise: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason)
  if (!(error instanceof KubeError)) throw new Error(`rejects with a KubeError, not ${String(error)}`)
  return error
}

function status (code: number, reason: string, headers: Record<string, string> = {}): void {
  answer = (request, response) => {
    request.resume()
    const body = { kind: 'Status', code, reason, message: `because ${reason}` }
    response.writeHead(code, headers).end(JSON.stringify(body))
  }
}

describe('errors', () => {
  const cases: [number, string, KubeErrorKind, KubeErrorKind][] = [
    [401, 'Unauthorized', 'refused', 'refused'],
    [403, 'Forbidden', 'refused', 'refused'],
    [409, 'Conflict', 'conflict', 'conflict'],
    [409, 'AlreadyExists', 'exists', 'exists'],
    [400, 'BadRequest', 'invalid', 'invalid'],
    [422, 'Invalid', 'invalid', 'invalid'],
    [429, 'TooManyRequests', 'unavailable', 'unavailable'],
    [500, 'InternalError', 'unavailable', 'unknown'],
    [503, 'ServiceUnavailable', 'unavailable', 'unknown'],
    [504, 'Timeout', 'unavailable', 'unknown']
  ]

  it.each(cases)('%i %s: %s for a read, %s for a write', async (code, reason, read, write) => {
    status(code, reason)
    const error = await failure(kube.list(leases, {}))
    expect(error).toMatchObject({ kind: read, status: code })
    expect(error.message).toContain(`because ${reason}`)
    expect((await failure(kube.replace(leases, lease))).kind).toBe(write)
  })

  it('tells when to come again', async () => {
    status(429, 'TooManyRequests', { 'retry-after': '3' })
    expect((await failure(kube.list(leases, {}))).retryAfterMs).toBe(3_000)
    status(429, 'TooManyRequests', { 'retry-after': 'tomorrow' })
    expect((await failure(kube.list(leases, {}))).retryAfterMs).toBe(0)
  })

  it('does not know about a write without an answer', async () => {
    answer = request => { request.resume() }
    expect(await failure(kube.create(leases, lease))).toMatchObject({ kind: 'unknown', status: 0 })
    expect(await failure(kube.list(leases, {}))).toMatchObject({ kind: 'unavailable', status: 0 })
    answer = request => { request.socket.destroy() }
    expect((await failure(kube.create(leases, lease))).kind).toBe('unknown')
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"kind":')
      setImmediate(() => response.destroy())
    }
    expect((await failure(kube.create(leases, lease))).kind).toBe('unknown')
    answer = (_request, response) => { response.end('<html>') }
    expect((await failure(kube.create(leases, lease))).kind).toBe('unknown')
  })

  it('knows that nothing was written when nobody listens', async () => {
    await new Promise(resolve => server.close(resolve))
    expect(await failure(kube.create(leases, lease))).toMatchObject({ kind: 'unavailable', status: 0 })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })
})

describe('requests', () => {
  it('go to the namespace, with what they need', async () => {
    const seen: { line: string, body: string, token: string | undefined }[] = []
    answer = (request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => { body += chunk.toString() })
      request.on('end', () => {
        seen.push({ line: `${request.method} ${request.url}`, body, token: request.headers.authorization })
        response.end(JSON.stringify({ kind: 'LeaseList', items: [] }))
      })
    }
    await kube.get({ apiVersion: 'v1', plural: 'pods' }, 'a/b')
    writeFileSync(join(folder, 'token'), 'second')
    await kube.list(leases, { 'a/b': 'c', d: 'e' })
    await kube.remove(leases, 'a', { uid: 'u', resourceVersion: '7' })
    expect(seen.map(({ line }) => line)).toEqual([
      'GET /api/v1/namespaces/my%20ns/pods/a%2Fb',
      'GET /apis/coordination.k8s.io/v1/namespaces/my%20ns/leases?labelSelector=a%2Fb%3Dc%2Cd%3De',
      'DELETE /apis/coordination.k8s.io/v1/namespaces/my%20ns/leases/a'
    ])
    expect(JSON.parse(seen[2]!.body)).toEqual({
      apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'u', resourceVersion: '7' }
    })
    expect(seen.map(({ token }) => token)).toEqual(['Bearer first', 'Bearer second', 'Bearer second'])
  })

  it('share connections', async () => {
    let connections = 0
    server.on('connection', () => connections++)
    status(200, 'fine')
    for (let request = 0; request < 5; request++) await kube.get(leases, 'a')
    expect(connections).toBe(1)
  })
})

describe('fromEnvironment', () => {
  it('refuses to guess', () => {
    expect(() => HttpKube.fromEnvironment({})).toThrow('KUBERNETES_SERVICE_HOST')
    expect(() => HttpKube.fromEnvironment({ MILLRACE_KUBE: 'nonsense' })).toThrow('not an address')
  })

  it('takes MILLRACE_KUBE before the service account', async () => {
    const { port } = server.address() as AddressInfo
    status(200, 'fine')
    const local = HttpKube.fromEnvironment({
      MILLRACE_KUBE: `http://127.0.0.1:${port}`, KUBERNETES_SERVICE_HOST: '192.0.2.1'
    })
    expect(await local.get(leases, 'a')).toMatchObject({ code: 200 })
  })
})
