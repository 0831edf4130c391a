import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../operator/kube/types.ts'
import { configMap } from '../../../operator/objects/config-map.ts'
import { concerns, rackNodesMax, racksOf } from '../../../operator/objects/racks.ts'
import type { ClusterSpec } from '../../../operator/schema/cluster.ts'
import { clusterOf } from './fixtures.ts'

const hall = 'example.com/hall'
const none: ReadonlySet<string> = new Set()

function node (name: string, labels?: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, ...labels !== undefined && { labels } } }
}

const nodes = [
  node('b', { [hall]: 'west', 'topology.kubernetes.io/zone': 'z1', disk: 'nvme' }), node('a', { [hall]: 'east' }),
  node('bare'), node('empty', { [hall]: '' })
]

describe('what brokers are told', () => {
  it.each<[string, Partial<ClusterSpec>, object]>([
    ['any label, of the nodes that have it', { topologyKey: hall }, { a: 'east', b: 'west' }],
    ['another one', {}, { b: 'z1' }],
    ['nothing of a label that no node has', { topologyKey: 'example.com/row' }, {}],
    ['nothing of the host, which they know', { topologyKey: 'kubernetes.io/hostname' }, {}],
    ['nodes that they may run on', { topologyKey: hall, pod: { nodeSelector: { disk: 'nvme' } } }, { b: 'west' }]
  ])('%s', (_what, spec, racks) => {
    expect(racksOf(clusterOf(spec), nodes, none)).toEqual(racks)
  })

  it('and those that they run on all the same', () => {
    const cluster = clusterOf({ topologyKey: hall, pod: { nodeSelector: { disk: 'nvme' } } })
    expect(racksOf(cluster, nodes, new Set(['a', 'bare']))).toEqual({ a: 'east', b: 'west' })
  })

  it('is the same text for the same nodes, in whatever order they are read', () => {
    const cluster = clusterOf({ topologyKey: hall })
    const text = (given: readonly KubeObject[]): string => JSON.stringify(racksOf(cluster, given, none))
    expect(text(nodes.toReversed())).toBe(text(nodes))
  })

  it('are only the nodes that they run on where there are very many; the longest fit into a ConfigMap', () => {
    const cluster = clusterOf({ topologyKey: hall })
    const many = (count: number): KubeObject[] => Array.from({ length: count }, (_, index) =>
      node(String(index).padStart(253, 'n'), { [hall]: String(index).padStart(63, 'h') }))
    const all = racksOf(cluster, many(rackNodesMax), none)
    expect(Object.keys(all)).toHaveLength(rackNodesMax)
    expect(JSON.stringify(configMap(cluster, 3, [], all)).length).toBeLessThan(2 ** 19)
    const used = new Set(['7'.padStart(253, 'n')])
    expect(Object.keys(racksOf(cluster, many(rackNodesMax + 1), used))).toEqual([...used])
  })
})

describe('what has become of a node', () => {
  const cluster = clusterOf({ topologyKey: hall, pod: { nodeSelector: { disk: 'nvme' } } })
  const here = node('n', { [hall]: 'east', disk: 'nvme' })
  const elsewhere = node('n', { [hall]: 'east', disk: 'hdd' })

  it.each<[string, boolean, KubeObject | undefined, KubeObject | undefined]>([
    ['it joined', true, here, undefined],
    ['it left', true, undefined, here],
    ['it is in another hall', true, node('n', { [hall]: 'west', disk: 'nvme' }), here],
    ['it may hold brokers now', true, here, elsewhere],
    ['one that may not, and yet may have one, is in another hall', true, node('n', { [hall]: 'x' }), elsewhere],
    ['a heartbeat', false, { ...here, status: {} }, here],
    ['another label', false, node('n', { ...here.metadata.labels, other: 'x' }), here],
    ['one without the label joined', false, node('n', { disk: 'nvme' }), undefined],
    ['one without the label may hold brokers', false, node('n', { disk: 'nvme' }), node('n')],
    ['one for others joined', false, elsewhere, undefined],
    ['one for others left', false, undefined, elsewhere]
  ])('%s: %s', (_what, does, is, was) => {
    expect(concerns(cluster, is, was)).toBe(does)
    expect(concerns(clusterOf({ topologyKey: 'kubernetes.io/hostname' }), node('n', { [hall]: 'x' }), node('n')))
      .toBe(false)
  })
})
