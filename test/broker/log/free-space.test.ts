import { describe, expect, it } from 'vitest'
import { Bench, batch, readAll, small, topicId } from './support.ts'

const replica = { topic: 'orders', topicId, partition: 3, replicaGen: 1 }

describe('a volume', () => {
  it('for want of space refuses appends, and goes on when there is space again', async () => {
    const bench = new Bench(1, { ...small, reserveBytes: 300_000, writeBehindBytes: 1000 }, { capacity: 900_000 })
    const volume = await bench.open()
    const log = volume.create(replica)
    log.configure({ retentionMs: -1, retentionBytes: 50_000, segmentBytes: 20_000 })
    for (let i = 0; i < 1000 && !volume.full; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
      await bench.durable()
      await bench.wait(volume.maintain())
    }
    expect(volume.full).toBe(true)
    log.setHighWatermark(log.logEnd)
    await bench.wait(volume.maintain())
    await bench.clock.advance(1000)
    await bench.wait(volume.maintain())
    expect([volume.full, bench.failures]).toEqual([false, []])
    expect((await readAll(bench, log)).length).toBe(log.logEnd - log.logStart)
  })

  it('makes small segments while space is low, of topics with a retention, so that what is too old goes', async () => {
    const bench = new Bench(1, { ...small, lowSpaceShare: 0.5, writeBehindBytes: 1000 }, { capacity: 4_000_000 })
    const volume = await bench.open()
    const logs = [volume.create(replica), volume.create({ ...replica, partition: 4 })]
    const settings = { retentionMs: -1, segmentBytes: 320_000 }
    logs[0]!.configure({ ...settings, retentionBytes: 40_000 })
    logs[1]!.configure({ ...settings, retentionBytes: -1 })
    const write = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i++) {
        for (const log of logs) {
          log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
          log.setHighWatermark(i)
        }
        await bench.durable()
      }
      await bench.wait(volume.maintain())
    }
    await write(0, 100)
    expect([volume.low, volume.lowMs(), ...logs.map(log => log.logStart)]).toEqual([false, 0, 0, 0])
    bench.disk.setCapacity(2_000_000)
    await bench.wait(volume.maintain())
    expect([volume.low, volume.full]).toEqual([true, false])
    const since = volume.lowMs()
    await bench.clock.advance(5_000)
    await bench.wait(volume.maintain())
    expect(volume.lowMs() - since).toBeGreaterThan(4_900)
    await write(100, 150)
    const stored = logs.map(log => (log.logEnd - log.logStart) * 2000)
    // What is to be kept, and less than two small segments more.
    expect(stored[0]).toBeGreaterThanOrEqual(40_000)
    expect(stored[0]).toBeLessThan(40_000 + 2 * 320_000 / 16)
    expect(stored[1]).toBe(300_000)
  })

  it('counts what it writes between two looks at the free space', async () => {
    // Found by the simulator: the reserve was gone before the next look, and the journal found no space.
    const bench = new Bench(1, { ...small, reserveBytes: 300_000, writeBehindBytes: 1000 }, { capacity: 900_000 })
    const volume = await bench.open()
    const log = volume.create(replica)
    await bench.wait(volume.maintain())
    for (let i = 0; i < 1000 && !volume.full; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
      await bench.durable()
    }
    expect([volume.full, bench.failures]).toEqual([true, []])
    expect((await bench.wait(bench.disk.space())).freeBytes).toBeGreaterThan(100_000)
  })

  it('tells how large the disk is and what is free, also when it has grown', async () => {
    const bench = new Bench(1, small, { capacity: 900_000 })
    const volume = await bench.open()
    await bench.wait(volume.maintain())
    const { freeBytes, sizeBytes } = volume.space
    expect(sizeBytes).toBe(900_000)
    expect(freeBytes).toBeLessThan(sizeBytes)
    bench.disk.setCapacity(1_000_000)
    await bench.wait(volume.maintain())
    expect(volume.space).toEqual({ freeBytes: freeBytes + 100_000, sizeBytes: 1_000_000 })
  })

  it('knows from the beginning that a disk is full', async () => {
    const bench = new Bench(1, { ...small, reserveBytes: 300_000 })
    await bench.open()
    await bench.close()
    bench.disk.setCapacity(300_000)
    expect((await bench.open()).full).toBe(true)
  })

  it('keeps what it has when segments find no space', async () => {
    const bench = new Bench(1, { ...small, writeBehindBytes: 1000 })
    const volume = await bench.open()
    const log = volume.create(replica)
    bench.disk.fail('write', 'no-space', { path: 'topics', forever: true })
    for (let i = 0; i < 20; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
      await bench.durable()
    }
    expect([volume.full, log.durableEnd, bench.failures]).toEqual([true, 20, []])
    bench.disk.heal()
    await bench.wait(volume.maintain())
    expect(volume.full).toBe(false)
    await bench.close()
    expect(await readAll(bench, (await bench.open()).get(topicId, 3)!)).toHaveLength(20)
  })

  it('asks for space, not for another volume, when there is none to open it', async () => {
    const bench = new Bench(1, small)
    await bench.open()
    await bench.close()
    bench.disk.fail('write', 'no-space', { forever: true })
    await expect(bench.open()).rejects.toMatchObject({ code: 'DISK_FULL' })
    bench.disk.heal()
    expect((await bench.open()).full).toBe(false)
  })

  it('makes the folder of a replica once there is space for it', async () => {
    // Found by a full file system: the segment was taken for made, and its folder was missing.
    const bench = new Bench(1, { ...small, writeBehindBytes: 1000 })
    const volume = await bench.open()
    const log = volume.create(replica)
    bench.disk.fail('name', 'no-space', { path: 'topics', forever: true })
    for (let i = 0; i < 20; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
      await bench.durable()
    }
    expect([volume.full, bench.failures]).toEqual([true, []])
    bench.disk.heal()
    await bench.wait(volume.maintain())
    for (let i = 20; i < 30; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(2000)] }))
      await bench.durable()
    }
    expect([volume.full, bench.failures]).toEqual([false, []])
    await bench.close()
    expect(await readAll(bench, (await bench.open()).get(topicId, 3)!)).toHaveLength(30)
  })
})
