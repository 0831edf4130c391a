// What the operator gives to brokers, as a real kube-apiserver understands it: the Role is enough for what a broker
// does, and for nothing else.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { role, roleBinding, serviceAccount } from '../../operator/objects/rbac.ts'
import type { Cluster } from '../../operator/schema/resources.ts'
import { media, type Any, type Client } from '../local/kube/client.ts'
import { ControlPlane } from './control-plane.ts'
import { installDefinitions, pathOf } from './objects.ts'

const namespace = 'default'

describe('a broker with its ServiceAccount\'s token', () => {
  let plane: ControlPlane
  let admin: Client
  let broker: Client

  beforeAll(async () => {
    plane = await ControlPlane.start()
    admin = plane.client()
    await installDefinitions(admin)
    const made = await admin.post(pathOf('clusters.millrace.dev', namespace), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events' },
      spec: { storage: { size: '1Gi' } }
    })
    const cluster = made.body as Cluster
    for (const [resource, object] of [
      ['serviceaccounts', serviceAccount(cluster)],
      ['roles.rbac.authorization.k8s.io', role(cluster)],
      ['rolebindings.rbac.authorization.k8s.io', roleBinding(cluster)]
    ] as const) {
      const reply = await admin.post(pathOf(resource, namespace), object)
      expect(reply.status, reply.text).toBe(201)
    }
    broker = plane.client(await plane.as(namespace, 'events-broker'))
    // The authorizer learns of a new binding a moment later.
    await broker.eventually(pathOf('leases.coordination.k8s.io', namespace, 'events-controller'),
      ({ status }) => status === 404)
  })
  afterAll(async () => { await plane.stop() })

  const tables = (name?: string): string => pathOf('partitiontables.millrace.dev', namespace, name)
  const leases = (name?: string): string => pathOf('leases.coordination.k8s.io', namespace, name)

  it('makes, reads, updates and deletes its tables', async () => {
    const made = await broker.post(tables(), {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'PartitionTable', metadata: { name: 'events-0' },
      spec: { controllerEpoch: 1, writeId: 'a' }
    })
    expect(made.status, made.text).toBe(201)
    const object = made.body as Any
    const updated = await broker.put(tables('events-0'), { ...object, spec: { controllerEpoch: 2, writeId: 'b' } })
    expect(updated.status, updated.text).toBe(200)
    // Decided from what is there no more.
    expect((await broker.put(tables('events-0'), object)).status).toBe(409)
    expect((await broker.get(tables())).status).toBe(200)
    const gone = await broker.delete(tables('events-0'), {
      preconditions: { uid: object.metadata.uid, resourceVersion: (updated.body as Any).metadata.resourceVersion }
    })
    expect(gone.status, gone.text).toBe(200)
  })

  it('takes its Lease, with times of six digits', async () => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'events-controller' },
      spec: { holderIdentity: '0', acquireTime: '2026-01-02T03:04:05.000000Z' }
    }
    const made = await broker.post(leases(), lease)
    expect(made.status, made.text).toBe(201)
    expect((await broker.put(leases('events-controller'), made.body)).status).toBe(200)
  })

  it.each([
    ['reads a Secret', 'GET', pathOf('secrets', namespace, 'x')],
    ['lists Secrets', 'GET', pathOf('secrets', namespace)],
    ['lists pods', 'GET', pathOf('pods', namespace)],
    ['reads a pod of somebody else', 'GET', pathOf('pods', namespace, 'other-0')],
    ['deletes its own pod', 'DELETE', pathOf('pods', namespace, 'events-0')],
    ['reads a table of another cluster', 'GET', pathOf('partitiontables.millrace.dev', namespace, 'other-0')],
    ['deletes a table of another cluster', 'DELETE', pathOf('partitiontables.millrace.dev', namespace, 'other-0')],
    ['deletes its Lease', 'DELETE', pathOf('leases.coordination.k8s.io', namespace, 'events-controller')],
    ['reads the operator\'s Lease', 'GET', pathOf('leases.coordination.k8s.io', namespace, 'millrace-operator')],
    ['reads its Cluster', 'GET', pathOf('clusters.millrace.dev', namespace, 'events')],
    ['reads Topics', 'GET', pathOf('topics.millrace.dev', namespace)],
    ['reads tables of another namespace', 'GET', pathOf('partitiontables.millrace.dev', 'kube-system')],
    ['reads its Role', 'GET', pathOf('roles.rbac.authorization.k8s.io', namespace, 'events-broker')]
  ])('never %s', async (_what, method, path) => {
    expect((await broker.call(method, path)).status).toBe(403)
  })

  it('never changes a Topic', async () => {
    const reply = await broker.patch(pathOf('topics.millrace.dev', namespace, 'x'), media.merge, { spec: {} })
    expect(reply.status).toBe(403)
  })
})
