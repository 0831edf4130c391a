// A partition loses the only disk that has everything, and a person lets it go on with what is left.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LocalCluster, until } from './harness.ts'

let cluster: LocalCluster

beforeAll(async () => {
  cluster = await LocalCluster.start()
  const made = await cluster.millrace(['topic', 'create', 'two', '--partitions', '1', '--replicas', '2',
    '--min-in-sync', '1'])
  expect(made.code, made.stderr).toBe(0)
})

afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

interface Listed { readonly leader: number, readonly replicas: number[], readonly inSync: number[] }

async function partition (): Promise<Listed> {
  const ran = await cluster.millrace(['partition', 'list', 'two', '--json'])
  expect(ran.code, ran.stderr).toBe(0)
  return JSON.parse(ran.stdout) as Listed
}

async function produce (input: string): Promise<void> {
  const ran = await cluster.millrace(['produce', 'two'], { input })
  expect(ran.code, ran.stderr).toBe(0)
}

async function kubectl (...args: string[]): Promise<string> {
  const ran = await cluster.kubectl(args)
  expect(ran.code, ran.stderr).toBe(0)
  return ran.stdout
}

async function pidOf (broker: number): Promise<number> {
  return Number(await kubectl('get', 'pod', `events-${broker}`, '-o',
    'jsonpath={.metadata.annotations.millrace\\.dev/pid}'))
}

it('goes on without the records that only the lost disk had, when told so, and tells of it', async () => {
  await produce('kept\n')
  const { leader, replicas } = await partition()
  const other = replicas.find(id => id !== leader)!
  const paused = await pidOf(other)
  process.kill(paused, 'SIGSTOP')
  await until('a set without the paused broker', 20_000, async () => (await partition()).inSync.join() === `${leader}`)
  await produce('lost\n')
  await kubectl('delete', 'pvc', `data-events-${leader}`, '--wait=false')
  await kubectl('delete', 'pod', `events-${leader}`, '--grace-period=0', '--force')
  await until('a new process', 20_000, async () => {
    const shown = await cluster.kubectl(['get', 'pod', `events-${leader}`, '-o', 'jsonpath={.status.phase}'])
    return shown.stdout === 'Running' && await pidOf(leader) > 0
  })
  // Not SIGCONT: what its sockets hold by now would still be taken in.
  process.kill(paused, 'SIGKILL')

  const recover = ['partition', 'recover', 'two/0', '--lost', String(leader)]
  // Until the broker that was paused is back, the empty replica would be the best that there is.
  await until('an answer that names the broker with the record', 30_000, async () => {
    const ran = await cluster.millrace([...recover, '--dry-run'])
    return ran.code === 0 && ran.stderr.includes(`% two/0 would go on with broker ${other} alone, from offset 1\n`)
  })
  const refused = await cluster.millrace(recover)
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--accept-data-loss')])
  expect((await partition()).leader).toBe(-1)

  const done = await cluster.millrace([...recover, '--accept-data-loss'])
  expect(done.code, done.stderr).toBe(0)
  await until('both replicas in sync', 30_000, async () => (await partition()).inSync.length === 2)
  await produce('after\n')
  const consumed = await cluster.millrace(['consume', 'two', '-o', 'start', '-e'])
  expect(consumed.stdout).toBe('kept\nafter\n')
  await until('it is told of', 20_000, async () =>
    await kubectl('get', 'mrt', 'two', '-o', 'jsonpath={.status.recovered[0]}') === '0' &&
    (await kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')).includes('RecoveredWithDataLoss'))
}, 120_000)
