// millrace on three real nodes: the image in containers, the chart by helm, volumes, Services and DNS of the cluster;
// then what happens to nodes and pods happens to it under load, and the checker judges what clients saw.
import { execFileSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Millrace } from '../../../client/index.ts'
import { GrpcNet } from '../../../wire/adapters/grpc-net.ts'
import type { Any } from '../../local/kube/client.ts'
import { table } from '../../fault/faults/verdict.ts'
import { helm } from '../helm.ts'
import { pathOf } from '../objects.ts'
import { diskClass, Nodes } from './nodes.ts'
import { claimOfNotes, clusterOfNotes } from './notes.ts'
import { clusterOfHalls, expectApart } from './placement.ts'
import { plannerKubeconfig } from './planner.ts'
import { until } from './tools.ts'
import { Trial } from './trial.ts'

const root = join(import.meta.dirname, '../../..')
const archive = join(root, 'dist/millrace-image.tar')
const image = 'localhost/millrace'
const tag = 'nodes'
const graceSeconds = 20
const apiOutageMs = 60_000
const cutMs = 20_000
const topics = [{ name: 'orders', partitions: 6, replicas: 3, minInSync: 2 }]
const entry = ['/nodejs/bin/node', '/millrace/image/entry.js']

let nodes: Nodes
let trial: Trial
let failed = false

beforeAll(async () => {
  // Two names of one image: a roll to the second one changes nothing but the name.
  execFileSync(process.execPath, [join(root, 'image/main.ts'), '--name', `${image}:${tag}`, '--out', archive])
  nodes = await Nodes.start({ count: 3, images: [archive], nodeGraceSeconds: graceSeconds })
  for (const node of nodes.nodes) await node.ctr('images', 'tag', `${image}:${tag}`, `${image}:${tag}-2`)
})
afterAll(async () => {
  trial?.killClients()
  await nodes?.stop(failed)
})

async function pause (ms: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms))
}

/** kubectl wait knows what it waits for, and prints it when it does not come. */
async function condition (what: string, name: string, seconds = 120): Promise<void> {
  await nodes.kubectl('wait', what, `--for=condition=${name}`, `--timeout=${seconds}s`)
}

async function nodeOf (pod: string): Promise<Nodes['nodes'][number]> {
  const name = await nodes.kubectl('get', 'pod', pod, '-o', 'jsonpath={.spec.nodeName}')
  return nodes.nodes.find(node => node.name === name)!
}

async function controllerPod (): Promise<string> {
  const { body } = await nodes.client().get(pathOf('leases.coordination.k8s.io', 'default', 'events-controller'))
  return `events-${(body as Any).spec.holderIdentity as string}`
}

async function uids (): Promise<Record<string, string>> {
  const { body } = await nodes.client()
    .get(`${pathOf('pods', 'default')}?labelSelector=app.kubernetes.io/component=broker`)
  return Object.fromEntries((body as Any).items.map(({ metadata }: Any) => [metadata.name, metadata.uid]))
}

/** A test whose failure keeps the folder with all logs. */
function step (name: string, body: () => Promise<void>, timeoutMs = 300_000): void {
  it(name, async () => {
    try {
      await body()
    } catch (error) {
      failed = true
      throw error
    }
  }, timeoutMs)
}

describe('from the chart to the first record', () => {
  step('helm install, and the operator runs', async () => {
    const run = await helm(nodes.kubeconfig)
    await run('install', 'millrace', join(root, 'charts/millrace'), '--set', `image.repository=${image}`,
      '--set', `image.tag=${tag}`, '--set', 'image.pullPolicy=Never')
    await condition('deployment/millrace', 'Available')
  })

  step('a Cluster and a Topic are ready', async () => {
    await nodes.kubectlWith(`---
apiVersion: millrace.dev/v1alpha1
kind: Cluster
metadata: {name: events}
spec: {brokers: 3, storage: {size: 1Gi, className: ${diskClass}}}
---
apiVersion: millrace.dev/v1alpha1
kind: Topic
metadata: {name: orders}
spec: {cluster: events, partitions: ${topics[0]!.partitions}}
`, 'apply', '-f', '-')
    await condition('cluster/events', 'Ready')
    await condition('topic/orders', 'Ready')
    const spread = await Promise.all(['events-0', 'events-1', 'events-2'].map(nodeOf))
    expect(new Set(spread).size).toBe(3)
  })

  step('the command line in a pod writes and reads', async () => {
    await nodes.kubectlWith(`---
apiVersion: millrace.dev/v1alpha1
kind: Topic
metadata: {name: lines}
spec: {cluster: events, partitions: 3}
`, 'apply', '-f', '-')
    await condition('topic/lines', 'Ready')
    const lines = Array.from({ length: 10_000 }, (_, index) => String(index))
    await nodes.kubectlWith(lines.join('\n'), 'exec', '-i', 'events-0', '--', ...entry, 'produce', 'lines')
    const read = await nodes.kubectl('exec', 'events-1', '--', ...entry, 'consume', 'lines', '-o', 'start', '-e')
    expect(read.trim().split('\n').sort()).toEqual([...lines].sort())
  })
})

