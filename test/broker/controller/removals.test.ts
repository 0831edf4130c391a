import { describe, expect, test } from 'vitest'
import type { BrokerSession } from '../../../broker/controller/broker-session.ts'
import { Removals } from '../../../broker/controller/removals.ts'
import type { Roster } from '../../../broker/controller/roster.ts'
import type { Tables } from '../../../broker/controller/tables.ts'
import type { PartitionRow, ReplicaReport } from '../../../wire/messages.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { id, row, table, topic, topicId } from './make.ts'

/** Broker 3 holds a replica of generation 7; the stored row is of epoch 5, version 9. */
function simulate (stored: PartitionRow, report: Partial<ReplicaReport> = {}, options: {
  frozen?: boolean, unresolved?: boolean, deleting?: boolean, registered?: boolean
} = {}) {
  const { clock, run: pass } = clockOf()
  const orders: unknown[] = []
  const replica: ReplicaReport = {
    topicId, partition: 0, topic: 'orders', replicaGen: 7, row: row({ version: 8 }), logStart: 0, durableEnd: 5,
    highWatermark: 5, lastEpoch: 5, leaderEpochSeen: 5, damaged: '', removed: false, ...report
  }
  const session = {
    brokerId: 3,
    state: options.registered === false ? 'joining' : 'registered',
    replicas: new Map([[`${topicId}-0`, replica]]),
    remove: (removals: readonly unknown[]) => { orders.push(...removals) }
  } as unknown as BrokerSession
  const shelf = {
    writer: {
      table: table({
        topics: new Map([[topicId, topic({ deleting: options.deleting === true })]]),
        rows: new Map([[topicId, [stored]]])
      }),
      unresolved: options.unresolved === true
    }
  }
  const removals = new Removals({
    clock,
    roster: { sessions: () => [session], session: () => session } as unknown as Roster,
    tables: { shelfOfTopic: (name: string) => name === topicId ? shelf : undefined } as unknown as Tables,
    isFrozen: () => options.frozen === true
  })
  return { removals, orders, pass }
}

function clockOf () {
  const scheduler = new Scheduler(new SimRng(1))
  const { clock } = scheduler.process('b0')
  const run = (ms: number): Promise<void> => new Promise(resolve => {
    clock.setTimer(ms, resolve)
    void scheduler.run(scheduler.now + 2 * ms)
  })
  return { clock, run }
}

function ordered (...args: Parameters<typeof simulate>): unknown[] {
  const { removals, orders } = simulate(...args)
  removals.lookForLeft()
  return orders
}

describe('what a move has left behind', () => {
  const order = { topicId, partition: 0, replicaGen: 7 }

  test('is ordered away, one generation, when the stored row names the broker no more', () => {
    expect(ordered(row())).toEqual([order])
    expect(ordered(row(), { row: undefined })).toEqual([order])
    // It has journaled the very row that took the replica from it.
    expect(ordered(row(), { row: row() })).toEqual([order])
  })

  test('never by a row that is older than the one it knows, nor one that names it', () => {
    expect(ordered(row(), { row: row({ version: 10 }) })).toEqual([])
    expect(ordered(row(), { row: row({ leaderEpoch: 6, version: 1 }) })).toEqual([])
    expect(ordered(row({ replicas: [0, 1, 2, 3] }))).toEqual([])
    expect(ordered(row({ replicas: [0, 1, 2, 3], removing: [3] }))).toEqual([])
    expect(ordered(row({ inSync: [id(0), id(3)] }))).toEqual([])
  })

  test('never by tables that are doubted, while a write is under way, or from who has not registered', () => {
    expect(ordered(row(), {}, { frozen: true })).toEqual([])
    expect(ordered(row(), {}, { unresolved: true })).toEqual([])
    expect(ordered(row(), {}, { registered: false })).toEqual([])
    expect(ordered(row(), {}, { deleting: true })).toEqual([])
    expect(ordered(row(), { topicId: 'ffffffffffffffff' })).toEqual([])
  })

  test('again and again, with pauses, until it is reported', async () => {
    const { removals, orders, pass } = simulate(row())
    expect(removals.dataLeft(3)).toBe(1)
    for (let times = 1; times <= 3; times += 1) {
      removals.lookForLeft()
      removals.lookForLeft()
      expect(orders).toEqual(Array(times).fill(order))
      await pass(5_001)
    }
  })
})

