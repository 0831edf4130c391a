import { describe, expect, it } from 'vitest'
import type { Any, Reply } from '../client.ts'
import { media } from '../client.ts'
import type { World } from './world.ts'

export function patchSuite (world: World): void {
  const configMap = async (data: Any, metadata: Any = {}): Promise<string> => {
    const name = world.name('p')
    await world.client.post(world.core('configmaps'), world.configMap(name, data, metadata))
    return world.core('configmaps', name)
  }

  describe('merge patch', () => {
    it('merges objects, replaces lists, removes nulls', async () => {
      const name = world.name()
      await world.makeGadget(name, { size: 3, list: [1, 2], labels: { a: '1', b: '2' } })
      const { status, body } = await world.client.patch(world.gadgets(name), media.merge,
        { spec: { list: [3], labels: { a: null, c: '3' } } })
      expect(status).toBe(200)
      expect(body.spec).toMatchObject({ size: 3, list: [3], labels: { b: '2', c: '3' } })
    })

    it('heeds a resourceVersion in the patch', async () => {
      const path = await configMap({ a: '1' })
      const reply = await world.client.patch(path, media.merge,
        { metadata: { resourceVersion: '1' }, data: { a: '2' } })
      expect(reply.status).toBe(409)
    })

    it('makes no object', async () => {
      expect((await world.client.patch(world.gadgets('none'), media.merge, { spec: { size: 1 } })).status).toBe(404)
    })

    it('keeps nothing of a dry run', async () => {
      const path = await configMap({ a: '1' })
      const { body } = await world.client.patch(`${path}?dryRun=All`, media.merge, { data: { a: '2' } })
      expect(body.data.a).toBe('2')
      expect((await world.client.get(path)).body.data.a).toBe('1')
    })
  })

  describe('JSON patch', () => {
    it('applies its operations in order', async () => {
      const path = await configMap({ a: '1', b: '2' })
      const { body } = await world.client.patch(path, media.jsonPatch, [
        { op: 'test', path: '/data/a', value: '1' },
        { op: 'replace', path: '/data/a', value: '9' },
        { op: 'remove', path: '/data/b' },
        { op: 'add', path: '/data/c', value: '3' },
        { op: 'add', path: '/metadata/labels', value: { x: 'y' } }
      ])
      expect([body.data, body.metadata.labels]).toEqual([{ a: '9', c: '3' }, { x: 'y' }])
    })

    it('refuses a failed test, a missing path and what is no patch', async () => {
      const path = await configMap({ a: '1' })
      const patch = async (operations: unknown): Promise<Reply> =>
        await world.client.patch(path, media.jsonPatch, operations)
      expect((await patch([{ op: 'test', path: '/data/a', value: 'other' }])).status).toBe(422)
      expect((await patch([{ op: 'remove', path: '/data/zzz' }])).status).toBe(422)
      expect((await patch({ data: {} })).status).toBe(400)
      expect((await world.client.get(path)).body.data).toEqual({ a: '1' })
    })
  })

  describe('strategic merge patch', () => {
    const pod = async (): Promise<string> => {
      const name = world.name('smp')
      const reply = await world.client.post(world.core('pods'), {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, finalizers: ['a.example/x'] },
        spec: {
          containers: [{ name: 'one', image: 'a:1' }, { name: 'two', image: 'b:1' }],
          tolerations: [{ key: 't', operator: 'Exists' }]
        }
      })
      expect(reply.status, reply.text).toBe(201)
      return world.core('pods', name)
    }
    const images = (body: Any): string[] => (body.spec.containers as Any[]).map(one => `${one.name} ${one.image}`)

    it('merges lists by their keys', async () => {
      const path = await pod()
      const { body } = await world.client.patch(path, media.strategic,
        { spec: { containers: [{ name: 'two', image: 'b:2' }] } })
      expect(images(body)).toEqual(['one a:1', 'two b:2'])
      await world.client.patch(path, media.strategic, { metadata: { finalizers: null } })
      await world.client.delete(path)
    })

    it('adds to and deletes from lists of scalars', async () => {
      const path = await pod()
      const added = await world.client.patch(path, media.strategic, { metadata: { finalizers: ['b.example/y'] } })
      expect(added.body.metadata.finalizers).toEqual(['b.example/y', 'a.example/x'])
      const removed = await world.client.patch(path, media.strategic,
        { metadata: { '$deleteFromPrimitiveList/finalizers': ['a.example/x'] } })
      expect(removed.body.metadata.finalizers).toEqual(['b.example/y'])
      await world.client.patch(path, media.merge, { metadata: { finalizers: null } })
      await world.client.delete(path)
    })

    it('deletes items, replaces lists and keeps orders by directive', async () => {
      const name = world.name('smp')
      const template = { metadata: { labels: { a: name } }, spec: { containers: [] as Any[] } }
      template.spec.containers = [{ name: 'c', image: 'i:1',
        env: [{ name: 'A', value: '1' }, { name: 'B', value: '2' }] }]
      await world.client.post(world.in('apps/v1', 'deployments'), {
        apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
          spec: { replicas: 0, selector: { matchLabels: { a: name } }, template }
      })
      const path = world.in('apps/v1', 'deployments', name)
      const env = async (container: Any): Promise<string[]> => {
        const { body, status, text } = await world.client.patch(path, media.strategic,
          { spec: { template: { spec: { containers: [{ name: 'c', ...container }] } } } })
        expect(status, text).toBe(200)
        return (body.spec.template.spec.containers[0].env as Any[]).map(one => `${one.name}=${one.value}`)
      }
      expect(await env({ env: [{ name: 'A', $patch: 'delete' }] })).toEqual(['B=2'])
      expect(await env({ env: [{ name: 'C', value: '3' }] , '$setElementOrder/env': [{ name: 'C' }, { name: 'B' }] }))
        .toEqual(['C=3', 'B=2'])
      expect(await env({ env: [{ $patch: 'replace' }, { name: 'D', value: '4' }] })).toEqual(['D=4'])
      const { body } = await world.client.patch(path, media.strategic,
        { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } })
      expect(body.spec.strategy).toEqual({ type: 'Recreate' })
      await world.client.delete(path)
    })

    it('is refused for custom kinds', async () => {
      const name = world.name()
      await world.makeGadget(name)
      const { status, body } = await world.client.patch(world.gadgets(name), media.strategic, { spec: { size: 4 } })
      expect([status, body.reason]).toEqual([415, 'UnsupportedMediaType'])
    })
  })

  describe('field validation', () => {
    const wrong = (name: string): Any => world.gadget(name, { size: 1, sizze: 2 })

    it('refuses unknown and duplicate fields when Strict', async () => {
      const unknown = await world.client.post(`${world.gadgets()}?fieldValidation=Strict`, wrong(world.name()))
      expect([unknown.status, unknown.body.reason]).toEqual([400, 'BadRequest'])
      expect(unknown.body.message).toContain('strict decoding error: unknown field "spec.sizze"')
      const text = JSON.stringify(world.gadget(world.name())).replace('"size":3', '"size":3,"size":4')
      const twice = await world.client.post(`${world.gadgets()}?fieldValidation=Strict`, text)
      expect([twice.status, twice.body.message]).toEqual([400, expect.stringContaining('duplicate field "spec.size"')])
    })

    it('warns, and drops the field, when Warn (also by default)', async () => {
      for (const query of ['', '?fieldValidation=Warn']) {
        const { status, headers, body } = await world.client.post(world.gadgets() + query, wrong(world.name()))
        expect(status).toBe(201)
        expect(headers.warning).toContain('299 - "unknown field \\"spec.sizze\\""')
        expect(body.spec.sizze).toBeUndefined()
      }
    })

    it('drops it silently when Ignore', async () => {
      const { status, headers } = await world.client.post(`${world.gadgets()}?fieldValidation=Ignore`,
        wrong(world.name()))
      expect([status, headers.warning]).toEqual([201, undefined])
    })

    it('holds for built-in kinds and for patches', async () => {
      const built = await world.client.post(`${world.core('services')}?fieldValidation=Strict`, {
        apiVersion: 'v1', kind: 'Service', metadata: { name: 'strict' }, spec: { ports: [{ port: 1, portt: 2 }] }
      })
      expect([built.status, built.body.message]).toEqual([400, 'Service in version "v1" cannot be handled as a ' +
        'Service: strict decoding error: unknown field "spec.ports[0].portt"'])
      const name = world.name()
      await world.makeGadget(name)
      const patch = await world.client.patch(`${world.gadgets(name)}?fieldValidation=Strict`, media.merge,
        { spec: { sizze: 1 } })
      expect([patch.status, patch.body.details.causes[0].field]).toEqual([422, 'patch'])
    })
  })
}
