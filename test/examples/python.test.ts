// The client in Python: the protocol is open, and docs/protocol.md is enough to write a client.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { Millrace, type TopicPartition } from '../../client/index.ts'
import { GrpcNet } from '../../wire/adapters/grpc-net.ts'
import { errorTable, type ErrorCode } from '../../wire/errors.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import { utf8 } from '../../wire/bytes.ts'
import { LocalCluster, root, run, until, type Ran } from '../fault/harness.ts'
import { endAll, Program } from './program.ts'

const topic = 'shared'
const partitions = 4
const scripts = join(root, 'examples/python')
let cluster: LocalCluster
let folder: string
let bootstrap: string

async function must (command: string, args: readonly string[], input = ''): Promise<string> {
  const ran = await run(command, args, { timeoutMs: 240_000, input })
  expect(ran.code, `${command} ${args.join(' ')}\n${ran.stdout}${ran.stderr}`).toBe(0)
  return ran.stdout
}

function python (args: readonly string[], input = ''): Promise<string> {
  return must(join(folder, 'bin/python'), [join(scripts, 'client.py'), ...args], input)
}

interface Read {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Record<string, string>
}

async function pythonReads (...group: string[]): Promise<Read[]> {
  const lines = (await python(['consume', bootstrap, topic, ...group])).split('\n').filter(line => line !== '')
  return lines.map(line => JSON.parse(line) as Read)
}

async function create (name: string, count: number): Promise<void> {
  const made = await cluster.millrace(['topic', 'create', name, '--partitions', String(count), '--replicas', '3'])
  expect(made.code, made.stderr).toBe(0)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-python-'))
  await must('python3', ['-m', 'venv', folder])
  await must(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r',
    join(scripts, 'requirements.txt')])
  cluster = await LocalCluster.start()
  bootstrap = cluster.env['MILLRACE_BOOTSTRAP']!
  await create(topic, partitions)
})

afterEach(endAll)

afterAll(async () => {
  await cluster.stop()
  cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})

it('writes the bytes that are pinned, and reads them', async () => {
  // The golden batch of test/wire/record-batch.test.ts.
  const golden = /const golden = '([0-9a-f]+)' \+\s+'([0-9a-f]+)'/.exec(
    readFileSync(join(root, 'test/wire/record-batch.test.ts'), 'utf8'))!.slice(1).join('')
  const program = `
import sys
sys.path.insert(0, ${JSON.stringify(scripts)})
from record_batch import Record, crc32c, decode, encode, murmur2
t = 1_700_000_000_000
data = encode([Record(b"k1", b"v1", t, [("h", b"x")]), Record(None, None, t + 5)], 7, 3, 10)
print(data.hex())
print([(r.offset, r.timestamp, r.key, r.value, r.headers) for r in decode(data)])
print(hex(crc32c(b"123456789")))
print([murmur2(key) for key in (b"", b"a", b"orders", b"customer-7")])
`
  const lines = (await must(join(folder, 'bin/python'), ['-c', program])).trim().split('\n')
  expect(lines.slice(0, 3)).toEqual([
    golden,
    "[(0, 1700000000000, b'k1', b'v1', [('h', b'x')]), (1, 1700000000005, None, None, [])]",
    '0xe3069283'
  ])
  const hashes = JSON.parse(lines[3]!) as number[]
  expect(hashes.map(hash => (hash & 0x7fffffff) % 1_000_003))
    .toEqual(['', 'a', 'orders', 'customer-7'].map(key => partitionOfKey(utf8(key), 1_000_003)))
})

it('tells apart what may pass and what will not as the table of errors does', () => {
  const fatal = /FATAL = \{([^}]*)\}/.exec(readFileSync(join(scripts, 'client.py'), 'utf8'))![1]!
  const codes = [...fatal.matchAll(/"(\w+)"/g)].map(match => match[1] as ErrorCode)
  expect(codes.length).toBeGreaterThan(5)
  expect(codes.filter(code => errorTable[code].retriable)).toEqual([])
})

