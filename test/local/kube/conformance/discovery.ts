import { describe, expect, it } from 'vitest'
import type { Any } from '../client.ts'
import { group } from './world.ts'
import type { World } from './world.ts'

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

export function discoverySuite (world: World): void {
  describe('discovery', () => {
    it('says that it is well', async () => {
      for (const path of ['/healthz', '/livez', '/readyz']) {
        const reply = await world.client.get(path)
        expect([reply.status, reply.text]).toEqual([200, 'ok'])
      }
    })

    it('tells its version', async () => {
      const { body } = await world.client.get('/version')
      expect(body.gitVersion).toMatch(/^v1\.\d+\.\d+/)
      expect(Number.parseInt(body.minor as string)).toBeGreaterThanOrEqual(30)
    })

    it('lists core versions and groups', async () => {
      expect((await world.client.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
      const { body } = await world.client.get('/apis')
      expect(body.kind).toBe('APIGroupList')
      const names = (body.groups as Any[]).map(one => one.name as string)
      expect(names).toEqual(expect.arrayContaining(['apps', 'policy', 'coordination.k8s.io', group]))
      expect((body.groups as Any[]).find(one => one.name === 'apps').preferredVersion)
        .toEqual({ groupVersion: 'apps/v1', version: 'v1' })
    })

    it('lists the resources of a group version', async () => {
      const core = await world.client.get('/api/v1')
      const pods = (core.body.resources as Any[]).find(one => one.name === 'pods')
      expect(pods).toMatchObject({ kind: 'Pod', namespaced: true, singularName: 'pod', shortNames: ['po'],
        categories: ['all'] })
      expect(pods.verbs).toEqual(expect.arrayContaining(['create', 'delete', 'get', 'list', 'patch', 'update',
        'watch']))
      expect((core.body.resources as Any[]).map(one => one.name as string)).toContain('pods/log')
      const apps = await world.client.get('/apis/apps/v1')
      expect((apps.body.resources as Any[]).find(one => one.name === 'statefulsets/scale'))
        .toMatchObject({ group: 'autoscaling', version: 'v1', kind: 'Scale' })
    })

    it('shows a custom kind with its names', async () => {
      const { body } = await world.client.get(`/apis/${group}/v1`)
      expect(body.groupVersion).toBe(`${group}/v1`)
      const names = (body.resources as Any[]).map(one => one.name as string)
      expect(names).toEqual(expect.arrayContaining(['gadgets', 'gadgets/status', 'gadgets/scale']))
      expect((body.resources as Any[])[0]).toMatchObject({ kind: 'Gadget', categories: ['toys'], namespaced: true })
    })

    it('gives all of it at once to clients that ask', async () => {
      const { body, headers } = await world.client.get('/apis', { accept: `${aggregated},application/json` })
      expect(headers['content-type']).toContain('apidiscovery.k8s.io')
      expect(body.kind).toBe('APIGroupDiscoveryList')
      const own = (body.items as Any[]).find(one => one.metadata.name === group)
      expect(own.versions[0].version).toBe('v1')
      const gadgets = own.versions[0].resources.find((one: Any) => one.resource === 'gadgets')
      expect(gadgets).toMatchObject({ scope: 'Namespaced', responseKind: { group, version: 'v1', kind: 'Gadget' } })
      expect(gadgets.subresources.map((one: Any) => one.subresource as string).toSorted()).toEqual(['scale', 'status'])
    })

    it('answers 404 for what it does not serve', async () => {
      for (const path of ['/apis/nobody.example', '/api/v2', '/api/v1/nothings', '/nowhere', `/apis/${group}/v2`]) {
        expect((await world.client.get(path)).status, path).toBe(404)
      }
      const { body } = await world.client.get('/apis/apps/v1/nothings')
      expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' })
    })

    it('describes its kinds in OpenAPI v3', async () => {
      const index = await world.client.get('/openapi/v3')
      const path = index.body.paths['apis/apps/v1'].serverRelativeURL as string
      const { body } = await world.client.get(path)
      const set = body.components.schemas['io.k8s.api.apps.v1.StatefulSet']
      expect(set['x-kubernetes-group-version-kind']).toEqual([{ group: 'apps', version: 'v1', kind: 'StatefulSet' }])
      const patch = body.paths['/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}'].patch
      const names = [...patch.parameters as Any[]].map(one => one.name as string)
      expect(names).toContain('fieldValidation')
    })
  })
}
