import { expect, it } from 'vitest'
import type { Calls } from '../../operator/admin-calls.ts'
import type { AdminMethod } from '../../operator/reconcile/controller-client.ts'
import { kinds } from '../../operator/kube/types.ts'
import { apiWhileLeading, callsWhileLeading } from '../../operator/while-leading.ts'
import { ScriptedApi } from './kube/scripted-api.ts'

const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'a', namespace: 'n' } }

it('sends every write while it leads and none while it may not; reads pass', async () => {
  const inner = new ScriptedApi()
  let stale = false
  const deleted: unknown[] = []
  inner.delete = async (...args: unknown[]) => { deleted.push(args) }
  const api = apiWhileLeading(inner, () => stale)
  const writes = [
    async () => await api.create(kinds.lease, lease),
    async () => await api.replace(kinds.lease, { ...lease, metadata: inner.stored!.metadata }),
    async () => await api.apply(kinds.lease, lease, 'status'),
    async () => await api.patch(kinds.lease, 'n', 'a', { spec: {} }),
    async () => { await api.delete(kinds.lease, 'n', 'a', { uid: 'x' }) }
  ]
  for (const write of writes) await write()
  expect(inner.writes.map(({ verb }) => verb)).toEqual(['create', 'replace', 'apply', 'patch'])
  expect(deleted).toEqual([[kinds.lease, 'n', 'a', { uid: 'x' }]])
  stale = true
  for (const write of writes) await expect(write()).rejects.toMatchObject({ reason: 'NotLeading' })
  expect([inner.writes.length, deleted.length]).toEqual([4, 1])
  expect(await api.get(kinds.lease, 'n', 'a')).toBe(inner.stored)
  inner.lists = [{ items: [lease], resourceVersion: '7', continue: '' }]
  expect((await api.list(kinds.lease, { namespace: 'n' })).items).toEqual([lease])
  const query = { namespace: 'n', resourceVersion: '7', timeoutSeconds: 9 }
  api.watch(kinds.lease, query, { event: () => {}, end: () => {} })
  expect(inner.watches).toHaveLength(1)
})

it('gives no order to a controller while it may not, and still asks', async () => {
  const asked: string[] = []
  const calls = callsWhileLeading({
    call: async (_address: string, method: string) => { asked.push(method); return {} as never },
    forget: () => {}
  } as Calls, () => true)
  const orders: AdminMethod[] = ['ApplyTopic', 'DeleteTopic', 'MovePartitions', 'ElectLeaders', 'MaintainBrokers',
    'RecoverPartition', 'DrainBrokers', 'RemoveBroker', 'RestoreTables']
  for (const method of orders) {
    await expect(calls.call('b:1', method, {} as never, 1, 'ns/events')).rejects.toMatchObject({ code: 'CANCELLED' })
  }
  for (const method of ['DescribeCluster', 'PlanBrokers'] as const) {
    await calls.call('b:1', method, {} as never, 1, 'ns/events')
  }
  expect(asked).toEqual(['DescribeCluster', 'PlanBrokers'])
})
