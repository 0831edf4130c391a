import { describe, expect, it } from 'vitest'
import type { ReplicaLog } from '../../../broker/log/contract.ts'
import { Bench, batch, readAll, recordsOf, small, topicId } from './support.ts'

const settings = { ...small, indexIntervalBytes: 1000, writeBehindBytes: 1, ringBytesMax: 4096 }
const t0 = 1_700_000_000_000

/** A log of `count` batches of about 600 bytes, one record each, a second apart, in segments of 6000 bytes. */
async function filled (count: number): Promise<{ bench: Bench, log: ReplicaLog }> {
  const bench = new Bench(1, settings)
  const log = (await bench.open()).create({ topic: 'orders', topicId, partition: 0, replicaGen: 1 })
  log.configure({ retentionMs: -1, retentionBytes: -1, segmentBytes: 6000 })
  await append(bench, log, count)
  return { bench, log }
}

async function append (bench: Bench, log: ReplicaLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const value = `${log.logEnd}`.padEnd(530, '.')
    log.append(batch({ base: log.logEnd, values: [value], timestamp: t0 + log.logEnd * 1000 }))
    if (i % 5 === 0) await bench.durable()
  }
  await bench.durable()
}

function files (bench: Bench, suffix: string): string[] {
  return bench.disk.files().filter(path => path.startsWith('topics/orders-0.') && path.endsWith(suffix))
    .map(path => path.slice(path.lastIndexOf('/') + 1))
}

async function offsets (bench: Bench, log: ReplicaLog): Promise<number[]> {
  return (await readAll(bench, log, 2000)).map(record => Number(record.split(':')[0]))
}

const upTo = (count: number, from = 0): number[] => Array.from({ length: count - from }, (_, i) => from + i)