it('means its own cluster, whoever has the addresses of its brokers now, until that was made again', async () => {
  const net = new GrpcNet()
  let served = 0
  const stranger = await net.listen('127.0.0.1:0', {
    unary: {
      GetMetadata: () => {
        served += 1
        return Promise.resolve({ clusterUid: 'strangers' })
      }
    }
  }, { clusters: ['ns/strangers', 'strangers'] })
  const program = `
import sys
sys.path.insert(0, ${JSON.stringify(scripts)})
from client import Cluster
cluster = Cluster(${JSON.stringify(bootstrap)})
cluster.refresh(${JSON.stringify(topic)})
uid, count = cluster.uid, len(cluster.addresses)
cluster.addresses = [${JSON.stringify(stranger.address)}]
cluster.refresh(${JSON.stringify(topic)})
print(cluster.uid == uid != "", len(cluster.addresses) == count)
cluster.uid = "of-a-cluster-that-was"
cluster.addresses = [${JSON.stringify(stranger.address)}]
try:
    cluster.refresh(${JSON.stringify(topic)})
except ConnectionError:
    print(repr(cluster.uid), cluster.addresses)
cluster.refresh(${JSON.stringify(topic)})
print(cluster.uid == uid)
`
  try {
    expect(await must(join(folder, 'bin/python'), ['-c', program])).toBe("True True\n'' []\nTrue\n")
    expect(served).toBe(0)
  } finally {
    await stranger.close(0)
    await net.close()
  }
})

it('produces what the library reads, each record once and in order, though the leader is killed', async () => {
  const lines = Array.from({ length: 3_000 }, (_, index) => `key-${index % 31}:${index}`)
  let killed = Promise.resolve<Ran | undefined>(undefined)
  const produced = await run(join(folder, 'bin/python'), [join(scripts, 'client.py'), 'produce', bootstrap, topic], {
    timeoutMs: 120_000,
    input: lines.join('\n') + '\n',
    onStart: () => { killed = killLeader() }
  })
  expect(produced.code, produced.stderr).toBe(0)
  await killed

  await using client = new Millrace({ bootstrap })
  const consumer = client.consumer()
  await consumer.assign([{ topic, partitions: 'all' }])
  const last = new Map<string, number>()
  let count = 0
  for await (const { key, value, headers, partition } of consumer) {
    const name = Buffer.from(key!).toString()
    const index = Number(Buffer.from(value!).toString())
    expect(partition).toBe(partitionOfKey(utf8(name), partitions))
    expect(index).toBe((last.get(name) ?? index % 31 - 31) + 31)
    expect(headers.map(header => [header.key, Buffer.from(header.value!).toString()])).toEqual([['by', 'python']])
    last.set(name, index)
    if (++count === lines.length) break
  }
  const ends = await consumer.endOffsets()
  expect(ends.reduce((sum, { offset }) => sum + offset, 0)).toBe(lines.length)
})

/** As soon as a record is there, so that it strikes while the rest is being sent. */
async function killLeader (): Promise<Ran> {
  return await until('a first record', 60_000, async () => {
    const described = await cluster.millrace(['topic', 'describe', topic, '--json'])
    const { partitions: rows } = JSON.parse(described.stdout) as { partitions: { leader: number }[] }
    const read = await cluster.millrace(['consume', topic, '-o', 'start', '-e', '-f', '.'])
    if (read.stdout === '') return undefined
    await killBroker(rows[0]!.leader)
    return read
  })
}

