import { describe, expect, it } from 'vitest'
import type { Any } from '../client.ts'
import { media } from '../client.ts'
import { group } from './world.ts'
import type { World } from './world.ts'

export function crudSuite (world: World): void {
  describe('create', () => {
    it('gives an object its identity', async () => {
      const name = world.name()
      const { status, body } = await world.makeGadget(name)
      expect(status).toBe(201)
      expect(body).toMatchObject({ kind: 'Gadget', apiVersion: `${group}/v1`,
        metadata: { name, namespace: world.namespace } })
      expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/)
      expect(body.metadata.resourceVersion).toMatch(/^[0-9]+$/)
      expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(body.metadata.generation).toBe(1)
    })

    it('refuses a name that is taken', async () => {
      const name = world.name()
      await world.makeGadget(name)
      const { status, body } = await world.makeGadget(name)
      expect(status).toBe(409)
      expect(body.reason).toBe('AlreadyExists')
      expect(body.message).toBe(`gadgets.${group} "${name}" already exists`)
      expect(body.details).toEqual({ name, group, kind: 'gadgets' })
    })

    it('makes names by generateName', async () => {
      const make = async (): Promise<string> => (await world.client.post(world.core('configmaps'),
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'gen-' } })).body.metadata.name as string
      const names = [await make(), await make()]
      expect(names[0]).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
      expect(names[0]).not.toBe(names[1])
    })

    it('refuses malformed names and labels, with the field', async () => {
      const bad = await world.makeGadget('Not_A_Name', { size: 1 }, { labels: { 'a b': 'x', ok: '-bad-' } })
      expect(bad.status).toBe(422)
      expect(bad.body.reason).toBe('Invalid')
      const fields = (bad.body.details.causes as Any[]).map(cause => [cause.field, cause.reason])
      expect(fields).toEqual([['metadata.name', 'FieldValueInvalid'], ['metadata.labels', 'FieldValueInvalid'],
        ['metadata.labels', 'FieldValueInvalid']])
      expect(bad.body.message).toContain('a lowercase RFC 1123 subdomain must consist of')
    })

    it('wants a name, a kind and the right apiVersion', async () => {
      const post = async (body: Any): Promise<number> =>
        (await world.client.post(world.core('configmaps'), body)).status
      expect(await post({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} })).toBe(422)
      expect(await post({ metadata: { name: 'of-the-path' } })).toBe(201)
      const custom = await world.client.post(world.gadgets(), { metadata: { name: 'x' }, spec: { size: 1 } })
      expect([custom.status, custom.body.message]).toEqual([400, expect.stringContaining("Object 'Kind' is missing")])
      expect(await post({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } })).toBe(400)
      expect(await post({ apiVersion: 'apps/v1', kind: 'ConfigMap', metadata: { name: 'x' } })).toBe(400)
      expect(await post('{"apiVersion": "v1", oops')).toBe(400)
    })

    it('wants the namespace to be there, and to be the one of the path', async () => {
      const nowhere = await world.client.post('/api/v1/namespaces/nowhere-at-all/configmaps', world.configMap('x'))
      expect([nowhere.status, nowhere.body.message]).toEqual([404, 'namespaces "nowhere-at-all" not found'])
      const other = await world.client.post(world.core('configmaps'), world.configMap('x', {}, { namespace: 'other' }))
      expect([other.status, other.body.reason]).toEqual([400, 'BadRequest'])
    })

    it('keeps nothing of a dry run', async () => {
      const name = world.name()
      const { status, body } = await world.client.post(`${world.gadgets()}?dryRun=All`, world.gadget(name))
      expect([status, body.spec.color]).toEqual([201, 'red'])
      expect((await world.client.get(world.gadgets(name))).status).toBe(404)
    })

    it('ignores a status that comes with the spec', async () => {
      const name = world.name()
      const { body } = await world.client.post(world.gadgets(), { ...world.gadget(name), status: { phase: 'Done' } })
      expect(body.status).toBeUndefined()
    })

    it('refuses bodies over the limit', async () => {
      const { status } = await world.client.post(world.core('configmaps'),
        world.configMap('big', { a: 'x'.repeat(3.5 * 1024 * 1024) }))
      expect(status).toBe(413)
    })
  })

  describe('update', () => {
    it('replaces the object and counts generations of the spec alone', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const labelled = await world.client.put(world.gadgets(name),
        { ...body, metadata: { ...body.metadata, labels: { a: 'b' } } })
      expect(labelled.body.metadata.generation).toBe(1)
      const grown = await world.client.put(world.gadgets(name), { ...labelled.body, spec: { ...body.spec, size: 9 } })
      expect([grown.status, grown.body.metadata.generation, grown.body.spec.size]).toEqual([200, 2, 9])
      expect(grown.body.metadata).toMatchObject({ uid: body.metadata.uid, labels: { a: 'b' } })
    })

    it('refuses a write decided from an older version', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      await world.client.put(world.gadgets(name), { ...body, spec: { size: 4 } })
      const late = await world.client.put(world.gadgets(name), { ...body, spec: { size: 5 } })
      expect(late.status).toBe(409)
      expect(late.body.reason).toBe('Conflict')
      expect(late.body.message).toBe(`Operation cannot be fulfilled on gadgets.${group} "${name}": the object ` +
        'has been modified; please apply your changes to the latest version and try again')
    })

    it('wants a resourceVersion for custom kinds, none for config maps', async () => {
      const name = world.name()
      await world.makeGadget(name)
      const { status, body } = await world.client.put(world.gadgets(name), world.gadget(name, { size: 5 }))
      expect([status, body.details.causes[0].field]).toEqual([422, 'metadata.resourceVersion'])
      await world.client.post(world.core('configmaps'), world.configMap(name))
      expect((await world.client.put(world.core('configmaps', name),
        world.configMap(name, { a: '2' }))).status).toBe(200)
    })

    it('changes nothing when nothing changes', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const same = await world.client.put(world.gadgets(name), body)
      expect(same.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion)
    })

    it('refuses another name, another uid and a changed identity', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const put = async (metadata: Any): Promise<number> => (await world.client.put(world.gadgets(name),
        { ...body, metadata: { ...body.metadata, ...metadata } })).status
      expect(await put({ name: 'other' })).toBe(400)
      expect(await put({ uid: '00000000-0000-0000-0000-000000000000' })).toBe(409)
      expect(await put({ creationTimestamp: '2001-01-01T00:00:00Z' })).toBe(200)
      expect((await world.client.get(world.gadgets(name))).body.metadata.creationTimestamp)
        .toBe(body.metadata.creationTimestamp)
    })

    it('answers 404 for what is not there', async () => {
      const { status, body } = await world.client.put(world.gadgets('absent'),
        world.gadget('absent', { size: 1 }, { resourceVersion: '1' }))
      expect([status, body.message]).toEqual([404, `gadgets.${group} "absent" not found`])
    })
  })

  describe('status and scale', () => {
    it('writes the status only through its subresource, and nothing else there', async () => {
      const name = world.name()
      const { body } = await world.makeGadget(name)
      const main = await world.client.put(world.gadgets(name), { ...body, status: { phase: 'Wrong' } })
      expect(main.body.status).toBeUndefined()
      const status = await world.client.put(`${world.gadgets(name)}/status`,
        { ...main.body, spec: { size: 99 }, status: { phase: 'Right' } })
      expect(status.body).toMatchObject({ spec: { size: 3 }, status: { phase: 'Right' }, metadata: { generation: 1 } })
      expect((await world.client.get(`${world.gadgets(name)}/status`)).body.status).toEqual({ phase: 'Right' })
    })

    it('has no status subresource where the kind has none', async () => {
      await world.client.post(world.core('configmaps'), world.configMap('plain'))
      expect((await world.client.get(`${world.core('configmaps', 'plain')}/status`)).status).toBe(404)
    })

    it('shows and sets the scale', async () => {
      const name = world.name()
      await world.makeGadget(name, { size: 3, replicas: 2 })
      await world.client.patch(`${world.gadgets(name)}/status`, media.merge,
        { status: { replicas: 1, selector: 'a=b' } })
      const path = `${world.gadgets(name)}/scale`
      const { body } = await world.client.get(path)
      expect(body).toMatchObject({
        kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 2 }, status: { replicas: 1, selector: 'a=b' }
      })
      const put = await world.client.put(path, { ...body, spec: { replicas: 5 } })
      expect([put.status, put.body.spec.replicas]).toEqual([200, 5])
      expect((await world.client.put(path, { ...body, spec: { replicas: 6 } })).status).toBe(409)
      const patched = await world.client.patch(path, media.merge, { spec: { replicas: 7 } })
      expect(patched.body.spec.replicas).toBe(7)
      const object = await world.client.get(world.gadgets(name))
      expect(object.body).toMatchObject({ spec: { replicas: 7 }, metadata: { generation: 3 } })
      const owner = (object.body.metadata.managedFields as Any[]).find(entry => entry.subresource === 'scale')
      expect(owner).toMatchObject({ manager: 'conformance', fieldsV1: { 'f:spec': { 'f:replicas': {} } } })
      expect((await world.client.patch(path, media.merge, { spec: { replicas: -1 } })).status).toBe(422)
    })
  })

  describe('list', () => {
    const labels = async (selector: string, field = ''): Promise<string[]> => {
      const query = new URLSearchParams({ labelSelector: selector, fieldSelector: field })
      const { body } = await world.client.get(`${world.core('configmaps')}?${query}`)
      return (body.items as Any[]).map(item => item.metadata.name as string)
    }

    it('selects by labels and fields', async () => {
      for (const [name, set] of [['sel-a', { t: 'sel', v: '1' }], ['sel-b', { t: 'sel', v: '2' }],
        ['sel-c', { t: 'sel' }]] as const) {
        await world.client.post(world.core('configmaps'), world.configMap(name, {}, { labels: set }))
      }
      expect(await labels('t=sel')).toEqual(['sel-a', 'sel-b', 'sel-c'])
      expect(await labels('t=sel,v!=1')).toEqual(['sel-b', 'sel-c'])
      expect(await labels('t=sel,v in (1,2)')).toEqual(['sel-a', 'sel-b'])
      expect(await labels('t=sel,v notin (1)')).toEqual(['sel-b', 'sel-c'])
      expect(await labels('t=sel,v')).toEqual(['sel-a', 'sel-b'])
      expect(await labels('t=sel,!v')).toEqual(['sel-c'])
      expect(await labels('t=sel', 'metadata.name=sel-b')).toEqual(['sel-b'])
      expect(await labels('t=sel', 'metadata.name!=sel-b')).toEqual(['sel-a', 'sel-c'])
    })

    it('refuses selectors that it cannot use', async () => {
      const broken = await world.client.get(`${world.core('configmaps')}?labelSelector=a%3D(b`)
      expect(broken.status).toBe(400)
      const { status, body } = await world.client.get(`${world.gadgets()}?fieldSelector=spec.size%3D3`)
      expect(status).toBe(400)
      expect(body.message).toContain('field label not supported: spec.size')
    })

    it('gives chunks that stay consistent while writes go on', async () => {
      const names = Array.from({ length: 7 }, (_, at) => `chunk-${at}`)
      for (const name of names) await world.makeGadget(name, { size: 1 }, { labels: { chunk: 'yes' } })
      const first = await world.client.get(`${world.gadgets()}?limit=3&labelSelector=chunk`)
      expect(first.body.items).toHaveLength(3)
      await world.makeGadget('chunk-00', { size: 1 }, { labels: { chunk: 'yes' } })
      await world.makeGadget('chunk-9', { size: 1 }, { labels: { chunk: 'yes' } })
      await world.client.delete(world.gadgets('chunk-5'))
      const found = (first.body.items as Any[]).map(item => item.metadata.name as string)
      let token = first.body.metadata.continue as string
      while (token) {
        const next = await world.client.get(`${world.gadgets()}?limit=3&labelSelector=chunk&continue=${token}`)
        expect(next.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion)
        found.push(...(next.body.items as Any[]).map(item => item.metadata.name as string))
        token = next.body.metadata.continue as string
      }
      expect(found).toEqual(names)
    })

    it('counts what remains of an unfiltered list', async () => {
      const { body } = await world.client.get(`${world.gadgets()}?limit=1`)
      const all = await world.client.get(world.gadgets())
      expect(body.metadata.remainingItemCount).toBe(all.body.items.length - 1)
      expect(all.body).toMatchObject({ kind: 'GadgetList', apiVersion: `${group}/v1` })
    })

    it('lists over all namespaces', async () => {
      const { body } = await world.client.get(`/apis/${group}/v1/gadgets`)
      const own = await world.client.get(world.gadgets())
      expect(body.items).toHaveLength(own.body.items.length as number)
    })

    it('refuses broken continue tokens and versions', async () => {
      expect((await world.client.get(`${world.gadgets()}?limit=1&continue=nonsense`)).status).toBe(400)
      expect((await world.client.get(`${world.gadgets()}?resourceVersion=abc`)).status).toBe(400)
    })
  })

  describe('forms', () => {
    it('gives tables by the printer columns', async () => {
      const name = world.name()
      await world.makeGadget(name, { size: 42 })
      await world.client.patch(`${world.gadgets(name)}/status`, media.merge,
        { status: { conditions: [{ type: 'Other', status: 'False' }, { type: 'Ready', status: 'True' }] } })
      const { body } = await world.client.get(world.gadgets(name), { accept: `${media.table},application/json` })
      expect(body.kind).toBe('Table')
      expect((body.columnDefinitions as Any[]).map(column => [column.name, column.priority]))
        .toEqual([['Name', 0], ['Size', 0], ['Ready', 0], ['Color', 1], ['Age', 0]])
      expect(body.rows[0].cells.slice(0, 4)).toEqual([name, 42, 'True', 'red'])
      expect(body.rows[0].cells[4]).toMatch(/^\d+s$/)
      expect(body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name } })
    })

    it('gives the metadata alone', async () => {
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'
      const { body } = await world.client.get(world.gadgets(), { accept })
      expect(body.kind).toBe('PartialObjectMetadataList')
      expect(body.items[0].spec).toBeUndefined()
    })

    it('refuses forms that it does not have', async () => {
      expect((await world.client.get(world.gadgets(), { accept: 'image/png' })).status).toBe(406)
      expect((await world.client.post(world.gadgets(), 'x', { type: 'text/plain' })).status).toBe(415)
    })

    it('takes YAML', async () => {
      const name = world.name()
      const yaml = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  a: "b"\n`
      const { status, body } = await world.client.post(world.core('configmaps'), yaml, { type: 'application/yaml' })
      expect([status, body.data]).toEqual([201, { a: 'b' }])
    })
  })
}
