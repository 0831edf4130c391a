// docs/configuration.md says what a change does: the words are compared with what operator and API server do.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startKubeApi, type KubeApi, type Writable } from '../../local/kube/api.ts'
import { configMap } from '../../operator/objects/config-map.ts'
import { listenerAddresses } from '../../operator/objects/listeners.ts'
import { templateHashAnnotation } from '../../operator/objects/names.ts'
import { podTemplate } from '../../operator/objects/pod-template.ts'
import { clusterResource, type ClusterSpec } from '../../operator/schema/cluster.ts'
import { customResourceDefinition, type Resource } from '../../operator/schema/crd.ts'
import { topicResource } from '../../operator/schema/topic.ts'
import { chartValues } from '../../scripts/chart-values.ts'
import { changeOf, chartChange, configurationPage, fieldsOf } from '../../scripts/configuration-page.ts'
import {
  chartChanges, clusterChanges, clusterConditions, topicChanges, topicConditions, type Effect
} from '../../scripts/configuration-words.ts'
import { clusterOf } from '../operator/objects/fixtures.ts'

const root = join(import.meta.dirname, '../..')

/** Specs that differ in the field alone; the third is what the second may not become. */
type Pair = readonly [object, object, object?]
const listener = { name: 'a', type: 'nodePort', port: 9094 }

const clusterPairs: Readonly<Record<string, Pair>> = {
  'spec.brokers': [{ brokers: 3 }, { brokers: 4 }],
  'spec.storage.size': [{ storage: { size: '1Gi' } }, { storage: { size: '2Gi' } }, { storage: { size: '1Gi' } }],
  'spec.storage.className': [
    { storage: { size: '1Gi', className: 'a' } }, { storage: { size: '1Gi', className: 'b' } }
  ],
  'spec.storage.deletePolicy': [
    { storage: { size: '1Gi', deletePolicy: 'Retain' } }, { storage: { size: '1Gi', deletePolicy: 'Delete' } }
  ],
  'spec.topicDefaults.partitions': [{ topicDefaults: { partitions: 6 } }, { topicDefaults: { partitions: 1 } }],
  'spec.topicDefaults.replicas': [{ topicDefaults: { replicas: 3 } }, { topicDefaults: { replicas: 2 } }],
  'spec.topicDefaults.minInSync': [{ topicDefaults: { minInSync: 2 } }, { topicDefaults: { minInSync: 1 } }],
  'spec.topicDefaults.retention.age': [
    { topicDefaults: { retention: { age: '1h' } } }, { topicDefaults: { retention: { age: '2h' } } }
  ],
  'spec.topicDefaults.retention.bytes': [
    { topicDefaults: { retention: { bytes: '1Gi' } } }, { topicDefaults: { retention: { bytes: '2Gi' } } }
  ],
  'spec.topicDefaults.segmentBytes': [
    { topicDefaults: { segmentBytes: '1Mi' } }, { topicDefaults: { segmentBytes: '2Mi' } }
  ],
  'spec.rebalance.bytesPerSecond': [{ rebalance: { bytesPerSecond: '1Mi' } }, { rebalance: { bytesPerSecond: '2Mi' } }],
  'spec.groupExpiry': [{ groupExpiry: '1h' }, { groupExpiry: '2h' }],
  'spec.topologyKey': [{ topologyKey: 'a' }, { topologyKey: 'b' }],
  'spec.resources.requests.cpu': [{ resources: { requests: { cpu: '1' } } }, { resources: { requests: { cpu: '2' } } }],
  'spec.resources.requests.memory': [
    { resources: { requests: { memory: '1Gi' } } }, { resources: { requests: { memory: '2Gi' } } }
  ],
  'spec.resources.limits.cpu': [{ resources: { limits: { cpu: '1' } } }, { resources: { limits: { cpu: '2' } } }],
  'spec.resources.limits.memory': [
    { resources: { limits: { memory: '1Gi' } } }, { resources: { limits: { memory: '2Gi' } } }
  ],
  'spec.pod.labels': [{ pod: { labels: { a: 'b' } } }, { pod: { labels: { a: 'c' } } }],
  'spec.pod.annotations': [{ pod: { annotations: { a: 'b' } } }, { pod: { annotations: { a: 'c' } } }],
  'spec.pod.nodeSelector': [{ pod: { nodeSelector: { a: 'b' } } }, { pod: { nodeSelector: { a: 'c' } } }],
  'spec.pod.tolerations[].key': [{ pod: { tolerations: [{ key: 'a' }] } }, { pod: { tolerations: [{ key: 'b' }] } }],
  'spec.pod.tolerations[].operator': [
    { pod: { tolerations: [{ operator: 'Exists' }] } }, { pod: { tolerations: [{ operator: 'Equal' }] } }
  ],
  'spec.pod.tolerations[].value': [
    { pod: { tolerations: [{ key: 'a', value: 'b' }] } }, { pod: { tolerations: [{ key: 'a', value: 'c' }] } }
  ],
  'spec.pod.tolerations[].effect': [
    { pod: { tolerations: [{ effect: 'NoSchedule' }] } }, { pod: { tolerations: [{ effect: 'NoExecute' }] } }
  ],
  'spec.pod.tolerations[].tolerationSeconds': [
    { pod: { tolerations: [{ tolerationSeconds: 1 }] } }, { pod: { tolerations: [{ tolerationSeconds: 2 }] } }
  ],
  'spec.pod.priorityClassName': [{ pod: { priorityClassName: 'a' } }, { pod: { priorityClassName: 'b' } }],
  'spec.pod.imagePullSecrets[].name': [
    { pod: { imagePullSecrets: [{ name: 'a' }] } }, { pod: { imagePullSecrets: [{ name: 'b' }] } }
  ],
  'spec.listeners[].name': [{ listeners: [listener] }, { listeners: [{ ...listener, name: 'b' }] }],
  'spec.listeners[].port': [{ listeners: [listener] }, { listeners: [{ ...listener, port: 9095 }] }],
  'spec.listeners[].type': [{ listeners: [listener] }, { listeners: [{ ...listener, type: 'internal' }] }],
  'spec.listeners[].advertised': [
    { listeners: [listener] }, { listeners: [{ ...listener, advertised: 'a.example:1' }] }
  ],
  'spec.maintenance': [{ maintenance: [] }, { maintenance: [1] }],
  'spec.image': [{ image: 'a' }, { image: 'b' }],
  'spec.logLevel': [{ logLevel: 'warn' }, { logLevel: 'info' }]
}

