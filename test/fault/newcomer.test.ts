// What a newcomer does in the first quarter of an hour, with the real kubectl, on real processes.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alive, descendants, ended, LocalCluster, root, run, until } from './harness.ts'

let cluster: LocalCluster

beforeAll(async () => { cluster = await LocalCluster.start() })

afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

async function pidOf (pod: string): Promise<number> {
  const shown = await cluster.kubectl(['get', 'pod', pod, '-o', 'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
  expect(shown.code, shown.stderr).toBe(0)
  return Number(shown.stdout)
}

async function leaderOf (topic: string, partition: number): Promise<number> {
  const shown = await cluster.millrace(['topic', 'describe', topic, '--json'])
  expect(shown.code, shown.stderr).toBe(0)
  const described = JSON.parse(shown.stdout) as { partitions: { partition: number, leader: number }[] }
  return described.partitions.find(row => row.partition === partition)!.leader
}

describe('npm start', () => {
  it('says once that it is ready, with the addresses and what to do next', () => {
    const ready = cluster.said().split('\n').filter(line => line.includes('ready in'))
    expect(ready).toHaveLength(1)
    expect(ready[0]).toMatch(/millrace is ready in \d+\.\d s/)
    expect(cluster.said()).toContain(`127.0.0.1:${cluster.port}`)
    expect(cluster.said()).toContain(join(cluster.folder, 'kubeconfig'))
    expect(cluster.said()).toContain('bin/millrace produce')
  })

  it('refuses a folder that is in use, and harms nothing', async () => {
    const second = await run('npm', ['start', '--', '--dir', cluster.folder, '--port', '0'])
    expect(second.code).toBe(1)
    expect(second.stdout + second.stderr).toMatch(/in use by another process/)
    expect((await cluster.millrace(['topic', 'list'])).code).toBe(0)
  })
})

describe('kubectl', () => {
  it('shows the resources', async () => {
    const shown = await cluster.kubectl(['get', 'mrc,mrt,statefulsets,pods,services'])
    expect(shown.code, shown.stderr).toBe(0)
    for (const name of ['cluster.millrace.dev/events', 'topic.millrace.dev/orders', 'statefulset.apps/events',
      'pod/events-0', 'pod/events-1', 'pod/events-2', 'service/events-bootstrap', 'service/events-brokers']) {
      expect(shown.stdout).toContain(name)
    }
  })

  it('applies, gets, waits', async () => {
    expect((await cluster.kubectl(['apply', '-f', 'examples/topic.yaml'])).stdout).toMatch(/unchanged|configured/)
    const shown = await cluster.kubectl(['get', 'topic.millrace.dev/orders', '-o', 'yaml'])
    expect(shown.stdout).toMatch(/topicId: /)
    const waited = await cluster.kubectl(['wait', '--for=condition=Ready', 'mrt/orders', '--timeout=30s'])
    expect(waited.stdout).toContain('condition met')
  })

  it('is refused with the reason when a value is wrong', async () => {
    const topic = (spec: string): string =>
      `apiVersion: millrace.dev/v1alpha1\nkind: Topic\nmetadata: {name: bad}\nspec: {cluster: events, ${spec}}\n`
    const apply = async (spec: string): Promise<string> => {
      const applied = await cluster.kubectl(['apply', '-f', '-'], { input: topic(spec) })
      expect(applied.code).not.toBe(0)
      return applied.stderr
    }
    expect(await apply('partitions: many')).toMatch(/partitions/)
    expect(await apply('partitions: 0')).toMatch(/partitions/)
    expect(await apply('replicas: 2, minInSync: 3')).toMatch(/minInSync/)
    expect(await apply('partitons: 3')).toMatch(/partitons/)
    expect(await apply('retention: {age: soon}')).toMatch(/age/)
  })

  it('says in a condition when there are too few brokers', async () => {
    const spec = 'apiVersion: millrace.dev/v1alpha1\nkind: Topic\nmetadata: {name: wide}\n' +
      'spec: {cluster: events, partitions: 1, replicas: 5}\n'
    expect((await cluster.kubectl(['apply', '-f', '-'], { input: spec })).code).toBe(0)
    await until('a condition that says so', 20_000, async () => {
      const shown = await cluster.kubectl(['get', 'mrt', 'wide', '-o',
        'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].reason}'])
      return shown.stdout === 'False NotEnoughBrokers'
    })
    expect((await cluster.kubectl(['delete', 'mrt', 'wide', '--timeout=20s'])).code).toBe(0)
  })
})

describe('bin/millrace', () => {
  it('creates, produces a lot, consumes all of it', async () => {
    const created = await cluster.millrace(['topic', 'create', 'numbers', '--partitions', '6', '--replicas', '3'])
    expect(created.code, created.stderr).toBe(0)
    const count = 200_000
    const input = Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('')
    const produced = await cluster.millrace(['produce', 'numbers'], { input })
    expect(produced.code, produced.stderr).toBe(0)
    expect(produced.stderr).toContain('200,000 records acknowledged')
    const consumed = await cluster.millrace(['consume', 'numbers', '-o', 'start', '-e'])
    expect(consumed.code, consumed.stderr).toBe(0)
    const lines = consumed.stdout.trimEnd().split('\n')
    expect(lines.length).toBe(count)
    expect(new Set(lines).size).toBe(count)
  })

  it('prints records as JSON', async () => {
    const shown = await cluster.millrace(['consume', 'numbers', '-o', 'start', '-n', '3', '--json'])
    const records = shown.stdout.trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
    expect(records).toHaveLength(3)
    expect(Object.keys(records[0]!)).toEqual(['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'])
  })

  it('resumes a group where it stopped', async () => {
    const count = async (): Promise<number> => {
      const shown = await cluster.millrace(['consume', 'numbers', '-g', 'audit', '-o', 'start', '-e'])
      expect(shown.code, shown.stderr).toBe(0)
      return shown.stdout === '' ? 0 : shown.stdout.trimEnd().split('\n').length
    }
    expect(await count()).toBe(200_000)
    expect(await count()).toBe(0)
    await cluster.millrace(['produce', 'numbers'], { input: 'one more\nand another\n' })
    expect(await count()).toBe(2)
  })

  it('runs the example of the library', async () => {
    const node = join(root, 'node_modules/node/bin/node')
    const ran = await run(node, ['examples/orders.ts', `127.0.0.1:${cluster.port}`])
    expect(ran.code, ran.stderr).toBe(0)
    const lines = (word: string): string[] => ran.stdout.split('\n')
      .filter(line => line.startsWith(word)).map(line => line.slice(word.length).trim())
    expect(lines('received')).toEqual(lines('sent'))
    expect(lines('sent')).toHaveLength(3)
  })

  it('says how to create a topic that is not there', async () => {
    const produced = await cluster.millrace(['produce', 'nowhere', '--timeout', '2'], { input: 'x\n' })
    expect(produced.code).not.toBe(0)
    expect(produced.stderr).toContain('millrace topic create nowhere')
  })

  it('gives up on a bootstrap that nobody answers', async () => {
    const produced = await cluster.millrace(
      ['produce', 'numbers', '--bootstrap', '127.0.0.1:1', '--timeout', '1'], { input: 'x\n' })
    expect(produced.code).not.toBe(0)
    expect(produced.stderr).toMatch(/% waiting for/)
  })

  it('refuses a partition out of range and a record over the limit', async () => {
    const out = await cluster.millrace(['produce', 'numbers', '-p', '6', '--timeout', '2'], { input: 'x\n' })
    expect([out.code === 0, /partition/.test(out.stderr)]).toEqual([false, true])
    const large = await cluster.millrace(['produce', 'numbers'], { input: `${'x'.repeat(9 * 1024 * 1024)}\n` })
    expect([large.code === 0, /longer than 1048576 bytes/.test(large.stderr)]).toEqual([false, true])
    expect((await cluster.millrace(['produce', 'numbers'], { input: 'fine\n' })).code).toBe(0)
  })

  it('describes cluster and topics', async () => {
    const described = await cluster.millrace(['cluster', 'describe', '--json'])
    expect(JSON.parse(described.stdout)).toMatchObject({ brokers: { ready: 3, total: 3 }, partitions: { offline: 0 } })
    expect((await cluster.millrace(['topic', 'list'])).stdout).toContain('numbers')
    expect((await cluster.millrace(['topic', 'delete', 'numbers'])).code).not.toBe(0)
  })
})

describe('kill -9 of a leader while 100,000 keyed records are produced', () => {
  it('gives every record back exactly once, in order per key', async () => {
    const created = await cluster.millrace(['topic', 'create', 'keyed', '--partitions', '6', '--replicas', '3'])
    expect(created.code, created.stderr).toBe(0)
    const leader = await leaderOf('keyed', 0)
    const pid = await pidOf(`events-${leader}`)
    const producer = spawn(join(root, 'bin/millrace'), ['produce', 'keyed', '-k', ':', '--rate', '25000'],
      { cwd: root, env: { ...process.env, ...cluster.env } })
    let stderr = ''
    producer.stderr.on('data', (data: Buffer) => { stderr += data.toString() })
    const done = ended(producer)
    for (let index = 0; index < 100_000; index++) producer.stdin.write(`k${index % 1000}:${index}\n`)
    producer.stdin.end()
    const watcher = await cluster.millrace(['consume', 'keyed', '-o', 'start', '-n', '30000'])
    expect(watcher.code, watcher.stderr).toBe(0)
    process.kill(pid, 'SIGKILL')
    expect(await done, stderr).toBe(0)
    expect(stderr).toContain('100,000 records acknowledged')

    const consumed = await cluster.millrace(['consume', 'keyed', '-o', 'start', '-e', '-f', '%k %v\n'])
    expect(consumed.code, consumed.stderr).toBe(0)
    const lines = consumed.stdout.trimEnd().split('\n')
    expect(lines.length).toBe(100_000)
    const last = new Map<string, number>()
    for (const line of lines) {
      const [key, value] = line.split(' ') as [string, string]
      const expected = (last.get(key) ?? Number(key.slice(1)) - 1000) + 1000
      expect(Number(value)).toBe(expected)
      last.set(key, expected)
    }
    const again = await until('the pod is back', 20_000, async () => {
      const now = await pidOf(`events-${leader}`)
      return now !== pid && alive(now) ? now : undefined
    })
    expect(again).not.toBe(pid)
    await until('everything is in sync again', 30_000, async () => {
      const described = await cluster.millrace(['cluster', 'describe', '--json'])
      const status = JSON.parse(described.stdout) as { partitions: { underReplicated: number } }
      return status.partitions.underReplicated === 0
    })
  })

  it('brings back a pod that kubectl deletes by force', async () => {
    const pid = await pidOf('events-0')
    const deleted = await cluster.kubectl(['delete', 'pod', 'events-0', '--grace-period=0', '--force'])
    expect(deleted.code, deleted.stderr).toBe(0)
    await until('another process', 20_000, async () => {
      const shown = await cluster.kubectl(['get', 'pod', 'events-0', '-o',
        'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
      return shown.code === 0 && shown.stdout !== '' && Number(shown.stdout) !== pid
    })
    await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/events-0', '--timeout=20s'])
    const consumed = await cluster.millrace(['consume', 'keyed', '-o', 'start', '-e'])
    expect(consumed.stdout.trimEnd().split('\n').length).toBe(100_000)
  })
})

describe('scaling', () => {
  it('adds a broker, and takes it away again without losing anything', async () => {
    const up = await cluster.kubectl(['scale', 'cluster.millrace.dev/events', '--replicas=4'])
    expect(up.code, up.stderr).toBe(0)
    await until('four brokers', 30_000, async () => {
      const described = await cluster.millrace(['cluster', 'describe', '--json'])
      return (JSON.parse(described.stdout) as { brokers: { ready: number } }).brokers.ready === 4
    })
    await cluster.kubectl(['scale', 'cluster.millrace.dev/events', '--replicas=3'])
    await until('three brokers', 30_000, async () => {
      const shown = await cluster.kubectl(['get', 'mrc', 'events', '-o', 'jsonpath={.status}'])
      const { brokers, draining } = JSON.parse(shown.stdout) as { brokers: { total: number }, draining?: unknown }
      return brokers.total === 3 && draining === undefined
    })
    expect((await cluster.kubectl(['get', 'pod', 'events-3'])).code).toBe(1)
    const consumed = await cluster.millrace(['consume', 'keyed', '-o', 'start', '-e'])
    expect(consumed.stdout.trimEnd().split('\n').length).toBe(100_000)
  })
})

describe('stopping and starting again', () => {
  it('ends every process when npm alone is signalled, keeps the data', async () => {
    const pids = descendants(cluster.process.pid!)
    expect(pids.length).toBeGreaterThan(4)
    expect(await cluster.stop('SIGTERM')).toBe(0)
    expect(pids.filter(alive)).toEqual([])
    cluster = await LocalCluster.start({ folder: cluster.folder })
    const consumed = await cluster.millrace(['consume', 'keyed', '-o', 'start', '-e'])
    expect(consumed.stdout.trimEnd().split('\n').length).toBe(100_000)
    expect(await cluster.stop('SIGINT')).toBe(0)
  })
})
