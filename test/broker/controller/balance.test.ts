import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planBalance } from '../../../broker/controller/balance.ts'
import { planDrains } from '../../../broker/controller/drain.ts'
import type { Scene } from '../../../broker/controller/drain.ts'
import { drainWaitsFor } from '../../../broker/controller/drain.ts'
import { targetOf } from '../../../broker/controller/moves.ts'
import { newLoad, place } from '../../../broker/controller/placement.ts'
import * as limits from '../../../broker/limits.ts'
import type { BrokerInfo, PartitionRow } from '../../../wire/messages.ts'
import { broker, facts, id, row } from './make.ts'

interface Cluster { brokers: BrokerInfo[], rows: PartitionRow[] }

/** Any placement: topics of some partitions and replicas, each wherever. */
function clusters (racks: number): fc.Arbitrary<Cluster> {
  return fc.integer({ min: 1, max: 7 }).chain(count => {
    const brokers = Array.from({ length: count }, (_, index) =>
      broker(index, { rack: racks === 0 ? '' : `zone-${index % racks}` }))
    const ids = brokers.map(one => one.brokerId)
    const topic = fc.integer({ min: 1, max: Math.min(3, count) }).chain(replicas => fc.array(
      fc.shuffledSubarray(ids, { minLength: replicas, maxLength: replicas }), { minLength: 1, maxLength: 20 }))
    return fc.array(topic, { minLength: 1, maxLength: 4 }).map(topics => ({
      brokers,
      rows: topics.flatMap((partitions, index) => partitions.map((replicas, partition) => row({
        topicId: `topic-${index}`, partition, replicas, leader: replicas[0]!, inSync: replicas.map(one => id(one))
      })))
    }))
  })
}

function held (rows: readonly PartitionRow[], brokerId: number): number {
  return rows.filter(one => one.replicas.includes(brokerId)).length
}

function share ({ brokers, rows }: Cluster): number {
  return Math.floor(rows.reduce((sum, one) => sum + one.replicas.length, 0) / brokers.length)
}

/** All moves completed. */
function carriedOut (rows: readonly PartitionRow[], plans: ReturnType<typeof planBalance>): PartitionRow[] {
  return rows.map(one => {
    const plan = plans.find(({ row: planned }) => planned === one)
    return plan === undefined ? one : { ...one, replicas: [...plan.target] }
  })
}

/** Until nothing is planned any more; answers the rows and how many moves it took. */
function settle (cluster: Cluster): { rows: PartitionRow[], moves: number } {
  let { rows } = cluster
  let moves = 0
  for (let round = 0; round < 1_000; round += 1) {
    const plans = planBalance(rows, cluster.brokers, limits.balanceMovesMax)
    if (plans.length === 0) return { rows, moves }
    expect(plans.length).toBeLessThanOrEqual(limits.balanceMovesMax)
    moves += plans.length
    rows = carriedOut(rows, plans)
  }
  throw new Error('it goes on and on')
}

describe('evening out', () => {
  test('ends with every broker at its share but for one, by as few moves as can be', () => {
    fc.assert(fc.property(clusters(0), cluster => {
      const fair = share(cluster)
      const missing = cluster.brokers
        .reduce((sum, one) => sum + Math.max(0, fair - held(cluster.rows, one.brokerId)), 0)
      const { rows, moves } = settle(cluster)
      expect(moves).toBeLessThanOrEqual(missing)
      for (const { brokerId } of cluster.brokers) {
        expect(held(rows, brokerId)).toBeGreaterThanOrEqual(Math.max(fair - 1, Math.min(fair, 1)))
      }
      for (const [index, one] of rows.entries()) {
        expect(one.replicas).toHaveLength(cluster.rows[index]!.replicas.length)
        expect(new Set(one.replicas).size).toBe(one.replicas.length)
      }
    }), { numRuns: 200 })
  })

  test('ends with racks too, and never puts replicas of a partition closer together', () => {
    const racksOf = (replicas: readonly number[], racks: number) => new Set(replicas.map(one => one % racks)).size
    fc.assert(fc.property(clusters(3), cluster => {
      const { rows } = settle(cluster)
      for (const [index, one] of rows.entries()) {
        expect(racksOf(one.replicas, 3)).toBeGreaterThanOrEqual(racksOf(cluster.rows[index]!.replicas, 3))
      }
    }), { numRuns: 200 })
  })

  test('a cluster as it was placed is left alone, and so is one without partitions', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 7 }), fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 5 }),
      (count, topics) => {
        const brokers = Array.from({ length: count }, (_, index) => broker(index))
        const all = newLoad()
        const rows = topics.flatMap((partitions, index) => {
          const own = newLoad()
          return Array.from({ length: partitions }, (_, partition) => row({
            topicId: `topic-${index}`, partition, replicas: place(brokers, Math.min(3, count), own, all, partition)
          }))
        })
        expect(settle({ brokers, rows }).moves).toBe(0)
      }))
    expect(planBalance([], [broker(0)], 10)).toEqual([])
  })

  test('a new broker gets its part of each topic, and of the leaders', () => {
    const old = [broker(0), broker(1), broker(2)]
    const all = newLoad()
    const rows = [12, 30, 1, 6].flatMap((partitions, index) => {
      const own = newLoad()
      return Array.from({ length: partitions }, (_, partition) => row({
        topicId: `topic-${index}`, partition, replicas: place(old, index === 3 ? 1 : 3, own, all, partition)
      }))
    })
    const cluster = { brokers: [...old, broker(3)], rows }
    const after = settle(cluster).rows
    const ofTopic = (index: number) => held(after.filter(one => one.topicId === `topic-${index}`), 3)
    expect([ofTopic(0), ofTopic(1)]).toEqual([9, 23])
    expect(ofTopic(3)).toBeGreaterThanOrEqual(1)
    const leads = cluster.brokers.map(({ brokerId }) => after.filter(one => one.replicas[0] === brokerId).length)
    expect(Math.max(...leads) - Math.min(...leads)).toBeLessThanOrEqual(2)
  })
})

