import { describe, expect, it } from 'vitest'
import { Bench, batch, readAll, small, topicId } from './support.ts'

const replica = { topic: 'orders', topicId, partition: 3, replicaGen: 1 }

describe('a volume', () => {
  it('is made on an empty disk, and knows itself again', async () => {
    const bench = new Bench()
    const first = await bench.open()
    expect(first.meta).toMatchObject({ clusterUid: 'cluster-a', brokerId: 0, bootCount: 1 })
    expect(first.replicas()).toEqual([])
    await bench.close()
    const second = await bench.open()
    expect(second.meta).toEqual({ ...first.meta, bootCount: 2, boots: second.meta.boots })
    expect(bench.notes).toEqual([])
  })

  it('remembers its openings, the last hundred of them', async () => {
    const bench = new Bench()
    const first = (await bench.open()).meta.boots
    expect(first).toEqual([{ brokerEpoch: 1, incarnation: expect.stringMatching(/^[0-9a-f]{16}$/) as string }])
    bench.powerLoss()
    const second = (await bench.open()).meta.boots
    expect(second).toEqual([{ brokerEpoch: 2, incarnation: second[0]!.incarnation }, ...first])
    expect(second[0]!.incarnation).not.toBe(first[0]!.incarnation)
    for (let boot = 3; boot <= 102; boot++) {
      await bench.close()
      await bench.open()
    }
    expect(bench.volume.meta.boots.map(({ brokerEpoch }) => brokerEpoch))
      .toEqual(Array.from({ length: 100 }, (_, i) => 102 - i))
  })

  it('gets another id when it was rolled back, for good', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const { volumeId } = volume.meta
    await bench.wait(volume.renewVolumeId())
    const renewed = volume.meta.volumeId
    expect(renewed).not.toBe(volumeId)
    bench.powerLoss()
    expect((await bench.open()).meta).toMatchObject({ volumeId: renewed, bootCount: 2 })
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

  it('has what came after a checkpoint that nothing was written during', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    for (let i = 0; i < 6; i++) {
      log.append(batch({ base: i, values: [`${i}`] }))
      await bench.durable()
      if (i % 2 === 0) continue
      await bench.clock.advance(60_000)
      await bench.wait(volume.maintain())
    }
    log.append(batch({ base: 6, values: ['6'] }))
    await bench.durable()
    bench.powerLoss()
    const again = (await bench.open()).get(topicId, 3)!
    expect((await readAll(bench, again)).length).toBe(7)
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
    expect(bench.volume.counters.segments).toBeLessThanOrEqual(2)
    expect(bench.failures).toEqual([])
  })
})

