// Where the API server is and how to prove who we are. Plain cases (in a pod; a kubeconfig with a
// token, a client certificate or nothing) are read here; exec plugins, cloud providers and proxies are
// left to @kubernetes/client-node, imported only then: it costs 0.5 s and 60 MB.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { Agent as HttpAgent, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { bracketed } from '../../wire/address.ts'

export interface Credentials {
  /** Base URL, no slash at the end. */
  readonly server: string
  /** Of the kubeconfig's context, or the pod's own; `default` when it names none. */
  readonly namespace: string
  /** Headers, agent and TLS settings for one request. Rejects with a plain Error. */
  requestOptions (): Promise<RequestOptions>
  /** Closes idle connections. */
  close (): void
}

export type Environment = Readonly<Record<string, string | undefined>>

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'
/** Tokens of pods are replaced on disk well before they expire (1 h). */
const tokenFileAgeMsMax = 60_000

/**
 * MILLRACE_KUBE (a plain URL, of a process in MILLRACE_NAMESPACE), else KUBECONFIG, else the pod's service account,
 * else ~/.kube/config.
 * @throws Error with one line for people.
 */
export async function loadCredentials (env: Environment): Promise<Credentials> {
  if (env['MILLRACE_KUBE']) return anonymous(env['MILLRACE_KUBE'], env['MILLRACE_NAMESPACE'])
  if (env['KUBECONFIG']) return await fromKubeconfig(env['KUBECONFIG'])
  if (env['KUBERNETES_SERVICE_HOST']) return inCluster(env)
  return await fromKubeconfig(join(homedir(), '.kube/config'))
}

function anonymous (server: string, namespace = 'default'): Credentials {
  return new StaticCredentials(server.replace(/\/+$/, ''), namespace, {}, undefined)
}

function inCluster (env: Environment): Credentials {
  const host = env['KUBERNETES_SERVICE_HOST']!
  return new StaticCredentials(`https://${bracketed(host)}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`,
    readFileSync(join(serviceAccountFolder, 'namespace'), 'utf8').trim(),
    { ca: readFileSync(join(serviceAccountFolder, 'ca.crt'), 'utf8') },
    { file: join(serviceAccountFolder, 'token') })
}

interface Named { name: string, cluster?: Entry, context?: Entry, user?: Entry }
type Entry = Readonly<Record<string, unknown>>

async function fromKubeconfig (path: string): Promise<Credentials> {
  const { parse } = await import('yaml')
  const config = parse(readFileSync(path, 'utf8')) as Record<string, unknown> | null
  const named = (list: string, name: unknown): Named | undefined =>
    ((config?.[list] ?? []) as Named[]).find(entry => entry.name === name)
  const context = named('contexts', config?.['current-context'])?.context
  const cluster = named('clusters', context?.['cluster'])?.cluster
  if (typeof cluster?.['server'] !== 'string') {
    throw new Error(`${path}: the current context names no cluster with a server`)
  }
  const user = named('users', context?.['user'])?.user ?? {}
  const namespace = typeof context?.['namespace'] === 'string' ? context['namespace'] : 'default'
  if (needsLibrary(cluster, user)) return await LibraryCredentials.load(path, cluster['server'], namespace)

  const folder = dirname(path)
  const text = (entry: Entry, field: string): string | undefined =>
    typeof entry[field] === 'string' && entry[field] !== '' ? entry[field] : undefined
  const pem = (entry: Entry, field: string): Buffer | undefined => {
    const data = text(entry, `${field}-data`)
    if (data !== undefined) return Buffer.from(data, 'base64')
    const file = text(entry, field)
    return file === undefined ? undefined : readFileSync(isAbsolute(file) ? file : join(folder, file))
  }
  const token = text(user, 'token')
  const tokenFile = text(user, 'tokenFile')
  const servername = text(cluster, 'tls-server-name')
  return new StaticCredentials(cluster['server'].replace(/\/+$/, ''), namespace, {
    ca: pem(cluster, 'certificate-authority'),
    cert: pem(user, 'client-certificate'),
    key: pem(user, 'client-key'),
    ...servername !== undefined && { servername },
    ...cluster['insecure-skip-tls-verify'] === true && { rejectUnauthorized: false }
  }, token !== undefined ? { token } : tokenFile !== undefined ? { file: join(folder, tokenFile) } : undefined)
}

function needsLibrary (cluster: Entry, user: Entry): boolean {
  return ['exec', 'auth-provider', 'username', 'as'].some(field => user[field] !== undefined) ||
    cluster['proxy-url'] !== undefined
}

interface Tls {
  readonly ca?: string | Buffer | undefined
  readonly cert?: Buffer | undefined
  readonly key?: Buffer | undefined
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

class StaticCredentials implements Credentials {
  readonly server: string
  readonly namespace: string
  readonly #agent: HttpAgent | HttpsAgent
  readonly #source: { readonly token?: string, readonly file?: string } | undefined
  #token: string | undefined
  #readAt = -Infinity

  constructor (server: string, namespace: string, tls: Tls, source: { token?: string, file?: string } | undefined) {
    this.server = server
    this.namespace = namespace
    this.#source = source
    this.#token = source?.token
    const options = { keepAlive: true, keepAliveMsecs: 15_000, scheduling: 'lifo' as const }
    this.#agent = server.startsWith('https:') ? new HttpsAgent({ ...options, ...tls }) : new HttpAgent(options)
  }

  async requestOptions (): Promise<RequestOptions> {
    const file = this.#source?.file
    if (file !== undefined && performance.now() - this.#readAt > tokenFileAgeMsMax) {
      this.#token = readFileSync(file, 'utf8').trim()
      this.#readAt = performance.now()
    }
    return { agent: this.#agent, headers: this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` } }
  }

  close (): void {
    this.#agent.destroy()
  }
}

/** Exec plugins, cloud providers, proxies: all by @kubernetes/client-node. */
class LibraryCredentials implements Credentials {
  readonly server: string
  readonly namespace: string
  readonly #apply: (options: RequestOptions) => Promise<void>

  private constructor (server: string, namespace: string, apply: (options: RequestOptions) => Promise<void>) {
    this.server = server.replace(/\/+$/, '')
    this.namespace = namespace
    this.#apply = apply
  }

  static async load (path: string, server: string, namespace: string): Promise<LibraryCredentials> {
    const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js')
    const config = new KubeConfig()
    config.loadFromFile(path)
    // The library refuses plain http unless told that this is meant.
    const clusters = config.clusters.map(cluster =>
      cluster.server.startsWith('http:') ? { ...cluster, skipTLSVerify: true } : cluster)
    config.loadFromOptions({ ...config, clusters })
    return new LibraryCredentials(server, namespace, options => config.applyToHTTPSOptions(options))
  }

  async requestOptions (): Promise<RequestOptions> {
    const options: RequestOptions = { headers: {} }
    await this.#apply(options)
    return options
  }

  close (): void {}
}