describe('a plan', () => {
  const plan = async (...who: string[]): Promise<{ moves: Any[], stderr: string }> => {
    const file = join(nodes.folder, 'larger.yaml')
    await writeFile(file, JSON.stringify({
      apiVersion: 'millrace.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'events' },
      spec: { brokers: 4, storage: { size: '1Gi', className: diskClass } }
    }))
    const { stdout, stderr } = await nodes.millraceAs(who[0] ?? nodes.kubeconfig, 'plan', '-f', file, '--json')
    return { moves: (JSON.parse(stdout) as Any).cluster.moves, stderr }
  }
  const ofLines = (moves: Any[]): Any[] => moves.filter(({ topic }) => topic === 'lines')

  step('asks every broker through the API server how much it holds', async () => {
    const { moves, stderr } = await plan()
    expect(moves.every(({ adding }) => adding.includes(3))).toBe(true)
    expect(ofLines(moves).length).toBeGreaterThan(0)
    // Ten thousand records in three partitions, each of more than ten bytes.
    for (const { bytes } of ofLines(moves)) expect(bytes).toBeGreaterThan(30_000)
    expect(stderr).not.toContain('not known')
  })

  step('by somebody without pods/proxy knows the moves, and says that and why it does not know the bytes', async () => {
    const { moves, stderr } = await plan(await plannerKubeconfig(nodes))
    expect(ofLines(moves).length).toBeGreaterThan(0)
    expect(moves.every(({ bytes }) => bytes === null)).toBe(true)
    expect(stderr).toMatch(/how large the partitions of Cluster events are is not known: .*forbidden.*pods\/proxy/)
  })
})

describe('from outside of the pod network', () => {
  step('a listener of node ports: every broker restarts once, and is told of by the address of its node', async () => {
    const before = await uids()
    await nodes.kubectl('patch', 'cluster/events', '--type=merge', '-p',
      JSON.stringify({ spec: { listeners: [{ name: 'nodes', type: 'nodePort', port: 9094 }] } }))
    await nodes.client().eventually(pathOf('clusters.millrace.dev', 'default', 'events'), ({ body }) => {
      const { listeners = [], conditions = [] } = (body as Any).status
      return listeners[0]?.addresses.length === 3 &&
        conditions.some((each: Any) => each.type === 'Progressing' && each.reason === 'Settled')
    }, 180_000)
    const after = await uids()
    expect(Object.keys(after).filter(pod => after[pod] === before[pod])).toEqual([])
  })

  step('a client that is told nothing but a node writes to and reads from all of them', async () => {
    const { body } = await nodes.client().get(pathOf('clusters.millrace.dev', 'default', 'events'))
    const [{ addresses }] = (body as Any).status.listeners as [{ addresses: string[] }]
    expect(addresses.every(address => /^198\.51\.100\.\d+:3\d{4}$/.test(address))).toBe(true)
    const net = new GrpcNet({ messageBytesMax: 2 ** 20, streamsPerConnectionMax: 10, connectionsMax: 10 })
    const { brokers } = await net.call(addresses[0]!, 'GetMetadata', { topics: [] }, 10_000)
    expect(brokers.map(({ clientAddress }) => clientAddress).sort()).toEqual([...addresses].sort())
    await net.close()
    const millrace = new Millrace({ bootstrap: [addresses[0]!] })
    const producer = millrace.producer()
    await Promise.all(Array.from({ length: 200 }, (_, i) =>
      producer.send({ topic: 'lines', key: `k${i}`, value: `outside ${i}` })))
    const seen = new Set<string>()
    const consumer = millrace.consumer()
    await consumer.assign([{ topic: 'lines', partitions: 'all' }])
    for await (const { value } of consumer) {
      const text = Buffer.from(value ?? []).toString()
      if (text.startsWith('outside ')) seen.add(text)
      if (seen.size === 200) break
    }
    await millrace.close()
    expect(seen.size).toBe(200)
  })

  step('what running brokers take over reaches clients within minutes, and restarts none of them', async () => {
    const before = await uids()
    const { body } = await nodes.client().get(pathOf('clusters.millrace.dev', 'default', 'events'))
    const [{ addresses: [address] }] = (body as Any).status.listeners as [{ addresses: string[] }]
    const listener = { name: 'nodes', type: 'nodePort', port: 9094 }
    await nodes.kubectl('patch', 'cluster/events', '--type=merge', '-p', JSON.stringify({
      spec: {
        listeners: [{ ...listener, advertised: 'n{broker}.example.com' }], logLevel: 'info',
        rebalance: { bytesPerSecond: '10Mi' }
      }
    }))
    const net = new GrpcNet({ messageBytesMax: 2 ** 20, streamsPerConnectionMax: 10, connectionsMax: 10 })
    await until('every broker tells its other address', 180_000, async () => {
      const { brokers } = await net.call(address!, 'GetMetadata', { topics: [] }, 10_000)
      return brokers.every(({ brokerId, clientAddress }) =>
        new RegExp(`^n${brokerId}\\.example\\.com:3\\d{4}$`).test(clientAddress))
    })
    await net.close()
    await nodes.kubectl('patch', 'cluster/events', '--type=merge', '-p',
      JSON.stringify({ spec: { listeners: [listener] } }))
    expect(await uids()).toEqual(before)
  })
})

