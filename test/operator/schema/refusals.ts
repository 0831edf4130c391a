// What an API server refuses by the schemas and rules in crds/, and what it says: these messages are the
// first help that a user gets. The embedded server and a real one are asked the same.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject, Writable } from '../../../local/kube/api.ts'

/** A server with the definitions of crds/, and a namespace `default`. Errors say what the server said. */
export interface ResourceServer {
  create (resource: string, object: Writable): Promise<KubeObject>
  /** A merge patch. */
  patch (resource: string, namespace: string, name: string, patch: object): Promise<KubeObject>
  close (): Promise<void>
}

const plural = {
  Cluster: 'clusters.millrace.dev', Topic: 'topics.millrace.dev', PartitionTable: 'partitiontables.millrace.dev'
}
type KindName = keyof typeof plural
let count = 0

function object (kind: KindName, spec: object, name = `x${++count}`): Writable {
  // What is undefined is left out, as in JSON.
  const said = JSON.parse(JSON.stringify(spec)) as object
  return { apiVersion: 'millrace.dev/v1alpha1', kind, metadata: { name, namespace: 'default' }, spec: said }
}

export const minimal = {
  Cluster: { storage: { size: '1Gi' } },
  Topic: { cluster: 'events' },
  PartitionTable: { controllerEpoch: 5, writeId: 'w' }
}

