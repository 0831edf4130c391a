// The CRDs and the example that a local cluster begins with.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import type { KubeApi, Writable } from './kube/api.ts'
import { StartError } from './start-error.ts'

export const clusterName = 'events'
export const topicName = 'orders'
const namespace = 'default'
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Installs what operator/schema describes; a newer description replaces an older one. */
export async function applyCrds (api: KubeApi, folder: string): Promise<void> {
  const resource = 'customresourcedefinitions.apiextensions.k8s.io'
  await Promise.all(readdirSync(folder).filter(name => name.endsWith('.yaml')).map(async name => {
    const wanted = read(join(folder, name))
    const live = api.get(resource, undefined, wanted.metadata.name ?? '')
    if (live === undefined) await api.create(resource, withLastApplied(wanted))
    else if (!isDeepStrictEqual(JSON.parse(live.metadata.annotations?.[lastApplied] ?? '{}'), wanted)) {
      const { resourceVersion } = live.metadata
      await api.update(resource, withLastApplied({ ...wanted, metadata: { ...wanted.metadata, resourceVersion } }))
    }
  }))
}

/**
 * Makes the example's Cluster and Topic where they are missing; what is there is a person's by now. Throws
 * StartError when fewer brokers are asked for than there are.
 */
export async function applyExamples (api: KubeApi, folder: string, brokers: number | undefined): Promise<void> {
  const cluster = api.get('clusters.millrace.dev', namespace, clusterName)
  if (cluster === undefined) {
    const example = inNamespace(read(join(folder, 'cluster.yaml')))
    const spec = example.spec as { brokers?: number }
    await api.create('clusters.millrace.dev', withLastApplied({
      ...example, spec: { ...spec, brokers: brokers ?? spec.brokers }
    }))
  } else if (brokers !== undefined) {
    const { brokers: before = 0 } = cluster.spec as { brokers?: number }
    if (brokers < before) {
      throw new StartError(`the cluster has ${before} brokers; to have ${brokers}, start it as it is and say: ` +
        `kubectl scale cluster.millrace.dev/${clusterName} --replicas=${brokers}; --fresh begins anew`)
    }
    if (brokers > before) await api.patch('clusters.millrace.dev', namespace, clusterName, { spec: { brokers } })
  }
  if (api.get('topics.millrace.dev', namespace, topicName) === undefined) {
    await api.create('topics.millrace.dev', withLastApplied(inNamespace(read(join(folder, 'topic.yaml')))))
  }
}

function read (path: string): Writable {
  return parse(readFileSync(path, 'utf8')) as Writable
}

function inNamespace (object: Writable): Writable {
  return { ...object, metadata: { namespace, ...object.metadata } }
}

/** As `kubectl apply` makes objects, so that a later one of a person finds what it expects. */
function withLastApplied (object: Writable): Writable {
  const { resourceVersion: _live, ...metadata } = object.metadata
  const text = `${JSON.stringify({ ...object, metadata })}\n`
  return { ...object, metadata: { ...object.metadata, annotations: { [lastApplied]: text } } }
}
