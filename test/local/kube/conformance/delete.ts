import { describe, expect, it } from 'vitest'
import type { Any } from '../client.ts'
import { media } from '../client.ts'
import { group } from './world.ts'
import type { World } from './world.ts'

export function deleteSuite (world: World): void {
  const owner = async (): Promise<Any> => (await world.makeGadget(world.name('owner'))).body
  const reference = (of: Any, extra: Any = {}): Any =>
    ({ apiVersion: of.apiVersion, kind: of.kind, name: of.metadata.name, uid: of.metadata.uid, ...extra })
  const child = async (owners: Any[], metadata: Any = {}): Promise<string> => {
    const name = world.name('child')
    const { status, text } = await world.client.post(world.core('configmaps'),
      world.configMap(name, {}, { ownerReferences: owners, ...metadata }))
    expect(status, text).toBe(201)
    return world.core('configmaps', name)
  }
  const gone = async (path: string): Promise<void> => {
    // A real garbage collector looks for new kinds every 30 s.
    await world.client.eventually(path, ({ status }) => status === 404, 50_000)
  }

  describe('delete', () => {
    it('answers with a Status, and 404 the second time', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const reply = await world.client.delete(world.gadgets(name))
      expect(reply.body).toMatchObject({
        kind: 'Status', status: 'Success', details: { name, group, kind: 'gadgets', uid: body.metadata.uid }
      })
      expect((await world.client.delete(world.gadgets(name))).status).toBe(404)
    })

    it('heeds preconditions', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const remove = async (preconditions: Any): Promise<number> => (await world.client.delete(world.gadgets(name),
        { kind: 'DeleteOptions', apiVersion: 'v1', preconditions })).status
      expect(await remove({ uid: 'no' })).toBe(409)
      expect(await remove({ resourceVersion: '1' })).toBe(409)
      expect(await remove({ uid: body.metadata.uid, resourceVersion: body.metadata.resourceVersion })).toBe(200)
    })

    it('keeps nothing of a dry run', async () => {
      const name = world.name()
      await world.makeGadget(name)
      expect((await world.client.delete(`${world.gadgets(name)}?dryRun=All`)).status).toBe(200)
      expect((await world.client.get(world.gadgets(name))).status).toBe(200)
    })

    it('deletes collections by selector', async () => {
      for (const at of [1, 2, 3]) await world.makeGadget(`many-${at}`, { size: 1 },
        { labels: { many: at < 3 ? 'yes' : 'no' } })
      expect((await world.client.delete(`${world.gadgets()}?labelSelector=many%3Dyes`)).status).toBe(200)
      const { body } = await world.client.get(`${world.gadgets()}?labelSelector=many`)
      expect((body.items as Any[]).map(item => item.metadata.name as string)).toEqual(['many-3'])
    })
  })

  describe('finalizers', () => {
    it('keep an object, terminating, until the last one goes', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name, { size: 1 }, { finalizers: ['x.example/a', 'x.example/b'] })
      const deleted = await world.client.delete(world.gadgets(name))
      expect([deleted.status, deleted.body.kind]).toEqual([200, 'Gadget'])
      expect(deleted.body.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, uid: body.metadata.uid,
        generation: 2 })
      expect(deleted.body.metadata.deletionTimestamp).toMatch(/Z$/)
      const again = await world.client.delete(world.gadgets(name))
      expect(again.body.metadata.resourceVersion).toBe(deleted.body.metadata.resourceVersion)
      const set = async (finalizers: string[]): Promise<number> =>
        (await world.client.patch(world.gadgets(name), media.merge, { metadata: { finalizers } })).status
      expect(await set(['x.example/b', 'x.example/c'])).toBe(422)
      expect(await set(['x.example/b'])).toBe(200)
      expect(await set([])).toBe(200)
      expect((await world.client.get(world.gadgets(name))).status).toBe(404)
    })

    it('show as MODIFIED, then DELETED', async () => {
      const name = world.name()
      await world.makeGadget(name, { size: 1 }, { finalizers: ['x.example/a'] })
      const watch = await world.client.watch(`${world.gadgets()}?fieldSelector=metadata.name%3D${name}`)
      await world.client.delete(world.gadgets(name))
      await world.client.patch(world.gadgets(name), media.jsonPatch, [{ op: 'remove', path: '/metadata/finalizers' }])
      const events = await watch.until(found => found.some(event => event.type === 'DELETED'))
      expect(events.map(event => event.type as string)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
      watch.close()
    })

    it('must be qualified names', async () => {
      const reply = await world.makeGadget(world.name(), { size: 1 }, { finalizers: ['not plain'] })
      expect([reply.status, reply.body.details.causes[0].field]).toEqual([422, 'metadata.finalizers'])
    })
  })

  describe('owner references', () => {
    it('take dependents along, in the background', async () => {
      const one = await owner()
      const first = await child([reference(one)])
      await world.client.delete(world.gadgets(one.metadata.name as string))
      await gone(first)
    }, 60_000)

    it('take along what names an owner that is not there', async () => {
      const one = await owner()
      await gone(await child([reference(one, { uid: '00000000-0000-0000-0000-000000000001' })]))
    }, 60_000)

    it('hold a dependent while one of its owners lives', async () => {
      const [one, two] = [await owner(), await owner()]
      const path = await child([reference(one), reference(two)])
      await world.client.delete(world.gadgets(one.metadata.name as string))
      const { body } = await world.client.eventually(path, reply => reply.body.metadata?.ownerReferences?.length === 1)
      expect(body.metadata.ownerReferences[0].uid).toBe(two.metadata.uid)
      await world.client.delete(world.gadgets(two.metadata.name as string))
      await gone(path)
    }, 60_000)

    it('orphan dependents when asked to', async () => {
      const one = await owner()
      const path = await child([reference(one)])
      await world.client.delete(world.gadgets(one.metadata.name as string),
        { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' })
      await gone(world.gadgets(one.metadata.name as string))
      const { status, body } = await world.client.get(path)
      expect([status, body.metadata.ownerReferences]).toEqual([200, undefined])
    }, 60_000)

    it('wait for blocking dependents in the foreground', async () => {
      const one = await owner()
      const name = one.metadata.name as string
      const path = await child([reference(one, { blockOwnerDeletion: true })], { finalizers: ['x.example/hold'] })
      const { body } = await world.client.delete(world.gadgets(name),
        { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground' })
      expect(body.metadata.finalizers).toEqual(['foregroundDeletion'])
      await world.client.eventually(path, reply => reply.body.metadata?.deletionTimestamp !== undefined)
      expect((await world.client.get(world.gadgets(name))).status).toBe(200)
      await world.client.patch(path, media.merge, { metadata: { finalizers: null } })
      await gone(path)
      await gone(world.gadgets(name))
    }, 60_000)
  })

  describe('namespaces', () => {
    it('take everything in them along', async () => {
      const name = `${world.namespace}-ns`
      await world.client.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
      const path = `/api/v1/namespaces/${name}`
      const { body } = await world.client.get(path)
      expect(body).toMatchObject({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } })
      expect(body.metadata.labels['kubernetes.io/metadata.name']).toBe(name)
      await world.client.post(`${path}/configmaps`, world.configMap('held', {}, { finalizers: ['x.example/hold'] }))
      await world.client.delete(path)
      await world.client.eventually(`${path}/configmaps/held`,
        reply => reply.body.metadata?.deletionTimestamp !== undefined)
      expect((await world.client.get(path)).body.status.phase).toBe('Terminating')
      const late = await world.client.post(`${path}/configmaps`, world.configMap('late'))
      expect([late.status, late.body.details.causes[0].reason]).toEqual([403, 'NamespaceTerminating'])
      await world.client.patch(`${path}/configmaps/held`, media.merge, { metadata: { finalizers: null } })
      await world.client.eventually(path, ({ status }) => status === 404, 40_000)
    }, 60_000)
  })
}