const topicPairs: Readonly<Record<string, Pair>> = {
  'spec.cluster': [{ cluster: 'a' }, { cluster: 'b' }],
  'spec.name': [{ name: 'a' }, { name: 'b' }],
  'spec.partitions': [{ partitions: 1 }, { partitions: 2 }, { partitions: 1 }],
  'spec.replicas': [{ replicas: 3 }, { replicas: 2 }],
  'spec.minInSync': [{ minInSync: 1 }, { minInSync: 2 }],
  'spec.retention.age': [{ retention: { age: '1h' } }, { retention: { age: '2h' } }],
  'spec.retention.bytes': [{ retention: { bytes: '1Gi' } }, { retention: { bytes: '2Gi' } }],
  'spec.segmentBytes': [{ segmentBytes: '1Mi' }, { segmentBytes: '2Mi' }],
  'spec.deletePolicy': [{ deletePolicy: 'Retain' }, { deletePolicy: 'Delete' }]
}

/** Fields that hold a value themselves. */
function leaves ({ spec }: Resource): string[] {
  const paths = fieldsOf(spec, 'spec').map(({ path }) => path)
  return paths.filter(path => !paths.some(other => other.startsWith(`${path}.`) || other.startsWith(`${path}[`)))
}

let kube: KubeApi
let count = 0

beforeAll(async () => {
  kube = await startKubeApi({})
  for (const resource of [clusterResource, topicResource]) {
    await kube.create('customresourcedefinitions.apiextensions.k8s.io', customResourceDefinition(resource) as Writable)
  }
})
afterAll(async () => { await kube.close() })

const base = { Cluster: { storage: { size: '1Gi' } }, Topic: { cluster: 'a' } }

/** False when the API server refuses the change. */
async function isTaken (kind: 'Cluster' | 'Topic', from: object, to: object): Promise<boolean> {
  const plural = kind === 'Cluster' ? 'clusters.millrace.dev' : 'topics.millrace.dev'
  const name = `x${++count}`
  await kube.create(plural, {
    apiVersion: 'millrace.dev/v1alpha1',
    kind,
    metadata: { name, namespace: 'default' },
    spec: { ...base[kind], ...from }
  })
  return await kube.patch(plural, 'default', name, { spec: to }).then(() => true, () => false)
}

