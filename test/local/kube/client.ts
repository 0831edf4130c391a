// A small HTTP client for the suites: plain requests, raw JSON, watches as arrays that fill up.
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

/** Where the server under test is: the embedded one, or a real kube-apiserver. */
export interface Target {
  readonly url: string
  /** Bearer token, CA and client certificate, for a real one. */
  readonly token?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

// Tests look into JSON of all shapes; a typed model would test the model.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Any = any

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Any
  readonly text: string
}

export interface Options {
  readonly body?: unknown
  readonly type?: string
  readonly accept?: string
  readonly headers?: Record<string, string>
}

export const media = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  jsonPatch: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io'
}

export interface Watch {
  /** Every event so far. */
  readonly events: Any[]
  readonly ended: boolean
  /** Resolves with the events once `enough` says so; rejects after timeoutMs. */
  until (enough: (events: Any[]) => boolean, timeoutMs?: number): Promise<Any[]>
  close (): void
}

export class Client {
  readonly #target: Target

  constructor (target: Target) {
    this.#target = target
  }

  #send (method: string, path: string, options: Options, onResponse: (response: IncomingMessage) => void,
    onError: (error: Error) => void): { destroy (): void } {
    const url = new URL(path, this.#target.url)
    const { ca, cert, key, token } = this.#target
    const text = options.body === undefined
      ? undefined
      : typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(url, {
      method,
      headers: {
        accept: options.accept ?? media.json,
        'user-agent': 'conformance/1.0',
        ...token !== undefined && { authorization: `Bearer ${token}` },
        ...text !== undefined &&
          { 'content-type': options.type ?? media.json, 'content-length': Buffer.byteLength(text) },
        ...options.headers
      },
      ...ca !== undefined && { ca },
      ...cert !== undefined && { cert },
      ...key !== undefined && { key }
    }, onResponse)
    request.on('error', onError)
    request.end(text)
    return request
  }

  async call (method: string, path: string, options: Options = {}): Promise<Reply> {
    return await new Promise((resolve, reject) => {
      this.#send(method, path, options, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const isJson = text.startsWith('{') || text.startsWith('[')
          resolve({
            status: response.statusCode ?? 0, headers: response.headers, text,
              body: isJson ? JSON.parse(text) : undefined
          })
        })
      }, reject)
    })
  }

  async get (path: string, options: Options = {}): Promise<Reply> {
    return await this.call('GET', path, options)
  }

  async post (path: string, body: unknown, options: Options = {}): Promise<Reply> {
    return await this.call('POST', path, { ...options, body })
  }

  async put (path: string, body: unknown, options: Options = {}): Promise<Reply> {
    return await this.call('PUT', path, { ...options, body })
  }

  async patch (path: string, type: string, body: unknown, options: Options = {}): Promise<Reply> {
    return await this.call('PATCH', path, { ...options, body, type })
  }

  async apply (path: string, body: unknown, manager: string, query = ''): Promise<Reply> {
    return await this.patch(`${path}?fieldManager=${manager}${query}`, media.apply, body)
  }

  async delete (path: string, body?: unknown): Promise<Reply> {
    return await this.call('DELETE', path, body === undefined ? {} : { body })
  }

  /** Opens a watch; resolves when the server has answered with its headers. */
  async watch (path: string, options: Options = {}): Promise<Watch> {
    const events: Any[] = []
    const wakers = new Set<() => void>()
    const wake = (): void => { for (const waker of [...wakers]) waker() }
    let ended = false
    let rest = ''
    const separator = path.includes('?') ? '&' : '?'
    let request: { destroy (): void } = { destroy () {} }
    await new Promise<void>((resolve, reject) => {
      request = this.#send('GET', `${path}${separator}watch=true`, options, response => {
        if (response.statusCode !== 200) {
          let text = ''
          response.on('data', chunk => { text += String(chunk) })
          response.on('end', () => { reject(new Error(`${response.statusCode} ${text}`)) })
          return
        }
        response.on('data', chunk => {
          rest += String(chunk)
          const lines = rest.split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) if (line !== '') events.push(JSON.parse(line))
          wake()
        })
        const end = (): void => {
          ended = true
          wake()
        }
        response.on('end', end)
        response.on('error', end)
        resolve()
      }, error => {
        ended = true
        wake()
        reject(error)
      })
    })
    return {
      events,
      get ended () { return ended },
      until: async (enough, timeoutMs = 10_000) => await new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer)
          wakers.delete(check)
        }
        const check = (): void => {
          if (enough(events)) {
            done()
            resolve(events)
          } else if (ended) {
            done()
            reject(new Error(`the watch ended with ${JSON.stringify(events)}`))
          }
        }
        const timer = setTimeout(() => {
          done()
          reject(new Error(`not in time, only ${JSON.stringify(events)}`))
        }, timeoutMs)
        wakers.add(check)
        check()
      }),
      close: () => { request.destroy() }
    }
  }

  /** Reads `path` until `holds`; for what controllers do in their own time. */
  async eventually (path: string, holds: (reply: Reply) => boolean, timeoutMs = 15_000): Promise<Reply> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const reply = await this.get(path)
      if (holds(reply)) return reply
      if (Date.now() > deadline) throw new Error(`${path} never came to be as wanted: ${reply.text}`)
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
  }
}
