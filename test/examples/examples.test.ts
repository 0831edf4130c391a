// The examples on a cluster of real processes: each does what its first lines promise, whatever is killed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Millrace, serdes } from '../../client/index.ts'
import type { Order } from '../../examples/order.ts'
import { freePort, LocalCluster, until } from '../fault/harness.ts'
import { endAll, Program } from './program.ts'

const partitions = 6
let cluster: LocalCluster
let folder: string
let bootstrap: string

async function create (topic: string): Promise<void> {
  const made = await cluster.millrace(['topic', 'create', topic, '--partitions', String(partitions), '--replicas', '3'])
  expect(made.code, made.stderr).toBe(0)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-examples-'))
  cluster = await LocalCluster.start()
  bootstrap = cluster.env['MILLRACE_BOOTSTRAP']!
  await create('orders.dead')
})

// Every example writes or reads the topic orders: each test has a new one.
beforeEach(async () => {
  await cluster.millrace(['topic', 'delete', 'orders', '--records', '--yes'])
  await create('orders')
})

afterEach(endAll)

afterAll(async () => {
  await cluster.stop()
  cluster.remove()
  rmSync(folder, { recursive: true, force: true })
})

const orderNumber = (index: number): Order =>
  ({ id: `order-${index}`, customer: `customer-${index % 17}`, item: 'coffee', cents: 100 + index })

async function produceOrders (from: number, to: number): Promise<void> {
  await using client = new Millrace({ bootstrap })
  const producer = client.producer({ key: serdes.string, value: serdes.json<Order>() })
  const orders = Array.from({ length: to - from }, (_, index) => orderNumber(from + index))
  await producer.sendBatch(orders.map(value => ({ topic: 'orders', key: value.customer, value })))
}

/** Everything in the topic, by id. */
async function idsInTopic (): Promise<string[]> {
  const read = await cluster.millrace(['consume', 'orders', '-o', 'start', '-e', '-f', '%v\\n'])
  expect(read.code, read.stderr).toBe(0)
  return read.stdout.split('\n').filter(line => line !== '').map(line => (JSON.parse(line) as Order).id).sort()
}

