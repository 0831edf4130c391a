// The client in Python: the protocol is open, and docs/protocol.md is enough to write a client.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Millrace } from '../../client/index.ts'
import { errorTable, type ErrorCode } from '../../wire/errors.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import { utf8 } from '../../wire/bytes.ts'
import { LocalCluster, root, run, until, type Ran } from '../fault/harness.ts'

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

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-python-'))
  await must('python3', ['-m', 'venv', folder])
  await must(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r',
    join(scripts, 'requirements.txt')])
  cluster = await LocalCluster.start()
  bootstrap = cluster.env['MILLRACE_BOOTSTRAP']!
  const made = await cluster.millrace(
    ['topic', 'create', topic, '--partitions', String(partitions), '--replicas', '3'])
  expect(made.code, made.stderr).toBe(0)
})

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
    const pod = await cluster.kubectl(['get', 'pod', `events-${rows[0]!.leader}`, '-o',
      'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
    process.kill(Number(pod.stdout), 'SIGKILL')
    return read
  })
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
