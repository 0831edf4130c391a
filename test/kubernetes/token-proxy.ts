// A way to a real API server for one process: plain HTTP on this side, somebody's token on the other, and whoever
// wants to know is told what passes.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Target } from '../local/kube/client.ts'

export interface Passing {
  readonly method: string
  /** Path and query. */
  readonly path: string
}

export interface Listeners {
  /** Before it is sent on. */
  readonly onRequest?: (request: Passing) => void
  readonly onAnswer?: (request: Passing, status: number) => void
}

export class TokenProxy {
  readonly #server: Server

  private constructor ({ url, ca, token }: Target, { onRequest, onAnswer }: Listeners) {
    const agent = new Agent({ keepAlive: true, ...ca !== undefined && { ca } })
    this.#server = createServer((incoming, outgoing) => {
      const passing = { method: incoming.method ?? '', path: incoming.url ?? '/' }
      onRequest?.(passing)
      const forwarded = httpsRequest(new URL(passing.path, url), {
        agent,
        method: passing.method,
        headers: { ...incoming.headers, host: new URL(url).host, authorization: `Bearer ${token}` }
      }, answer => {
        const status = answer.statusCode ?? 502
        onAnswer?.(passing, status)
        outgoing.writeHead(status, answer.headers)
        // A watch is answered before it has anything to tell.
        outgoing.flushHeaders()
        answer.pipe(outgoing)
        answer.on('error', () => { outgoing.destroy() })
      })
      // As if there were nothing between the two.
      forwarded.on('error', () => { outgoing.destroy() })
      outgoing.on('close', () => { forwarded.destroy() })
      incoming.pipe(forwarded)
    })
  }

  static async start (target: Target, listeners: Listeners = {}): Promise<TokenProxy> {
    const proxy = new TokenProxy(target, listeners)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url (): string { return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }

  stop (): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
