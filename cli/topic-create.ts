// millrace topic create: writes a Topic object and waits until the topic takes records.
import { KubeError } from '../operator/kube/api.ts'
import { kinds } from '../operator/kube/types.ts'
import type { KubeObject } from '../operator/kube/types.ts'
import { apiVersion } from '../operator/schema/crd.ts'
import { CliError, exitCodes } from './exit.ts'
import { findCluster, pause, withKube } from './kube.ts'
import type { Kube, KubeOptions } from './kube.ts'
import { note, plural, WaitingNotes } from './notes.ts'
import { objectNameFor } from './topic-objects.ts'
import type { TopicObject } from './topic-objects.ts'

export interface TopicCreateOptions extends KubeOptions {
  readonly cluster?: string
  readonly partitions?: number
  readonly replicas?: number
  readonly minInSync?: number
  readonly retention?: string
  readonly retentionBytes?: string
  readonly deletePolicy?: string
}

const pollMs = 100
/** Refusals that do not pass by themselves. */
const final = new Set(['Conflict', 'InvalidSpec', 'ApplyFailed', 'NotApplied'])
/** How long there may be too few brokers, or no cluster: one that starts gets there sooner. */
const settleMs = 2_000

export async function topicCreate (name: string, options: TopicCreateOptions): Promise<number> {
  return await withKube(options, async kube => {
    const cluster = (await findCluster(kube, options.cluster)).metadata.name
    const object = topicObject(name, cluster, kube.namespace, options)
    const created = await kube.reach(() => create(kube, object, name))
    const ready = await untilReady(kube, name, created, options.timeout)
    const { partitions = 0, replicas = 0, minInSync = 0 } = ready.status ?? {}
    note(`topic ${name} created in cluster ${cluster}: ${plural(partitions, 'partition')}, ` +
      `${plural(replicas, 'replica')}, at least ${minInSync} in sync`)
    return exitCodes.ok
  })
}

export function topicObject (name: string, cluster: string, namespace: string,
  options: Partial<TopicCreateOptions>): KubeObject {
  const { partitions, replicas, minInSync, retention, retentionBytes, deletePolicy } = options
  const metadata = { name: objectNameFor(name), namespace }
  const limits = {
    ...retention !== undefined && { age: retention },
    ...retentionBytes !== undefined && { bytes: retentionBytes }
  }
  return {
    apiVersion,
    kind: 'Topic',
    metadata,
    spec: {
      cluster,
      ...metadata.name !== name && { name },
      ...partitions !== undefined && { partitions },
      ...replicas !== undefined && { replicas },
      ...minInSync !== undefined && { minInSync },
      ...Object.keys(limits).length > 0 && { retention: limits },
      ...deletePolicy !== undefined && { deletePolicy }
    }
  }
}

async function create (kube: Kube, object: KubeObject, name: string): Promise<TopicObject> {
  try {
    return await kube.api.create(kinds.topic, object) as TopicObject
  } catch (error) {
    if (!(error instanceof KubeError) || error.reason !== 'AlreadyExists') throw error
    throw new CliError(`topic ${name} exists already; see it: millrace topic describe ${name}`)
  }
}

async function untilReady (kube: Kube, name: string, created: TopicObject, timeoutMs: number): Promise<TopicObject> {
  const waiting = new WaitingNotes()
  const startedAt = performance.now()
  let unmetSince = -1
  let topic: TopicObject | undefined = created
  for (;;) {
    if (topic === undefined || topic.metadata.uid !== created.metadata.uid) {
      throw new CliError(`the Topic ${name} was deleted before it was ready`)
    }
    const { generation } = topic.metadata
    const ready = topic.status?.conditions?.find(each =>
      each.type === 'Ready' && each.observedGeneration === generation)
    if (ready?.status === 'True') return topic
    const why = ready === undefined ? 'the operator has not looked at it yet' : ready.message
    unmetSince = ready?.reason === 'NotEnoughBrokers' ? unmetSince < 0 ? performance.now() : unmetSince : -1
    const unmet = unmetSince >= 0 && performance.now() - unmetSince > settleMs
    if (unmet || final.has(ready?.reason ?? '')) {
      throw new CliError(`topic ${name} is not ready: ${why}. ` +
        `The Topic object stays; correct it with kubectl edit mrt/${created.metadata.name} or delete it`)
    }
    if (performance.now() + pollMs > startedAt + timeoutMs) {
      throw new CliError(`topic ${name} was not ready within ${timeoutMs / 1_000} s: ${why}`, exitCodes.unavailable)
    }
    waiting.waiting(`topic ${name} (${why})`)
    await pause(pollMs)
    const get = () => kube.api.get(kinds.topic, kube.namespace, created.metadata.name)
    topic = await kube.reach(get) as TopicObject | undefined
  }
}
