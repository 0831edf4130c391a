// Nodes, of which the operator reads the labels alone: in no namespace, as metadata, and a kubelet's heartbeats leave
// the labels as they are.
import { afterEach, describe, expect, it } from 'vitest'
import { media, type Any } from '../client.ts'
import type { World } from './world.ts'

const path = (name = ''): string => `/api/v1/nodes${name === '' ? '' : `/${name}`}`
const partial = (kind: string): string => `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`

export function nodeSuite (world: World): void {
  describe('nodes', () => {
    const made: string[] = []
    const make = async (labels: object): Promise<string> => {
      const name = world.name('node')
      const reply = await world.client.post(path(), { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } })
      expect(reply.status, reply.text).toBe(201)
      made.push(name)
      return name
    }

    afterEach(async () => {
      for (const name of made.splice(0)) await world.client.delete(path(name))
    })

    it('are listed as metadata: labels, and neither spec nor status', async () => {
      const name = await make({ 'example.com/hall': 'a' })
      const { body } = await world.client.get(path(), { accept: partial('PartialObjectMetadataList') })
      expect([body.kind, body.apiVersion]).toEqual(['PartialObjectMetadataList', 'meta.k8s.io/v1'])
      const node = (body.items as Any[]).find(({ metadata }) => metadata.name === name)
      expect(node.metadata.namespace).toBeUndefined()
      expect(node.metadata.labels).toMatchObject({ 'example.com/hall': 'a' })
      expect([node.spec, node.status]).toEqual([undefined, undefined])
    })

    it('are watched so: a heartbeat comes with the labels that were there, a label with another', async () => {
      const name = await make({ 'example.com/hall': 'a' })
      const { metadata: { resourceVersion } } = (await world.client.get(path())).body
      const watch = await world.client.watch(`${path()}?resourceVersion=${resourceVersion as string}`,
        { accept: partial('PartialObjectMetadata') })
      const conditions = [{ type: 'Ready', status: 'True', reason: 'Test', lastHeartbeatTime: '2026-01-02T03:04:05Z' }]
      const beaten = await world.client.patch(`${path(name)}/status`, media.merge, { status: { conditions } })
      expect(beaten.status, beaten.text).toBe(200)
      const labelled = await world.client.patch(path(name), media.merge, {
        metadata: { labels: { 'example.com/hall': 'b' } }
      })
      expect(labelled.status, labelled.text).toBe(200)
      const own = (events: Any[]): Any[] => events.filter(({ object }) => object.metadata.name === name)
      const hall = ({ object }: Any): unknown => object.metadata.labels['example.com/hall']
      const events = own(await watch.until(all => own(all).some(event => hall(event) === 'b')))
      watch.close()
      expect(events.length).toBeGreaterThanOrEqual(2)
      expect(hall(events[0])).toBe('a')
      for (const { type, object } of events) {
        expect([type, object.kind, object.spec, object.status])
          .toEqual(['MODIFIED', 'PartialObjectMetadata', undefined, undefined])
      }
    })

    it('have no status but by the subresource, and labels of a form', async () => {
      const name = await make({})
      await world.client.patch(path(name), media.merge, { status: { conditions: [{ type: 'X', status: 'True' }] } })
      const { body } = await world.client.get(path(name))
      expect((body.status?.conditions ?? []).some(({ type }: Any) => type === 'X')).toBe(false)
      const reply = await world.client.patch(path(name), media.merge, {
        metadata: { labels: { 'example.com/hall': 'not a label' } }
      })
      expect(reply.status).toBe(422)
    })
  })
}
