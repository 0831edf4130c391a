// docs/operations/maintenance.md on real processes: a broker leaves, is stopped, and comes back.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LocalCluster, until } from './harness.ts'

let cluster: LocalCluster

beforeAll(async () => { cluster = await LocalCluster.start() })
afterAll(async () => {
  await cluster.stop('SIGKILL')
  cluster.remove()
})

async function millrace (...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.millrace(args, { timeoutMs: 90_000 })
  expect(code, stderr).toBe(0)
  return stdout + stderr
}

async function kubectl (...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args)
  expect(code, stderr).toBe(0)
  return stdout
}

async function leaders (): Promise<number[]> {
  const rows = (await millrace('partition', 'list', '--internal', '--json')).split('\n').filter(line => line !== '')
  return rows.map(row => (JSON.parse(row) as { leader: number }).leader)
}

it('a broker in maintenance leads nothing, may be stopped, and leads again when it is taken out', async () => {
  await until('every broker leads something', 60_000, async () => new Set(await leaders()).size === 3)
  expect(await millrace('broker', 'maintenance', '1', 'on', '--timeout', '60'))
    .toContain('% broker 1 is in maintenance and leads nothing: it may be stopped')
  expect(await leaders()).not.toContain(1)
  await kubectl('delete', 'pod', 'events-1')
  const produced = await cluster.millrace(['produce', 'orders'], { input: 'while it is away\n'.repeat(100) })
  expect(produced.code, produced.stderr).toBe(0)
  expect(await kubectl('get', 'mrc/events', '-o', 'jsonpath={.status.conditions[?(@.type=="Degraded")].status}'))
    .toBe('False')
  expect(await leaders()).not.toContain(1)
  await millrace('broker', 'maintenance', '1', 'off')
  await until('broker 1 leads again', 90_000, async () => (await leaders()).includes(1))
}, 240_000)
