// In which racks nodes are: what brokers are told, what it costs, and what people are told where nobody can know.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KubeError } from '../../../operator/kube/api.ts'
import { silentLog } from '../silent-log.ts'
import type { EmbeddedHost } from './embedded-host.ts'
import { onWrites } from './on-writes.ts'
import { namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
const hall = 'example.com/hall'
let world: World
let lines: string[]

beforeEach(async () => {
  world = await World.start()
  lines = []
  const note = (_: object, line: string): void => { lines.push(line) }
  world.log = { ...silentLog, info: note, warn: note };
  (world.host as EmbeddedHost).nodeOf = ordinal => `node-${ordinal}`
})
afterEach(async () => { await world.close() })

async function makeNode (name: string, labels: Record<string, string> = {}): Promise<void> {
  await world.kube.create('nodes', { metadata: { name, labels } })
}

async function label (name: string, labels: Record<string, string | null>): Promise<void> {
  await world.kube.patch('nodes', undefined, name, { metadata: { labels } })
}

function told (cluster = 'events'): unknown {
  const map = world.get('configmaps', `${cluster}-config`) as unknown as { data: Record<string, string> } | undefined
  return map === undefined ? undefined : (JSON.parse(map.data['config.json']!) as { racks?: unknown }).racks
}

async function untilTold (racks: object | undefined): Promise<void> {
  await world.until('configmaps', 'events-config', () => JSON.stringify(told()) === JSON.stringify(racks))
}

function notes (): unknown[] {
  return world.kube.list('events.events.k8s.io', { namespace })
    .filter(event => event['reason'] === 'RacksUnknown').map(event => event['note'])
}

async function ready (spec: object = { topologyKey: hall }): Promise<void> {
  await world.createCluster(spec)
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  await world.settled()
}

describe('brokers are told in which rack each node is', () => {
  beforeEach(async () => {
    await makeNode('node-0', { [hall]: 'a' })
    await makeNode('node-1', { [hall]: 'b' })
    await makeNode('node-2')
    await world.startOperator()
  })

  it('before they start; when a label changes, a node joins or leaves, and nobody restarts for it', async () => {
    let first: unknown
    const stop = world.kube.watch('pods', () => { first ??= told() })
    await ready()
    stop()
    expect(first).toEqual({ 'node-0': 'a', 'node-1': 'b' })
    const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
    await label('node-1', { [hall]: 'c' })
    await untilTold({ 'node-0': 'a', 'node-1': 'c' })
    await makeNode('a-new-one', { [hall]: 'd' })
    await untilTold({ 'a-new-one': 'd', 'node-0': 'a', 'node-1': 'c' })
    await world.kube.delete('nodes', undefined, 'a-new-one')
    await label('node-0', { [hall]: null })
    await untilTold({ 'node-1': 'c' })
    await world.settled()
    expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
  })

  it('a broker whose node has no label is named once, and again when it is another one', async () => {
    await ready()
    expect(notes()).toEqual([`no label ${hall} on the node of broker 2: replicas are spread by broker there`])
    await label('node-2', { [hall]: 'b' })
    await untilTold({ 'node-0': 'a', 'node-1': 'b', 'node-2': 'b' })
    await label('node-0', { [hall]: null })
    await untilTold({ 'node-1': 'b', 'node-2': 'b' })
    await world.settled()
    expect(new Set(notes())).toEqual(new Set([0, 2].map(id =>
      `no label ${hall} on the node of broker ${id}: replicas are spread by broker there`)))
  })

  it('heartbeats cost no reconcile, a label only the Clusters that it is for; no write without news', async () => {
    await ready()
    await world.createCluster({ topologyKey: 'example.com/row', brokers: 1 }, 'rows')
    await world.until('configmaps', 'rows-config', () => true)
    await world.settled()
    const version = (name: string): unknown => world.get('configmaps', name)!.metadata.resourceVersion
    const before = version('events-config')
    const added = vi.spyOn(world.operator!.clusterQueue, 'add')
    for (let beat = 0; beat < 3; beat++) {
      const conditions = [{ type: 'Ready', status: 'True', reason: String(beat) }]
      await world.kube.patch('nodes', undefined, 'node-0', { status: { conditions } }, { subresource: 'status' })
      await world.kube.patch('nodes', undefined, 'node-0', { metadata: { annotations: { beat: String(beat) } } })
      await label('node-0', { other: String(beat) })
    }
    await makeNode('bare')
    // Events come in order: all of those have come when this one has.
    await label('node-0', { 'example.com/row': '7' })
    await world.until('configmaps', 'rows-config', () => JSON.stringify(told('rows')) === '{"node-0":"7"}')
    await world.settled()
    expect(new Set(added.mock.calls.flat())).toEqual(new Set([`${namespace}/rows`]))
    expect(version('events-config')).toBe(before)
  })

  it('a broker that was not placed yet is none of which nobody can know', async () => {
    (world.host as EmbeddedHost).nodeOf = ordinal => ordinal === 0 ? 'node-2' : ''
    await ready()
    expect(notes()).toEqual([])
  })

  it('not of hosts, which they know themselves', async () => {
    await ready({ topologyKey: 'kubernetes.io/hostname' })
    expect([told(), notes()]).toEqual([undefined, []])
  })
})

it('where there are no nodes, as on a laptop, nothing is told and nobody complains', async () => {
  await world.startOperator()
  await ready()
  expect([told(), notes(), lines.filter(line => line.includes('Nodes'))]).toEqual([undefined, [], []])
})

describe('an operator that may not read Nodes', () => {
  const unknown = `the operator may not read Nodes (rbac.nodes of the chart), which say the ${hall} of ` +
    'brokers 0, 1, 2: replicas are spread by broker there'

  it('does all else, says so once, and tells brokers as soon as it may', async () => {
    await makeNode('node-0', { [hall]: 'a' })
    let isRefused = true
    await world.startOperator(api => ({
      ...onWrites(api, async (_verb, _kind, write) => await write()),
      list: async (kind, query) => {
        if (isRefused && kind.kind === 'Node') throw new KubeError(403, 'Forbidden', 'nodes is forbidden')
        return await api.list(kind, query)
      }
    }))
    expect(world.operator!.unread).toEqual([])
    expect(world.operator!.caches.measured.map(({ kind }) => kind.kind)).not.toContain('Node')
    await ready()
    expect(told()).toBeUndefined()
    await world.kube.patch(clusters, namespace, 'events', { spec: { logLevel: 'info' } })
    await world.condition(clusters, 'events', 'Ready', 'True')
    await world.settled()
    expect(notes()).toEqual([unknown])
    const said = (): string[] => lines.filter(line => line.startsWith('Nodes '))
    expect(said()).toEqual([expect.stringContaining('Nodes may not be read (rbac.nodes of the chart gives the right)')])
    isRefused = false
    await untilTold({ 'node-0': 'a' })
    expect(said().slice(1)).toEqual(['Nodes can be read: brokers are told their racks from now on'])
    expect(world.operator!.caches.measured.map(({ kind }) => kind.kind)).toContain('Node')
  })

  it('and is told that it may not asks nobody for them; what pods know by themselves is enough', async () => {
    world.readsNodes = false
    const asked = new Set<string>()
    await world.startOperator(api => ({
      ...onWrites(api, async (_verb, _kind, write) => await write()),
      list: async (kind, query) => {
        asked.add(kind.kind)
        return await api.list(kind, query)
      }
    }))
    await ready({ topologyKey: hall, pod: { labels: { [hall]: 'a' } } })
    expect([told(), notes(), asked.has('Node'), asked.has('Pod')]).toEqual([undefined, [], false, true])
    expect(lines).toContainEqual(expect.stringContaining('Nodes are not read (rbac.nodes of the chart)'))
  })
})