describe('under load', () => {
  step('clients outside of pods find brokers by the names of the cluster', async () => {
    trial = new Trial(nodes, 'events', topics, 1)
    trial.begin()
    await trial.round('nothing', async () => { await pause(5_000) })
  })

  step('a pod is killed at once', async () => {
    await trial.round('pod killed', async () => {
      await nodes.kubectl('delete', 'pod', 'events-1', '--grace-period=0', '--force')
    })
  })

  step('the pod of the controller is deleted', async () => {
    await trial.round('controller deleted', async () => {
      await nodes.kubectl('delete', 'pod', await controllerPod())
    })
  })

  step('a node loses its power and comes back', async () => {
    const node = await nodeOf('events-2')
    await trial.round('node killed', async () => {
      await node.kill()
      await nodes.ready(node, false)
    }, async () => {
      await node.startKubelet()
      await nodes.ready(node)
    })
  })

  step('two nodes are cut apart', async () => {
    const [one, other] = [(await nodeOf('events-0')).index, (await nodeOf('events-1')).index]
    await trial.round('nodes cut apart', async () => {
      await nodes.network.cut(one, other)
      await pause(cutMs)
    }, async () => { await nodes.network.heal(one, other) })
  })

  step('packets pass in one direction only', async () => {
    const [one, other] = [(await nodeOf('events-1')).index, (await nodeOf('events-2')).index]
    await trial.round('one way', async () => {
      await nodes.network.cut(one, other, true)
      await pause(cutMs)
    }, async () => { await nodes.network.heal(one, other, true) })
  })

  step('a node is drained', async () => {
    const node = await nodeOf('events-0')
    await trial.round('node drained', async () => {
      await nodes.kubectl('drain', node.name, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s')
    }, async () => { await nodes.kubectl('uncordon', node.name) })
  })

  step('the API server is killed for a minute', async () => {
    await trial.round('API server killed', async () => {
      await nodes.killApi()
      await pause(apiOutageMs)
    }, async () => { await nodes.resumeApi() })
  })

  step('every broker is restarted for another image', async () => {
    const before = await uids()
    await trial.round('rolled', async () => {
      await nodes.kubectl('patch', 'cluster/events', '--type=merge', '-p',
        JSON.stringify({ spec: { image: `${image}:${tag}-2` } }))
      await nodes.client().eventually(`${pathOf('pods', 'default')}?labelSelector=app.kubernetes.io/component=broker`,
        ({ body }) => (body as Any).items.length === 3 &&
          (body as Any).items.every(({ metadata }: Any) => metadata.uid !== before[metadata.name]), 180_000)
    })
  })

  step('a node is lost for ever with its disk: one command, and its broker catches up on another node', async () => {
    // Not the first node, which has the only kube-proxy under its name.
    const onFirst = (await nodeOf('events-2')).index === 1
    const broker = onFirst ? '1' : '2'
    const [pod, claim] = [`events-${broker}`, `data-events-${broker}`]
    const node = await nodeOf(pod)
    const volumeOf = async (): Promise<string> =>
      await nodes.kubectl('get', 'pvc', claim, '-o', 'jsonpath={.spec.volumeName}')
    const lost = await volumeOf()
    await trial.round('node lost', async () => {
      await node.kill()
      await nodes.ready(node, false)
      await rm(nodes.volumeFolder(lost), { recursive: true })
      await nodes.kubectl('delete', 'node', node.name)
      const { stderr } = await nodes.millrace('broker', 'replace-volume', broker, '--dry-run')
      expect(stderr).toContain(`every partition has a leader without broker ${broker}`)
      await nodes.millrace('broker', 'replace-volume', broker, '--yes')
      await nodes.client().eventually(pathOf('pods', 'default', pod), ({ body }) =>
        ((body as Any)?.status?.conditions ?? []).some((each: Any) => each.type === 'Ready' && each.status === 'True'),
      120_000)
    }, async () => {
      // Another machine under its name, with nothing on it.
      await node.startKubelet()
      await nodes.ready(node)
    })
    expect((await nodeOf(pod)).name).not.toBe(node.name)
    expect(await volumeOf()).not.toBe(lost)
    await nodes.kubectl('delete', 'pv', lost)
  })

  step('a broker is added', async () => {
    await trial.round('scaled up', async () => {
      await nodes.kubectl('scale', 'cluster/events', '--replicas=4')
      await nodes.client().eventually(pathOf('clusters.millrace.dev', 'default', 'events'),
        ({ body }) => (body as Any).status?.brokers?.ready === 4, 120_000)
    })
  })

  step('two replicas of a partition are never in one zone, though there are more brokers than zones', async () => {
    await expectApart(nodes, 'events', 4, async pod => `zone-${(await nodeOf(pod)).index}`)
  })

  step('a broker is taken away again', async () => {
    await trial.round('scaled down', async () => {
      await nodes.kubectl('scale', 'cluster/events', '--replicas=3')
      await nodes.client().eventually(pathOf('pods', 'default', 'events-3'), ({ status }) => status === 404, 120_000)
    })
  })

  step('nothing is lost, repeated or out of order', async () => {
    const { report, anomalies, measured, failures } = await trial.verdict()
    const { ok, failed: refused, unknown } = report.sends
    console.log(`${table(trial.rounds, measured)}\n\n${ok} records acknowledged, ${refused} failed, ` +
      `${unknown} unknown; ${report.recordsPolled} read; ${anomalies.length} anomalies; Kubernetes ${nodes.version}`)
    expect(anomalies).toEqual([])
    expect(failures).toEqual([])
    expect(ok).toBeGreaterThan(0)
  })
})

describe('racks by a label of our own', () => {
  step('two replicas of a partition are never in one hall, of which Kubernetes tells no pod', async () => {
    await nodes.kubectlWith(clusterOfHalls, 'apply', '-f', '-')
    await condition('cluster/halls', 'Ready')
    const halls = await expectApart(nodes, 'halls', 3, async pod => (await nodeOf(pod)).hall)
    expect([...halls].sort()).toEqual(['hall-1', 'hall-2'])
    await nodes.kubectl('delete', 'cluster/halls', '--timeout=180s')
  })
})

describe('a namespace that is deleted by mistake', () => {
  const lines = Array.from({ length: 1_000 }, (_, index) => String(index))
  const inOurs = async (...args: string[]): Promise<string> => await nodes.kubectl('-n', 'ours', ...args)
  const ready = async (): Promise<void> => {
    await inOurs('wait', 'topic/notes', '--for=condition=Ready', '--timeout=120s')
  }

  step('comes back with all its records from volumes whose class keeps them', async () => {
    await nodes.kubectl('create', 'namespace', 'ours')
    await nodes.kubectlWith(clusterOfNotes({}), '-n', 'ours', 'apply', '-f', '-')
    await ready()
    await nodes.kubectlWith(lines.join('\n'), '-n', 'ours', 'exec', '-i', 'notes-0', '--', ...entry, 'produce', 'notes')
    const uid = await inOurs('get', 'cluster/notes', '-o', 'jsonpath={.metadata.uid}')
    const volume = await inOurs('get', 'pvc', 'data-notes-0', '-o', 'jsonpath={.spec.volumeName}')
    await nodes.kubectl('delete', 'namespace', 'ours', '--timeout=120s')

    await nodes.kubectl('wait', 'pv', volume, '--for=jsonpath={.status.phase}=Released', '--timeout=60s')
    await nodes.kubectl('patch', 'pv', volume, '--type=merge', '-p', '{"spec":{"claimRef":null}}')
    await nodes.kubectl('create', 'namespace', 'ours')
    const annotations = { 'millrace.dev/adopt-volumes': uid }
    await nodes.kubectlWith(claimOfNotes(volume) + clusterOfNotes(annotations), '-n', 'ours', 'apply', '-f', '-')
    await ready()
    const read = await inOurs('exec', 'notes-0', '--', ...entry, 'consume', 'notes', '-o', 'start', '-e')
    expect(read.trim().split('\n').sort()).toEqual([...lines].sort())
  })
})

describe('the end', () => {
  step('helm uninstall leaves definitions and volumes', async () => {
    const run = await helm(nodes.kubeconfig)
    await run('uninstall', 'millrace')
    const claims = await nodes.kubectl('get', 'pvc', '-o', 'name')
    expect(claims.trim().split('\n')).toContain('persistentvolumeclaim/data-events-0')
    await nodes.kubectl('get', 'crd', 'clusters.millrace.dev')
  })
})
