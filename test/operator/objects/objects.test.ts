import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { configHash, configMap } from '../../../operator/objects/config-map.ts'
import { clusterOfTable, selectorLabels, templateHashAnnotation } from '../../../operator/objects/names.ts'
import { podTemplate } from '../../../operator/objects/pod-template.ts'
import { advertisedAddress, listenerAddresses, listenerService } from '../../../operator/objects/listeners.ts'
import { networkPolicy, podDisruptionBudget } from '../../../operator/objects/policies.ts'
import { role, roleBinding, serviceAccount } from '../../../operator/objects/rbac.ts'
import { bootstrapAddress, bootstrapService, headlessService } from '../../../operator/objects/services.ts'
import { statefulSet } from '../../../operator/objects/stateful-set.ts'
import type { ClusterSpec } from '../../../operator/schema/cluster.ts'
import type { Listener } from '../../../operator/schema/listeners.ts'
import { clusterOf } from './fixtures.ts'

const options = { image: 'millrace:0.1.0', replicas: 3, clusterUid: '4f4d0a3e-0000-4000-8000-000000000001' }
const full = clusterOf({
  storage: { size: '100Gi', className: 'gp3', deletePolicy: 'Retain' },
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } },
  image: 'registry.example/millrace:0.2.0',
  listeners: [
    { name: 'inside', type: 'internal', port: 9093 },
    { name: 'nodes', type: 'nodePort', port: 9094 },
    { name: 'internet', type: 'loadBalancer', port: 9095, advertised: 'b{broker}.example.com:443' }
  ],
  pod: {
    labels: { team: 'streams' },
    annotations: { 'example.com/owner': 'somebody' },
    nodeSelector: { disk: 'nvme' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'streams', effect: 'NoSchedule' }],
    priorityClassName: 'important',
    imagePullSecrets: [{ name: 'registry' }]
  }
})

const built: Record<string, KubeObject> = {
  'stateful-set': statefulSet(full, options),
  'service-headless': headlessService(full),
  'service-bootstrap': bootstrapService(full),
  'config-map': configMap(full, 2, listenerAddresses(full, 2, () => undefined)),
  'pod-disruption-budget': podDisruptionBudget(full),
  'network-policy': networkPolicy(full),
  'service-listener': listenerService(full, full.spec.listeners![1]!, 2),
  'service-account': serviceAccount(full),
  role: role(full),
  'role-binding': roleBinding(full)
}

describe('golden', () => {
  it.each(Object.entries(built))('%s', async (name, object) => {
    await expect(stringify(object, { aliasDuplicateObjects: false })).toMatchFileSnapshot(`golden/${name}.yaml`)
  })
})

describe.each(Object.entries(built))('%s', (_name, object) => {
  it('is owned by the Cluster and found by the label of the operator', () => {
    expect(object.metadata.ownerReferences).toEqual([expect.objectContaining({ kind: 'Cluster', controller: true })])
    expect(object.metadata.labels).toMatchObject({
      'app.kubernetes.io/managed-by': 'millrace-operator', 'millrace.dev/cluster': 'events'
    })
  })
})

