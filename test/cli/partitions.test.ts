// Commands that ask the controller: as the Lease says where it is, or as --controller does.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseTargets } from '../../cli/partition-names.ts'
import { startKubeApi, type KubeApi, type Writable } from '../../local/kube/api.ts'
import { writeKubeconfig } from '../../local/kube/kubeconfig.ts'
import { customResourceDefinition } from '../../operator/schema/crd.ts'
import { clusterResource } from '../../operator/schema/cluster.ts'
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import { WireError } from '../../wire/errors.ts'
import type {
  PartitionMove, PartitionRow, RecoverPartitionRequest, Sent, TableRestore
} from '../../wire/messages.ts'
import type { Listener } from '../../wire/ports.ts'
import { millrace } from './millrace.ts'
import type { Ran } from './millrace.ts'

let kube: KubeApi
let listener: Listener
let folder: string
let asked: { method: string, request: unknown }[] = []
let refusal: WireError | undefined
let moves: Sent<PartitionMove>[] = []
let tables: Sent<TableRestore>[] = []

function answer<T> (method: string, request: unknown, response: () => T): Promise<T> {
  asked.push({ method, request })
  return refusal === undefined ? Promise.resolve(response()) : Promise.reject(refusal)
}

const row = (leader: number, leaderEpoch: number, members: number[]): Sent<PartitionRow> => ({
  leader, leaderEpoch, replicas: [0, 1, 2], inSync: members.map(brokerId => ({ brokerId }))
})

beforeAll(async () => {
  kube = await startKubeApi()
  await kube.create('customresourcedefinitions.apiextensions.k8s.io',
    customResourceDefinition(clusterResource) as Writable)
  await kube.create('clusters.millrace.dev', {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'events', namespace: 'default' },
    spec: { storage: { size: '1Gi' } }
  })
  listener = await new GrpcNet().listen('127.0.0.1:0', {
    unary: {
      MovePartitions: request => answer('MovePartitions', request, () => ({ moves })),
      ElectLeaders: request => answer('ElectLeaders', request, () => ({
        elected: request.partitions.map(({ topic, partition }) => partition === 1
          ? { topic, partition, leader: 2, leaderEpoch: 4, error: { code: 'X', message: 'not in sync' } }
          : { topic, partition, leader: 0, leaderEpoch: 5 })
      })),
      RecoverPartition: request => answer('RecoverPartition', request, () => ({
        before: row(-1, 7, [0, 1]), after: row(2, 8, [2]), endOffset: 1_000, highWatermarkSeen: 1_200
      })),
      RestoreTables: request => answer('RestoreTables', request, () => ({ tables })),
      DescribeCluster: request => answer('DescribeCluster', request, () => ({
        topics: [{ topic: { name: 'orders', partitions: 2 } }], moves: []
      }))
    }
  })
  await kube.create('leases.coordination.k8s.io', {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: 'events-controller',
      namespace: 'default',
      annotations: { 'millrace.dev/controller-address': listener.address }
    },
    spec: { holderIdentity: '1' }
  })
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  writeKubeconfig(join(folder, 'kubeconfig'), { url: kube.url })
})
afterAll(async () => {
  await listener.close(0)
  await kube.close()
})
beforeEach(() => {
  asked = []
  refusal = undefined
  moves = []
  tables = []
})

function run (line: string, env: Record<string, string> = { KUBECONFIG: join(folder, 'kubeconfig') }): Promise<Ran> {
  return millrace(line.split(' '), { env })
}

const move = {
  topic: 'orders', partition: 3, replicas: [1, 2, 3, 0], adding: [3], removing: [0], bytesLeft: 2 ** 20, waitingFor: ''
}

