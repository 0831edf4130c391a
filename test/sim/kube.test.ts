import { expect, test } from 'vitest'
import { KubeError } from '../../broker/io/ports.ts'
import type { KubeErrorKind, KubeObject } from '../../broker/io/ports.ts'
import { KubeServer, SimKube } from './kube.ts'
import type { KubeFault } from './kube.ts'
import { SimNetwork } from './network.ts'
import { SimRng } from './rng.ts'
import { Scheduler } from './scheduler.ts'

const kind = { apiVersion: 'millrace.dev/v1alpha1', plural: 'partitiontables' }

function table (name: string, metadata: object = {}, rows: string[] = []): KubeObject {
  return { apiVersion: kind.apiVersion, kind: 'PartitionTable', metadata: { name, ...metadata }, rows }
}

function simulate () {
  const scheduler = new Scheduler(new SimRng(3))
  const server = new KubeServer(new SimNetwork(scheduler))
  const process = scheduler.process('b0')
  const kube = new SimKube(server, process, 'b0')
  const run = async<T> (promise: Promise<T>): Promise<T> => {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await scheduler.run(scheduler.now + 60_000, () => settled)
    if (scheduler.failure !== undefined) throw scheduler.failure
    return await promise
  }
  const failing = async (promise: Promise<unknown>): Promise<[KubeErrorKind, number]> => {
    const error = await run(promise.then(() => undefined, (reason: unknown) => reason))
    if (!(error instanceof KubeError)) throw new Error(`no KubeError but ${String(error)}`)
    return [error.kind, error.status]
  }
  const only = (fault: KubeFault): void => {
    server.conditions.faultChance = 1
    server.conditions.faults = [fault]
  }
  return { scheduler, server, process, kube, run, failing, only }
}

test('compares and swaps', async () => {
  const { kube, run, failing } = simulate()
  const first = await run(kube.create(kind, table('t', { labels: { a: '1' } })))
  expect(await failing(kube.create(kind, table('t')))).toEqual(['exists', 409])
  const second = await run(kube.replace(kind, { ...first, rows: ['x'] }))
  expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion))
  expect(second.metadata.uid).toBe(first.metadata.uid)
  expect(await failing(kube.replace(kind, { ...first, rows: ['y'] }))).toEqual(['conflict', 409])
  const other = table('t', { resourceVersion: second.metadata.resourceVersion, uid: 'other' })
  expect(await failing(kube.replace(kind, other))).toEqual(['conflict', 409])
  expect(await failing(kube.replace(kind, table('none', { resourceVersion: '1' })))).toEqual(['not-found', 404])
  expect(await failing(kube.replace(kind, table('t')))).toEqual(['invalid', 422])
  expect((await run(kube.get(kind, 't')))?.['rows']).toEqual(['x'])
  expect((await run(kube.list(kind, { a: '1' }))).map((object) => object.metadata.name)).toEqual(['t'])
  expect(await run(kube.list(kind, { a: '2' }))).toEqual([])
  const uid = second.metadata.uid!
  expect(await failing(kube.remove(kind, 't', { uid, resourceVersion: first.metadata.resourceVersion! })))
    .toEqual(['conflict', 409])
  await run(kube.remove(kind, 't', { uid, resourceVersion: second.metadata.resourceVersion! }))
  await run(kube.remove(kind, 't', { uid, resourceVersion: second.metadata.resourceVersion! }))
  expect(await run(kube.get(kind, 't'))).toBeUndefined()
})

test.each<[KubeFault, KubeErrorKind, number, boolean]>([
  ['unauthorized', 'refused', 401, false],
  ['forbidden', 'refused', 403, false],
  ['conflict', 'exists', 409, false],
  ['conflict after write', 'exists', 409, true],
  ['throttled', 'unavailable', 429, false],
  ['server error', 'unknown', 500, false],
  ['server error after write', 'unknown', 500, true],
  ['reply lost', 'unknown', 0, true]
])('%s: %s %i, written: %s', async (fault, errorKind, status, written) => {
  const { server, kube, failing, only } = simulate()
  only(fault)
  expect(await failing(kube.create(kind, table('t')))).toEqual([errorKind, status])
  expect(server.store.get(kind, 't') !== undefined).toBe(written)
})

test('a request may be carried out long after its sender gave up, and after it died', async () => {
  const { server, kube, failing, only, scheduler, process } = simulate()
  only('late')
  for (let i = 0; i < 20; i++) {
    await failing(kube.create(kind, table(`t${i}`)).then((o) => { throw new KubeError('unknown', 0, o.kind) }))
  }
  process.kill()
  await scheduler.run(scheduler.now + 60_000)
  expect(server.store.list(kind, {})).toHaveLength(20)
  expect(server.counters.lateWrites).toBe(20)
})

test('down refuses at once, silent and cut off time out', async () => {
  const { server, kube, failing, scheduler } = simulate()
  server.conditions.state = 'down'
  expect(await failing(kube.get(kind, 't'))).toEqual(['unavailable', 0])
  expect(scheduler.now).toBeLessThan(1_000)
  server.conditions.state = 'silent'
  expect(await failing(kube.create(kind, table('t')))).toEqual(['unknown', 0])
  server.conditions.state = 'up'
  server.network.cut('b0', 'kube')
  expect(await failing(kube.create(kind, table('u')))).toEqual(['unknown', 0])
  server.network.heal('b0', 'kube')
  await scheduler.run(scheduler.now + 10_000)
  expect(server.store.list(kind, {}).map((object) => object.metadata.name)).toEqual(['u'])
})

test('a backup that is restored takes resourceVersions back', async () => {
  const { server, kube, run } = simulate()
  const old = await run(kube.create(kind, table('t')))
  const backup = server.store.backup()
  await run(kube.replace(kind, { ...old, rows: ['x'] }))
  server.store.restore(backup)
  expect(await run(kube.get(kind, 't'))).toEqual(old)
})