/** What is refused when it is made, by which message; a name where the name is what is wrong. */
export const refused: [KindName, string, object, string, string?][] = [
  ['Topic', 'no cluster', { cluster: undefined }, 'spec.cluster: Required value'],
  ['Topic', 'a reserved name', { name: '__groups' }, 'names that begin with __ are kept for internal topics'],
  ['Topic', 'a name of dots', { name: '..' }, 'a topic cannot be named . or ..'],
  ['Topic', 'a name with a space', { name: 'a b' }, 'spec.name in body should match'],
  ['Topic', 'a long object name', {}, 'must not be longer than 249 characters', 'a'.repeat(250)],
  ['Topic', 'no partitions', { partitions: 0 }, 'spec.partitions in body should be greater than or equal to 1'],
  ['Topic', 'too many partitions', { partitions: 2001 }, 'should be less than or equal to 2000'],
  ['Topic', 'text for a number', { partitions: '6' }, 'spec.partitions'],
  ['Topic', 'eight replicas', { replicas: 8 }, 'spec.replicas in body should be less than or equal to 7'],
  ['Topic', 'minInSync above replicas', { replicas: 2, minInSync: 3 }, 'minInSync must not be greater than replicas'],
  ['Topic', 'a duration without a unit', { retention: { age: '168' } }, 'spec.retention.age in body should match'],
  ['Topic', 'bytes in words', { retention: { bytes: '10 GB' } }, 'spec.retention.bytes in body should match'],
  ['Topic', 'tiny segments', { segmentBytes: '1k' }, 'segmentBytes must be between 1Mi and 1Gi'],
  ['Topic', 'an unknown policy', { deletePolicy: 'Keep' }, 'Unsupported value: "Keep"'],
  ['Cluster', 'no storage', { storage: undefined }, 'spec.storage: Required value'],
  ['Cluster', 'no brokers', { brokers: 0 }, 'spec.brokers in body should be greater than or equal to 1'],
  ['Cluster', 'tiny volumes', { storage: { size: '100Mi' } }, 'storage.size must be at least 256Mi'],
  ['Cluster', 'minInSync above replicas', { topicDefaults: { replicas: 1, minInSync: 2 } },
    'minInSync must not be greater'],
  ['Cluster', 'tiny segments for its topics', { topicDefaults: { segmentBytes: '1k' } },
    'segmentBytes must be between 1Mi and 1Gi'],
  ['Cluster', 'a topology key that is none', { topologyKey: "a']['b" }, 'spec.topologyKey in body should match'],
  ['Cluster', 'a trickle for moves', { rebalance: { bytesPerSecond: '1k' } },
    'rebalance.bytesPerSecond must be at least 64Ki, or unlimited'],
  ['Cluster', 'a week in words', { groupExpiry: 'a week' }, 'spec.groupExpiry in body should match'],
  ['Cluster', 'CPU in words', { resources: { requests: { cpu: 'two' } } }, 'spec.resources.requests.cpu in body'],
  ['Cluster', 'a label that pods are found by', { pod: { labels: { 'app.kubernetes.io/name': 'x' } } },
    'labels of kubernetes.io and millrace.dev are reserved'],
  ['Cluster', 'a label of millrace', { pod: { labels: { 'millrace.dev/cluster': 'x' } } },
    'labels of kubernetes.io and millrace.dev are reserved'],
  ['Cluster', 'an annotation of millrace', { pod: { annotations: { 'millrace.dev/template-hash': 'x' } } },
    'annotations of millrace.dev are reserved'],
  ['Cluster', 'a label with a space', { pod: { labels: { team: 'a b' } } },
    'spec.pod.labels.team in body should match'],
  ['Cluster', 'a toleration of an unknown effect', { pod: { tolerations: [{ operator: 'Exists', effect: 'x' }] } },
    'Unsupported value: "x"'],
  ['Cluster', 'a pull secret without a name', { pod: { imagePullSecrets: [{}] } },
    'spec.pod.imagePullSecrets[0].name: Required value'],
  ['Cluster', 'a listener of an unknown type', { listeners: [{ name: 'a', type: 'route', port: 9094 }] },
    'Unsupported value: "route"'],
  ['Cluster', 'two listeners of one name', {
    listeners: [{ name: 'a', type: 'internal', port: 9094 }, { name: 'a', type: 'internal', port: 9095 }]
  }, 'Duplicate value'],
  ['Cluster', 'two listeners of one port', {
    listeners: [{ name: 'a', type: 'internal', port: 9094 }, { name: 'b', type: 'internal', port: 9094 }]
  }, 'each listener has a port of its own'],
  ['Cluster', 'a listener on a port that is taken', { listeners: [{ name: 'a', type: 'internal', port: 9091 }] },
    'the names and ports that brokers have by themselves are taken'],
  ['Cluster', 'a listener of a name that is taken', { listeners: [{ name: 'peer', type: 'internal', port: 9094 }] },
    'the names and ports that brokers have by themselves are taken'],
  ['Cluster', 'one address for all brokers', {
    listeners: [{ name: 'a', type: 'loadBalancer', port: 9094, advertised: 'lb.example' }]
  }, 'advertised must hold {broker}'],
  ['Cluster', 'an address with a path', {
    listeners: [{ name: 'a', type: 'nodePort', port: 9094, advertised: 'http://x/{broker}' }]
  }, 'spec.listeners[0].advertised in body should match'],
  ['Cluster', 'a broker twice in maintenance', { maintenance: [1, 1] }, 'Duplicate value'],
  ['Cluster', 'a long name', {}, 'the name of a Cluster must not be longer than 50 characters', 'a'.repeat(51)],
  ['Cluster', 'a name that no Service can have', {}, 'the name of a Cluster names its Services too', 'a.b'],
  ['PartitionTable', 'no epoch', { controllerEpoch: undefined }, 'spec.controllerEpoch: Required value'],
  ['PartitionTable', 'a volume that is none', {
    brokers: [{ id: 0, volumeId: 'xyz', epoch: 1, incarnation: '0'.repeat(16) }]
  }, 'spec.brokers[0].volumeId in body should match']
]

/** What may be made, but not be changed to. */
export const changesRefused: [KindName, string, object, object, string][] = [
  ['Topic', 'another cluster', {}, { cluster: 'other' }, 'cluster cannot be changed: create another Topic'],
  ['Topic', 'fewer replicas than minInSync', { replicas: 3, minInSync: 3 }, { replicas: 2 },
    'minInSync must not be greater than replicas'],
  ['Topic', 'another name', { name: 'a' }, { name: 'b' }, 'name cannot be changed: create another Topic'],
  ['Topic', 'a name at last', {}, { name: 'b' }, 'name cannot be changed: create another Topic'],
  ['Topic', 'fewer partitions', { partitions: 6 }, { partitions: 5 }, 'partitions can only grow'],
  ['Topic', 'partitions left out', { partitions: 6 }, { partitions: null }, 'partitions can only grow'],
  ['Cluster', 'smaller volumes', {}, { storage: { size: '1000Mi' } }, 'storage.size may grow but not shrink'],
  ['Cluster', 'another storage class', { storage: { size: '1Gi', className: 'a' } }, { storage: { className: 'b' } },
    'storage.className cannot be changed'],
  ['PartitionTable', 'an older epoch', {}, { controllerEpoch: 4 }, 'controllerEpoch never goes back']
]

