// millrace plan, against the embedded API, the operator, and a controller that answers over gRPC.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { patchOf } from '../../cli/plan-files.ts'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import type { Listener } from '../../wire/ports.ts'
import { namespace, World } from '../operator/reconcile/world.ts'
import { millrace, root, type Ran } from './millrace.ts'

let world: World
let listener: Listener
let metrics: Server
let folder: string

beforeAll(async () => {
  world = await World.start()
  const { controller } = world
  listener = await new GrpcNet().listen('127.0.0.1:0', {
    unary: {
      DescribeCluster: request => controller.call(controller.address, 'DescribeCluster', request),
      PlanBrokers: request => controller.call(controller.address, 'PlanBrokers', request)
    }
  })
  controller.address = listener.address
  metrics = createServer((_request, response) => {
    response.end(`millrace_topic_stored_bytes{topic="orders"} ${6 * 2 ** 20}\n`)
  }).listen(0, '127.0.0.1')
  await world.startOperator()
  await world.createCluster()
  await world.until('pods', 'events-2', () => true)
  await world.elect()
  await world.createTopic('orders', { partitions: 6, replicas: 3 })
  await world.condition('topics.millrace.dev', 'orders', 'Ready', 'True')
  const ports = JSON.stringify({ metrics: (metrics.address() as AddressInfo).port })
  for (const id of [0, 1, 2]) {
    const annotations = { 'millrace.dev/ports': ports }
    await world.kube.patch('pods', namespace, `events-${id}`, { metadata: { annotations } })
  }
  folder = mkdtempSync(join(tmpdir(), 'millrace-plan-'))
  writeKubeconfig(join(folder, 'kubeconfig'), { url: world.kube.url })
})
afterAll(async () => {
  metrics.close()
  await listener.close(0)
  await world.close()
})

async function plan (text: string, ...flags: string[]): Promise<Ran> {
  const file = join(folder, 'objects.yaml')
  writeFileSync(file, text)
  return await millrace(['plan', '-f', file, ...flags], { env: { KUBECONFIG: join(folder, 'kubeconfig') } })
}

function cluster (spec: string, name = 'events'): string {
  return `apiVersion: millrace.dev/v1alpha1\nkind: Cluster\nmetadata: {name: ${name}}\nspec: ${spec}\n`
}

function topic (spec: string, name = 'orders'): string {
  return `---\napiVersion: millrace.dev/v1alpha1\nkind: Topic\nmetadata: {name: ${name}}\nspec: ${spec}\n`
}

/** Nothing of it may have been stored. */
const state = (): string => JSON.stringify(['clusters.millrace.dev', 'topics.millrace.dev', 'pods']
  .flatMap(resource => world.kube.list(resource, { namespace })).map(({ metadata, spec }) => [metadata.name, spec]))