function effectOnBrokers (from: object, to: object): Effect {
  const made = [from, to].map(said => {
    const spec = said as Partial<ClusterSpec>
    const cluster = clusterOf({ ...spec, ...spec.topicDefaults !== undefined && {
      topicDefaults: { partitions: 6, ...spec.topicDefaults as Partial<ClusterSpec['topicDefaults']> }
    } })
    const { metadata } = podTemplate(cluster, { image: 'millrace', clusterUid: 'u' })
    const addresses = listenerAddresses(cluster, 3, () => ({
      apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ nodePort: 31_000 }] }
    }))
    const { data } = configMap(cluster, 3, addresses) as unknown as { data: Record<string, string> }
    return { hash: metadata.annotations[templateHashAnnotation], file: JSON.stringify(data) }
  })
  if (made[0]!.hash !== made[1]!.hash) return 'restarts'
  return made[0]!.file === made[1]!.file ? 'operator' : 'live'
}

describe('what a change does', () => {
  it('is known of every field', () => {
    expect(Object.keys(clusterPairs).sort()).toEqual(leaves(clusterResource).sort())
    expect(Object.keys(topicPairs).sort()).toEqual(leaves(topicResource).sort())
    const paths = fieldsOf(clusterResource.spec, 'spec').map(({ path }) => path)
    expect(Object.keys(clusterChanges).filter(path => !paths.includes(path))).toEqual([])
  })

  it.each(Object.entries(clusterPairs))('of a Cluster: %s', async (path, [from, to, back]) => {
    const { effect, words = '' } = changeOf(path, clusterChanges)
    expect(await isTaken('Cluster', from, to)).toBe(effect !== 'refused')
    if (effect !== 'refused') expect(effectOnBrokers(from, to)).toBe(effect)
    if (back !== undefined) expect(await isTaken('Cluster', to, back)).toBe(!words.endsWith('refused'))
  })

  it.each(Object.entries(topicPairs))('of a Topic: %s', async (path, [from, to, back]) => {
    const { effect, words = '' } = changeOf(path, topicChanges)
    expect(await isTaken('Topic', from, to)).toBe(effect !== 'refused')
    if (back !== undefined) expect(await isTaken('Topic', to, back)).toBe(!words.endsWith('refused'))
  })

  it('is known of every value of the chart, and of nothing else', () => {
    const paths = chartValues().map(({ path }) => path)
    for (const path of paths) expect(chartChange(path)).not.toBe('')
    expect(Object.keys(chartChanges).filter(known =>
      !paths.some(path => path === known || path.startsWith(`${known}.`)))).toEqual([])
  })
})

describe('conditions', () => {
  /** Reasons in the source: `no('NoController', ...)`, `reason: 'Settled'`. */
  const reasonsIn = (files: readonly string[], begins: RegExp): Set<string> => {
    const source = files.map(file => readFileSync(join(root, 'operator/reconcile', file), 'utf8')).join('\n')
    return new Set([...source.matchAll(begins)].map(match => match[1]!))
  }
  const told = (list: typeof clusterConditions): Set<string> =>
    new Set(list.flatMap(({ reasons }) => Object.keys(reasons)))

  it('of a Cluster have the reasons that the operator gives, and no others', () => {
    const given = reasonsIn(['cluster-status.ts', 'cluster-disks.ts', 'paused.ts'],
      /(?:\b(?:yes|no)\((?:facts\.wasReady \? )?|, reason: (?:isFull \? )?|: )'([A-Z]\w+)'/g)
    const words = new Set([...given].filter(reason => !events.has(reason)))
    expect([...told(clusterConditions)].filter(reason => !words.has(reason))).toEqual([])
    expect([...words].filter(reason => !told(clusterConditions).has(reason))).toEqual([])
  })

  it('of a Topic have the reasons that the operator gives, and no others', () => {
    const given = reasonsIn(['topic.ts', 'topic-delete.ts', 'topic-status.ts', 'paused.ts'],
      /(?:NotReady\(|\?\? |reason: |[A-Z_]+: )'([A-Z]\w+)'/g)
    const words = new Set([...given].filter(reason => !events.has(reason)))
    expect([...told(topicConditions)].filter(reason => !words.has(reason))).toEqual([])
    expect([...words].filter(reason => !told(topicConditions).has(reason))).toEqual([])
  })
})

/** Of Events, and words that are no reasons: types and phases. */
const events = new Set([
  'ClusterReady', 'Resumed', 'VolumeSpaceEnough', 'DiskLow', 'RecoveredWithDataLoss',
  'DataLeftBehind', 'Ready', 'Progressing', 'Degraded',
  'Running', 'Normal', 'Warning', 'Scaling', 'Reconcile'
])

it('the page is what the schemas say now', () => {
  expect(readFileSync(join(root, 'docs/configuration.md'), 'utf8')).toBe(configurationPage())
})
