// Requests to one HTTP server over connections that are kept.
import http from 'node:http'
import https from 'node:https'

export interface HttpRequest {
  readonly verb: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** PEM of the authority that the server's certificate must come from. */
  readonly ca: string | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
  readonly retryAfter: string | undefined
  /** Set when no whole answer came. */
  readonly error: Error | undefined
  /** False when the request cannot have reached the server. */
  readonly sent: boolean
}

const bodyBytesMax = 64 * 1024 * 1024
const socketsMax = 4
/** These come before there is a connection. */
const dialErrors = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH',
  'EADDRNOTAVAIL', 'ERR_TLS_CERT_ALTNAME_INVALID', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_HAS_EXPIRED'])

export class HttpConnection {
  readonly #url: URL
  readonly #timeoutMs: number
  #ca: string | undefined
  #agent: http.Agent

  constructor (url: string, timeoutMs: number) {
    this.#url = new URL(url)
    this.#timeoutMs = timeoutMs
    this.#agent = this.#newAgent()
  }

  /** Never rejects: what went wrong is in the answer. */
  async request (request: HttpRequest): Promise<HttpAnswer> {
    if (request.ca !== this.#ca) {
      this.#ca = request.ca
      this.#agent.destroy()
      this.#agent = this.#newAgent()
    }
    return await new Promise(resolve => { this.#send(request, resolve) })
  }

  #newAgent (): http.Agent {
    const options = { keepAlive: true, maxSockets: socketsMax }
    if (this.#url.protocol !== 'https:') return new http.Agent(options)
    return new https.Agent(this.#ca === undefined ? options : { ...options, ca: this.#ca })
  }

  #send (request: HttpRequest, resolve: (answer: HttpAnswer) => void): void {
    const { verb, path, headers, body } = request
    const module = this.#url.protocol === 'https:' ? https : http
    const outgoing = module.request(new URL(path, this.#url), {
      method: verb,
      agent: this.#agent,
      headers: body === undefined
        ? headers
        : { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    })
    const timer = setTimeout(() => {
      outgoing.destroy(new Error(`no answer within ${this.#timeoutMs} ms`))
    }, this.#timeoutMs)
    const settle = (answer: Partial<HttpAnswer>): void => {
      clearTimeout(timer)
      resolve({ status: 0, body: '', retryAfter: undefined, error: undefined, sent: true, ...answer })
    }
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      settle({ error, sent: !dialErrors.has(error.code ?? '') && outgoing.socket?.connecting !== true })
    })
    outgoing.on('response', incoming => { receive(incoming, settle) })
    outgoing.end(body)
  }
}

function receive (incoming: http.IncomingMessage, settle: (answer: Partial<HttpAnswer>) => void): void {
  const chunks: Buffer[] = []
  let length = 0
  incoming.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > bodyBytesMax) incoming.destroy(new Error(`an answer of more than ${bodyBytesMax} bytes`))
    else chunks.push(chunk)
  })
  incoming.on('error', error => { settle({ error }) })
  incoming.on('end', () => {
    settle({
      status: incoming.statusCode ?? 0,
      body: Buffer.concat(chunks).toString('utf8'),
      retryAfter: incoming.headers['retry-after']
    })
  })
}
