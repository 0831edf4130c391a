// /livez, /readyz and /metrics. Alive: this process answers; it never asks the Kubernetes API, whose
// outage must not restart the operator. Ready: it has read what it watches.
import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'
import { listenOptions } from '../wire/address.ts'

export interface HealthSources {
  readonly registry: Registry
  /** Why not; empty when it is. */
  readonly notReady: () => string
}

/** Rejects with one line when the port cannot be had. */
export async function serveHealth (address: string, sources: HealthSources): Promise<Server> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type }).end(text)
    }
    if (request.url === '/livez') answer(200, 'ok\n')
    else if (request.url === '/readyz') {
      const reason = sources.notReady()
      answer(reason === '' ? 200 : 503, reason === '' ? 'ok\n' : `${reason}\n`)
    } else if (request.url === '/metrics') {
      sources.registry.metrics().then(
        text => { answer(200, text, sources.registry.contentType) },
        (error: unknown) => { answer(500, `${String(error)}\n`) })
    } else {
      answer(404, 'not found\n')
    }
  })
  server.maxConnections = 100
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', error => {
    reject(new Error(`cannot listen on ${address}: ${error.message}`))
  })
  server.listen(listenOptions(address), resolve)
  await promise
  return server
}