describe('segments', () => {
  it('begin at the offset in their name, and roll by size', async () => {
    const { bench, log } = await filled(25)
    await bench.close()
    expect(files(bench, '.log')).toEqual(
      ['00000000000000000000.log', '00000000000000000010.log', '00000000000000000020.log'])
    expect(log.sizeBytes).toBe(files(bench, '.log').reduce((sum, name) =>
      sum + bench.disk.contents(`topics/orders-0.${topicId}/${name}`).length, 0))
    expect(recordsOf(bench.disk.contents(`topics/orders-0.${topicId}/00000000000000000010.log`))
      .map(record => Number(record.split(':')[0]))).toEqual(upTo(20, 10))
  })

  it('roll by age', async () => {
    const { bench, log } = await filled(2)
    bench.clock.wall += 8 * 24 * 3600 * 1000
    await append(bench, log, 2)
    await bench.close()
    expect(files(bench, '.log')).toEqual(['00000000000000000000.log', '00000000000000000002.log'])
  })

  it('have the indexes that are written above their codec', async () => {
    const { bench } = await filled(12)
    await bench.close()
    const read = (suffix: string): string =>
      Buffer.from(bench.disk.contents(`topics/orders-0.${topicId}/00000000000000000000${suffix}`)).toString('hex')
    const size = batch({ base: 0, values: ['0'.padEnd(530, '.')] }).length
    const word = (value: number, digits = 8): string => value.toString(16).padStart(digits, '0')
    const entry = (offset: number): string => word(offset) + word(offset * size)
    expect(read('.index')).toBe([2, 4, 6, 8].map(entry).join(''))
    const time = (offset: number): string => word(t0 + offset * 1000, 16) + word(offset)
    expect(read('.timeindex')).toBe([2, 4, 6, 8].map(time).join(''))
  })

  it.each<[string, (bench: Bench, path: string) => Promise<void> | void]>([
    ['missing', async (bench: Bench, path: string) => { await bench.wait(bench.disk.remove(path)) }],
    ['empty', async (bench: Bench, path: string) => {
      const file = await bench.wait(bench.disk.open(path))
      await bench.wait(file.truncate(0))
    }],
    ['zeros', (bench: Bench, path: string) => {
      bench.disk.overwrite(path, 0, new Uint8Array(bench.disk.contents(path).length))
    }],
    ['rubbish', (bench: Bench, path: string) => { bench.disk.overwrite(path, 0, Buffer.from('rubbish!'.repeat(4))) }],
    ['pointing between batches', (bench: Bench, path: string) => { bench.disk.overwrite(path, 7, Buffer.from([1])) }],
    ['of an odd length', async (bench: Bench, path: string) => {
      const file = await bench.wait(bench.disk.open(path))
      await bench.wait(file.truncate(file.size - 3))
    }]
  ])('are read right with an index that is %s', async (_, damage) => {
    for (const suffix of ['.index', '.timeindex']) {
      const { bench } = await filled(25)
      await bench.close()
      for (const name of files(bench, suffix)) await damage(bench, `topics/orders-0.${topicId}/${name}`)
      bench.kill()
      const log = (await bench.open()).get(topicId, 0)!
      for (const offset of [9, 3, 14, 0, 24]) {
        const bytes = await bench.wait(log.read(offset, 25, 1))
        expect(recordsOf(bytes)[0]).toMatch(new RegExp(`^${offset}:`))
      }
      expect(await bench.wait(log.offsetForTimestamp(t0 + 7500, 25))).toEqual({ offset: 8, timestamp: t0 + 8000 })
      expect(log.damaged).toBe('')
      expect(await offsets(bench, log)).toEqual(upTo(25))
    }
  })

  it('give the batch that holds an offset whole, and no more than asked for', async () => {
    const bench = new Bench(1, settings)
    const log = (await bench.open()).create({ topic: 'orders', topicId, partition: 0, replicaGen: 1 })
    const sizes: number[] = []
    for (let i = 0; i < 20; i++) {
      const bytes = batch({ base: i * 3, values: ['a', 'b', 'c'.repeat(500)] })
      sizes.push(bytes.length)
      log.append(bytes)
      await bench.durable()
    }
    const read = async (offset: number, end: number, bytesMax: number): Promise<string> =>
      recordsOf(await bench.wait(log.read(offset, end, bytesMax))).map(record => record.split(':')[0]).join()
    for (const at of [0, 54]) {
      expect(await read(at + 1, 60, 1)).toBe([at, at + 1, at + 2].join())
      expect(await read(at, 60, sizes[0]! + sizes[1]!)).toBe(upTo(at + 6, at).join())
      expect(await read(at, 60, sizes[0]! + sizes[1]! - 1)).toBe(upTo(at + 3, at).join())
      expect(await read(at, at + 5, 10_000)).toBe(upTo(at + 3, at).join())
      expect(await read(at, at + 2, 10_000)).toBe('')
      expect(await read(at, at, 10_000)).toBe('')
    }
    expect(await read(60, 60, 100)).toBe('')
    await expect(read(61, 70, 100)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', detail: { logStart: 0 } })
  })

  it('find the first record at or after a time', async () => {
    const { bench, log } = await filled(25)
    const find = (time: number, end = 25): Promise<unknown> => bench.wait(log.offsetForTimestamp(time, end))
    expect(await find(0)).toEqual({ offset: 0, timestamp: t0 })
    expect(await find(t0 + 12_000)).toEqual({ offset: 12, timestamp: t0 + 12_000 })
    expect(await find(t0 + 12_001)).toEqual({ offset: 13, timestamp: t0 + 13_000 })
    expect(await find(t0 + 24_000)).toEqual({ offset: 24, timestamp: t0 + 24_000 })
    expect(await find(t0 + 24_001)).toBeUndefined()
    expect(await find(t0 + 12_000, 12)).toBeUndefined()
    log.advanceLogStart(15)
    expect(await find(t0)).toEqual({ offset: 15, timestamp: t0 + 15_000 })
  })

  it('are read by few at a time', async () => {
    const { bench, log } = await filled(60)
    let running = 0
    let most = 0
    const reads = upTo(20).map(async offset => {
      const bytes = await log.read(offset, 60, 1000)
      expect(recordsOf(bytes)[0]).toMatch(new RegExp(`^${offset}:`))
    })
    const original = bench.disk.readFile.bind(bench.disk)
    bench.disk.readFile = async (...args) => {
      most = Math.max(most, ++running)
      const count = await original(...args)
      running--
      return count
    }
    await bench.wait(Promise.all(reads))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
    expect(bench.volume.counters.coldReads).toBeGreaterThanOrEqual(20)
  })

  it('keep producer snapshots at rolls and at the end', async () => {
    const { bench, log } = await filled(0)
    log.snapshotProducers = () => Buffer.from(`state at ${log.logEnd}`)
    await append(bench, log, 25)
    await bench.close()
    const again = (await bench.open()).get(topicId, 0)!
    const at = async (offset: number): Promise<string | undefined> => {
      const found = await bench.wait(again.producerSnapshot(offset))
      return found === undefined ? undefined : `${found.offset}: ${Buffer.from(found.state).toString()}`
    }
    expect(await at(25)).toBe('25: state at 25')
    const rolled = (await at(24))!
    expect(rolled).toMatch(/^2[0-4]: state at 2[0-4]$/)
    expect(await at(5)).toBeUndefined()
    again.truncate(22)
    expect((await at(25))!.split(':')[0]! <= '22').toBe(true)
    bench.disk.flipBit(`topics/orders-0.${topicId}/${rolled.split(':')[0]!.padStart(20, '0')}.snapshot`, 20)
    expect((await at(24))?.split(':')[0]).not.toBe(rolled.split(':')[0])
  })
})

describe('truncation', () => {
  it.each([
    ['in memory', 24], ['in the middle of a segment', 13], ['at the begin of a segment', 10], ['of everything', 0]
  ])(
    '%s holds, at once, after more appends and after a restart', async (_, offset) => {
      const { bench, log } = await filled(25)
      log.beginEpoch(3)
      log.setHighWatermark(25)
      log.truncate(offset)
      expect([log.logEnd, log.durableEnd, log.highWatermark]).toEqual([offset, offset, offset])
      expect(log.epochs).toEqual(offset === 0 ? [] : [{ epoch: 0, startOffset: 0 }])
      expect(await offsets(bench, log)).toEqual(upTo(offset))
      await append(bench, log, 7)
      expect(await offsets(bench, log)).toEqual(upTo(offset + 7))
      bench.powerLoss()
      const again = (await bench.open()).get(topicId, 0)!
      expect(await offsets(bench, again)).toEqual(upTo(offset + 7))
      expect([again.leaderEpochSeen, again.renewed]).toEqual([3, ''])
      await bench.close()
      const third = (await bench.open()).get(topicId, 0)!
      expect(await offsets(bench, third)).toEqual(upTo(offset + 7))
    })

  it('that is not durable yet counts for no end of before', async () => {
    const { bench, log } = await filled(5)
    const ends: number[] = []
    log.onDurable = end => ends.push(end)
    log.append(batch({ base: 5, values: ['old', 'old', 'old'] }))
    while (bench.volume.fsyncAgeMs() === 0) await bench.clock.step()
    log.truncate(5)
    log.append(batch({ base: 5, values: ['new'] }))
    await bench.durable()
    expect(ends).toEqual([6])
    expect((await readAll(bench, log)).at(-1)).toBe('5:new')
  })

  it('to the end takes an epoch that wrote nothing', async () => {
    const { log } = await filled(2)
    log.beginEpoch(9)
    log.truncate(2)
    expect([log.epochs, log.leaderEpochSeen]).toEqual([[{ epoch: 0, startOffset: 0 }], 9])
  })

  it('within a batch is a programmer error', async () => {
    const { log } = await filled(0)
    log.append(batch({ base: 0, values: ['a', 'b'] }))
    expect(() => { log.truncate(1) }).toThrow(/within the batch/)
  })

  it('by reset leaves nothing, and the log begins where it says', async () => {
    const { bench, log } = await filled(25)
    log.reset(1000)
    expect([log.logStart, log.logEnd, log.highWatermark, log.durableEnd]).toEqual([1000, 1000, 1000, 1000])
    expect(log.epochs).toEqual([])
    await append(bench, log, 3)
    bench.powerLoss()
    const again = (await bench.open()).get(topicId, 0)!
    expect(await offsets(bench, again)).toEqual([1000, 1001, 1002])
    await bench.close()
    await bench.open()
    await bench.clock.advance(500)
    expect(files(bench, '.log')).toEqual(['00000000000000001000.log'])
  })
})
