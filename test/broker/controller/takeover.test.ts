import { describe, expect, test } from 'vitest'
import { Api, OfficeLost } from '../../../broker/controller/api.ts'
import { claimLease, readLease } from '../../../broker/controller/lease.ts'
import { TableStore } from '../../../broker/controller/store.ts'
import type { Table } from '../../../broker/controller/table.ts'
import { takeOver } from '../../../broker/controller/takeover.ts'
import type { Takeover, TakeoverOptions } from '../../../broker/controller/takeover.ts'
import { tableKind } from '../../../broker/controller/table-codec.ts'
import { newCounters } from '../../../broker/controller/counters.ts'
import { KubeServer, SimKube } from '../../sim/kube.ts'
import { LogBook } from '../../sim/log.ts'
import { SimNetwork } from '../../sim/network.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'

function simulate () {
  const scheduler = new Scheduler(new SimRng(2))
  const kube = new KubeServer(new SimNetwork(scheduler))
  const counters = newCounters()
  const candidate = (brokerId: number) => {
    const process = scheduler.process(`b${brokerId}`)
    const log = new LogBook().logOf(process)
    const rng = new SimRng(brokerId, 'store')
    const api = new Api({ kube: new SimKube(kube, process, `b${brokerId}`), clock: process.clock, rng, log, counters })
    const store = new TableStore({ cluster: 'events', api, rng, log, counters, wanted: () => true })
    const take = (changes: Partial<TakeoverOptions> = {}): Promise<Takeover> => takeOver({
      api, store, brokerId, peerAddress: `b${brokerId}:9091`, epochSeen: 0, leaseEpoch: 0, doubt: '',
      wallTimeMs: () => 0, progress: () => {}, wanted: () => true, ...changes
    })
    return { api, store, take }
  }
  const run = async<T> (promise: Promise<T>): Promise<T> => {
    let settled = false
    promise.then(() => { settled = true }, () => { settled = true })
    await scheduler.run(scheduler.now + 300_000, () => settled)
    if (scheduler.failure !== undefined) throw scheduler.failure
    return await promise
  }
  const put = async (store: TableStore, table: Table): Promise<Table> => {
    const outcome = await run(store.put({ ...table, writeId: store.newWriteId() }))
    if (outcome.kind !== 'landed') throw new Error(outcome.kind)
    return outcome.table
  }
  return { kube, candidate, run, put }
}

test('the first of all: epoch 1, an empty root, a Lease that says where', async () => {
  const { candidate, run } = simulate()
  const { api, take } = candidate(1)
  const root = { name: 'events-0', controllerEpoch: 1 }
  expect(await run(take())).toMatchObject({ controllerEpoch: 1, suspicion: '', root })
  expect(await run(readLease(api, 'events'))).toMatchObject({ holder: 1, epoch: 1, address: 'b1:9091' })
})

test('above everything that anybody has seen, and into every table', async () => {
  const { candidate, run, put } = simulate()
  const { store, take } = candidate(1)
  await put(store, { ...store.newTable('events-1'), controllerEpoch: 7 })
  await put(store, { ...store.newTable('events-2'), controllerEpoch: 3 })
  await put(store, { ...store.newTable('events-0'), controllerEpoch: 5, tables: ['events-1'] })
  const takeover = await run(take({ epochSeen: 4 }))
  expect(takeover).toMatchObject({ controllerEpoch: 8, root: { controllerEpoch: 8 }, suspicion: '' })
  expect([...takeover.tables.values()].map(table => [table.name, table.controllerEpoch])).toEqual([['events-1', 8]])
  // A table that the root does not name is nobody's.
  expect((await run(store.read('events-2')))?.controllerEpoch).toBe(3)
})

