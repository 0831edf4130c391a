// One, some, all: the operator with the Roles that the chart renders for the namespaces that it watches, and with its
// own token. It does its work there, nothing anywhere else, and asks for nothing that it may not have.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { image } from '../chart/render.ts'
import { type Any } from '../local/kube/client.ts'
import { pathOf } from './objects.ts'
import { nodeName } from './process-node.ts'
import { RealWorld, single, tag } from './real-world.ts'

const spaces = ['shop', 'stock', 'other'] as const
const values = Array.from({ length: 20 }, (_, index) => String(index).padStart(2, '0'))
const roles = 'roles.rbac.authorization.k8s.io'
const made = ['statefulsets.apps', 'services', 'configmaps', 'serviceaccounts', roles, 'pods',
  'poddisruptionbudgets.policy', 'networkpolicies.networking.k8s.io', 'leases.coordination.k8s.io',
  'persistentvolumeclaims', 'partitiontables.millrace.dev']
const cluster = (namespace: string): string => pathOf('clusters.millrace.dev', namespace, 'events')
const clusterRole = '/apis/rbac.authorization.k8s.io/v1/clusterroles/millrace'

let world: RealWorld

beforeAll(async () => {
  world = await RealWorld.start()
  for (const namespace of spaces) await world.makeNamespace(namespace)
})
afterAll(async () => {
  await world?.stop()
})

async function serves (namespace: string): Promise<void> {
  await world.condition(cluster(namespace))
  await world.makeTopic(namespace, 'orders', { cluster: 'events' })
  await world.condition(pathOf('topics.millrace.dev', namespace, 'orders'))
  await world.write(namespace, 'events', 'orders', values)
  expect(await world.read(namespace, 'events', 'orders', values.length)).toEqual(values)
}

async function isUntouched (namespace: string): Promise<void> {
  const { metadata, status } = (await world.client.get(cluster(namespace))).body as Any
  expect(status).toBeUndefined()
  expect(metadata.managedFields.map(({ manager }: Any) => manager)).not.toContain('millrace-operator')
  for (const resource of made) {
    const ours = await world.names(resource, namespace, 'millrace.dev/cluster')
    expect(ours, `${resource} in ${namespace}`).toEqual([])
  }
}

/**
 * Neither the operator nor a broker: what the API server answered, and what they say of it. `replaced`: pods of an
 * operator that were still ending when helm had taken their rights away.
 */
async function nobodyWasRefused (replaced: readonly string[] = []): Promise<void> {
  const refused = world.node.refusals.filter(refusal => !replaced.some(pod => refusal.startsWith(`default/${pod}:`)))
  expect(refused).toEqual([])
  expect(await world.logs('default')).not.toMatch(/forbidden/i)
}

async function upgrade (...more: readonly string[]): Promise<void> {
  await world.helm('upgrade', 'millrace', 'charts/millrace', ...image, '--set', `image.tag=${tag}`,
    '--set', 'operator.logLevel=info', ...more)
  await world.operatorReady('default')
}

describe('watchNamespaces', () => {
  it('one: its Cluster serves, those of all other namespaces are nobody\'s', async () => {
    await world.install('default', '--set', 'watchNamespaces={shop}')
    for (const namespace of spaces) await world.makeCluster(namespace, 'events', single)
    await serves('shop')
    await isUntouched('stock')
    await isUntouched('other')
    expect((await world.client.get(clusterRole)).status).toBe(404)
    expect(await world.names(roles, 'stock')).toEqual([])
    await nobodyWasRefused()
  })

  it('some: one more is taken up, and the first one\'s broker does not restart', async () => {
    const before = await world.brokers('shop', 'events')
    await upgrade('--set', 'watchNamespaces={shop,stock}')
    await serves('stock')
    await isUntouched('other')
    expect(await world.brokers('shop', 'events')).toEqual(before)
    expect(await world.names(roles, 'stock')).toEqual(['events-broker', 'millrace'])
    await nobodyWasRefused()
  })

  it('all: with a ClusterRole instead of the Roles', async () => {
    const before = await world.brokers('stock', 'events')
    await upgrade()
    await serves('other')
    expect(await world.brokers('stock', 'events')).toEqual(before)
    expect((await world.client.get(clusterRole)).status).toBe(200)
    for (const namespace of spaces) expect(await world.names(roles, namespace)).toEqual(['events-broker'])
    await nobodyWasRefused()
  })

  it('some, and Nodes all the same: brokers are told their racks, by a ClusterRole for that alone', async () => {
    const racks = async (): Promise<unknown> => {
      const { data } = (await world.client.get(pathOf('configmaps', 'shop', 'events-config'))).body as Any
      return (JSON.parse(data['config.json']) as Any).racks
    }
    expect(await racks()).toEqual({ [nodeName]: 'a' })
    const replaced = await world.names('pods', 'default', 'app.kubernetes.io/instance=millrace')
    await upgrade('--set', 'watchNamespaces={shop,stock}')
    await expect.poll(racks, { timeout: 30_000 }).toBeUndefined()
    await upgrade('--set', 'watchNamespaces={shop,stock},rbac.nodes=always')
    await expect.poll(racks, { timeout: 30_000 }).toEqual({ [nodeName]: 'a' })
    expect((await world.client.get(clusterRole)).status).toBe(404)
    await nobodyWasRefused(replaced)
    await upgrade()
  })

  it('a right that is taken away is noticed: refusals are seen here', async () => {
    await world.delete(clusterRole)
    await world.makeTopic('other', 'later', { cluster: 'events' })
    await expect.poll(async () => await world.logs('default'), { timeout: 30_000 }).toMatch(/forbidden/i)
    expect(world.node.refusals.length).toBeGreaterThan(0)
  })
})