async function killLeaderOf (partition: number): Promise<void> {
  const described = await cluster.millrace(['topic', 'describe', 'orders', '--json'])
  const rows = (JSON.parse(described.stdout) as { partitions: { partition: number, leader: number }[] }).partitions
  const { leader } = rows.find(row => row.partition === partition)!
  const pod = await cluster.kubectl(['get', 'pod', `events-${leader}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}'])
  process.kill(Number(pod.stdout), 'SIGKILL')
}

it('orders.ts reads what it wrote', async () => {
  const program = new Program('orders.ts', [bootstrap])
  expect(await program.ended, program.errors).toBe(0)
  expect(program.lines.filter(line => line.startsWith('sent')).map(line => line.replace('sent     ', '')))
    .toEqual(program.lines.filter(line => line.startsWith('received')).map(line => line.replace('received ', '')))
  expect(program.lines).toHaveLength(6)
})

it('web-server.ts loses no order that it said 201 to, though a broker is killed and it is told to stop', async () => {
  const port = await freePort()
  const server = new Program('web-server.ts', [bootstrap, String(port)])
  await server.says('taking orders')
  const post = (body: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body })
  expect((await post('{"id": 1}')).status).toBe(400)
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404)

  const taken: string[] = []
  let next = 0
  let isOver = false
  const customer = async (): Promise<void> => {
    while (!isOver) {
      const order = orderNumber(next++)
      const status = await post(JSON.stringify(order)).then(response => response.status, () => undefined)
      if (status === 201) taken.push(order.id)
    }
  }
  const customers = Promise.all(Array.from({ length: 8 }, customer))
  await until('200 orders', 30_000, () => taken.length >= 200)
  await killLeaderOf(0)
  const before = taken.length
  await until('200 more', 60_000, () => taken.length >= before + 200)
  expect(await server.stop(), server.errors).toBe(0)
  isOver = true
  await customers
  expect(server.lines.at(-1)).toBe('closed, lost []')
  const found = await idsInTopic()
  expect(taken.filter(id => !found.includes(id))).toEqual([])
  expect(new Set(found).size).toBe(found.length)
})

it('worker.ts handles every order when one of two is killed; what is no order goes to orders.dead', async () => {
  const workers = [new Program('worker.ts', [bootstrap]), new Program('worker.ts', [bootstrap])] as const
  await Promise.all(workers.map(worker => worker.says('waiting for orders')))
  await produceOrders(0, 500)
  {
    await using client = new Millrace({ bootstrap })
    await client.producer().send({ topic: 'orders', key: 'customer-3', value: 'no order' })
  }
  const handled = (): (Order & { partition: number, offset: number })[] => workers.flatMap(each => each.printed())
  await until('both work', 60_000, () => workers.every(each => each.printed().length > 0))
  await workers[0].stop('SIGKILL')
  await produceOrders(500, 1_000)
  await until('every order', 60_000, () => new Set(handled().map(({ id }) => id)).size === 1_000)
  expect(await workers[1].stop(), workers[1].errors).toBe(0)

  // In one worker, orders of one customer come in their order.
  for (const worker of workers) {
    const last = new Map<string, number>()
    for (const { customer, offset } of worker.printed<Order & { offset: number }>()) {
      expect(offset).toBeGreaterThan(last.get(customer) ?? -1)
      last.set(customer, offset)
    }
  }
  const dead = await cluster.millrace(['consume', 'orders.dead', '-o', 'start', '-e', '-f', '%v\\n'])
  expect(dead.stdout.trim().split('\n')).toContain('no order')
  const group = await cluster.millrace(['group', 'describe', 'kitchen', '--json'])
  const { partitions: places } = JSON.parse(group.stdout) as { partitions: { topic: string, lag: number | null }[] }
  expect(places.filter(({ topic }) => topic === 'orders').reduce((sum, { lag }) => sum + (lag ?? 0), 0)).toBe(0)
})

it('queue-workers.ts: more workers than partitions handle every order, though some are killed', async () => {
  const pools = [new Program('queue-workers.ts', [bootstrap, '8']), new Program('queue-workers.ts', [bootstrap, '8'])]
  for (const pool of pools) await pool.says('worker 7 waits')
  await produceOrders(0, 600)
  await using client = new Millrace({ bootstrap })
  const producer = client.producer({ key: serdes.string, value: serdes.json<Order>() })
  await producer.send({ topic: 'orders', key: 'c', value: { id: 'free', customer: 'c', item: 'tea', cents: -1 } })
  await producer.send({ topic: 'orders', key: 'c', value: { id: 'heavy', customer: 'c', item: 'anvil', cents: 1 } })

  const handled = (): Set<string> =>
    new Set(pools.flatMap(pool => pool.printed<Order>().map(({ id }) => id)))
  await until('some are handled', 60_000, () => handled().size > 100)
  await pools[0]!.stop('SIGKILL')
  await until('all are handled', 60_000, () => handled().size === 600)
  const workers = new Set(pools[1]!.printed<{ worker: number }>().map(({ worker }) => worker))
  expect(workers.size).toBe(8)

  const dead = new Map<string, Record<string, string>>()
  const consumer = client.consumer({ value: serdes.string })
  await consumer.assign([{ topic: 'orders.dead', partitions: 'all', from: 'start' }])
  const signal = AbortSignal.timeout(60_000)
  for await (const { value, headers } of consumer.records({ signal })) {
    const { id = '' } = (value?.startsWith('{') === true ? JSON.parse(value) : {}) as Partial<Order>
    dead.set(id, Object.fromEntries(headers.map(each => [each.key, Buffer.from(each.value ?? []).toString()])))
    if (dead.has('free') && dead.has('heavy')) break
  }
  await consumer.close()
  expect(dead.get('free')).toMatchObject({
    'millrace.dead-letter.cause': 'rejected', 'millrace.dead-letter.reason': 'nobody pays less than nothing'
  })
  expect(dead.get('heavy')).toMatchObject({
    'millrace.dead-letter.cause': 'deliveries', 'millrace.dead-letter.deliveries': '3',
    'millrace.dead-letter.reason': 'too heavy'
  })
  expect(await pools[1]!.stop(), pools[1]!.errors).toBe(0)
}, 180_000)

it('exactly-once.ts counts every order once, though it is killed again and again and runs twice', async () => {
  const file = join(folder, 'totals.db')
  const count = 3_000
  await produceOrders(0, count)
  const counted = (program: Program): number => program.lines.filter(line => line.startsWith('counted')).length
  let sent = count
  for (let round = 0; round < 4; round++) {
    const programs = [1, 2].map(() => new Program('exactly-once.ts', [bootstrap, file]))
    await produceOrders(sent, sent += 200)
    // The 200 new ones are in every partition: at least six batches, however the two share them.
    await until('some were counted', 60_000, () => counted(programs[0]!) + counted(programs[1]!) > round)
    await Promise.all(programs.map(each => each.stop('SIGKILL')))
  }
  const last = new Program('exactly-once.ts', [bootstrap, file])
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(file, { timeout: 5_000 })
  const totals = (): { orders: number, cents: number } => database.prepare(
    'SELECT coalesce(sum(orders), 0) AS orders, coalesce(sum(cents), 0) AS cents FROM totals').get() as never
  await until('everything is counted', 120_000, () => {
    if (last.process.exitCode !== null) throw new Error(last.errors)
    return totals().orders >= sent
  })
  await last.says('counting')
  expect(await last.stop(), last.errors).toBe(0)
  expect(totals()).toEqual({ orders: sent, cents: sent * 100 + sent * (sent - 1) / 2 })
  database.close()
})