describe('what brokers say', () => {
  let broker: Listener
  const rowOf = (partition: number, changes: Sent<PartitionRow>): Sent<PartitionRow> =>
    ({ ...row(0, 3, [0, 1, 2]), partition, ...changes })
  const info = {
    topicId: 'a'.repeat(16), partitions: 4, replicas: 3, minInSync: 2, retentionMs: -1, retentionBytes: -1
  }

  beforeAll(async () => {
    broker = await new GrpcNet().listen('127.0.0.1:0', {
      unary: {
        GetMetadata: () => Promise.resolve({
          controller: 0,
          brokers: [{ brokerId: 0, clientAddress: broker.address }],
          topics: [{
            topic: { ...info, name: 'left', orphaned: true, partitions: 1 }, partitions: [rowOf(0, {})]
          }, {
            topic: { ...info, name: 'orders' },
            partitions: [
              rowOf(0, {}), rowOf(1, { leader: -1, inSync: [] }), rowOf(2, { inSync: [{ brokerId: 0 }] }),
              rowOf(3, { replicas: [3, 1, 2, 0], adding: [3], removing: [0] })
            ]
          }]
        })
      }
    })
  })
  afterAll(async () => { await broker.close(0) })

  it('partition list shows who has, leads and gets them', async () => {
    const { code, stdout } = await run('partition list orders', { MILLRACE_BOOTSTRAP: broker.address })
    expect(code).toBe(0)
    expect(stdout.split('\n').map(line => line.split(/ {2,}/))).toEqual([
      ['PARTITION', 'LEADER', 'EPOCH', 'REPLICAS', 'IN-SYNC', 'MOVING', 'STATE'],
      ['orders/0', '0', '3', '0,1,2', '0,1,2', '-', 'ok'],
      ['orders/1', '-', '3', '0,1,2', '-', '-', 'no leader'],
      ['orders/2', '0', '3', '0,1,2', '0', '-', 'under-replicated'],
      ['orders/3', '0', '3', '3,1,2', '0,1,2', '+3 -0', 'moving'],
      ['']
    ])
    const names = async (line: string): Promise<unknown[]> =>
      (await run(line, { MILLRACE_BOOTSTRAP: broker.address })).stdout.trimEnd().split('\n')
        .map(text => JSON.parse(text) as { topic: string, partition: number })
        .map(({ topic, partition }) => `${topic}/${partition}`)
    expect(await names('partition list --moving --json')).toEqual(['orders/3'])
    expect(await names('partition list --troubled --json')).toEqual(['orders/1', 'orders/2', 'orders/3'])
  })

  it('topic list does not call a topic ok that nobody owns', async () => {
    const { stdout, stderr } = await run('topic list', { MILLRACE_BOOTSTRAP: broker.address })
    expect(stdout).toMatch(/\nleft .* orphaned\norders .* 1 without leader\n/)
    expect(stderr).toBe('% orphaned: no Topic object owns it any more; it keeps being served. ' +
      'Adopt it: millrace topic create left\n')
  })
})

