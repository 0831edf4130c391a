import { describe, expect, it } from 'vitest'
import { Bench, batch, readAll, topicId } from './support.ts'

const replica = { topic: 'orders', topicId, partition: 3, replicaGen: 1 }

describe('a volume', () => {
  it('is made on an empty disk, and knows itself again', async () => {
    const bench = new Bench()
    const first = await bench.open()
    expect(first.meta).toMatchObject({ clusterUid: 'cluster-a', brokerId: 0, bootCount: 1 })
    expect(first.replicas()).toEqual([])
    await bench.close()
    const second = await bench.open()
    expect(second.meta).toEqual({ ...first.meta, bootCount: 2 })
    expect(bench.notes).toEqual([])
  })

  it('has what was durable after power was lost, from the journal', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    const ends: number[] = []
    log.onDurable = end => ends.push(end)
    log.beginEpoch(4)
    log.append(batch({ base: 0, epoch: 4, values: ['a', 'b'] }))
    log.append(batch({ base: 2, epoch: 5, values: ['c'] }))
    log.setHighWatermark(2)
    expect([log.logEnd, log.durableEnd]).toEqual([3, 0])
    await bench.durable()
    expect(ends).toEqual([3])
    bench.powerLoss()
    const again = (await bench.open()).get(topicId, 3)!
    expect(again).toMatchObject({
      topic: 'orders', topicId, partition: 3, replicaGen: 1, logStart: 0, logEnd: 3, durableEnd: 3,
      highWatermark: 2, leaderEpochSeen: 5, damaged: '',
      epochs: [{ epoch: 4, startOffset: 0 }, { epoch: 5, startOffset: 2 }]
    })
    expect(await readAll(bench, again)).toEqual(['0:a', '1:b', '2:c'])
    expect(bench.notes).toEqual([])
  })

  it('reads from segments after a clean end, and goes on there', async () => {
    const bench = new Bench()
    const log = (await bench.open()).create(replica)
    const all: string[] = []
    const write = (target: typeof log, count: number): void => {
      for (let i = 0; i < count; i++) {
        const value = `${target.logEnd}-${'x'.repeat(300)}`
        all.push(`${target.logEnd}:${value}`)
        target.append(batch({ base: target.logEnd, values: [value] }))
      }
    }
    write(log, 500)
    await bench.close()
    const again = (await bench.open()).get(topicId, 3)!
    expect(again.logEnd).toBe(500)
    expect(again.readTail(0, 500, 1000)).toBeUndefined()
    expect(await readAll(bench, again)).toEqual(all)
    write(again, 500)
    await bench.durable()
    expect(await readAll(bench, again)).toEqual(all)
    bench.powerLoss()
    const third = (await bench.open()).get(topicId, 3)!
    expect(await readAll(bench, third)).toEqual(all)
    expect(bench.volume.counters.segments).toBe(1)
    expect(bench.failures).toEqual([])
  })
})
