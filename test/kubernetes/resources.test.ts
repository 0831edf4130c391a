// The definitions of crds/ on a real kube-apiserver: it takes them, and refuses what they shall refuse.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Writable, KubeObject } from '../../local/kube/api.ts'
import { media, type Any, type Client } from '../local/kube/client.ts'
import { refusals, type ResourceServer } from '../operator/schema/refusals.ts'
import { ControlPlane } from './control-plane.ts'
import { definitionsPath, installDefinitions, pathOf } from './objects.ts'

const folder = join(import.meta.dirname, '../../crds')

describe('definitions', () => {
  let plane: ControlPlane
  let client: Client
  beforeAll(async () => {
    plane = await ControlPlane.start()
    client = plane.client()
    await installDefinitions(client)
  })
  afterAll(async () => { await plane.stop() })

  it('are established, structural, and served with their names and columns', async () => {
    for (const file of (await readdir(folder)).filter(name => name.endsWith('.yaml'))) {
      const text = await readFile(join(folder, file), 'utf8')
      const { name } = (parse(text) as KubeObject).metadata
      const { body } = await client.get(`${definitionsPath}/${name}`)
      const conditions = new Map((body as Any).status.conditions.map((each: Any) => [each.type, each.status]))
      expect(conditions.get('Established'), name).toBe('True')
      expect(conditions.get('NamesAccepted'), name).toBe('True')
      expect(conditions.get('NonStructuralSchema') ?? 'False', name).toBe('False')
      // kubectl apply keeps the whole object in an annotation, of which there may be 256 KiB in all.
      expect(Buffer.byteLength(text), `${file} is small enough for client-side apply`).toBeLessThan(64 * 1024)
    }
  })

  it('are shown as tables with their printer columns', async () => {
    await client.post('/apis/millrace.dev/v1alpha1/namespaces/default/clusters', {
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events' },
      spec: { storage: { size: '1Gi' } }
    })
    const { body } = await client.get(pathOf('clusters.millrace.dev', 'default'), { accept: media.table })
    const columns = (body as Any).columnDefinitions.map((column: Any) => column.name)
    expect(columns).toEqual(expect.arrayContaining(['Name', 'Brokers', 'Ready']))
  })

  it('scale: the subresource reads and writes spec.brokers', async () => {
    const path = '/apis/millrace.dev/v1alpha1/namespaces/default/clusters/events/scale'
    expect(((await client.get(path)).body as Any).spec.replicas).toBe(3)
    const reply = await client.patch(path, media.merge, { spec: { replicas: 5 } })
    expect(reply.status, reply.text).toBe(200)
    const { body } = await client.get('/apis/millrace.dev/v1alpha1/namespaces/default/clusters/events')
    expect((body as Any).spec.brokers).toBe(5)
  })
})

describe('rules', () => {
  refusals(async (): Promise<ResourceServer> => {
    const plane = await ControlPlane.start()
    const client = plane.client()
    await installDefinitions(client)
    const done = ({ status, text, body }: { status: number, text: string, body: Any }): KubeObject => {
      if (status >= 300) throw new Error((body as Any)?.message ?? text)
      return body as KubeObject
    }
    return {
      create: async (resource: string, object: Writable) =>
        done(await client.post(pathOf(resource, object.metadata.namespace ?? 'default'), object)),
      patch: async (resource, namespace, name, patch) =>
        done(await client.patch(`${pathOf(resource, namespace)}/${name}`, media.merge, patch)),
      close: async () => { await plane.stop() }
    }
  })
})
