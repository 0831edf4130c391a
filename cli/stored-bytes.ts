// About how large a replica of each topic is, from what the brokers' metrics say of their volumes. An estimate: the
// partitions of a topic are taken for equally large.
import { get } from 'node:http'
import { isKubeError } from '../operator/kube/api.ts'
import type { KubeObject } from '../operator/kube/types.ts'
import { ports } from '../operator/objects/names.ts'
import type { TopicStatus } from '../wire/messages.ts'
import type { Kube } from './kube.ts'

const line = /^millrace_topic_stored_bytes\{(?:[^}]*,)?topic="([^"]+)"[^}]*\} ([0-9.e+]+)$/gm
const timeoutMs = 3_000
/** Where the pods are processes of this machine, their ports are told here. */
const portsAnnotation = 'millrace.dev/ports'

export interface StoredBytes {
  /** By topic; empty when not every broker could be asked. */
  readonly replicaBytes: ReadonlyMap<string, number>
  /** Why one of them could not be. */
  readonly unknown?: string
}

export async function storedBytes (kube: Kube, pods: readonly KubeObject[],
  topics: readonly TopicStatus[]): Promise<StoredBytes> {
  const pages = await Promise.all(pods.map(async pod => await metricsOf(kube, pod)))
  const stored = new Map<string, number>()
  for (const page of pages) {
    if (page instanceof Error) return { replicaBytes: new Map(), unknown: page.message }
    for (const [, topic = '', value] of page.matchAll(line)) stored.set(topic, (stored.get(topic) ?? 0) + Number(value))
  }
  const replicaBytes = new Map(topics.flatMap(({ topic }) => {
    const replicas = (topic?.partitions ?? 0) * (topic?.replicas ?? 0)
    if (topic === undefined || replicas === 0) return []
    return [[topic.name, Math.round((stored.get(topic.name) ?? 0) / replicas)] as const]
  }))
  return { replicaBytes }
}

async function metricsOf (kube: Kube, pod: KubeObject): Promise<string | Error> {
  const { name, namespace = '', annotations } = pod.metadata
  const local = annotations?.[portsAnnotation]
  if (local !== undefined) {
    const { metrics } = JSON.parse(local) as { metrics?: number }
    const silent = new Error(`${name} tells no metrics now`)
    return metrics === undefined ? silent : await fetchText(`http://127.0.0.1:${metrics}/metrics`) ?? silent
  }
  try {
    return await kube.api.text(`/api/v1/namespaces/${namespace}/pods/${name}:${ports.metrics}/proxy/metrics`)
  } catch (error) {
    if (!isKubeError(error)) throw error
    return error
  }
}

async function fetchText (url: string): Promise<string | undefined> {
  return await new Promise(resolve => {
    const request = get(url, { timeout: timeoutMs }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
        .on('end', () => { resolve(text) }).on('error', () => { resolve(undefined) })
    })
    request.on('timeout', () => { request.destroy() })
    request.on('error', () => { resolve(undefined) })
  })
}