describe('opening', () => {
  it.each([
    ['another cluster', { clusterUid: 'cluster-b' }, 'WRONG_CLUSTER'],
    ['another broker', { brokerId: 1 }, 'WRONG_CLUSTER']
  ])('is refused to %s, and harms nothing', async (_, who, code) => {
    const bench = new Bench()
    ;(await bench.open()).create(replica).append(batch({ base: 0, values: ['a'] }))
    await bench.close()
    const before = bench.disk.files().map(path => Buffer.from(bench.disk.contents(path)).toString('base64'))
    await expect(bench.open(who)).rejects.toMatchObject({ code })
    expect(bench.disk.files().map(path => Buffer.from(bench.disk.contents(path)).toString('base64'))).toEqual(before)
    expect((await bench.open()).get(topicId, 3)?.logEnd).toBe(1)
  })

  it('is refused to a volume of another format', async () => {
    const bench = new Bench()
    const file = await bench.wait(bench.disk.create('meta.json'))
    await bench.wait(file.write([Buffer.from('{"format":2,"crc32c":"3b5340ab"}')], 0))
    await expect(bench.open()).rejects.toMatchObject({ code: 'VOLUME_VERSION' })
    expect(bench.disk.files()).toEqual(['meta.json'])
  })

  it.each([
    ['the name of a field', 'format', 'gormat'],
    ['the name of the checksum', 'crc32c', 'crc33c'],
    ['both', /format|crc32c/g, 'xxxxxx'],
    ['the format', '"format":1', '"format":3'],
    ['the cluster', 'cluster-a', 'cluster-c'],
    ['the broker', '"brokerId":0', '"brokerId":1']
  ])('makes a volume with another id of one whose meta.json is damaged: %s', async (_, search, replacement) => {
    const bench = new Bench()
    const volume = await bench.open()
    const before = volume.meta.volumeId
    await bench.close()
    const text = Buffer.from(bench.disk.contents('meta.json')).toString()
    const damaged = text.replace(search, replacement)
    expect(damaged).not.toBe(text)
    await bench.wait(bench.disk.remove('meta.json'))
    const file = await bench.wait(bench.disk.create('meta.json'))
    await bench.wait(file.write([Buffer.from(damaged)], 0))
    expect((await bench.open()).meta.volumeId).not.toBe(before)
  })

  it('says so when the disk cannot be read', async () => {
    const bench = new Bench()
    await bench.open()
    await bench.close()
    bench.disk.fail('read', 'io', { path: 'checkpoint' })
    await expect(bench.open()).rejects.toMatchObject({ code: 'VOLUME_FAILED' })
    await bench.open()
  })

  it('with many replicas needs few fsyncs, and no more files', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    for (let partition = 0; partition < 300; partition++) {
      volume.create({ ...replica, partition }).append(batch({ base: 0, values: ['a'] }))
    }
    await bench.close()
    const { sync } = bench.disk.operations
    expect((await bench.open()).replicas().map(log => log.logEnd)).toEqual(Array.from({ length: 300 }, () => 1))
    expect(bench.disk.operations.sync - sync).toBeLessThanOrEqual(12)
  })
})

describe('group commit', () => {
  it('makes one frame of what many logs append while one is written', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const logs = Array.from({ length: 50 }, (_, partition) => volume.create({ ...replica, partition }))
    await bench.durable()
    const before = volume.counters
    for (let i = 0; i < 10; i++) {
      for (const log of logs) log.append(batch({ base: i, values: [`${i}`] }))
      await bench.clock.step()
    }
    await bench.durable()
    expect(volume.counters.journalFrames - before.journalFrames).toBeLessThanOrEqual(6)
    expect(volume.counters.fsyncs - before.fsyncs).toBe(volume.counters.journalFrames - before.journalFrames)
    const measured = volume.syncLatency.counts.reduce((sum, each) => sum + each)
    expect(measured).toBe(volume.counters.journalFrames)
    expect(volume.syncLatency.sumMs).toBeGreaterThan(0)
    expect(logs.every(log => log.durableEnd === 10)).toBe(true)
  })

  it('calls back in the order of the calls, when all before is durable', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const [a, b] = [volume.create(replica), volume.create({ ...replica, partition: 4 })]
    const seen: string[] = []
    a.onDurable = end => seen.push(`a ${end}`)
    b.onDurable = end => seen.push(`b ${end}`)
    a.append(batch({ base: 0, values: ['1'] }))
    volume.whenDurable(() => seen.push(`first ${a.durableEnd} ${b.durableEnd}`))
    while (bench.volume.fsyncAgeMs() === 0) await bench.clock.step()
    b.append(batch({ base: 0, values: ['1'] }))
    volume.whenDurable(() => seen.push(`second ${a.durableEnd} ${b.durableEnd}`))
    expect(volume.queuedBytes).toBeGreaterThan(0)
    await bench.durable()
    expect(seen).toEqual(['a 1', 'first 1 0', 'b 1', 'second 1 1'])
    expect([volume.queuedBytes, volume.fsyncAgeMs()]).toEqual([0, 0])
    volume.whenDurable(() => seen.push('at once'))
    await bench.durable()
    expect(seen.at(-1)).toBe('at once')
  })

  it('splits what is too much for a frame, in order', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    for (let i = 0; i < 40; i++) log.append(batch({ base: i, values: ['x'.repeat(10_000)] }))
    const ends: number[] = []
    log.onDurable = end => ends.push(end)
    await bench.durable()
    expect(ends.length).toBeGreaterThan(5)
    expect(ends).toEqual([...ends].sort((x, y) => x - y))
    bench.powerLoss()
    expect((await bench.open()).get(topicId, 3)!.logEnd).toBe(40)
  })

  it('writes a mark after the last frame, with the high watermark, and then nothing', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    log.append(batch({ base: 0, values: ['a'] }))
    await bench.durable()
    log.setHighWatermark(1)
    const { journalFrames } = volume.counters
    await bench.clock.advance(1000)
    expect(volume.counters.journalFrames).toBe(journalFrames + 1)
    await bench.clock.advance(1000)
    expect(volume.counters.journalFrames).toBe(journalFrames + 1)
    bench.powerLoss()
    expect((await bench.open()).get(topicId, 3)!.highWatermark).toBe(1)
  })

  it('uses its files again: the journal does not grow with what is written', async () => {
    const bench = new Bench()
    const log = (await bench.open()).create(replica)
    const bytes = (): number => bench.disk.files().filter(path => path.startsWith('journal/'))
      .reduce((sum, path) => sum + bench.disk.contents(path).length, 0)
    let most = 0
    for (let i = 0; i < 600; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(8000)] }))
      await bench.durable()
      if (i % 20 === 0) most = Math.max(most, bytes())
    }
    expect(bench.volume.counters.journalBytes).toBeGreaterThan(4_000_000)
    expect(most).toBeLessThan(2_000_000)
    expect(bench.disk.files().some(path => path.startsWith('journal/spare-'))).toBe(true)
  })
})

