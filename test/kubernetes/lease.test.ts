// Two operators and one Lease on a real API server: who may write, and who must not any more. Each is a process with
// the rights that the chart gives, behind a proxy that writes down what it asks for.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { media, type Any, type Client } from '../local/kube/client.ts'
import { pathOf } from './objects.ts'
import { Installation } from './reconcile/installation.ts'
import { TokenProxy } from './token-proxy.ts'

const namespace = 'default'
const main = join(import.meta.dirname, '../../operator/main.ts')
const lease = pathOf('leases.coordination.k8s.io', namespace, 'millrace-operator')
const sets = pathOf('statefulsets.apps', namespace, 'events')
const cluster = pathOf('clusters.millrace.dev', namespace, 'events')
const role = pathOf('roles.rbac.authorization.k8s.io', namespace, 'events-broker')
/** Of the Lease, and what an operator that waits takes to look again. */
const takeoverMs = 40_000

let installation: Installation
let client: Client

/** One operator: a process, and what it has asked of the API server. */
class Candidate {
  readonly name: string
  /** `METHOD /path`, as they came. */
  readonly #requests: readonly string[]
  readonly #proxy: TokenProxy
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown[]>
  #said = ''

  private constructor (name: string, proxy: TokenProxy, requests: readonly string[], process: ChildProcess) {
    this.name = name
    this.#proxy = proxy
    this.#requests = requests
    this.#process = process
    this.#ended = once(process, 'exit')
    for (const stream of [process.stdout!, process.stderr!]) {
      stream.on('data', (bytes: Buffer) => { this.#said += bytes.toString() })
    }
  }

  static async start (name: string): Promise<Candidate> {
    const requests: string[] = []
    const proxy = await TokenProxy.start(await installation.operatorTarget(), {
      onRequest: ({ method, path }) => { requests.push(`${method} ${path.split('?')[0]}`) }
    })
    const child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env.PATH, MILLRACE_KUBE: proxy.url, MILLRACE_NAMESPACE: namespace, MILLRACE_POD_NAME: name,
        MILLRACE_LISTEN_METRICS: '127.0.0.1:0'
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    return new Candidate(name, proxy, requests, child)
  }

  /** What would change anything, but for the Lease: that is how it learns where it stands. */
  get writes (): readonly string[] {
    return this.#requests.filter(each => !each.startsWith('GET ') && !/\/leases(\/millrace-operator)?$/.test(each))
  }

  get lookedAtLease (): boolean { return this.#requests.includes(`GET ${lease}`) }

  signal (signal: NodeJS.Signals): void { this.#process.kill(signal) }

  /** Code and signal, and what it said last. */
  async ended (): Promise<{ code: unknown, said: string }> {
    const [code] = await this.#ended
    return { code, said: this.#said.trim().split('\n').at(-1) ?? '' }
  }

  async stop (): Promise<void> {
    this.#process.kill('SIGKILL')
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.#ended
    this.#proxy.stop()
  }
}

const running: Candidate[] = []

async function start (name: string): Promise<Candidate> {
  const candidate = await Candidate.start(name)
  running.push(candidate)
  return candidate
}

async function holds (candidate: Candidate, timeoutMs = takeoverMs): Promise<Any> {
  const { body } = await client.eventually(lease, reply =>
    (reply.body as Any)?.spec?.holderIdentity === candidate.name, timeoutMs)
  return body
}

async function waits (candidate: Candidate): Promise<void> {
  await expect.poll(() => candidate.lookedAtLease, { timeout: takeoverMs }).toBe(true)
}

async function wish (brokers: number): Promise<void> {
  const reply = await client.patch(cluster, media.merge, { spec: { brokers } })
  expect(reply.status, reply.text).toBe(200)
}

async function has (brokers: number): Promise<void> {
  await client.eventually(sets, ({ body }) => (body as Any)?.spec?.replicas === brokers, takeoverMs)
}

beforeAll(async () => {
  installation = await Installation.start()
  client = installation.client
  const made = await client.post(pathOf('clusters.millrace.dev', namespace), {
    apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events' },
    spec: { brokers: 1, storage: { size: '1Gi' } }
  })
  expect(made.status, made.text).toBe(201)
})
afterEach(async () => {
  for (const candidate of running.splice(0)) await candidate.stop()
  await client.delete(lease)
})
afterAll(async () => { await installation.stop() })

describe('of two operators', () => {
  it('the one without the Lease writes nothing', async () => {
    const first = await start('first')
    await holds(first)
    const second = await start('second')
    await waits(second)
    await wish(3)
    await has(3)
    expect(first.writes.length).toBeGreaterThan(0)
    expect(second.writes).toEqual([])
  })

  it('one whose Lease is another\'s now ends, and the other acts', async () => {
    const first = await start('first')
    const held = await holds(first)
    const second = await start('second')
    await waits(second)
    const stolen = await client.put(lease, { ...held, spec: { ...held.spec, holderIdentity: 'second' } })
    // It renews every two seconds: as likely as not somebody was quicker.
    if (stolen.status === 409) await client.patch(lease, media.merge, { spec: { holderIdentity: 'second' } })
    const { code, said } = await first.ended()
    expect(code).toBe(1)
    expect(said).toContain('the Lease is lost')
    const after = first.writes.length
    await wish(4)
    await has(4)
    expect(first.writes).toHaveLength(after)
    expect(second.writes.length).toBeGreaterThan(0)
  })

  it('one that stood still while another took the Lease writes nothing when it goes on, and ends', async () => {
    const first = await start('first')
    await holds(first)
    await wish(5)
    await has(5)
    const second = await start('second')
    await waits(second)
    first.signal('SIGSTOP')
    const taken = await holds(second)
    expect(taken.spec.leaseTransitions).toBeGreaterThan(0)
    await wish(6)
    await has(6)
    // Now there is something to be set right that nobody sets right: it knows of it as soon as it goes on, and would
    // need no more than one request.
    second.signal('SIGSTOP')
    const changed = await client.patch(role, media.merge, { rules: [] })
    expect(changed.status, changed.text).toBe(200)
    const before = first.writes.length
    first.signal('SIGCONT')
    expect((await first.ended()).code).toBe(1)
    expect(first.writes.slice(before)).toEqual([])
    second.signal('SIGCONT')
    await client.eventually(role, ({ body }) => ((body as Any).rules ?? []).length > 0, takeoverMs)
  })
})
