// spec.listeners in the world of the operator: Services, what brokers are told, what people are shown.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => {
  world = await World.start()
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
})
afterEach(async () => { await world.close() })

interface Told { readonly name: string, readonly port: number, readonly addresses: Record<string, string> }

function told (): Told[] {
  const { data } = world.get('configmaps', 'events-config') as unknown as { data: Record<string, string> }
  return (JSON.parse(data['config.json']!) as { listeners?: Told[] }).listeners ?? []
}

function services (): string[] {
  return world.kube.list('services', { namespace }).map(({ metadata }) => metadata.name)
    .filter(name => name !== 'events-brokers' && name !== 'events-bootstrap').sort()
}

async function give (service: string, status: object, spec: object = {}): Promise<void> {
  await world.kube.patch('services', namespace, service, { spec })
  await world.kube.patch('services', namespace, service, { status }, { subresource: 'status' })
}

it('a Service for each broker; brokers are told addresses as they are found, without another restart', async () => {
  await world.kube.patch(clusters, namespace, 'events', {
    spec: { listeners: [{ name: 'internet', type: 'loadBalancer', port: 9094 }] }
  })
  await world.condition(clusters, 'events', 'Progressing', 'True', 'WaitingForAddress')
  expect(services()).toEqual(['events-internet-0', 'events-internet-1', 'events-internet-2'])
  const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
  for (const ordinal of [0, 1, 2]) {
    await give(`events-internet-${ordinal}`, { loadBalancer: { ingress: [{ ip: `203.0.113.${ordinal}` }] } })
  }
  const cluster = await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
  expect(told()).toEqual([{
    name: 'internet', port: 9094, addresses: { 0: '203.0.113.0:9094', 1: '203.0.113.1:9094', 2: '203.0.113.2:9094' }
  }])
  expect(cluster['status']).toMatchObject({
    listeners: [{ name: 'internet', addresses: ['203.0.113.0:9094', '203.0.113.1:9094', '203.0.113.2:9094'] }]
  })
  expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(pods)
  // A policy that does not admit them would make them useless.
  const { spec } = world.get('networkpolicies.networking.k8s.io', 'events') as unknown as
    { spec: { ingress: { ports: { port: number }[] }[] } }
  expect(spec.ingress.flatMap(({ ports }) => ports.map(({ port }) => port))).toContain(9094)
})

it('a node port is told with the node of the broker, which only the broker knows in time', async () => {
  await world.kube.patch(clusters, namespace, 'events', {
    spec: { listeners: [{ name: 'nodes', type: 'nodePort', port: 9094 }] }
  })
  await world.until('services', 'events-nodes-2', () => true)
  for (const ordinal of [0, 1, 2]) {
    await give(`events-nodes-${ordinal}`, {}, { ports: [{ name: 'nodes', port: 9094, nodePort: 31_000 + ordinal }] })
  }
  await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
  expect(told()[0]!.addresses).toEqual({ 0: '{node}:31000', 1: '{node}:31001', 2: '{node}:31002' })
  const status = { hostIP: '198.51.100.7' }
  await world.kube.patch('pods', namespace, 'events-1', { status }, { subresource: 'status' })
  await world.until(clusters, 'events', ({ status }) =>
    JSON.stringify((status as { listeners: object }).listeners) ===
      JSON.stringify([{ name: 'nodes', addresses: ['198.51.100.7:31001'] }]))
})

it('Services come and go with brokers and listeners; somebody else\'s stay', async () => {
  await world.kube.create('services', {
    metadata: { name: 'mine', namespace, labels: { 'millrace.dev/cluster': 'events', 'millrace.dev/listener': 'x' } },
    spec: { ports: [{ port: 1 }] }
  })
  const listeners = [{ name: 'nodes', type: 'nodePort', port: 9094 }]
  await world.kube.patch(clusters, namespace, 'events', { spec: { listeners, brokers: 4 } })
  await world.until('services', 'events-nodes-3', () => true)
  await world.kube.patch(clusters, namespace, 'events', { spec: { brokers: 3 } })
  await world.untilGone('services', 'events-nodes-3')
  await world.kube.patch(clusters, namespace, 'events', { spec: { listeners: null } })
  await world.untilGone('services', 'events-nodes-0')
  await world.until(clusters, 'events', object => conditionOf(object, 'Progressing')?.status === 'False')
  await world.settled()
  expect(services()).toEqual(['mine'])
  expect(told()).toEqual([])
})
