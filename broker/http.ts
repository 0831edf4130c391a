// The metrics port: /metrics, /livez, /readyz. An adapter: probes and scrapers are plain HTTP.
import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'
import { listenOptions } from '../wire/address.ts'

export interface HealthSource {
  readonly registry: Registry
  /** Empty when the broker serves, otherwise what it waits for. */
  readonly notReady: () => string
  /** Empty while the process is sound, otherwise why it should be started again. */
  readonly notAlive: () => string
}

/**
 * @param address host:port
 * @returns the server once it listens; rejects when the address is taken
 */
export async function serveHealth (address: string, source: HealthSource): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'only GET')
      return
    }
    const path = (request.url ?? '').split('?')[0]
    if (path === '/livez') {
      const reason = source.notAlive()
      answer(reason === '' ? 200 : 500, reason === '' ? 'ok' : reason)
    } else if (path === '/readyz') {
      const reason = source.notReady()
      answer(reason === '' ? 200 : 503, reason === '' ? 'ok' : reason)
    } else if (path === '/metrics') {
      source.registry.metrics().then(
        text => response.writeHead(200, { 'content-type': source.registry.contentType }).end(text),
        (error: unknown) => { answer(500, String(error)) })
    } else {
      answer(404, 'here are /metrics, /livez and /readyz')
    }
  })
  // Probes and scrapes are small and quick; whoever is neither must not hold the port.
  server.headersTimeout = 5_000
  server.requestTimeout = 5_000
  server.maxConnections = 64
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listenOptions(address), () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.unref()
  return server
}
