import { describe, expect, it } from 'vitest'
import type { Any, Reply } from '../client.ts'
import { media } from '../client.ts'
import { crd, group } from './world.ts'
import type { World } from './world.ts'

function causes (reply: Reply): string[] {
  return (reply.body.details?.causes as Any[] ?? []).map(cause => `${cause.field}: ${cause.message}`)
}

export function crdSuite (world: World): void {
  describe('custom resources', () => {
    const refused = async (spec: Any): Promise<string[]> => {
      const reply = await world.makeGadget(world.name(), spec)
      expect(reply.status, reply.text).toBe(422)
      expect(reply.body.reason).toBe('Invalid')
      return causes(reply).filter(text => !text.startsWith('<nil>'))
    }

    it('have their types checked', async () => {
      expect(await refused({ size: 'three' }))
        .toEqual(['spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'])
      expect(await refused({ size: 1.5 }))
        .toEqual(['spec.size: Invalid value: "number": spec.size in body must be of type integer: "number"'])
      expect(await refused({ size: 1, tags: 'x' }))
        .toEqual(['spec.tags: Invalid value: "string": spec.tags in body must be of type array: "string"'])
    })

    it('have their bounds checked, in the words of a real server', async () => {
      expect(await refused({ size: 0 }))
        .toEqual(['spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1'])
      expect(await refused({ size: 101 }))
        .toEqual(['spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100'])
      expect(await refused({ size: 1, color: 'blue' }))
        .toEqual(['spec.color: Unsupported value: "blue": supported values: "red", "green"'])
      expect(await refused({ size: 1, name: 'Xx' }))
        .toEqual(['spec.name: Invalid value: "Xx": spec.name in body should match \'^[a-z]+$\''])
      expect(await refused({ size: 1, name: 'a' }))
        .toEqual(['spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long'])
      expect(await refused({ size: 1,
        name: 'aaaaaaaaa' })).toEqual(['spec.name: Too long: may not be more than 8 bytes'])
      expect(await refused({ size: 1,
        list: [1, 2, 3, 4, 5] })).toEqual(['spec.list: Too many: 5: must have at most 4 items'])
      expect(await refused({ size: 1, started: 'noon' }))
        .toEqual(['spec.started: Invalid value: "noon": spec.started in body must be of type date-time: "noon"'])
    })

    it('have their required fields and unique keys checked', async () => {
      expect(await refused({})).toEqual(['spec.size: Required value'])
      expect(await refused({ size: 1, ports: [{}] })).toEqual(['spec.ports[0].name: Required value'])
      expect(await refused({ size: 1, tags: ['a', 'b', 'a'] })).toEqual(['spec.tags[2]: Duplicate value: "a"'])
      expect(await refused({ size: 1, ports: [{ name: 'a' }, { name: 'a' }] }))
        .toEqual(['spec.ports[1]: Duplicate value: {"name":"a"}'])
      const { status } = await world.client.post(world.gadgets(), { ...world.gadget(world.name()), spec: undefined })
      expect(status).toBe(422)
    })

    it('take their defaults and lose what is not declared', async () => {
      const { body } = await world.makeGadget(world.name(),
        { size: 1, color: null, nested: { x: 1 }, free: { any: { thing: [1] } } })
      expect(body.spec).toEqual({ size: 1, replicas: 1, color: 'red', free: { any: { thing: [1] } } })
    })

    it('keep null only where it is allowed', async () => {
      const { body } = await world.makeGadget(world.name(), { size: 1, maybe: null })
      expect(body.spec.maybe).toBeNull()
    })

    it('take integers and strings alike where the schema says so', async () => {
      for (const limit of [5,
        '50%']) expect((await world.makeGadget(world.name(), { size: 1, limit })).status).toBe(201)
      expect(await refused({ size: 1, limit: true }))
        .toEqual(['spec.limit: Invalid value: "boolean": spec.limit in body must be of type integer,string: "boolean"'])
    })
  })

  describe('definitions', () => {
    const refuse = async (schema: Any, version: Any = {}): Promise<string> => {
      const reply = await world.client.post(world.crds, crd('Broken', schema, version))
      expect(reply.status, reply.text).toBe(422)
      return causes(reply).join('\n')
    }
    const spec = (properties: Any): Any => ({ type: 'object', properties: { spec: { type: 'object', properties } } })

    it('are established at once, and again after a restart of the client', async () => {
      const { body } = await world.client.get(`${world.crds}/gadgets.${group}`)
      const conditions = Object.fromEntries((body.status.conditions as Any[]).map(one => [one.type, one.status]))
      expect(conditions).toMatchObject({ NamesAccepted: 'True', Established: 'True' })
      expect(body.status).toMatchObject({ storedVersions: ['v1'],
        acceptedNames: { kind: 'Gadget', plural: 'gadgets' } })
      expect(body.spec.conversion).toEqual({ strategy: 'None' })
    })

    it('must be structural', async () => {
      expect(await refuse(spec({ a: {} }))).toContain('must not be empty for specified object fields')
      expect(await refuse({ ...spec({}), additionalProperties: true })).toContain('must not be used at the root')
      const both = { type: 'object', additionalProperties: false, properties: { x: { type: 'string' } } }
      expect(await refuse(spec({ a: both }))).toContain('mutual exclusive')
      expect(await refuse(spec({ a: { type: 'array' } }))).toContain('items')
      expect(await refuse(spec({ a: { oneOf: [{ type: 'string' }],
        type: 'string' } }))).toContain('must be empty to be structural')
      expect(await refuse(spec({ a: { type: 'array', 'x-kubernetes-list-type': 'map',
        items: { type: 'object', properties: {} } } })))
        .toContain('x-kubernetes-list-map-keys')
      expect(await refuse(spec({ a: { type: 'string', pattern: '(' } }))).toContain('pattern')
      expect(await refuse(spec({ a: { type: 'integer', default: 'x' } }))).toContain('default')
    })

    it('reads patterns as RE2 does', async () => {
      const definition = crd('Pattern', spec({ a: { type: 'string', pattern: '^(?i)(abort|warn)?$' } }))
      await world.define(definition)
      const objects = `/apis/${group}/v1/namespaces/${world.namespace}/patterns?dryRun=All`
      const make = async (a: string): Promise<number> => (await world.client.post(objects,
        { apiVersion: `${group}/v1`, kind: 'Pattern', metadata: { name: 'x' }, spec: { a } })).status
      expect([await make('Warn'), await make(''), await make('stop')]).toEqual([201, 201, 422])
    })

    it('must have fitting names', async () => {
      const wrong = crd('Misnamed', spec({}))
      wrong.metadata.name = `other.${group}`
      const reply = await world.client.post(world.crds, wrong)
      expect(causes(reply)).toEqual([
        `metadata.name: Invalid value: "other.${group}": must be spec.names.plural+"."+spec.group`
      ])
      const typo = await world.client.post(`${world.crds}?fieldValidation=Strict`,
        crd('Typo', spec({ a: { typpe: 'string' } })))
      expect([typo.status, typo.body.message]).toEqual([400, expect.stringContaining('unknown field')])
    })

    it('can be changed while they are served', async () => {
      const definition = crd('Widget', spec({ a: { type: 'string' } }))
      await world.define(definition)
      const path = `${world.crds}/widgets.${group}`
      await world.client.patch(path, media.jsonPatch, [{
        op: 'add', path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/b',
          value: { type: 'integer', default: 7 }
      }])
      const widgets = world.in(`${group}/v1`, 'widgets')
      await world.client.eventually(`${widgets}?limit=1`, ({ status }) => status === 200)
      const make = async (): Promise<Reply> => await world.client.post(widgets,
        { apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: world.name() }, spec: { a: 'x' } })
      let reply = await make()
      for (let tries = 0; reply.body.spec.b === undefined && tries < 100; tries++) reply = await make()
      expect(reply.body.spec.b).toBe(7)
    })

    it('give old objects new defaults, and let them be although they no longer fit', async () => {
      const definition = crd('Relic', spec({ a: { type: 'string' }, b: { type: 'string' } }))
      await world.define(definition)
      const path = world.in(`${group}/v1`, 'relics', 'old')
      await world.client.post(world.in(`${group}/v1`, 'relics'),
        { apiVersion: `${group}/v1`, kind: 'Relic', metadata: { name: 'old' }, spec: { a: 'much too long', b: 'x' } })
      await world.client.patch(`${world.crds}/relics.${group}`, media.jsonPatch, [{
        op: 'replace',
        path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties',
        value: { a: { type: 'string', maxLength: 3 }, b: { type: 'string' }, c: { type: 'integer', default: 7 } }
      }])
      await world.client.eventually(path, reply => reply.body.spec?.c === 7)
      const touched = await world.client.patch(path, media.merge, { spec: { b: 'y' } })
      expect([touched.status, touched.body.spec]).toEqual([200, { a: 'much too long', b: 'y', c: 7 }])
      expect((await world.client.patch(path, media.merge, { spec: { a: 'still too long' } })).status).toBe(422)
    })

    it('take their objects along when they are deleted', async () => {
      const widgets = world.in(`${group}/v1`, 'widgets')
      expect((await world.client.get(widgets)).body.items.length).toBeGreaterThan(0)
      await world.client.delete(`${world.crds}/widgets.${group}`)
      await world.client.eventually(`${world.crds}/widgets.${group}`, ({ status }) => status === 404)
      await world.client.eventually(widgets, ({ status }) => status === 404)
    })
  })
}
