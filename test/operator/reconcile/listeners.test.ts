// spec.listeners in the world of the operator: Services, what brokers are told, what people are shown.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LoadBalancers, type Ingress } from './load-balancers.ts'
import { conditionOf, namespace, World } from './world.ts'

const clusters = 'clusters.millrace.dev'
let world: World

beforeEach(async () => { world = await World.ready() })
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
  const shown = await world.until(clusters, 'events', ({ status }) =>
    (status as { listeners: { addresses: string[] }[] }).listeners[0]!.addresses.length === 1)
  expect(shown['status']).toMatchObject({ listeners: [{ name: 'nodes', addresses: ['198.51.100.7:31001'] }] })
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

it('load balancers give names and numbers, one by one; what is missing is named until it is there', async () => {
  const made = new Map<string, Ingress>([
    ['events-internet-0', { hostname: 'lb-0.example.com' }], ['events-internet-1', { ip: '203.0.113.1' }]
  ])
  const clouds = new LoadBalancers(world.kube, service => made.get(service))
  const pods = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
  await world.kube.patch(clusters, namespace, 'events', {
    spec: { listeners: [{ name: 'internet', type: 'loadBalancer', port: 9094 }] }
  })
  await world.until('services', 'events-internet-2', () => true)
  const pending = await world.until(clusters, 'events', object =>
    conditionOf(object, 'Progressing')?.message === 'no address yet: events-internet-2')
  expect(conditionOf(pending, 'Progressing')).toMatchObject({ status: 'True', reason: 'WaitingForAddress' })
  // Nothing else waits for it, and brokers are told what is known.
  expect(conditionOf(pending, 'Ready')!.status).toBe('True')
  await world.settled()
  expect(told()[0]!.addresses).toEqual({ 0: 'lb-0.example.com:9094', 1: '203.0.113.1:9094' })
  made.set('events-internet-2', { ip: '2001:db8::2' })
  clouds.look()
  const settled = await world.condition(clusters, 'events', 'Progressing', 'False', 'Settled')
  const addresses = ['lb-0.example.com:9094', '203.0.113.1:9094', '[2001:db8::2]:9094']
  expect(settled['status']).toMatchObject({ listeners: [{ name: 'internet', addresses }] })
  expect(told()[0]!.addresses).toEqual(Object.fromEntries(addresses.map((address, id) => [id, address])))
  // The listener itself restarted them, once; addresses restart nobody.
  const restarted = world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)
  expect(restarted.filter(uid => pods.includes(uid))).toEqual([])
  made.set('events-internet-0', { hostname: 'lb-9.example.com' })
  clouds.look()
  await world.until(clusters, 'events', ({ status }) =>
    (status as { listeners: { addresses: string[] }[] }).listeners[0]!.addresses[0] === 'lb-9.example.com:9094')
  expect(told()[0]!.addresses[0]).toBe('lb-9.example.com:9094')
  // One that is lost is not told any more: clients would wait for nobody.
  made.delete('events-internet-1')
  clouds.look()
  await world.condition(clusters, 'events', 'Progressing', 'True', 'WaitingForAddress')
  await world.settled()
  expect(Object.keys(told()[0]!.addresses)).toEqual(['0', '2'])
  expect(world.kube.list('pods', { namespace }).map(pod => pod.metadata.uid)).toEqual(restarted)
  await clouds.close()
})

it('a broker that is added is told its own load balancer, and `advertised` wins over what was found', async () => {
  const clouds = new LoadBalancers(world.kube, service => ({ hostname: `${service}.example.com` }))
  const listeners = [{ name: 'internet', type: 'loadBalancer', port: 9094 }]
  await world.kube.patch(clusters, namespace, 'events', { spec: { listeners, brokers: 4 } })
  await world.until('configmaps', 'events-config', () => told()[0]?.addresses[3] !== undefined)
  expect(told()[0]!.addresses[3]).toBe('events-internet-3.example.com:9094')
  await world.kube.patch(clusters, namespace, 'events', {
    spec: { listeners: [{ ...listeners[0], advertised: 'b{broker}.example.com:443' }] }
  })
  await world.until('configmaps', 'events-config', () => told()[0]!.addresses[3] === 'b3.example.com:443')
  expect(told()[0]!.addresses[0]).toBe('b0.example.com:443')
  await clouds.close()
})