test('two at once: one has it, or the later epoch', async () => {
  const { candidate, run } = simulate()
  const outcomes = await run(Promise.allSettled([candidate(0).take(), candidate(1).take(), candidate(2).take()]))
  const won = outcomes.filter(outcome => outcome.status === 'fulfilled')
  expect(won).toHaveLength(1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(OfficeLost)
})

test('a Lease that is newer than the one that leads nowhere is to be tried first', async () => {
  const { candidate, run } = simulate()
  await run(candidate(0).take())
  await expect(run(candidate(1).take())).rejects.toThrow('broker 0 has taken the Lease')
  expect((await run(candidate(1).take({ leaseEpoch: 1 }))).controllerEpoch).toBe(2)
  // Its own, from its last life, is nobody's.
  expect((await run(candidate(1).take())).controllerEpoch).toBe(3)
})

test('somebody stamps between the Lease and the stamp: the higher stamp stays', async () => {
  const { kube, candidate, run, put } = simulate()
  const { store, take } = candidate(1)
  const root = await put(store, { ...store.newTable('events-0'), controllerEpoch: 5 })
  const other = candidate(2).store
  kube.store.onWrite = ({ plural }) => {
    if (plural !== 'leases') return
    kube.store.onWrite = undefined
    kube.store.replace(tableKind, {
      ...kube.store.get(tableKind, 'events-0')!, spec: { controllerEpoch: 9, writeId: 'theirs' }
    }, 'b2')
  }
  await expect(run(take())).rejects.toThrow('bears the stamp 9')
  expect(await run(other.read('events-0'))).toMatchObject({ controllerEpoch: 9, writeId: 'theirs', uid: root.uid })
})

test('a late write of the last controller comes between: it is part of what is stamped', async () => {
  const { kube, candidate, run, put } = simulate()
  const { store, take } = candidate(1)
  await put(store, { ...store.newTable('events-0'), controllerEpoch: 5 })
  kube.store.onWrite = ({ plural }) => {
    if (plural !== 'leases') return
    kube.store.onWrite = undefined
    const brokers = [{ id: 3, volumeId: 'v', epoch: 1, incarnation: 'i' }]
    const spec = { controllerEpoch: 5, writeId: 'late', brokers }
    kube.store.replace(tableKind, { ...kube.store.get(tableKind, 'events-0')!, spec }, 'b2')
  }
  const { root } = await run(take())
  expect(root).toMatchObject({ controllerEpoch: 6 })
  expect([...root.brokers.keys()]).toEqual([3])
})

describe('tables that may be too old are doubted, and say so', () => {
  test('brokers have seen a higher epoch than the root bears', async () => {
    const { candidate, run, put } = simulate()
    const { store, take } = candidate(1)
    await put(store, { ...store.newTable('events-0'), controllerEpoch: 5 })
    const takeover = await run(take({ epochSeen: 6 }))
    expect(takeover.controllerEpoch).toBe(7)
    expect(takeover.suspicion).toBe('the tables bear controller epoch 5, brokers have seen 6')
    // The next one sees the mark, though the stamps are right now.
    expect((await run(candidate(2).take({ epochSeen: 7, leaseEpoch: 7 }))).suspicion).toBe(takeover.suspicion)
  })

  test('the Lease says that there was a controller, and there is no root', async () => {
    const { kube, candidate, run } = simulate()
    await run(candidate(1).take())
    kube.store.erase(tableKind, 'events-0', 'kubectl')
    expect((await run(candidate(1).take())).suspicion).toBe('there are no tables, but there was a controller')
  })

  test('the root is gone, other tables are not', async () => {
    const { candidate, run, put } = simulate()
    const { store, take } = candidate(1)
    await put(store, { ...store.newTable('events-1'), controllerEpoch: 5 })
    expect((await run(take())).suspicion).toBe('the root table is missing, others are there')
  })

  test('a table that the root names is gone: made again empty, after the mark', async () => {
    const { candidate, run, put } = simulate()
    const { store, take } = candidate(1)
    await put(store, { ...store.newTable('events-0'), controllerEpoch: 5, tables: ['events-1', 'events-2'] })
    await put(store, { ...store.newTable('events-1'), controllerEpoch: 5 })
    const takeover = await run(take())
    expect(takeover.suspicion).toBe('tables are missing: events-2')
    expect(takeover.root.metadata.annotations).toEqual({ 'millrace.dev/restoring': 'tables are missing: events-2' })
    expect([...takeover.tables.keys()].sort()).toEqual(['events-1', 'events-2'])
    expect((await run(candidate(2).take({ leaseEpoch: 6 }))).suspicion).toBe(takeover.suspicion)
  })

  test('the last controller found them changed by somebody else', async () => {
    const { candidate, run } = simulate()
    expect((await run(candidate(1).take({ doubt: 'changed' }))).suspicion).toBe('changed')
  })
})

test('the Lease is kept as people have it, times have six digits', async () => {
  const { kube, candidate, run } = simulate()
  const { api } = candidate(1)
  const kind = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' }
  const claim = { holder: 1, epoch: 4, address: 'b1:9091', wallTimeMs: 1_000 }
  expect(await run(claimLease(api, 'events', await run(readLease(api, 'events')), claim, () => true))).toBe(true)
  const lease = kube.store.get(kind, 'events-controller')!
  expect(lease['spec']).toEqual({
    holderIdentity: '1',
    acquireTime: '1970-01-01T00:00:01.000000Z',
    renewTime: '1970-01-01T00:00:01.000000Z',
    leaseTransitions: 1
  })
  const labels = { ...lease.metadata.labels, mine: 'yes' }
  kube.store.replace(kind, { ...lease, metadata: { ...lease.metadata, labels } }, 'kubectl')
  const seen = await run(readLease(api, 'events'))
  expect(await run(claimLease(api, 'events', seen, { ...claim, holder: -1, address: '' }, () => true))).toBe(true)
  expect(kube.store.get(kind, 'events-controller')).toMatchObject({
    metadata: { labels: { mine: 'yes', 'millrace.dev/cluster': 'events' } },
    spec: { holderIdentity: '', leaseTransitions: 2 }
  })
  // Somebody else was first.
  expect(await run(claimLease(api, 'events', seen, claim, () => true))).toBe(false)
})
