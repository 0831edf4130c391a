// millrace broker replace-volume, against the embedded API, the operator, and a controller that answers over gRPC.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import type { Listener } from '../../wire/ports.ts'
import { namespace, World } from '../operator/reconcile/world.ts'
import { millrace, type Ran } from './millrace.ts'

let world: World
let listener: Listener
let kubeconfig: string

const claims = 'persistentvolumeclaims'

beforeEach(async () => {
  world = await World.start()
  const { controller } = world
  listener = await new GrpcNet().listen('127.0.0.1:0', {
    unary: {
      DescribeCluster: request => controller.call(controller.address, 'DescribeCluster', request),
      RestoreTables: request => controller.call(controller.address, 'RestoreTables', request)
    }
  })
  controller.address = listener.address
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition('clusters.millrace.dev', 'events', 'Ready', 'True')
  kubeconfig = join(mkdtempSync(join(tmpdir(), 'millrace-volume-')), 'kubeconfig')
  writeKubeconfig(kubeconfig, { url: world.kube.url })
})
afterEach(async () => {
  await listener.close(0)
  await world.close()
})

async function replace (...line: string[]): Promise<Ran> {
  return await millrace(['broker', 'replace-volume', ...line], { env: { KUBECONFIG: kubeconfig } })
}

const uids = (): (string | undefined)[] =>
  [world.get('pods', 'events-2'), world.get(claims, 'data-events-2')].map(object => object?.metadata.uid)

/** As on a node that is gone: the session has ended, the pod does not come back. */
async function loseNode (): Promise<void> {
  await world.setReady('events-2', false)
  world.controller.brokers.lose(2)
}

describe('replace-volume', () => {
  it('gives a lost broker a new claim and a new pod, and leaves all others', async () => {
    await loseNode()
    const others = (): unknown => world.kube.list(claims, { namespace })
      .filter(({ metadata }) => metadata.name !== 'data-events-2').map(({ metadata }) => metadata.uid)
    const [before, kept] = [uids(), others()]
    const { code, stderr } = await replace('2', '--yes')
    expect(stderr).toContain('% data-events-2 and events-2 are deleted; broker 2 begins anew with an empty volume.')
    expect(code).toBe(0)
    await world.until('pods', 'events-2', pod => pod.metadata.uid !== before[0])
    await world.until(claims, 'data-events-2', claim => claim.metadata.uid !== before[1])
    expect(others()).toEqual(kept)
  })

  it('only says what would be, without --yes and with --dry-run', async () => {
    await loseNode()
    const before = uids()
    for (const flags of [[], ['--dry-run'], ['--yes', '--dry-run']]) {
      const { code, stderr } = await replace('2', ...flags)
      expect(stderr).toContain('every partition has a leader without broker 2. Nothing was changed; --yes does it')
      expect(code).toBe(0)
    }
    expect(uids()).toEqual(before)
    const { stdout } = await replace('2', '--json')
    expect(JSON.parse(stdout)).toEqual({ broker: 2, claim: 'data-events-2', pod: 'events-2', replaced: false })
  })

  it('refuses while the broker runs', async () => {
    const before = uids()
    const { code, stderr } = await replace('2', '--yes')
    expect(stderr).toContain('broker 2 runs and serves its volume: nothing was changed')
    expect(code).toBe(1)
    expect(uids()).toEqual(before)
  })

  it('refuses while a partition has no leader: the volume may hold the only copy', async () => {
    await world.createTopic('orders', { partitions: 2 })
    await world.condition('topics.millrace.dev', 'orders', 'Ready', 'True')
    await loseNode()
    world.controller.topics.get('orders')!.offline = 1
    const before = uids()
    const { code, stderr } = await replace('2', '--yes')
    expect(stderr).toContain('1 partition has no leader: the volume of broker 2 may hold the only copy of records.')
    expect(code).toBe(1)
    expect(uids()).toEqual(before)
  })

  it('refuses while tables are to be restored: nobody knows what the volume holds', async () => {
    await loseNode()
    world.controller.restoring = 'it was lost'
    const before = uids()
    const { code, stderr } = await replace('2', '--yes')
    expect(stderr).toContain('partition table events-0 is to be restored first (it was lost)')
    expect(code).toBe(1)
    expect(uids()).toEqual(before)
  })

  it.each([['7', 4, 'there is no PersistentVolumeClaim data-events-7'], ['two', 2, 'two is no broker id']])(
    '%s: exit code %i', async (broker, exitCode, message) => {
      const { code, stderr } = await replace(broker, '--yes')
      expect(stderr).toContain(message)
      expect(code).toBe(exitCode)
    })
})
