// A consumer group on real processes: a member is killed, then the broker that coordinates it. Nothing is
// skipped, what is repeated is bounded by the commit interval, and a new coordinator moves no partition.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { utf8 } from '../../wire/bytes.ts'
import { partitionOfKey } from '../../wire/murmur2.ts'
import { ended, LocalCluster, root, until } from './harness.ts'

const group = 'audit'
const perSecond = 200

let cluster: LocalCluster

beforeAll(async () => {
  cluster = await LocalCluster.start()
  const made = await cluster.millrace(['topic', 'create', 'load', '--partitions', '6', '--replicas', '3'])
  expect(made.code, made.stderr).toBe(0)
})

afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

interface Got { readonly partition: number, readonly value: string, readonly atMs: number }

class Member {
  readonly process: ChildProcess
  readonly got: Got[] = []
  readonly ended: Promise<number | null>
  errors = ''
  #partial = ''

  constructor () {
    this.process = spawn(join(root, 'bin/millrace'), ['consume', 'load', '-g', group, '-f', '%p %v\\n'],
      { cwd: root, env: { ...process.env, ...cluster.env } })
    this.ended = ended(this.process)
    this.process.stderr!.on('data', (data: Buffer) => { this.errors += data.toString() })
    this.process.stdout!.on('data', (data: Buffer) => {
      const lines = (this.#partial + data.toString()).split('\n')
      this.#partial = lines.pop()!
      for (const line of lines) {
        const [partition = '', value = ''] = line.split(' ')
        this.got.push({ partition: Number(partition), value, atMs: performance.now() })
      }
    })
  }
}

interface Described {
  readonly members: { readonly memberId: string, readonly partitions: number }[]
  readonly partitions: { readonly partition: number, readonly member: string, readonly lag: number | null }[]
}

async function described (): Promise<Described | undefined> {
  const ran = await cluster.millrace(['group', 'describe', group, '--json'])
  return ran.code === 0 ? JSON.parse(ran.stdout) as Described : undefined
}

const holders = ({ partitions }: Described): string => partitions.map(({ partition, member }) =>
  `${partition} ${member}`).join()

async function pidOfCoordinator (): Promise<number> {
  const ran = await cluster.millrace(['topic', 'describe', '__groups', '--json'])
  const { partitions } = JSON.parse(ran.stdout) as { partitions: { partition: number, leader: number }[] }
  const index = partitionOfKey(utf8(group), partitions.length)
  const { leader } = partitions.find(({ partition }) => partition === index)!
  const pid = await cluster.kubectl(['get', 'pod', `events-${leader}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
  return Number(pid.stdout)
}

it('skips nothing and repeats little when a member and the coordinator are killed', async () => {
  const members = [new Member(), new Member(), new Member()]
  const producer = spawn(join(root, 'bin/millrace'), ['produce', 'load', '-k', ':'],
    { cwd: root, env: { ...process.env, ...cluster.env } })
  let sent = 0
  const timer = setInterval(() => {
    for (let index = 0; index < perSecond / 20; index++) producer.stdin.write(`k${sent % 97}:${sent++}\n`)
  }, 50)
  const all = (): Got[] => members.flatMap(({ got }) => got)
  await until('two partitions each', 60_000, async () => {
    const found = await described()
    return found?.members.length === 3 && found.members.every(({ partitions }) => partitions === 2) &&
      members.every(({ got }) => got.length > 0)
  })

  // A member dies: its partitions are read on by the others, from its last commit.
  const [victim, ...others] = members
  const lost = new Set(victim!.got.slice(-50).map(({ partition }) => partition))
  const killedAtMs = performance.now()
  victim!.process.kill('SIGKILL')
  const gaps = await until('the dead member\'s partitions are read on', 30_000, () => {
    const firsts = [...lost].map(partition => others.flatMap(({ got }) => got)
      .find(each => each.partition === partition && each.atMs > killedAtMs + 1_000)?.atMs)
    return firsts.every(atMs => atMs !== undefined) && firsts.map(atMs => Math.round(atMs - killedAtMs))
  })

  // The coordinator dies: its members find the next one, and keep what they have.
  const before = holders((await until('two members', 20_000, async () => {
    const found = await described()
    return found?.members.length === 2 && found.members.every(({ partitions }) => partitions === 3) && found
  })))
  process.kill(await pidOfCoordinator(), 'SIGKILL')
  const failedAtMs = performance.now()
  const after = await until('another coordinator', 30_000, described)
  const answeredMs = Math.round(performance.now() - failedAtMs)
  await new Promise(resolve => { setTimeout(resolve, 3_000) })
  expect([holders(after), holders((await described())!)]).toEqual([before, before])

  clearInterval(timer)
  producer.stdin.end()
  expect(await ended(producer)).toBe(0)
  await until('every record', 60_000, () => new Set(all().map(({ value }) => value)).size === sent)
  const repeats = all().length - sent
  for (const { process } of others) process.kill('SIGTERM')
  expect(await Promise.all(others.map(each => each.ended)), others.map(({ errors }) => errors).join('')).toEqual([0, 0])
  console.info(`a dead member's partitions went on after ${gaps.join(' and ')} ms; another coordinator answered ` +
    `after ${answeredMs} ms; ${repeats} of ${sent} records came twice`)
  // What the dead member had printed since its last commit: a second's worth, and what a slow machine adds.
  expect(repeats).toBeLessThanOrEqual(3 * perSecond)
}, 300_000)
