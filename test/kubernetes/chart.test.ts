// What the chart renders, asked of a real API server: would it take it? The chart by itself: test/chart.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectTaken, image, matrix, render } from '../chart/render.ts'
import type { Client } from '../local/kube/client.ts'
import { ControlPlane } from './control-plane.ts'
import { installMonitorDefinitions } from './monitor-definitions.ts'
import { installDefinitions, pathOf } from './objects.ts'

describe('the chart', () => {
  let plane: ControlPlane
  let client: Client

  beforeAll(async () => {
    plane = await ControlPlane.start()
    client = plane.client()
    await installDefinitions(client)
    await installMonitorDefinitions(client)
  })
  afterAll(async () => { await plane.stop() })

  it.each(Object.entries(matrix))('with %s renders what the server takes', async (_name, values) => {
    await expectTaken(client, await render(...image, ...values))
  })

  it('gives the operator pods that pass the restricted policy', async () => {
    const name = 'restricted'
    await client.post('/api/v1/namespaces', {
      apiVersion: 'v1', kind: 'Namespace',
      metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }
    })
    const deployment = (await render(...image)).find(({ kind }) => kind === 'Deployment')
    const { metadata, spec } = deployment.spec.template
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'x' }, spec }
    const { serviceAccountName: _, ...anonymous } = pod.spec
    await client.eventually(pathOf('serviceaccounts', name, 'default'), ({ status }) => status === 200)
    const reply = await client.post(`${pathOf('pods', name)}?dryRun=All`, { ...pod, spec: anonymous })
    expect(reply.status, reply.text).toBe(201)
  })
})