describe('plan', () => {
  it('says that nothing would happen, for what is so already', async () => {
    const { code, stdout, stderr } = await plan(cluster('{brokers: 3, storage: {size: 1Gi}}') +
      topic('{cluster: events, partitions: 6, replicas: 3}'))
    expect(stdout).toBe(
      'Cluster default/events is as it says\n  restarts: none\n\nTopic default/orders is as it says\n')
    expect([code, stderr]).toEqual([0, '% nothing was changed\n'])
  })

  it('names restarts in their order with the reason, volumes that grow, moves and their bytes', async () => {
    const move = { topic: 'orders', topicId: '0'.repeat(16), replicas: [3, 1, 2], adding: [3], removing: [0] }
    world.controller.foreseen = {
      moves: [0, 1].map(partition => ({ ...move, partition, bytesLeft: -1, waitingFor: '' })), drains: []
    }
    const before = state()
    const { code, stdout } = await plan(cluster('{brokers: 4, storage: {size: 2Gi}, image: "millrace:0.2.0"}'))
    const why = 'its image changes from millrace:0.1.0 to millrace:0.2.0'
    expect(stdout).toBe('Cluster default/events would be changed\n' +
      '  brokers: 3 -> 4\n' +
      [0, 1, 2].map(id => `  volume data-events-${id} grows: 1Gi -> 2Gi, no restart\n`).join('') +
      '  moves: 2 partitions, about 2.0 MiB\n' +
      '    orders/0 from broker 0 to broker 3, about 1.0 MiB\n' +
      '    orders/1 from broker 0 to broker 3, about 1.0 MiB\n' +
      '  restarts: 3 brokers, one at a time, each when all is in sync again\n' +
      // The controller's own broker last, as the operator does it.
      [2, 1, 0].map(id => `    broker ${id}: ${why}\n`).join(''))
    expect(code).toBe(0)
    expect(state()).toBe(before)
  })

  it('leaves brokers in maintenance out of restarts, and says so', async () => {
    const { stdout } = await plan(cluster('{storage: {size: 1Gi}, image: "millrace:0.2.0", maintenance: [1]}'))
    const why = 'its image changes from millrace:0.1.0 to millrace:0.2.0'
    expect(stdout).toContain('  restarts: 2 brokers, one at a time, each when all is in sync again\n' +
      `    broker 2: ${why}\n    broker 0: ${why}\n` +
      '  broker 1 is in maintenance: it restarts when it is taken out\n')
    const { stdout: json } = await plan(cluster('{storage: {size: 1Gi}, maintenance: [1]}'), '--json')
    expect(JSON.parse(json)).toMatchObject({ cluster: { restarts: [], resting: [] } })
  })

  it('says which brokers are drained, and what is in the way', async () => {
    const waitingFor = "topic 'orders' has 3 replicas, 2 brokers stay"
    world.controller.foreseen = { moves: [], drains: [{ brokerId: 2, replicasLeft: 6, dataLeft: 0, waitingFor }] }
    const { code, stdout } = await plan(cluster('{brokers: 2, storage: {size: 1Gi}}'))
    expect(stdout).toContain(
      "  broker 2 is drained, then goes; BLOCKED: topic 'orders' has 3 replicas, 2 brokers stay\n")
    expect(code).toBe(0)
  })

  it('says what is refused, by the rules of the API server and by the operator', async () => {
    const { code, stdout, stderr } = await plan(cluster('{brokers: 3, storage: {size: 512Mi}}') +
      topic('{cluster: events, partitions: 4}') + topic('{cluster: nowhere}', 'lost') +
      topic('{cluster: events, replicas: 5}', 'wide') + topic('{cluster: events, name: orders}', 'rival') +
      cluster('{storage: {size: 1Gi}, brokrs: 3}', 'typo').replace(/^/, '---\n') +
      cluster('{storage: {size: 1Gi}, groupExpiry: 1s}', 'hasty').replace(/^/, '---\n'))
    expect(stdout).toMatch(/Cluster default\/events REFUSED: .*storage.size may grow but not shrink/)
    expect(stdout).toMatch(/Topic default\/orders REFUSED: .*partitions/)
    expect(stdout).toContain('Topic default/lost REFUSED: there is no Cluster nowhere in this namespace')
    expect(stdout).toContain('Topic default/wide REFUSED: 5 replicas need as many brokers, the Cluster has 3')
    expect(stdout).toContain('Topic default/rival REFUSED: topic orders belongs to the older Topic orders')
    expect(stdout).toMatch(/Cluster default\/typo REFUSED: .*brokrs/)
    expect(stdout).toContain(
      'Cluster default/hasty REFUSED: spec.groupExpiry: "1s" is not a duration of at least 60s, or unlimited')
    expect([code, stderr]).toEqual([5, '% 7 of 7 would be refused; nothing was changed\n'])
  })

  it('says whose volumes a new Cluster would find, and refuses those of another', async () => {
    const claim = async (name: string, annotations: Record<string, string>): Promise<void> => {
      await world.kube.create('persistentvolumeclaims', {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace, annotations },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
      })
    }
    await claim('data-found-0', {})
    await claim('data-copied-0', { 'millrace.dev/cluster-uid': 'other' })
    const { code, stdout } = await plan(cluster('{storage: {size: 1Gi}}', 'found') +
      cluster('{storage: {size: 1Gi}}', 'copied').replace(/^/, '---\n'))
    expect(stdout).toContain('  volumes that are there already are taken over: data-found-0\n')
    expect(stdout).toContain('Cluster default/copied REFUSED: PersistentVolumeClaim data-copied-0 holds data of ' +
      'another cluster (uid other): to serve that data set the annotation ' +
      'millrace.dev/adopt-volumes: other on this Cluster')
    expect(code).toBe(5)
  })

  it('judges a Topic by the Cluster of the same files, and tells what it gets', async () => {
    world.controller.foreseen = { moves: [], drains: [] }
    const { code, stdout } = await plan(topic('{cluster: events, partitions: 8, replicas: 5}') +
      `---\n${cluster('{brokers: 5, storage: {size: 1Gi}}')}`, '--json')
    const [first, second] = stdout.trim().split('\n').map(line => JSON.parse(line) as object)
    expect(first).toMatchObject({
      kind: 'Cluster', action: 'update', cluster: { brokers: { from: 3, to: 5 }, restarts: [] }
    })
    expect(second).toMatchObject({
      kind: 'Topic',
      action: 'update',
      topic: {
        changes: [{ setting: 'partitions', from: 6, to: 8 }, { setting: 'replicas', from: 3, to: 5 },
          { setting: 'minInSync', from: 2, to: 3 }],
        partitionsAdded: 2,
        replicasAdded: 12,
        bytes: 12 * 2 ** 20
      }
    })
    expect(code).toBe(0)
  })

  it('works as a plugin of kubectl, from the PATH', async () => {
    const path = [join(root, 'bin'), process.env['PATH']].join(delimiter)
    const env = { PATH: path, KUBECONFIG: join(folder, 'kubeconfig') }
    const file = join(folder, 'objects.yaml')
    writeFileSync(file, cluster('{brokers: 3, storage: {size: 1Gi}}'))
    const { code, stdout } = await millrace(['plan', '-f', file], { env, command: 'kubectl-millrace' })
    expect([code, stdout]).toEqual([0, 'Cluster default/events is as it says\n  restarts: none\n'])
  })

  it.each([
    ['kind: Pod\napiVersion: v1\nmetadata: {name: x}\n', 'no Cluster and no Topic in'],
    ['a: [1\n', 'objects.yaml: '],
    ['just text\n', 'holds something that is no Kubernetes object']
  ])('wants objects of its own: %j', async (text, message) => {
    const { code, stderr } = await plan(text)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

describe('what applying sends', () => {
  const live = (spec: object, lastApplied?: object): Parameters<typeof patchOf>[0] => ({
    apiVersion: 'a',
    kind: 'K',
    metadata: {
      name: 'x',
      annotations: lastApplied === undefined
        ? {}
        : { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(lastApplied) }
    },
    spec
  })

  it('takes away what an earlier file said, and leaves what others said', () => {
    const metadata = { name: 'x', labels: { a: '1', b: '2' } }
    const before = { metadata, spec: { image: 'i', storage: { size: '1', className: 'c' } } }
    const wanted = live({ storage: { size: '2' } })
    expect(patchOf(live({}, before), { ...wanted, metadata: { name: 'x', labels: { a: '1' } } })).toEqual({
      spec: { image: null, storage: { size: '2', className: null } }, metadata: { labels: { a: '1', b: null } }
    })
    expect(patchOf(live({ image: 'i' }), wanted))
      .toEqual({ spec: { storage: { size: '2' } }, metadata: { annotations: {} } })
  })
})
