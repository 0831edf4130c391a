// The Kubernetes API for commands that read or write its objects.
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { NodeClock } from '../wire/adapters/node-clock.ts'
import { KubeError } from '../operator/kube/api.ts'
import type { KubeApi } from '../operator/kube/api.ts'
import { loadCredentials } from '../operator/kube/credentials.ts'
import { HttpApi } from '../operator/kube/http-api.ts'
import { kinds } from '../operator/kube/types.ts'
import type { KubeObject } from '../operator/kube/types.ts'
import type { Cluster } from '../operator/schema/resources.ts'
import { CliError, exitCodes } from './exit.ts'
import { WaitingNotes } from './notes.ts'

export interface KubeOptions {
  readonly kubeconfig?: string
  readonly namespace?: string
  /** Milliseconds. */
  readonly timeout: number
}

export interface Kube {
  readonly api: HttpApi
  /** The same, but nothing is stored. */
  readonly trial: KubeApi
  readonly namespace: string
  /** Of the kubeconfig, for people. */
  readonly context: string
  /** Tries again while the API server cannot be reached, until the timeout. */
  reach<T> (call: () => Promise<T>): Promise<T>
  readonly deadline: number
}

const retryMs = 250
/** 429 and what servers say when they start or stop. */
const passing = new Set([429, 500, 502, 503, 504])

/** --kubeconfig, KUBECONFIG, .millrace/kubeconfig; never ~/.kube/config unasked. */
export function kubeconfigPath (given: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  if (given !== undefined) {
    if (existsSync(given)) return given
    throw new CliError(`there is no file ${given} (--kubeconfig)`)
  }
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter(path => path !== '')
  if (listed.length > 0) {
    const found = listed.find(path => existsSync(path))
    if (found !== undefined) return found
    throw new CliError(`there is no file ${listed.join(', ')} (KUBECONFIG)`)
  }
  const local = [join('.millrace', 'kubeconfig'), join(import.meta.dirname, '..', '.millrace', 'kubeconfig')]
  const found = local.find(path => existsSync(path))
  if (found !== undefined) return found
  throw new CliError('no kubeconfig: start a cluster with npm start, or name one with --kubeconfig or KUBECONFIG')
}

export async function withKube<T> (options: KubeOptions, run: (kube: Kube) => Promise<T>): Promise<T> {
  const path = kubeconfigPath(options.kubeconfig)
  const credentials = await loadCredentials({ KUBECONFIG: path }).catch((error: unknown) => {
    throw new CliError(error instanceof Error ? error.message : String(error))
  })
  const settings = { credentials, clock: new NodeClock(), userAgent: 'millrace-cli', fieldManager: 'millrace-cli' }
  const api = new HttpApi(settings)
  const deadline = performance.now() + options.timeout
  const alive = setInterval(() => {}, 60_000)
  try {
    return await run({
      api,
      trial: new HttpApi({ ...settings, dryRun: true }),
      namespace: options.namespace ?? credentials.namespace,
      context: currentContext(path),
      deadline,
      reach: call => reach(call, credentials.server, deadline)
    })
  } finally {
    clearInterval(alive)
    api.close()
  }
}

function currentContext (path: string): string {
  return /^current-context:\s*"?([^"\n]*?)"?\s*$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? path
}

async function reach<T> (call: () => Promise<T>, server: string, deadline: number): Promise<T> {
  const waiting = new WaitingNotes()
  for (;;) {
    try {
      return await call()
    } catch (error) {
      const retriable = error instanceof KubeError && (error.status === 0 || passing.has(error.status))
      if (!retriable) throw error
      if (performance.now() + retryMs > deadline) {
        throw new CliError(`the Kubernetes API at ${server}: ${error.message}`, exitCodes.unavailable)
      }
      waiting.waiting(`the Kubernetes API at ${server} (${error.message})`)
    }
    await pause(retryMs)
  }
}

export function pause (ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

/** The Cluster of that name, or the only one of the namespace. */
export async function findCluster (kube: Kube, name: string | undefined): Promise<Cluster & KubeObject> {
  const { items } = await kube.reach(() => kube.api.list(kinds.cluster, { namespace: kube.namespace, limit: 500 }))
  const clusters = items as (Cluster & KubeObject)[]
  const names = clusters.map(({ metadata }) => metadata.name).sort()
  const place = `namespace ${kube.namespace} of ${kube.context}`
  if (name !== undefined) {
    const found = clusters.find(({ metadata }) => metadata.name === name)
    if (found !== undefined) return found
    throw new CliError(`there is no Cluster ${name} in ${place}` +
      (names.length > 0 ? `; there are ${names.join(', ')}` : ''), exitCodes.notFound)
  }
  if (clusters.length === 1) return clusters[0]!
  if (clusters.length > 1) {
    throw new CliError(`choose a Cluster of ${place} with --cluster: ${names.join(', ')}`, exitCodes.usage)
  }
  throw new CliError(`there is no Cluster in ${place}; create one: kubectl apply -f examples/cluster.yaml`,
    exitCodes.notFound)
}