async function killBroker (id: number): Promise<void> {
  const pod = await cluster.kubectl(['get', 'pod', `events-${id}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
  process.kill(Number(pod.stdout), 'SIGKILL')
}

it('consumes what the library writes, gzip too, and resumes where its group stands', async () => {
  const before = await pythonReads('readers')
  expect(before).toHaveLength(3_000)
  await using client = new Millrace({ bootstrap })
  const values = Array.from({ length: 200 }, (_, index) => `${index} ${'é'.repeat(50)}`)
  await client.producer({ compression: 'gzip' }).sendBatch(values.map(value =>
    ({ topic, key: null, value, headers: { by: 'library' } })))
  const after = await pythonReads('readers')
  expect(after.map(({ value }) => value).sort()).toEqual([...values].sort())
  expect(after.every(({ key, headers }) => key === null && headers['by'] === 'library')).toBe(true)
  expect(await pythonReads('readers')).toEqual([])
  expect(await pythonReads()).toHaveLength(3_200)
})

interface Said {
  readonly assigned?: number[]
  readonly released?: number[]
  readonly lost?: number[]
  readonly refused?: number
  readonly partition?: number
  readonly value?: string
}

/** What it holds now, by what it said. */
function held (member: Program): Set<number> {
  const now = new Set<number>()
  for (const { assigned = [], released = [], lost = [] } of member.printed<Said>()) {
    for (const partition of assigned) now.add(partition)
    for (const partition of [...released, ...lost]) now.delete(partition)
  }
  return now
}

it('is a member of a group beside the library\'s, whoever dies or stands still', async () => {
  const name = 'team'
  await create(name, 6)
  await using client = new Millrace({ bootstrap })
  const producer = client.producer()
  let written = 0
  const write = async (): Promise<void> => {
    await producer.sendBatch(Array.from({ length: 300 }, () =>
      ({ topic: name, partition: written % 6, value: String(written++) })))
  }
  const read: string[] = []
  const lost: TopicPartition[] = []
  const consumer = client.consumer({ group: name, onLost: partitions => { lost.push(...partitions) } })
  await consumer.subscribe([name])
  const running = consumer.run(record => { read.push(Buffer.from(record.value!).toString()) })
  const start = (): Program => new Program('python/member.py', [bootstrap, name, name, '3'], join(folder, 'bin/python'))
  const members = [start(), start()] as const
  const values = (): string[] => [...read, ...members.flatMap(member => member.printed<Said>())
    .flatMap(({ value }) => value === undefined ? [] : [value])]
  const allRead = (): Promise<boolean> =>
    until(`${written} records; ${members.map(({ errors }) => errors).join('')}`, 60_000, () =>
      new Set(values()).size === written)
  const shares = (...sizes: number[]): Promise<boolean> => until(`shares of ${sizes.join()}`, 60_000, () =>
    String([consumer.assignment().length, ...members.map(member => held(member).size)]) === String(sizes))

  await shares(2, 2, 2)
  await write()
  await allRead()

  // Another coordinator: nobody loses a partition.
  const { partitions: coordinators } = await client.admin().describeTopic('__groups')
  await killBroker(coordinators[partitionOfKey(utf8(name), coordinators.length)]!.leader)
  await write()
  await allRead()
  expect([...lost, ...members.flatMap(member => member.printed<Said>()).filter(said => said.lost !== undefined)])
    .toEqual([])
  expect(new Set(values()).size).toBe(values().length)

  // One dies, one stands still for longer than its session: the library's member takes over.
  await members[1].stop('SIGKILL')
  await until('the death is noticed', 60_000, () => consumer.assignment().length + held(members[0]).size === 6)
  await write()
  await allRead()
  members[0].process.kill('SIGSTOP')
  await until('the silence is noticed', 60_000, () => consumer.assignment().length === 6)
  await write()
  await allRead()
  members[0].process.kill('SIGCONT')
  await until('it is there again', 60_000, () => consumer.assignment().length === 3 && held(members[0]).size === 3)
  await write()
  await allRead()

  // It goes with a word: what it had is the other's at once, from where it was left.
  expect(await members[0].stop(), members[0].errors).toBe(0)
  await until('all are the library\'s', 60_000, () => consumer.assignment().length === 6)
  const before = values().length
  await write()
  await allRead()
  expect(values().length).toBe(before + 300)
  await consumer.close()
  await running
  const described = await cluster.millrace(['group', 'describe', name, '--json'])
  const { partitions: places } = JSON.parse(described.stdout) as { partitions: { lag: number }[] }
  expect(places.map(({ lag }) => lag)).toEqual(Array.from({ length: 6 }, () => 0))
})

it('is refused a commit of a partition that another member has', async () => {
  const name = 'fenced'
  await create(name, 2)
  const program = `
import sys, time
sys.path.insert(0, ${JSON.stringify(scripts)})
from client import Cluster
from member import Member
def until(done, *members):
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        for each in members:
            each.turn()
one, two = (Member(Cluster(${JSON.stringify(bootstrap)}), ${JSON.stringify(name)}, "fenced", 10) for _ in range(2))
until(lambda: len(one.held) == 2 and all(each.position is not None for each in one.held.values()), one)
before = list(one.held.values())
until(lambda: len(one.held) == len(two.held) == 1 and all(each.position == 0 for each in two.held.values()), one, two)
for each in before:
    each.position = 5
one.commit(before)
print({each.partition: each.committed for each in before} == {0: 5, 1: 5}, list(two.held)[0][1])
`
  const lines = (await must(join(folder, 'bin/python'), ['-c', program])).trim().split('\n')
  const said = lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Said)
  const [isSettled, others] = lines.at(-1)!.split(' ')
  expect(isSettled).toBe('True')
  expect(said.filter(({ refused }) => refused !== undefined)).toEqual([{ refused: Number(others), offset: 5 }])
  const described = await cluster.millrace(['group', 'describe', 'fenced', '--json'])
  const { partitions: places } = JSON.parse(described.stdout) as
    { partitions: { partition: number, committed: number | null }[] }
  expect(places.filter(({ committed }) => committed === 5).map(({ partition }) => partition))
    .toEqual([1 - Number(others)])
})