describe('a volume that is closed', () => {
  it('ends, whenever its last frame makes another checkpoint due', async () => {
    for (let late = 0; late < 40; late++) {
      const bench = new Bench(1 + late, { ...small, checkpointBytes: 20_000 })
      const volume = await bench.open()
      const log = volume.create(replica)
      log.append(batch({ base: 0, values: ['x'.repeat(30_000)] }))
      await bench.durable()
      const closed = volume.close()
      await bench.clock.advance(late / 2)
      log.append(batch({ base: 1, values: ['y'.repeat(30_000)] }))
      await bench.wait(closed)
      bench.kill()
      const after = await bench.open()
      expect(after.get(replica.topicId, replica.partition)?.logEnd, `after ${late / 2} ms`).toBeGreaterThanOrEqual(1)
      await bench.close()
    }
  })
})

describe('a volume whose disk fails', () => {
  it.each([
    ['write', 'journal'], ['sync', 'journal'], ['write', 'topics'], ['sync', 'topics'], ['sync', 'checkpoint']
  ] as const)(
    'at a %s of %s says so once, acknowledges nothing after, and is not opened again', async (operation, path) => {
      const bench = new Bench(1, { ...small, checkpointBytes: 20_000, writeBehindBytes: 1000 })
      const volume = await bench.open()
      const log = volume.create(replica)
      await bench.durable()
      bench.disk.fail(operation, 'io', { path, after: 2 })
      for (let i = 0; i < 60 && bench.failures.length === 0; i++) {
        log.append(batch({ base: log.logEnd, values: ['x'.repeat(2000)] }))
        await bench.clock.advance(1)
      }
      expect(bench.failures).toMatchObject([{ code: 'VOLUME_FAILED' }])
      const { durableEnd } = log
      let called = false
      volume.whenDurable(() => { called = true })
      log.append(batch({ base: log.logEnd, values: ['late'] }))
      await bench.clock.advance(1000)
      await bench.wait(volume.maintain())
      expect([log.durableEnd, called, volume.queuedBytes]).toEqual([durableEnd, false, Infinity])
      await bench.close()
      expect(bench.failures).toHaveLength(1)
      bench.kill()
      await expect(bench.open()).rejects.toMatchObject({ code: 'VOLUME_FAILED' })
    })
})