describe('pod template', () => {
  const current = podTemplate(clusterOf(), options)
  const hashOf = (template: typeof current): string => template.metadata.annotations[templateHashAnnotation]!

  it('is the same for the same wish', () => {
    expect(podTemplate(clusterOf(), options)).toEqual(current)
  })

  it('does not change with what running brokers take over: log level, limits, addresses', () => {
    const file = (bytesPerSecond: string): unknown => {
      const { data } = configMap(clusterOf({ rebalance: { bytesPerSecond } })) as unknown as
        { data: Record<string, string> }
      return JSON.parse(data['config.json']!)
    }
    expect(file('10Mi')).toEqual({ brokers: 3, logLevel: 'warn', learnerBytesPerSecond: 10 * 2 ** 20 })
    expect(file('unlimited')).toEqual({ brokers: 3, logLevel: 'warn', learnerBytesPerSecond: 0 })
    const live = [{ rebalance: { bytesPerSecond: '10Mi' } }, { logLevel: 'debug' as const }, { groupExpiry: '1h' }]
    for (const spec of live) {
      expect(podTemplate(clusterOf({ ...spec, maintenance: [1] }), options)).toEqual(current)
    }
    const nodes = { name: 'nodes', type: 'nodePort', port: 9094 } as const
    expect(podTemplate(clusterOf({ listeners: [{ ...nodes, advertised: 'a.example' }] }), options))
      .toEqual(podTemplate(clusterOf({ listeners: [nodes] }), options))
  })

  it('does not change with the racks of nodes, which running brokers take over', () => {
    const { data } = configMap(clusterOf(), 3, [], { a: 'hall-1' }) as unknown as { data: Record<string, string> }
    expect(JSON.parse(data['config.json']!)).toEqual({ brokers: 3, logLevel: 'warn', racks: { a: 'hall-1' } })
    expect(configMap(clusterOf(), 3, [], {})).toEqual(configMap(clusterOf()))
  })

  it('tells brokers how long groups are remembered', () => {
    const file = (groupExpiry: string): unknown => {
      const { data } = configMap(clusterOf({ groupExpiry })) as unknown as { data: Record<string, string> }
      return JSON.parse(data['config.json']!)
    }
    expect(file('30d')).toMatchObject({ groupExpiryMs: 30 * 24 * 3_600_000 })
    expect(file('60s')).toMatchObject({ groupExpiryMs: 60_000 })
    expect(file('unlimited')).toMatchObject({ groupExpiryMs: 0 })
    expect(() => file('59s')).toThrow('spec.groupExpiry: "59s" is not a duration of at least 60s, or unlimited')
  })

  it('does not change with the number of brokers: adding one restarts none', () => {
    expect(podTemplate(clusterOf({ brokers: 5 }), options)).toEqual(current)
    expect(configMap(clusterOf({ brokers: 5 }))).not.toEqual(configMap(clusterOf()))
    expect(configHash(clusterOf({ brokers: 5 }))).toBe(configHash(clusterOf()))
    // While one is drained it counts: it may be the only one that has some records.
    expect(configMap(clusterOf({ brokers: 3 }), 4)).toEqual(configMap(clusterOf({ brokers: 4 })))
  })

  const wishes: [string, Partial<ClusterSpec>][] = [
    ['image', { image: 'millrace:next' }],
    ['resources', { resources: { requests: { cpu: '2' } } }],
    ['listeners', { listeners: [{ name: 'nodes', type: 'nodePort', port: 9094 }] }],
    ['topology', { topologyKey: 'kubernetes.io/hostname' }],
    ['labels', { pod: { labels: { team: 'a' } } }],
    ['annotations', { pod: { annotations: { 'example.com/a': 'b' } } }],
    ['node selector', { pod: { nodeSelector: { disk: 'nvme' } } }],
    ['tolerations', { pod: { tolerations: [{ operator: 'Exists' }] } }],
    ['priority class', { pod: { priorityClassName: 'important' } }],
    ['pull secrets', { pod: { imagePullSecrets: [{ name: 'registry' }] } }]
  ]

  it.each(wishes)('changes, and its hash, with the %s', (_what, spec) => {
    const { metadata: { annotations, labels }, spec: pod } = podTemplate(clusterOf(spec), options)
    const { metadata: before, spec: podBefore } = current
    const { [templateHashAnnotation]: hash, ...others } = annotations
    const { [templateHashAnnotation]: hashBefore, ...othersBefore } = before.annotations
    expect(hash).not.toBe(hashBefore)
    expect({ labels, others, pod }).not.toEqual({ labels: before.labels, others: othersBefore, pod: podBefore })
  })

  it('has the hash of the wish alone: a newer operator, which renders it otherwise, restarts nothing', () => {
    // What it is made of changes with templateRevision alone: every broker of every cluster restarts.
    expect(hashOf(current)).toBe('d38c584b6a13130d')
  })

  it('keeps the labels that pods are found by, whatever is wished', () => {
    const labels = { 'app.kubernetes.io/name': 'x', team: 'a' }
    const { metadata } = podTemplate(clusterOf({ pod: { labels } }), options)
    expect(metadata.labels).toEqual({ ...selectorLabels('events'), team: 'a' })
  })

  it('has selector labels only, that no version is among', () => {
    expect(current.metadata.labels).toEqual(selectorLabels('events'))
  })

  it('has brokers tell the addresses of their pods: names stand for former ones for a while', () => {
    const [container] = current.spec['containers'] as { env: { name: string, value?: string }[] }[]
    const valueOf = (name: string): string | undefined => container!.env.find(each => each.name === name)?.value
    expect(valueOf('MILLRACE_ADVERTISE_CLIENT')).toBe('$(MILLRACE_POD_IP):9090')
    expect(valueOf('MILLRACE_ADVERTISE_PEER')).toBe('$(MILLRACE_POD_IP):9091')
    // Kubernetes puts in what was defined before.
    const order = container!.env.map(({ name }) => name)
    expect(order.indexOf('MILLRACE_POD_IP')).toBeLessThan(order.indexOf('MILLRACE_ADVERTISE_CLIENT'))
    expect(container!.env.find(({ name }) => name === 'MILLRACE_POD_IP'))
      .toMatchObject({ valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } })
  })

  it('reads the rack from the label of the topology', () => {
    const env = (key: string): unknown => {
      const [container] = podTemplate(clusterOf({ topologyKey: key }), options).spec['containers'] as
        { env: { name: string }[] }[]
      return container!.env.find(({ name }) => name === 'MILLRACE_RACK')
    }
    expect(env('topology.kubernetes.io/zone')).toMatchObject({
      valueFrom: { fieldRef: { fieldPath: "metadata.labels['topology.kubernetes.io/zone']" } }
    })
    expect(env('kubernetes.io/hostname')).toMatchObject({ valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } })
  })
})