export const changesAccepted: [KindName, string, object, object][] = [
  ['Topic', 'partitions at last', {}, { partitions: 1 }],
  ['Topic', 'more partitions', { partitions: 6 }, { partitions: 12 }],
  ['Topic', 'more replicas', { replicas: 2, minInSync: 1 }, { replicas: 3, minInSync: 2 }],
  ['Topic', 'fewer replicas', { replicas: 3 }, { replicas: 2 }],
  ['Cluster', 'no limit for moves', { rebalance: { bytesPerSecond: '10Mi' } },
    { rebalance: { bytesPerSecond: 'unlimited' } }],
  ['Topic', 'the smallest segments', {}, { segmentBytes: '1Mi' }],
  ['Topic', 'what it was, with a name of its own', { name: 'orders.v1' }, { name: 'orders.v1' }],
  ['Cluster', 'other defaults for its topics', { storage: { size: '256Mi', className: 'fast' } },
    { topicDefaults: { replicas: 3, minInSync: 3, segmentBytes: '1Gi' } }],
  ['Topic', 'no limits', { retention: { age: '7d', bytes: '1Gi' } },
    { retention: { age: 'unlimited', bytes: 'unlimited' } }],
  ['Cluster', 'larger volumes, in other words', {}, { storage: { size: '1.5Gi' } }],
  ['Cluster', 'fewer brokers: the status says what becomes of it', { brokers: 3 }, { brokers: 2 }],
  ['Cluster', 'more about its pods', {}, {
    pod: {
      labels: { team: 'a' }, annotations: { 'example.com/a': 'b' }, nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }],
      priorityClassName: 'system-node-critical', imagePullSecrets: [{ name: 'registry' }]
    }
  }],
  ['Cluster', 'listeners and maintenance', {}, {
    maintenance: [0, 2],
    listeners: [
      { name: 'inside', type: 'internal', port: 9093, advertised: 'b{broker}.mesh' },
      { name: 'nodes', type: 'nodePort', port: 9094 },
      { name: 'gate', type: 'nodePort', port: 9095, advertised: '{node}:1' },
      { name: 'internet', type: 'loadBalancer', port: 9096, advertised: 'b{broker}.example:443' }
    ]
  }],
  ['PartitionTable', 'the same epoch', {}, { writeId: 'v' }]
]

/** Registers the suite. */
export function refusals (start: () => Promise<ResourceServer>): void {
  let kube: ResourceServer
  beforeAll(async () => { kube = await start() })
  afterAll(async () => { await kube.close() })

  describe.each(refused)('%s with %s', (kind, _what, spec, message, name) => {
    it('is refused', async () => {
      await expect(kube.create(plural[kind], object(kind, { ...minimal[kind], ...spec }, name)))
        .rejects.toThrow(message)
    })
  })

  describe.each(changesRefused)('%s changed to %s', (kind, _what, before, after, message) => {
    it('is refused', async () => {
      const made = await kube.create(plural[kind], object(kind, { ...minimal[kind], ...before }))
      await expect(kube.patch(plural[kind], 'default', made.metadata.name, { spec: after })).rejects.toThrow(message)
    })
  })

  describe.each(changesAccepted)('%s changed to %s', (kind, _what, before, after) => {
    it('is accepted', async () => {
      const made = await kube.create(plural[kind], object(kind, { ...minimal[kind], ...before }))
      await kube.patch(plural[kind], 'default', made.metadata.name, { spec: after })
    })
  })

  it('fills in defaults', async () => {
    expect((await kube.create(plural.Topic, object('Topic', minimal.Topic)))['spec'])
      .toEqual({ cluster: 'events', deletePolicy: 'Retain' })
    expect((await kube.create(plural.Cluster, object('Cluster', minimal.Cluster)))['spec']).toEqual({
      brokers: 3,
      storage: { size: '1Gi', deletePolicy: 'Retain' },
      topicDefaults: { partitions: 6 },
      topologyKey: 'topology.kubernetes.io/zone',
      logLevel: 'warn'
    })
  })
}
