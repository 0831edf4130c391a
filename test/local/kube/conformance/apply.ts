import { describe, expect, it } from 'vitest'
import type { Any, Reply } from '../client.ts'
import { media } from '../client.ts'
import { group } from './world.ts'
import type { World } from './world.ts'

export function applySuite (world: World): void {
  const fresh = (): { path: string, apply: (spec: Any, manager?: string, query?: string) => Promise<Reply> } => {
    const name = world.name('ssa')
    const path = world.gadgets(name)
    return {
      path,
      apply: async (spec, manager = 'one', query = '') =>
        await world.client.apply(path, world.gadget(name, spec), manager, query)
    }
  }
  const owned = (body: Any, manager: string): Any =>
    (body.metadata.managedFields as Any[]).find(entry => entry.manager === manager)?.fieldsV1

  describe('server-side apply', () => {
    it('makes the object and owns what it said', async () => {
      const { apply } = fresh()
      const { status, body } = await apply({ size: 3, ports: [{ name: 'a', port: 1 }] })
      expect(status).toBe(201)
      expect(body.spec).toEqual({ size: 3, ports: [{ name: 'a', port: 1 }], replicas: 1, color: 'red' })
      expect(body.metadata.managedFields).toEqual([{
        manager: 'one',
        operation: 'Apply',
        apiVersion: `${group}/v1`,
        time: expect.any(String),
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:spec': { 'f:size': {}, 'f:ports': { 'k:{"name":"a"}': { '.': {}, 'f:name': {}, 'f:port': {} } } }
        }
      }])
    })

    it('writes nothing when nothing differs', async () => {
      const { apply } = fresh()
      const first = await apply({ size: 3 })
      const second = await apply({ size: 3 })
      expect(second.status).toBe(200)
      expect(second.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
    })

    it('removes what the manager applies no longer, keeps what others own', async () => {
      const { apply } = fresh()
      await apply({ size: 3, labels: { a: '1', b: '2' }, tags: ['x', 'y'], ports: [{ name: 'a' }, { name: 'b' }] })
      await apply({ labels: { b: '2' }, tags: ['y'], ports: [{ name: 'b', note: 'mine' }] }, 'two')
      const { body } = await apply({ size: 3, tags: ['x'], ports: [{ name: 'a' }] })
      expect(body.spec).toMatchObject({ labels: { b: '2' }, tags: ['x', 'y'] })
      expect(body.spec.ports).toEqual([{ name: 'a' }, { name: 'b', note: 'mine' }])
      const last = await apply({ size: 3 })
      expect(last.body.spec.tags).toEqual(['y'])
      expect(last.body.spec.ports).toEqual([{ name: 'b', note: 'mine' }])
    })

    it('refuses to take a field from another manager, unless forced', async () => {
      const { apply } = fresh()
      await apply({ size: 3, color: 'red' })
      const { status, body } = await apply({ size: 4, color: 'green' }, 'two')
      expect([status, body.reason]).toEqual([409, 'Conflict'])
      expect(body.details.causes).toEqual([
        { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.color' },
        { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.size' }
      ])
      expect(body.message).toBe('Apply failed with 2 conflicts: conflicts with "one":\n- .spec.color\n- .spec.size')
      const single = await apply({ size: 4 }, 'two')
      expect(single.body.message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.size')
      const forced = await apply({ size: 4 }, 'two', '&force=true')
      expect([forced.status, forced.body.spec.size]).toEqual([200, 4])
      expect(owned(forced.body, 'one')).toEqual({ 'f:spec': { 'f:color': {} } })
      expect(owned(forced.body, 'two')).toEqual({ 'f:spec': { 'f:size': {} } })
    })

    it('lets managers share a field that they agree on', async () => {
      const { apply } = fresh()
      await apply({ size: 3 })
      const { body } = await apply({ size: 3 }, 'two')
      expect([owned(body, 'one'), owned(body, 'two')]).toEqual([{ 'f:spec': { 'f:size': {} } },
        { 'f:spec': { 'f:size': {} } }])
      const left = await apply({ color: 'red' })
      expect(left.body.spec.size).toBe(3)
    })

    it('tracks updates too: they take fields, and conflict', async () => {
      const { path, apply } = fresh()
      await apply({ size: 3 })
      const { body } = await world.client.patch(`${path}?fieldManager=hand`, media.merge, { spec: { size: 5 } })
      const entry = (body.metadata.managedFields as Any[]).find(one => one.manager === 'hand')
      expect(entry).toMatchObject({ operation: 'Update', fieldsV1: { 'f:spec': { 'f:size': {} } } })
      expect((body.metadata.managedFields as Any[]).some(one => one.manager === 'one')).toBe(false)
      const refused = await apply({ size: 3 })
      expect([refused.status, refused.body.message]).toEqual([409,
        `Apply failed with 1 conflict: conflict with "hand" using ${group}/v1: .spec.size`])
    })

    it('owns the status apart, through its subresource', async () => {
      const { path, apply } = fresh()
      const { body } = await apply({ size: 3 })
      const status = {
        apiVersion: body.apiVersion,
        kind: body.kind,
        metadata: { name: body.metadata.name },
        status: { phase: 'Up', conditions: [{ type: 'Ready', status: 'True' }] }
      }
      const applied = await world.client.apply(`${path}/status`, status, 'one')
      expect(applied.body.status).toEqual(status.status)
      const entry = (applied.body.metadata.managedFields as Any[]).find(one => one.subresource === 'status')
      expect(entry.fieldsV1).toEqual({
        'f:status': { 'f:phase': {},
          'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:type': {}, 'f:status': {} } } }
      })
      const other = await world.client.apply(`${path}/status`,
        { ...status, status: { conditions: [{ type: 'Degraded', status: 'False' }] } }, 'two')
      expect((other.body.status.conditions as Any[]).map(one => one.type as string)).toEqual(['Ready', 'Degraded'])
      const again = await apply({ size: 3 })
      expect(again.body.status.phase).toBe('Up')
    })

    it('merges lists of built-in kinds by their keys', async () => {
      const name = world.name('ssa')
      const path = world.core('services', name)
      const service = (ports: Any[]): Any =>
        ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } })
      const one = await world.client.apply(path, service([{ name: 'a', port: 1 }]), 'one')
      expect(one.status, one.text).toBe(201)
      expect(owned(one.body, 'one')).toEqual({
        'f:spec': { 'f:ports': { 'k:{"port":1,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {} } } }
      })
      const two = await world.client.apply(path, service([{ name: 'b', port: 2 }]), 'two')
      expect((two.body.spec.ports as Any[]).map(port => port.port as number)).toEqual([1, 2])
      const again = await world.client.apply(path, service([{ name: 'a', port: 1 }]), 'one')
      expect(again.body.metadata.resourceVersion).toBe(two.body.metadata.resourceVersion)
    })

    it('treats labels, annotations and owner references as maps', async () => {
      const name = world.name('ssa')
      const path = world.core('configmaps', name)
      await world.client.apply(path, world.configMap(name, { a: '1' }, { labels: { x: '1' } }), 'one')
      await world.client.apply(path, world.configMap(name, { b: '2' }, { labels: { y: '2' } }), 'two')
      const { body } = await world.client.apply(path, world.configMap(name, { a: '1' }), 'one')
      expect([body.metadata.labels, body.data]).toEqual([{ y: '2' }, { a: '1', b: '2' }])
    })

    it('wants a manager, the right version and declared fields', async () => {
      const { path, apply } = fresh()
      const name = path.split('/').at(-1) ?? ''
      expect((await world.client.patch(path, media.apply, world.gadget(name))).status).toBe(422)
      expect((await world.client.apply(path, { ...world.gadget(name), apiVersion: `${group}/v9` },
        'one')).status).toBe(400)
      const unknown = await apply({ size: 3, sizze: 1 })
      expect(unknown.status).toBe(500)
      expect(unknown.body.message).toContain('.spec.sizze: field not declared in schema')
      const managed = { ...world.gadget(name), metadata: { name, managedFields: [{ manager: 'x' }] } }
      expect((await world.client.apply(path, managed, 'one')).status).toBe(400)
    })

    it('heeds a resourceVersion, and validates the result', async () => {
      const { path, apply } = fresh()
      const name = path.split('/').at(-1) ?? ''
      await apply({ size: 3 })
      const stale = await world.client.apply(path, world.gadget(name, { size: 5 }, { resourceVersion: '1' }), 'one')
      expect(stale.status).toBe(409)
      expect((await apply({ size: 1000 })).status).toBe(422)
    })
  })
}
