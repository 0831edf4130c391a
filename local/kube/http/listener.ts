// The HTTP server: reads requests, lets faults (tests only) have their way, turns errors into Status.
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Fault, FaultRequest, Faults } from '../faults.ts'
import { ApiError } from '../status.ts'
import { parseRequest } from './request.ts'
import type { KubeRequest } from './request.ts'
import type { Router } from './router.ts'
import { sendError, toApiError } from './respond.ts'

const connectionsMax = 4000
/** Longer than clients keep idle connections, so that the server never closes one under a request. */
const keepAliveMs = 120_000

const localHosts = new Set(['127.0.0.1', 'localhost', '[::1]', ''])

const refusals: Record<number, [reason: string, message: string]> = {
  401: ['Unauthorized', 'Unauthorized'],
  403: ['Forbidden', 'forbidden: the request was refused'],
  409: ['Conflict', 'Operation cannot be fulfilled: the object has been modified; please apply your ' +
    'changes to the latest version and try again'],
  500: ['InternalError', 'Internal error occurred: the request was refused']
}

export class Listener {
  readonly #server: Server
  readonly #router: Router
  readonly #faults: Faults | undefined
  #sequence = 0

  constructor (router: Router, faults: Faults | undefined) {
    this.#router = router
    this.#faults = faults
    this.#server = createServer({ keepAliveTimeout: keepAliveMs }, (message, response) => {
      void this.#serve(message, response)
    })
    this.#server.maxConnections = connectionsMax
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n')
    })
  }

  /** Resolves with the port. Rejects when it is taken. */
  async listen (host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    return (this.#server.address() as AddressInfo).port
  }

  async close (): Promise<void> {
    const closed = new Promise<void>(resolve => { this.#server.close(() => { resolve() }) })
    this.#server.closeAllConnections()
    await closed
  }

  async #serve (message: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away is no error of ours.
    response.on('error', () => {})
    try {
      const request = parseRequest(message.method ?? 'GET', message.url ?? '/', name => {
        const value = message.headers[name]
        return Array.isArray(value) ? value.join(',') : value ?? ''
      })
      refuseBrowsers(request)
      const faultRequest = this.#faultRequest(request)
      const fault = this.#faults?.onRequest?.(faultRequest)
      if (fault !== undefined && await this.#fail(fault, message, response)) return
      const answer = fault?.kind === 'lostReply' ? withoutReply(response) : response
      await this.#router.route(request, message, answer, faultRequest, fault?.kind === 'staleWatch')
    } catch (error) {
      // The rest of a body that was not read would be taken for the next request.
      if (!message.complete) response.setHeader('connection', 'close')
      sendError(response, toApiError(error))
    }
  }

  #faultRequest (request: KubeRequest): FaultRequest {
    const { resource, verb, header } = request
    const isApply = verb === 'patch' && header('content-type').startsWith('application/apply-patch')
    return {
      verb: isApply ? 'apply' : verb ?? 'other',
      resource: resource === undefined
        ? ''
        : resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`,
      namespace: resource?.namespace,
      name: resource?.name,
      subresource: resource?.subresource,
      userAgent: header('user-agent'),
      sequence: ++this.#sequence
    }
  }

  /** True when the fault has answered (or broken) the request. */
  async #fail (fault: Fault, message: IncomingMessage, response: ServerResponse): Promise<boolean> {
    switch (fault.kind) {
      case 'reset':
        message.socket.resetAndDestroy()
        return true
      case 'stall':
        if (fault.release === undefined) return true
        await fault.release
        return response.destroyed
      case 'refuse': {
        const [reason, text] = refusals[fault.code] ?? ['InternalError', 'refused']
        message.resume()
        sendError(response, new ApiError(fault.code, reason, text))
        return true
      }
      case 'throttle':
        message.resume()
        sendError(response, new ApiError(429, 'TooManyRequests', 'Too many requests, please try again later.',
          { retryAfterSeconds: fault.retryAfterSeconds }))
        return true
      case 'lostReply':
      case 'staleWatch':
        return false
    }
  }
}

/**
 * No web page may talk to the API behind its reader's back: there is no password to keep it out. A
 * page's requests carry Origin or Sec-Fetch-Site; one that renames itself to this address (DNS
 * rebinding) is told by the Host.
 */
function refuseBrowsers (request: KubeRequest): void {
  const site = request.header('sec-fetch-site')
  const host = request.header('host').replace(/:\d+$/, '')
  const isPage = request.header('origin') !== '' || (site !== '' && site !== 'none')
  if (!isPage && localHosts.has(host)) return
  throw new ApiError(403, 'Forbidden', 'forbidden: the local API serves programs on this machine, not web pages')
}

/** A response whose first byte breaks the connection instead. */
function withoutReply (response: ServerResponse): ServerResponse {
  const lose = (): ServerResponse => {
    response.socket?.resetAndDestroy()
    return response
  }
  response.end = lose as ServerResponse['end']
  response.flushHeaders = lose
  return response
}
