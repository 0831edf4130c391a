// More and fewer brokers, more and fewer replicas, partitions moved by hand: with the real kubectl, on real
// processes, while a producer and a consumer run and must not notice.
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { descendants, ended, LocalCluster, root, until } from './harness.ts'

let cluster: LocalCluster

beforeAll(async () => {
  cluster = await LocalCluster.start()
  const made = await cluster.millrace(['topic', 'create', 'load', '--partitions', '12', '--replicas', '3'])
  expect(made.code, made.stderr).toBe(0)
})

afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

/** Records one after the other, and somebody who reads them, for as long as a test lasts. */
class Load {
  readonly #producer: ChildProcess
  readonly #consumer: ChildProcess
  readonly #ended: Promise<(number | null)[]>
  readonly #timer: NodeJS.Timeout
  readonly #got = new Set<string>()
  #partial = ''
  #errors = ''
  #sent = 0

  constructor (prefix: string) {
    const options = { cwd: root, env: { ...process.env, ...cluster.env } }
    const millrace = join(root, 'bin/millrace')
    this.#producer = spawn(millrace, ['produce', 'load', '-k', ':'], options)
    this.#consumer = spawn(millrace, ['consume', 'load', '-o', 'start'], options)
    for (const child of [this.#producer, this.#consumer]) {
      child.stderr!.on('data', (data: Buffer) => { this.#errors += data.toString() })
    }
    this.#consumer.stdout!.on('data', (data: Buffer) => {
      const lines = (this.#partial + data.toString()).split('\n')
      this.#partial = lines.pop()!
      for (const line of lines) if (line.startsWith(prefix)) this.#got.add(line)
    })
    this.#ended = Promise.all([ended(this.#producer), ended(this.#consumer)])
    this.#timer = setInterval(() => {
      for (let index = 0; index < 20; index++) {
        this.#producer.stdin!.write(`k${this.#sent % 97}:${prefix}${this.#sent++}\n`)
      }
    }, 10)
  }

