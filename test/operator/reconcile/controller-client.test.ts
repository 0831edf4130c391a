import { beforeEach, describe, expect, it } from 'vitest'
import { WireError } from '../../../wire/errors.ts'
import { KubeError } from '../../../operator/kube/api.ts'
import { ControllerClient } from '../../../operator/reconcile/controller-client.ts'
import { ScriptedApi } from '../kube/scripted-api.ts'
import { FakeController } from './fake-controller.ts'

let api: ScriptedApi
let controller: FakeController
let client: ControllerClient
let uid: string | undefined

beforeEach(() => {
  api = new ScriptedApi()
  uid = undefined
  controller = new FakeController()
  client = new ControllerClient(controller, api, () => uid)
})

function leaseSays (address: string): void {
  api.stored = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'events-controller', annotations: { 'millrace.dev/controller-address': address } }
  }
}

const describeCluster = async (): Promise<number> => (await client.call('n/events', 'DescribeCluster', {})).controller
const asked = (): string[] => controller.calls.map(call => call.address)

describe('controller client', () => {
  it('asks whom the Lease names, and remembers', async () => {
    leaseSays(controller.address)
    expect(await describeCluster()).toBe(0)
    api.stored = undefined
    expect(await describeCluster()).toBe(0)
  })

  it('follows the broker that says who is the controller', async () => {
    leaseSays('old:1')
    expect(await describeCluster()).toBe(0)
    expect(asked()).toEqual(['old:1', controller.address])
  })

  it('asks nobody while the office is empty', async () => {
    leaseSays('')
    await expect(describeCluster()).rejects.toMatchObject({ code: 'CONTROLLER_UNAVAILABLE' })
    expect(asked()).toEqual([])
  })

  it('looks into the Lease again when the remembered one is gone', async () => {
    leaseSays(controller.address)
    await describeCluster()
    controller.address = 'new:1'
    controller.onCall = () => undefined
    leaseSays('new:1')
    expect(await describeCluster()).toBe(0)
    expect(asked().at(-1)).toBe('new:1')
  })

  it('gives up when nobody knows better, without asking anybody twice', async () => {
    leaseSays('old:1')
    controller.address = 'old:2'
    controller.onCall = () => new WireError('NOT_CONTROLLER', undefined, { controllerAddress: 'old:1' })
    await expect(describeCluster()).rejects.toMatchObject({ code: 'NOT_CONTROLLER' })
    expect(asked()).toEqual(['old:1', 'old:2'])
  })

  it('means the cluster by its uid, by its name as long as that is not known', async () => {
    leaseSays(controller.address)
    await describeCluster()
    uid = 'uid-1'
    await describeCluster()
    expect(controller.calls.map(call => call.cluster)).toEqual(['n/events', 'uid-1'])
  })

  it('says that there is no controller', async () => {
    await expect(describeCluster()).rejects.toMatchObject({ code: 'CONTROLLER_UNAVAILABLE' })
  })

  it('hands on what the controller refuses, and what the API server does', async () => {
    leaseSays(controller.address)
    controller.onCall = () => new WireError('TOPIC_CONFLICT')
    await expect(describeCluster()).rejects.toMatchObject({ code: 'TOPIC_CONFLICT' })
    client.forget('n/events')
    api.onCall = () => new KubeError(403, 'Forbidden', 'no')
    await expect(describeCluster()).rejects.toMatchObject({ reason: 'Forbidden' })
  })
})
