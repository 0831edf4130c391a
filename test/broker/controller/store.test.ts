import { describe, expect, test } from 'vitest'
import { Api, OfficeLost } from '../../../broker/controller/api.ts'
import { newCounters } from '../../../broker/controller/counters.ts'
import { microTime } from '../../../broker/controller/micro-time.ts'
import { TableStore } from '../../../broker/controller/store.ts'
import { tableKind } from '../../../broker/controller/table-codec.ts'
import type { Table } from '../../../broker/controller/table.ts'
import { KubeServer, kubeFaults, SimKube } from '../../sim/kube.ts'
import type { KubeFault } from '../../sim/kube.ts'
import { LogBook } from '../../sim/log.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { topic, topicId } from './make.ts'

function simulate (seed = 1) {
  const scheduler = new Scheduler(new SimRng(seed))
  const kube = new KubeServer(new SimNetwork(scheduler))
  const process = scheduler.process('b0')
  const counters = newCounters()
  const log = new LogBook().logOf(process)
  const rng = new SimRng(seed, 'store')
  const api = new Api({ kube: new SimKube(kube, process, 'b0'), clock: process.clock, rng, log, counters })
  let wanted = true
  const store = new TableStore({ cluster: 'events', api, rng, log, counters, wanted: () => wanted })
  const run = async<T> (promise: Promise<T>): Promise<T> => {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await scheduler.run(scheduler.now + 300_000, () => settled)
    if (scheduler.failure !== undefined) throw scheduler.failure
    expect(settled).toBe(true)
    return await promise
  }
  /** The next so many requests meet the fault, then none. */
  const next = (fault: KubeFault, requests = 1): void => {
    kube.conditions.faultChance = 1
    kube.conditions.faults = [fault]
    const begun = kube.counters.faults
    const watch = (): void => {
      if (kube.counters.faults - begun >= requests) kube.conditions.faultChance = 0
      else scheduler.schedule(0.1, undefined, 'watch', watch)
    }
    watch()
  }
  const put = (table: Table) => run(store.put({ ...table, writeId: store.newWriteId() }))
  const made = async (): Promise<Table> => {
    const outcome = await put({ ...store.newTable('events-0'), controllerEpoch: 1 })
    if (outcome.kind !== 'landed') throw new Error(outcome.kind)
    return outcome.table
  }
  return { scheduler, kube, store, counters, run, next, put, made, stop: () => { wanted = false } }
}

const changed = (table: Table): Table => ({
  ...table, topics: new Map([[topicId, topic()]]), rows: new Map([[topicId, []]])
})

test('what is put is what is read, under a new resourceVersion', async () => {
  const { store, run, put, made } = simulate()
  const first = await made()
  expect(first.uid).not.toBe('')
  const second = await put(changed(first))
  expect(second.kind).toBe('landed')
  const read = await run(store.read('events-0'))
  expect(read).toEqual({ ...(second as { table: Table }).table, metadata: read?.metadata })
  expect(read?.resourceVersion).not.toBe(first.resourceVersion)
  expect([...(await run(store.list())).keys()]).toEqual(['events-0'])
  expect(await run(store.read('events-9'))).toBeUndefined()
})

describe('one fault', () => {
  test.each([
    'reply lost', 'late', 'server error', 'server error after write', 'conflict', 'conflict after write'
  ] as const)(
    '%s: the write lands once, and is known to have', async fault => {
      const { store, run, put, made, next, scheduler } = simulate()
      const first = await made()
      next(fault)
      const outcome = await put(changed(first))
      expect(outcome.kind).toBe('landed')
      const now = await run(store.read('events-0'))
      expect(outcome).toMatchObject({ table: { resourceVersion: now?.resourceVersion, writeId: now?.writeId } })
      // Nothing arrives late and changes it.
      await scheduler.run(scheduler.now + 60_000)
      expect((await run(store.read('events-0')))?.resourceVersion).toBe(now?.resourceVersion)
    })

  const refusals = ['unauthorized', 'forbidden', 'throttled'] as const
  test.each(refusals)('%s: certainly not written, to be decided again after a pause', async fault => {
    const { store, run, put, made, next, scheduler } = simulate()
    const first = await made()
    next(fault)
    const began = scheduler.now
    expect(await put(changed(first))).toEqual({ kind: 'not-written' })
    expect(scheduler.now - began).toBeGreaterThan(5)
    expect((await run(store.read('events-0')))?.writeId).toBe(first.writeId)
  })

  test.each(kubeFaults)('%s while creating: one table, whoever answers what', async fault => {
    const { store, run, put, next } = simulate()
    next(fault)
    const wish = { ...store.newTable('events-0'), controllerEpoch: 1 }
    let outcome = await put(wish)
    if (outcome.kind === 'not-written') outcome = await put(wish)
    expect(outcome.kind).toBe('landed')
    expect((await run(store.read('events-0')))?.writeId).toBe((outcome as { table: Table }).table.writeId)
  })
})

