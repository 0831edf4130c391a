// Commands that work on Kubernetes objects, against the embedded API and the operator.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { World } from '../operator/reconcile/world.ts'
import { millrace } from './millrace.ts'
import type { Ran } from './millrace.ts'

const topics = 'topics.millrace.dev'
let world: World
let kubeconfig: string

beforeAll(async () => {
  world = await World.start()
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.condition('clusters.millrace.dev', 'events', 'Ready', 'True')
  kubeconfig = join(mkdtempSync(join(tmpdir(), 'millrace-cli-')), 'kubeconfig')
  writeKubeconfig(kubeconfig, { url: world.kube.url })
})
afterAll(async () => { await world.close() })

function run (line: string, env: Record<string, string> = { KUBECONFIG: kubeconfig }): Promise<Ran> {
  return millrace(line.split(' '), { env })
}

describe('topic create', () => {
  it('returns when the topic is ready', async () => {
    const { code, stdout, stderr } =
      await run('topic create orders --partitions 4 --replicas 3 --min-in-sync 2 --retention 7d')
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toBe('% topic orders created in cluster events: 4 partitions, 3 replicas, at least 2 in sync\n')
    const topic = world.kube.get(topics, 'default', 'orders')!
    expect(topic['spec']).toMatchObject({ cluster: 'events', partitions: 4, replicas: 3, retention: { age: '7d' } })
    expect(world.controller.topics.get('orders')).toBeDefined()
    const managers = (topic.metadata['managedFields'] as { manager: string }[]).map(({ manager }) => manager)
    expect(managers).toContain('millrace-cli')
  })

  it('takes names that Kubernetes does not', async () => {
    const { code } = await run(`topic create Orders.EU_1 --kubeconfig ${kubeconfig}`, {})
    expect(code).toBe(0)
    expect(world.controller.topics.get('Orders.EU_1')).toBeDefined()
  })

  it.each([
    ['orders-twice', 1, 'topic orders-twice exists already'],
    ['__mine', 1, 'names that begin with __ are kept'],
    ['x --min-in-sync 3 --replicas 2', 1, 'minInSync must not be greater than replicas'],
    ['x --retention 5', 1, 'spec.retention.age'],
    ['wide --replicas 5', 1, 'topic wide is not ready: 5 replicas need as many brokers, there are 3'],
    ['x --cluster other', 4, 'there is no Cluster other in namespace default of millrace; there are events'],
    ['x --namespace elsewhere', 4, 'there is no Cluster in namespace elsewhere of millrace']
  ])('%s: exit code %i', async (line, exitCode, message) => {
    if (line === 'orders-twice') await run('topic create orders-twice')
    const { code, stderr } = await run(`topic create ${line}`)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^(% waiting.*\n)*% error: .*\n$/)
    expect(code).toBe(exitCode)
  })
})

describe('topic delete', () => {
  it('wants --yes where nobody can be asked, and names cluster and context', async () => {
    await run('topic create careful')
    const { code, stderr } = await run('topic delete careful')
    expect(code).toBe(2)
    expect(stderr).toContain('topic careful of cluster events (Topic careful, namespace default, context millrace)')
    expect(stderr).toContain('--yes')
    expect(world.kube.get(topics, 'default', 'careful')).toBeDefined()
  })

  it('keeps the records, or deletes them when told to', async () => {
    await run('topic create kept')
    const kept = await run('topic delete kept --yes')
    expect([kept.code, kept.stderr]).toEqual([0, expect.stringContaining('its records are kept')])
    expect(world.kube.get(topics, 'default', 'kept')).toBeUndefined()
    expect(world.controller.deleted).not.toContain('kept')
    await run('topic create Gone_1')
    const gone = await run('topic delete Gone_1 --records --yes')
    expect([gone.code, gone.stderr]).toEqual([0, expect.stringContaining('its records are deleted too')])
    expect(world.controller.deleted).toContain('Gone_1')
    expect((await run('topic delete Gone_1 --yes')).code).toBe(4)
  })
})

describe('cluster describe', () => {
  it('prints the status', async () => {
    const { code, stdout } = await run('cluster describe --json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ phase: 'Running', brokers: { ready: 3, total: 3 }, controller: 0 })
    const text = (await run('cluster describe')).stdout
    expect(text).toMatch(/Cluster +default\/events\nPhase +Running\n[^]*3 of 3 ready/)
    expect(text).toMatch(/\nCONDITION +STATUS +REASON +MESSAGE\nReady +True/)
  })

  it('an API server that does not answer is waited for', async () => {
    const elsewhere = join(mkdtempSync(join(tmpdir(), 'millrace-cli-')), 'kubeconfig')
    writeKubeconfig(elsewhere, { url: 'http://127.0.0.1:1' })
    const { code, stderr } = await run('cluster describe --timeout 1', { KUBECONFIG: elsewhere })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^% waiting for the Kubernetes API at http:\/\/127\.0\.0\.1:1 .*\n% error: .*\n$/)
  })
})