  /** Everything that was sent was acknowledged, and everybody who reads got it; nobody said that anything is wrong. */
  async end (): Promise<void> {
    clearInterval(this.#timer)
    this.#producer.stdin!.end()
    await until(`all of ${this.#sent} records; ${this.#errors}`, 30_000, () => this.#got.size === this.#sent)
    this.#consumer.kill('SIGTERM')
    expect(await this.#ended).toEqual([0, 0])
    const said = this.#errors.split('\n').filter(line => line !== '' && !/records acknowledged/.test(line))
    expect(said).toEqual([])
    expect(this.#sent).toBeGreaterThan(100)
  }
}

let load: Load
let loads = 0
beforeEach(() => { load = new Load(`load-${++loads}-`) })
afterEach(async () => { await load.end() }, 60_000)

async function kubectl (...args: string[]): Promise<string> {
  const ran = await cluster.kubectl(args)
  expect(ran.code, ran.stderr).toBe(0)
  return ran.stdout
}

interface Shown {
  readonly phase: string
  readonly brokers: { readonly ready: number, readonly total: number }
  readonly draining?: readonly unknown[]
  readonly moves: { readonly underWay: number }
  readonly conditions: readonly { type: string, status: string, reason: string, message: string }[]
}

async function status (): Promise<Shown> {
  return JSON.parse(await kubectl('get', 'mrc', 'events', '-o', 'jsonpath={.status}')) as Shown
}

async function settledAt (brokers: number): Promise<void> {
  await until(`${brokers} brokers`, 60_000, async () => {
    const { brokers: { ready, total }, draining = [], moves, conditions } = await status()
    return ready === brokers && total === brokers && draining.length === 0 && moves.underWay === 0 &&
      conditions.find(({ type }) => type === 'Progressing')?.reason === 'Settled'
  })
}

interface Listed { readonly topic: string, readonly partition: number, readonly leader: number,
  readonly replicas: number[], readonly inSync: number[], readonly state: string }

async function partitions (topic?: string): Promise<Listed[]> {
  const names = topic === undefined ? ['--internal'] : [topic]
  const ran = await cluster.millrace(['partition', 'list', ...names, '--json'])
  expect(ran.code, ran.stderr).toBe(0)
  return ran.stdout.trimEnd().split('\n').map(line => JSON.parse(line) as Listed)
}

async function untilWhole (): Promise<Listed[]> {
  return await until('every partition whole', 30_000, async () => {
    const listed = await partitions()
    return listed.every(({ state }) => state === 'ok') && listed
  })
}

const held = (listed: readonly Listed[], broker: number): number =>
  listed.filter(({ replicas }) => replicas.includes(broker)).length

/** Nothing is evened out any more: one less than the share is left alone. */
async function untilEven (brokers: number): Promise<void> {
  await until('an even share for each', 60_000, async () => {
    const listed = await partitions()
    const share = Math.floor(listed.reduce((sum, { replicas }) => sum + replicas.length, 0) / brokers)
    return Array.from({ length: brokers }, (_, id) => held(listed, id)).every(count => count >= share - 1)
  })
}

describe('kubectl scale', () => {
  it('to one more broker gives it its share', async () => {
    await kubectl('scale', 'cluster.millrace.dev/events', '--replicas=4')
    await settledAt(4)
    // Copying begins when the cluster has been well for a while.
    await untilEven(4)
    await settledAt(4)
    const listed = await untilWhole()
    expect(listed.some(({ leader }) => leader === 3)).toBe(true)
  }, 150_000)

  it('to one fewer drains the last one first; its volume stays', async () => {
    await kubectl('scale', 'cluster.millrace.dev/events', '--replicas=3')
    await settledAt(3)
    expect((await kubectl('get', 'pods', '-o', 'name')).trim().split('\n'))
      .toEqual(['pod/events-0', 'pod/events-1', 'pod/events-2'])
    expect(await kubectl('get', 'pvc', 'data-events-3', '-o', 'jsonpath={.status.phase}')).toBe('Bound')
    expect(held(await untilWhole(), 3)).toBe(0)
    const reasons = await kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')
    for (const reason of ['ScalingUp', 'ScalingDown', 'BrokerRemoved', 'ScaledDown']) expect(reasons).toContain(reason)
  }, 100_000)

  it('below the replicas of a topic is blocked and says why, until the topic wants fewer', async () => {
    await kubectl('scale', 'cluster.millrace.dev/events', '--replicas=2')
    const message = await until('a condition that says why', 30_000, async () => {
      const { conditions } = await status()
      return conditions.find(({ reason }) => reason === 'ScaleDownBlocked')?.message
    })
    expect(message).toMatch(/spec\.brokers is 2, but topic .*load \(3 replicas\).* or spec\.brokers to 3$/)
    expect((await status()).brokers.total).toBe(3)
    for (const topic of ['load', 'orders']) {
      await kubectl('patch', 'mrt', topic, '--type=merge', '-p', '{"spec":{"replicas":2}}')
    }
    await settledAt(2)
    const listed = await untilWhole()
    expect(listed.every(({ replicas }) => replicas.length === 2)).toBe(true)
  }, 100_000)

  it('up again brings the brokers back on their old volumes, and the Topic its third replica', async () => {
    await kubectl('scale', 'cluster.millrace.dev/events', '--replicas=4')
    await settledAt(4)
    await kubectl('patch', 'mrt', 'load', '--type=merge', '-p', '{"spec":{"replicas":3}}')
    await kubectl('wait', '--for=jsonpath={.status.replicas}=3', 'mrt/load', '--timeout=30s')
    await kubectl('wait', '--for=condition=Progressing=false', 'mrt/load', '--timeout=60s')
    const listed = await untilWhole()
    expect(listed.filter(({ topic }) => topic === 'load').every(({ inSync }) => inSync.length === 3)).toBe(true)
  }, 150_000)
})

describe('millrace partition', () => {
  it('moves a partition to where it is told, with its leader', async () => {
    await untilEven(4)
    await settledAt(4)
    // Off the broker that has most: nobody is left with so little that the controller would even it out again.
    const all = await partitions()
    const most = [0, 1, 2, 3].reduce((best, id) => held(all, id) > held(all, best) ? id : best)
    const before = all.find(({ topic, replicas }) => topic === 'load' && replicas.includes(most))!
    const name = `load/${before.partition}`
    const away = [0, 1, 2, 3].find(id => !before.replicas.includes(id))!
    const wanted = [away, ...before.replicas.filter(id => id !== most)]
    const moved = await cluster.millrace(['partition', 'move', name, '--replicas', wanted.join(), '--wait'])
    expect([moved.code, moved.stderr]).toEqual([0, '% 1 partition moved\n'])
    const elected = await cluster.millrace(['partition', 'elect', name])
    expect(elected.code, elected.stderr + elected.stdout).toBe(0)
    const after = (await partitions('load')).find(({ partition }) => partition === before.partition)
    expect(after).toMatchObject({ leader: away, replicas: wanted })
    expect([...after!.inSync].sort()).toEqual([...wanted].sort())
  }, 150_000)

  it('refuses what cannot be, and recovers nothing that lives', async () => {
    const refused = await cluster.millrace(['partition', 'move', 'load/0', '--replicas', '0,1,17'])
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('no broker 17')])
    const [{ inSync }] = await partitions('load') as [Listed]
    const lost = inSync.join()
    const alive = await cluster.millrace(['partition', 'recover', 'load/0', '--lost', lost, '--accept-data-loss'])
    expect([alive.code, alive.stderr]).toEqual([1, expect.stringContaining('has a session')])
  }, 60_000)
})

function operatorPid (): number {
  const found = descendants(cluster.process.pid!).filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('operator/main.ts')
    } catch {
      return false // It ended while we looked.
    }
  })
  expect(found).toHaveLength(1)
  return found[0]!
}

describe('an operator that is killed', () => {
  it('leads again at once', async () => {
    const metricsOf = /(http:\/\/\S+\/metrics) {2}operator/.exec(cluster.said())![1]!
    const isLeading = async (): Promise<boolean> => {
      const page = await fetch(metricsOf).then(async response => await response.text()).catch(() => '')
      return page.includes('millrace_operator_leader 1')
    }
    expect(await isLeading()).toBe(true)
    const holder = await kubectl('get', 'lease', 'millrace-operator', '-o', 'jsonpath={.spec.holderIdentity}')
    const before = await kubectl('get', 'lease', 'millrace-operator', '-o', 'jsonpath={.spec.leaseTransitions}')
    process.kill(operatorPid(), 'SIGKILL')
    await until('it is gone', 10_000, async () => !await isLeading())
    await until('it leads again', 14_000, isLeading)
    expect(await kubectl('get', 'lease', 'millrace-operator', '-o', 'jsonpath={.spec.holderIdentity}')).toBe(holder)
    expect(await kubectl('get', 'lease', 'millrace-operator', '-o', 'jsonpath={.spec.leaseTransitions}')).toBe(before)
  }, 60_000)
})