test('refused over and over, the pauses grow from write to write of the table, until one lands', async () => {
  const { kube, store, put, made, scheduler } = simulate()
  const first = await made()
  const other = await put({ ...store.newTable('events-1'), controllerEpoch: 1 })
  const refuse = (faultChance: number): void => {
    Object.assign(kube.conditions, { faultChance, faults: ['unauthorized'] })
  }
  const triesOf = async (table: Table, ms: number): Promise<number> => {
    let tries = 0
    for (const endMs = scheduler.now + ms; scheduler.now < endMs; tries++) {
      expect(await put(changed(table))).toEqual({ kind: 'not-written' })
    }
    return tries
  }
  refuse(1)
  await triesOf(first, 10_000)
  expect(await triesOf(first, 60_000)).toBeLessThan(125)
  // Another table has its own.
  const began = scheduler.now
  await put(changed((other as { table: Table }).table))
  expect(scheduler.now - began).toBeLessThan(100)
  refuse(0)
  const landed = await put(changed(first))
  refuse(1)
  const again = scheduler.now
  await put((landed as { table: Table }).table)
  expect(scheduler.now - again).toBeLessThan(100)
})

test('somebody else wrote: the answer is what is there now', async () => {
  const { store, run, put, made } = simulate()
  const first = await made()
  const other = await put({ ...first, controllerEpoch: 2 })
  const outcome = await put(changed(first))
  expect(outcome).toMatchObject({
    kind: 'changed', found: { controllerEpoch: 2, resourceVersion: (other as { table: Table }).table.resourceVersion }
  })
  expect((await run(store.read('events-0')))?.topics.size).toBe(0)
})

test('deleted, or deleted and made again: never taken for the same table', async () => {
  const { kube, store, run, put, made } = simulate()
  const first = await made()
  kube.store.erase(tableKind, 'events-0', 'kubectl')
  expect(await put(changed(first))).toEqual({ kind: 'changed', found: undefined })
  const again = await made()
  expect(again.uid).not.toBe(first.uid)
  expect(await put(changed(first))).toMatchObject({ kind: 'changed', found: { uid: again.uid } })
  expect((await run(store.read('events-0')))?.topics.size).toBe(0)
})

test('an outage is waited out, one that nobody waits for any more is not', async () => {
  const { kube, put, made, run, store, stop, scheduler, counters } = simulate()
  const first = await made()
  kube.conditions.state = 'silent'
  scheduler.schedule(40_000, undefined, 'up', () => { kube.conditions.state = 'up' })
  expect((await put(changed(first))).kind).toBe('landed')
  expect(counters.apiErrors).toBeGreaterThan(3)
  kube.conditions.state = 'silent'
  scheduler.schedule(20_000, undefined, 'stop', stop)
  await expect(run(store.read('events-0'))).rejects.toThrow(OfficeLost)
})

test('MicroTime has six digits of a second', () => {
  expect(microTime(0)).toBe('1970-01-01T00:00:00.000000Z')
  expect(microTime(Date.UTC(2024, 1, 29, 23, 59, 58, 7))).toBe('2024-02-29T23:59:58.007000Z')
  for (let day = 0; day < 60_000; day += 17) {
    const at = day * 86_400_000 + (day * 7_919_000) % 86_400_000
    expect(microTime(at)).toBe(new Date(at).toISOString().replace('Z', '000Z'))
  }
})