describe('what brokers tell clients of a listener', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } }
  const onNode = { ...service, spec: { ports: [{ nodePort: 31234 }] } }
  const balanced = (ingress: object): KubeObject => ({ ...service, status: { loadBalancer: { ingress: [ingress] } } })

  it.each<[string, Listener['type'], string | undefined, KubeObject | undefined, string]>([
    ['the address of the pod', 'internal', undefined, undefined, '{pod}:9094'],
    ['another name inside', 'internal', 'b{broker}.mesh', undefined, 'b2.mesh:9094'],
    ['node and its port', 'nodePort', undefined, onNode, '{node}:31234'],
    ['nothing before there is one', 'nodePort', undefined, service, ''],
    ['a name for the node', 'nodePort', 'n{broker}.example', onNode, 'n2.example:31234'],
    ['a gate before the nodes', 'nodePort', 'gate.example', onNode, 'gate.example:31234'],
    ['both said', 'nodePort', 'n{broker}.example:443', service, 'n2.example:443'],
    ['the load balancer', 'loadBalancer', undefined, balanced({ hostname: 'lb.example' }), 'lb.example:9094'],
    ['its address', 'loadBalancer', undefined, balanced({ ip: '203.0.113.7' }), '203.0.113.7:9094'],
    ['its address of IPv6', 'loadBalancer', undefined, balanced({ ip: 'fd00::7' }), '[fd00::7]:9094'],
    ['nothing while it is being made', 'loadBalancer', undefined, service, ''],
    ['what is said, at once', 'loadBalancer', 'b{broker}.example', service, 'b2.example:9094']
  ])('%s', (_what, type, advertised, stored, address) => {
    const listener = { name: 'x', type, port: 9094, ...advertised !== undefined && { advertised } }
    expect(advertisedAddress(listener, 2, stored)).toBe(address)
  })
})

describe('names', () => {
  it('tells whose table it is', () => {
    expect(clusterOfTable('events-0')).toBe('events')
    expect(clusterOfTable('events-1-12')).toBe('events-1')
    expect(clusterOfTable('events')).toBeUndefined()
  })

  it('says where clients begin', () => {
    expect(bootstrapAddress(full)).toBe('events-bootstrap.streams.svc:9090')
  })
})