describe('partition move', () => {
  it('names the controller what is to be, and shows what comes of it', async () => {
    moves = [move]
    const { code, stdout, stderr } = await run('partition move orders/3 --replicas 1,2,3')
    expect(stderr).toBe('% 1 partition on the way; see how far: this command again, it changes nothing\n')
    expect(stdout).toMatch(/^PARTITION +REPLICAS +MOVING +TO-COPY +WAITS-FOR\norders\/3 +1,2,3 +\+3 -0 +1Mi +-\n$/)
    expect(code).toBe(0)
    expect(asked).toEqual([{
      method: 'MovePartitions',
      request: { targets: [{ topic: 'orders', partition: 3, replicas: [1, 2, 3] }], dryRun: false }
    }])
  })

  it('tries only, waits for the end, gives up', async () => {
    moves = [move]
    const tried = await run('partition move orders/3 --replicas 1,2,3 --dry-run --json')
    expect(tried.stderr).toBe('% nothing was changed (--dry-run); 1 partition would move\n')
    expect(JSON.parse(tried.stdout)).toEqual({ ...move, replicas: [1, 2, 3] })
    expect((await run('partition move orders/3 --replicas 1,2,3 --wait')).stderr).toBe('% 1 partition moved\n')
    moves = []
    const cancelled = await run(`partition move orders/3 --cancel --controller ${listener.address}`, {})
    expect([cancelled.code, cancelled.stderr]).toEqual([0, '% nothing moves any more\n'])
    expect(asked.map(({ method }) => method))
      .toEqual(['MovePartitions', 'MovePartitions', 'DescribeCluster', 'MovePartitions'])
    expect(asked[3]!.request).toMatchObject({ targets: [{ replicas: [] }] })
  })

  it('takes many from a file, as Kafka writes it too', async () => {
    const path = join(folder, 'moves.yaml')
    writeFileSync(path, '- {topic: orders, partition: 0, replicas: [1, 2]}\n- {topic: orders, partition: 1}\n')
    expect((await run(`partition move --from-file ${path}`)).code).toBe(0)
    expect(asked[0]!.request).toMatchObject({
      targets: [{ topic: 'orders', partition: 0, replicas: [1, 2] }, { topic: 'orders', partition: 1, replicas: [] }]
    })
    expect(parseTargets('{"version":1,"partitions":[{"topic":"a","partition":0,"replicas":[3]}]}', 'x'))
      .toEqual([{ topic: 'a', partition: 0, replicas: [3] }])
    for (const text of ['', '[]', 'words', '- {topic: a}', '- {topic: a, partition: -1}', '{"partitions": 3}', '- [']) {
      expect(() => parseTargets(text, 'x'), text).toThrow(/^x/)
    }
  })

  it.each([
    ['orders/3', 'say one of --replicas, --cancel and --from-file'],
    ['orders/3 --replicas 1 --cancel', 'say one of'],
    ['--replicas 1', 'name the partitions: orders/3'],
    ['orders --replicas 1', "'orders' names a topic; name one of its partitions: orders/0"],
    ['orders/x --replicas 1', "'orders/x' is neither topic/partition nor a topic"],
    ['orders/1 --from-file x', 'the file names the partitions'],
    ['orders/1 --replicas one', 'A whole number'],
    ['orders/1 --replicas 1,1', 'A broker is named twice'],
    ['orders/1 --replicas 1 --controller nowhere', 'is not host:port']
  ])('%s is wrong usage', async (line, message) => {
    const { code, stderr } = await run(`partition move ${line}`)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    expect(asked).toEqual([])
  })

  it('says what the controller refuses', async () => {
    refusal = new WireError('INELIGIBLE_BROKER', 'broker 3 is being drained')
    const refused = await run('partition move orders/3 --replicas 1,2,3')
    expect([refused.code, refused.stderr]).toEqual([1, '% error: broker 3 is being drained. ' +
      'Name brokers that live and stay; see millrace cluster describe.\n'])
    refusal = new WireError('UNKNOWN_PARTITION', "topic 'orders' has no partition 3")
    expect((await run('partition move orders/3 --replicas 1,2,3')).code).toBe(4)
  })
})

describe('a controller that cannot be asked', () => {
  it('is waited for, then there is one error', async () => {
    const { code, stderr } = await run('partition elect orders/0 --controller 127.0.0.1:1 --timeout 1', {})
    expect(code).toBe(3)
    expect(stderr).toMatch(/^% waiting for the controller \(.*\)\n% error: the controller cannot .*127.0.0.1:1\n$/)
  })

  it('that is known by a name of Kubernetes only is reached by a forwarded port', async () => {
    const address = 'events-1.events-brokers.default.svc.invalid:9091'
    const patch = (value: string): Promise<unknown> => kube.patch('leases.coordination.k8s.io', 'default',
      'events-controller', { metadata: { annotations: { 'millrace.dev/controller-address': value } } })
    await patch(address)
    const { code, stderr } = await run('partition elect orders/0 --timeout 10')
    await patch(listener.address)
    expect(code).toBe(3)
    expect(stderr).toContain('kubectl -n default port-forward pod/events-1 19091:9091, and repeat the command with ' +
      '--controller 127.0.0.1:19091')
  })

  it('is not what --controller names', async () => {
    refusal = new WireError('NOT_CONTROLLER', undefined, { controllerAddress: 'events-2:9091' })
    const { code, stderr } = await run(`partition elect orders/0 --controller ${listener.address}`, {})
    expect([code, stderr]).toEqual([3,
      `% error: ${listener.address} is not the controller: that is at events-2:9091\n`])
  })
})