function scene ({ brokers, rows }: Cluster, draining: number[], away: number[] = []): Scene {
  const states = Object.fromEntries(brokers.filter(one => !away.includes(one.brokerId))
    .map(one => [one.brokerId, 'live' as const]))
  return {
    rows,
    brokers: brokers.map(one => ({ ...one, draining: draining.includes(one.brokerId) })),
    facts: facts(states),
    isServing: brokerId => !away.includes(brokerId) && brokers.some(one => one.brokerId === brokerId),
    nameOf: topicId => topicId
  }
}

describe('draining', () => {
  test('empties brokers while there are enough others, a few replicas at a time, and then plans nothing', () => {
    const someIds = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 3 })
    fc.assert(fc.property(clusters(0), someIds, (cluster, draining) => {
      let { rows } = cluster
      const staying = cluster.brokers.filter(one => !draining.includes(one.brokerId)).length
      for (let round = 0; ; round += 1) {
        const plans = planDrains(scene({ ...cluster, rows }, draining))
        if (plans.length === 0) break
        expect(round).toBeLessThan(100)
        const gets = (brokerId: number) =>
          plans.filter(plan => plan.target.includes(brokerId) && !plan.row.replicas.includes(brokerId)).length
        for (const { brokerId } of cluster.brokers) expect(gets(brokerId)).toBeLessThanOrEqual(limits.movesPerBrokerMax)
        const leaving = (ids: readonly number[]) => ids.filter(one => draining.includes(one)).length
        for (const plan of plans) expect(leaving(plan.target)).toBeLessThan(leaving(plan.row.replicas))
        rows = carriedOut(rows, plans)
      }
      for (const one of rows) {
        const left = one.replicas.filter(brokerId => draining.includes(brokerId)).length
        expect(left).toBe(Math.max(0, one.replicas.length - staying))
      }
    }), { numRuns: 200 })
  })

  test('what receives already counts; a partition without a leader is left alone', () => {
    const brokers = [broker(0), broker(1), broker(2)]
    const rows = Array.from({ length: 30 }, (_, partition) => row({ partition, replicas: [0, 1] }))
    const first = planDrains(scene({ brokers, rows }, [1]))
    expect(first).toHaveLength(limits.movesPerBrokerMax)
    expect(first.every(plan => targetOf({ ...plan.row, replicas: [...plan.target] }).includes(2))).toBe(true)
    const moving = rows.map((one, index) =>
      index < 10 ? { ...one, replicas: [0, 2, 1], adding: [2], removing: [1] } : one)
    expect(planDrains(scene({ brokers, rows: moving }, [1]))).toEqual([])
    expect(planDrains(scene({ brokers, rows: rows.map(one => ({ ...one, leader: -1 })) }, [1]))).toEqual([])
    expect(planDrains(scene({ brokers, rows }, []))).toEqual([])
  })

  test('why it waits', () => {
    const brokers = [broker(0), broker(1), broker(2)]
    const rows = [row({ topicId: 'orders', replicas: [0, 1], inSync: [id(0), id(1)] })]
    expect(drainWaitsFor(1, scene({ brokers, rows }, [1]))).toBe('')
    expect(drainWaitsFor(1, scene({ brokers, rows }, [1], [2]))).toContain('away: 2')
    expect(drainWaitsFor(1, scene({ brokers, rows }, [1, 2]))).toBe('topic \'orders\' has 2 replicas, 1 broker stays')
    expect(drainWaitsFor(1, scene({ brokers, rows: [{ ...rows[0]!, leader: -1 }] }, [1]))).toContain('no leader')
    expect(drainWaitsFor(2, scene({ brokers, rows }, [2]))).toBe('')
  })
})
