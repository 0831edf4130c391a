// Topics on a cluster of real brokers, as a person makes them: `npm start`, then one `kubectl apply` of all of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { pause } from '../test/fault/faults/clock.ts'
import { LocalCluster, until } from '../test/fault/harness.ts'

const path = '/apis/millrace.dev/v1alpha1/namespaces/default/topics'
const waitMsMax = 600_000
const lookMs = 500
/** Requests at once. */
const parallel = 50

interface Topic {
  readonly metadata: { readonly name: string }
  readonly status?: { readonly conditions?: readonly { readonly type: string, readonly status: string }[] }
}

export interface RealTopics {
  /** What `kubectl apply`, which makes one after the other, took. */
  readonly appliedMs: number
  /** From its end until the last topic was Ready. */
  readonly afterApplyMs: number
  /** As many again, created by many requests at once: from the first until the last topic was Ready. */
  readonly burstMs: number
}

/** @param count of topics with one partition and three replicas, twice */
export async function makeRealTopics (count: number): Promise<RealTopics> {
  const cluster = await LocalCluster.start()
  try {
    const { clusters } = parse(readFileSync(join(cluster.folder, 'kubeconfig'), 'utf8')) as
      { clusters: { cluster: { server: string } }[] }
    const server = clusters[0]!.cluster.server
    let beganAt = performance.now()
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: topics('applied', count) })
    const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], { input, timeoutMs: waitMsMax })
    if (code !== 0) throw new Error(`kubectl apply ended with ${code}: ${stderr.slice(0, 500)}`)
    const appliedMs = performance.now() - beganAt
    await ready(server, 'applied', count)
    const afterApplyMs = performance.now() - beganAt - appliedMs
    beganAt = performance.now()
    await Promise.all([create(server, topics('created', count)), ready(server, 'created', count)])
    return { appliedMs, afterApplyMs, burstMs: performance.now() - beganAt }
  } finally {
    await cluster.stop()
    cluster.remove()
  }
}

function topics (prefix: string, count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'Topic',
    metadata: { name: `${prefix}-${index}` },
    spec: { cluster: 'events', partitions: 1, replicas: 3 }
  }))
}

async function create (server: string, wanted: readonly object[]): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: parallel }, async () => {
    while (next < wanted.length) {
      const body = JSON.stringify(wanted[next++])
      const headers = { 'content-type': 'application/json' }
      const { status } = await fetch(server + path, { method: 'POST', headers, body })
      if (status !== 201) throw new Error(`a Topic was not created: ${status}`)
    }
  }))
}

async function ready (server: string, prefix: string, count: number): Promise<void> {
  // Looked at seldom: the whole list is work for the API server, which the operator waits for.
  await until('every topic is Ready', waitMsMax, async () => {
    const { items } = await (await fetch(server + path)).json() as { items: readonly Topic[] }
    const isReady = ({ metadata: { name }, status }: Topic): boolean => name.startsWith(`${prefix}-`) &&
      status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') === true
    if (items.filter(isReady).length === count) return true
    await pause(lookMs)
    return false
  })
}