describe('partition elect', () => {
  it('elects preferred leaders of whole topics, and says where it cannot', async () => {
    const { code, stdout, stderr } = await run('partition elect orders')
    expect(stdout).toMatch(/orders\/0 +0 +5 +-\norders\/1 +2 +4 +not in sync\n/)
    expect([code, stderr]).toEqual([1, '% error: 1 partition of 2 not led as wanted\n'])
    expect(asked[1]!.request).toMatchObject({ leader: -1, partitions: [{ partition: 0 }, { partition: 1 }] })
  })

  it('elects a broker for one partition, or everything', async () => {
    expect((await run('partition elect orders/0 --leader 0')).code).toBe(0)
    expect(asked[0]!.request).toMatchObject({ leader: 0, partitions: [{ topic: 'orders', partition: 0 }] })
    expect((await run('partition elect --all --json')).stdout.split('\n')).toHaveLength(3)
    for (const line of ['', ' orders --all', ' --all --leader 1']) {
      expect((await run(`partition elect${line}`)).code, line).toBe(2)
    }
  })
})

describe('partition recover', () => {
  const requests = (): RecoverPartitionRequest[] => asked.map(({ request }) => request as RecoverPartitionRequest)

  it('changes nothing before the loss is accepted, and says what is lost', async () => {
    const { code, stdout, stderr } = await run('partition recover orders/3 --lost 0,1')
    expect(code).toBe(2)
    expect(stdout).toMatch(/before +- +7 +0,1,2 +0,1\nafter +2 +8 +0,1,2 +2\n/)
    expect(stderr).toContain('% orders/3 would go on with broker 2 alone, from offset 1,000\n')
    expect(stderr).toContain('% warning: the records from 1,000 up to 1,200 would be lost')
    expect(stderr).toContain('% warning: if brokers 0, 1 are not dead but only cut off, ' +
      'records may still be acknowledged there, and are lost too: stop them first\n')
    expect(stderr).toMatch(/% error: nothing was changed: .*--accept-data-loss.*\n$/)
    expect(requests()).toMatchObject([{ dryRun: true, acceptDataLoss: false, lost: [0, 1], survivor: -1 }])
  })

  it('does it when told so, once', async () => {
    const { code, stderr } = await run('partition recover orders/3 --lost 0,1 --survivor 2 --accept-data-loss')
    expect([code, stderr]).toEqual([0, expect.stringContaining('up to 1,200 are lost')])
    refusal = new WireError('UNAVAILABLE')
    const unheard = await run('partition recover orders/3 --lost 0,1 --accept-data-loss')
    expect([unheard.code, unheard.stderr]).toEqual([3, expect.stringContaining('look before you repeat it')])
    expect(requests()).toMatchObject([{ dryRun: false, acceptDataLoss: true, survivor: 2 }, { dryRun: false }])
    // Another cluster's broker, which has the address now, has done nothing.
    refusal = new WireError('WRONG_BROKER')
    const elsewhere = await run('partition recover orders/3 --lost 0,1 --accept-data-loss --timeout 1')
    expect([elsewhere.code, elsewhere.stderr]).toEqual([3, expect.stringContaining('the controller cannot be asked')])
  })

  it('wants to hear who is lost', async () => {
    expect((await run('partition recover orders/3 --accept-data-loss')).code).toBe(2)
    refusal = new WireError('RECOVERY_REFUSED', 'broker 1 has a session')
    const { code, stderr } = await run('partition recover orders/3 --lost 0,1 --accept-data-loss')
    expect([code, stderr]).toEqual([1, '% error: broker 1 has a session.\n'])
  })
})

describe('cluster restore', () => {
  it('says that nothing is to be restored, or who is waited for', async () => {
    tables = [{ table: 'events-0' }]
    const whole = await run('cluster restore')
    expect([whole.code, whole.stderr]).toEqual([0, '% every table is whole: nothing is to be restored\n'])
    tables = [{ table: 'events-0', reason: 'rolled back', waitingFor: [2], rows: [row(0, 1, [0])], undecided: ['a-1'] }]
    const { stdout, stderr } = await run('cluster restore --dry-run --without 4')
    expect(stdout).toMatch(/events-0 +rolled back +2 +1 +1\n/)
    expect(stderr).toBe('% nothing was changed (--dry-run)\n' +
      '% 1 table being restored from what the brokers report\n' +
      '% waits for brokers 2: start them; what only they know is lost when you go on --without 2\n' +
      '% nobody that is there knows: a-1\n')
    expect(asked[1]!.request).toEqual({ dryRun: true, without: [4] })
  })
})