describe('a deleted topic', () => {
  const key = `${topicId}-0`
  const order = { topicId, partition: 0, replicaGen: 0 }

  /** Brokers 0, 1 and 2 by the row; those of `reported` have said that they hold the replica. */
  function deletion (reported: readonly number[], others: readonly number[] = []) {
    const { clock, run } = clockOf()
    const orders: { brokerId: number, replicaGen: number }[] = []
    const sessions = [0, 1, 2, ...others].map(brokerId => ({
      brokerId,
      state: 'registered',
      replicas: new Map<string, { topicId: string, partition: number, replicaGen: number }>(
        [...reported, ...others].includes(brokerId) ? [[key, { topicId, partition: 0, replicaGen: 7 }]] : []),
      rid: new Map<string, boolean>(),
      remove: (removals: readonly { replicaGen: number }[]) => {
        for (const { replicaGen } of removals) orders.push({ brokerId, replicaGen })
      }
    }))
    let gone = false
    const shelf = {
      writer: {
        table: table({
          topics: new Map([[topicId, topic({ deleting: true })]]),
          rows: new Map([[topicId, [row({ leader: -1 })]]])
        }),
        kick: () => {}
      },
      desk: {
        add: (op: { done (table: unknown, error: undefined): void }) => {
          gone = true
          op.done(undefined, undefined)
        }
      }
    }
    const roster = { sessions: () => sessions, session: (id: number) => sessions.find(each => each.brokerId === id) }
    const removals = new Removals({
      clock,
      roster: roster as unknown as Roster,
      tables: { shelves: () => [shelf] } as unknown as Tables,
      isFrozen: () => false
    })
    /** Broker `id` says that it holds nothing of it. */
    const answer = (id: number): void => {
      const { replicas, rid } = roster.session(id)!
      replicas.delete(key)
      if (rid.has(key)) rid.set(key, true)
      removals.look()
    }
    removals.look()
    return { removals, orders, answer, roster, run, isGone: () => gone }
  }

  test('is there until every broker of its rows has said that it holds nothing', () => {
    const { orders, answer, isGone, roster } = deletion([0, 1])
    expect(orders).toEqual([
      { brokerId: 0, replicaGen: 7 }, { brokerId: 1, replicaGen: 7 }, { brokerId: 2, replicaGen: order.replicaGen }
    ])
    answer(0)
    answer(1)
    expect(isGone()).toBe(false)
    answer(2)
    expect(isGone()).toBe(true)
    expect(roster.sessions().map(({ rid }) => rid.size)).toEqual([0, 0, 0])
  })

  test('takes with it what a move has left on a broker that no row names', () => {
    const { orders, answer, isGone } = deletion([0, 1, 2], [5])
    expect(orders).toContainEqual({ brokerId: 5, replicaGen: 7 })
    for (const id of [0, 1, 2]) answer(id)
    expect(isGone()).toBe(false)
    answer(5)
    expect(isGone()).toBe(true)
  })

  test('waits for one that makes its replica late, and orders that one', async () => {
    const { orders, answer, isGone, removals, roster, run } = deletion([0, 1])
    answer(0)
    answer(1)
    // Its report was on its way; the order named another generation.
    roster.session(2)!.replicas.set(key, { topicId, partition: 0, replicaGen: 9 })
    removals.look()
    expect(isGone()).toBe(false)
    await run(5_001)
    removals.look()
    expect(orders.at(-1)).toEqual({ brokerId: 2, replicaGen: 9 })
    answer(2)
    expect(isGone()).toBe(true)
  })
})
