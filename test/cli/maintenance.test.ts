// millrace broker maintenance, against the embedded API and the operator.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { namespace, World } from '../operator/reconcile/world.ts'
import { millrace, root, type Ran } from './millrace.ts'

const clusters = 'clusters.millrace.dev'
let world: World
let env: Record<string, string>

beforeEach(async () => {
  world = await World.start()
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition(clusters, 'events', 'Ready', 'True')
  const kubeconfig = join(mkdtempSync(join(tmpdir(), 'millrace-maintenance-')), 'kubeconfig')
  writeKubeconfig(kubeconfig, { url: world.kube.url })
  env = { KUBECONFIG: kubeconfig }
})
afterEach(async () => { await world.close() })

async function maintenance (...line: string[]): Promise<Ran> {
  return await millrace(['broker', 'maintenance', ...line], { env })
}

const listed = (): unknown => (world.get(clusters, 'events')!['spec'] as { maintenance?: number[] }).maintenance

describe('maintenance', () => {
  it('on returns when the broker leads nothing, off when the cluster has taken it back', async () => {
    const on = await maintenance('1', 'on', '--json')
    expect(on.stderr).toBe('% broker 1 is in maintenance and leads nothing: it may be stopped\n')
    expect([on.code, JSON.parse(on.stdout)]).toEqual([0, { broker: 1, maintenance: true, leading: 0 }])
    expect(listed()).toEqual([1])
    expect(world.controller.maintained.at(-1)).toBe('1')
    const { code, stderr } = await maintenance('1', 'off')
    expect(stderr)
      .toBe('% broker 1 is not in maintenance: it is missed when it is away, and gets its leaderships back\n')
    expect([code, listed()]).toEqual([0, []])
    expect(world.controller.maintained.at(-1)).toBe('')
  })

  it('leaves other brokers as they are, and changes nothing twice', async () => {
    await maintenance('2', 'on')
    await maintenance('0', 'on')
    expect(listed()).toEqual([0, 2])
    const { generation } = world.get(clusters, 'events')!.metadata
    expect((await maintenance('0', 'on')).code).toBe(0)
    expect(world.get(clusters, 'events')!.metadata.generation).toBe(generation)
    await maintenance('2', 'off')
    expect(listed()).toEqual([0])
  })

  it('is a command of kubectl too', async () => {
    const line = ['broker', 'maintenance', '2', 'on']
    const { code } = await millrace(line, { env, command: join(root, 'bin/kubectl-millrace') })
    expect([code, listed()]).toEqual([0, [2]])
  })

  it('says what it leads still when the time is over, with exit code 3, or at once with --no-wait', async () => {
    world.controller.leading = 4
    const slow = await maintenance('1', 'on', '--timeout', '2')
    expect(slow.stderr).toContain('% broker 1 is to be in maintenance and still leads 4 partitions: do not stop it')
    expect([slow.code, listed()]).toEqual([3, [1]])
    const quick = await maintenance('0', 'on', '--no-wait', '--json')
    expect([quick.code, JSON.parse(quick.stdout)]).toEqual([0, { broker: 0, maintenance: true }])
  })

  it('refuses the last broker that could lead', async () => {
    await world.kube.patch(clusters, namespace, 'events', { spec: { maintenance: [0, 1] } })
    const { code, stderr } = await maintenance('2', 'on')
    expect(stderr).toContain('every broker of Cluster events would be in maintenance, and none could lead: nothing ' +
      'was changed; take another one out first (0, 1)')
    expect([code, listed()]).toEqual([1, [0, 1]])
  })

  it.each([
    [['7', 'on'], 4, 'Cluster events has no broker 7; there are 0 to 2'],
    [['two', 'on'], 2, 'two is no broker id'], [['1', 'soon'], 2, 'soon is neither on nor off']
  ] as const)('%s: exit code %i', async (line, exitCode, message) => {
    const { code, stderr } = await maintenance(...line)
    expect(stderr).toContain(message)
    expect(code).toBe(exitCode)
    expect(listed()).toBeUndefined()
  })
})
