import { expect, test } from 'vitest'
import { Api } from '../../../broker/controller/api.ts'
import { newCounters } from '../../../broker/controller/counters.ts'
import { LeaseKeeper } from '../../../broker/controller/lease-keeper.ts'
import { claimLease, readLease } from '../../../broker/controller/lease.ts'
import { TableStore } from '../../../broker/controller/store.ts'
import { tableKind } from '../../../broker/controller/table-codec.ts'
import type { Table } from '../../../broker/controller/table.ts'
import type { Tables } from '../../../broker/controller/tables.ts'
import { TableWriter } from '../../../broker/controller/writer.ts'
import type { KubeObject } from '../../../broker/io/ports.ts'
import type { Self } from '../../../broker/session/contract.ts'
import { KubeServer, SimKube } from '../../sim/kube.ts'
import { LogBook } from '../../sim/log.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'

/** An office with two tables and its Lease, and what it asks of the API in one look. */
async function office () {
  const scheduler = new Scheduler(new SimRng(1))
  const kube = new KubeServer(new SimNetwork(scheduler))
  const process = scheduler.process('b0')
  const counters = newCounters()
  const log = new LogBook().logOf(process)
  const rng = new SimRng(1, 'keeper')
  const port = new SimKube(kube, process, 'b0')
  const asked: string[] = []
  const get = port.get.bind(port)
  port.get = (kind, name) => {
    asked.push(name)
    return get(kind, name)
  }
  const { clock } = process
  const api = new Api({ kube: port, clock, rng, log, counters })
  const isOpen = (): boolean => true
  const store = new TableStore({ cluster: 'events', api, rng, log, counters, wanted: isOpen })
  const run = async<T> (promise: Promise<T>): Promise<T> => {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await scheduler.run(scheduler.now + 60_000, () => settled)
    if (scheduler.failure !== undefined) throw scheduler.failure
    return await promise
  }
  const lost: string[] = []
  const make = async (name: string): Promise<TableWriter> => {
    const outcome = await run(store.put({ ...store.newTable(name), controllerEpoch: 1, writeId: store.newWriteId() }))
    const decide = () => ({ landed: () => {}, dropped: () => {} })
    return new TableWriter((outcome as { table: Table }).table, {
      clock, store, controllerEpoch: 1, decide, written: () => {}, lost: reason => { lost.push(reason) }
    })
  }
  const writers = [await make('events-0'), await make('events-1')]
  const claim = { holder: 0, epoch: 1, address: 'b0:1', wallTimeMs: 0 }
  await run(claimLease(api, 'events', await run(readLease(api, 'events')), claim, isOpen))
  const tables = { shelves: () => writers.map(writer => ({ writer })) } as unknown as Tables
  const self = { brokerId: 0, peerAddress: 'b0:1' } as unknown as Self
  const keeper = new LeaseKeeper({
    api, clock, log, self, store, tables, controllerEpoch: 1, isOpen, lost: reason => { lost.push(reason) }
  })
  /** Names of the objects that were read whole. */
  const look = async (): Promise<string[]> => {
    asked.length = 0
    await run(keeper.look())
    return [...asked]
  }
  const touch = (name: string, change: (object: KubeObject) => KubeObject): void => {
    kube.store.replace(tableKind, change(kube.store.get(tableKind, name)!), 'kubectl')
  }
  return { kube, look, lost, touch, writers }
}

test('a look at tables that nobody has touched reads none of them', async () => {
  const { look, lost } = await office()
  expect(await look()).toEqual(['events-controller'])
  expect(lost).toEqual([])
})

test('a table that was touched is read: a label is adopted, another\'s write ends the office', async () => {
  const { kube, look, lost, touch, writers } = await office()
  touch('events-1', object => ({ ...object, metadata: { ...object.metadata, annotations: { mine: 'yes' } } }))
  expect(await look()).toEqual(['events-controller', 'events-1'])
  expect(lost).toEqual([])
  expect(writers[1]!.table.resourceVersion).toBe(kube.store.get(tableKind, 'events-1')!.metadata.resourceVersion)
  expect(await look()).toEqual(['events-controller'])
  touch('events-0', object => ({ ...object, spec: { ...object.spec as object, controllerEpoch: 2 } }))
  await look()
  expect(lost).toEqual(['events-0: a newer controller has stamped it'])
})

test('a table without its label is not taken for one that is gone; one that is gone ends the office', async () => {
  const { kube, look, lost, touch } = await office()
  touch('events-1', object => ({ ...object, metadata: { ...object.metadata, labels: {} } }))
  await look()
  expect(lost).toEqual([])
  kube.store.erase(tableKind, 'events-0', 'kubectl')
  await look()
  expect(lost).toEqual(['events-0: the object was deleted'])
})
