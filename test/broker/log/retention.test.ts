import { describe, expect, it } from 'vitest'
import { retainedStart } from '../../../broker/log/retention.ts'
import { Bench, batch, readAll, small, topicId } from './support.ts'

const hour = 3600_000
const now = 1000 * hour

function segments (...hoursOld: number[]): { end: number, bytes: number, maxTimestamp: number, closed: boolean }[] {
  return hoursOld.map((age, i) => ({
    end: (i + 1) * 10, bytes: 100, maxTimestamp: now - age * hour, closed: i < hoursOld.length - 1
  }))
}

describe('retainedStart', () => {
  const keep = { retentionMs: -1, retentionBytes: -1 }
  it.each([
    ['nothing without limits', segments(9, 8, 7), 30, keep, 0],
    ['by age', segments(9, 8, 2), 30, { ...keep, retentionMs: 5 * hour }, 20],
    ['by age, the last one too when all of it is old', segments(9, 8, 7), 30, { ...keep, retentionMs: 5 * hour }, 30],
    ['nothing behind a segment that stays', segments(9, 2, 8), 30, { ...keep, retentionMs: 5 * hour }, 10],
    ['nothing that is not committed', segments(9, 8, 7), 19, { ...keep, retentionMs: 5 * hour }, 10],
    ['by bytes, as long as so many stay', segments(1, 1, 1), 30, { ...keep, retentionBytes: 200 }, 10],
    ['by bytes, not the last one', segments(1, 1, 1), 30, { ...keep, retentionBytes: 0 }, 20],
    ['by whichever asks for more', segments(9, 1, 1), 30, { retentionMs: 5 * hour, retentionBytes: 150 }, 10],
    ['nothing of an empty log', [], 0, { retentionMs: 0, retentionBytes: 0 }, 0]
  ])('takes %s', (_, list, highWatermark, settings, start) => {
    expect(retainedStart(list, 0, highWatermark, settings, now)).toBe(start)
  })
})

describe('retention', () => {
  const settings = { ...small, writeBehindBytes: 1, ringBytesMax: 1 }

  async function filled (): Promise<{ bench: Bench, log: ReturnType<Bench['volume']['create']> }> {
    const bench = new Bench(1, settings)
    const log = (await bench.open()).create({ topic: 'orders', topicId, partition: 0, replicaGen: 1 })
    log.configure({ retentionMs: 10 * hour, retentionBytes: -1, segmentBytes: 4000 })
    for (let i = 0; i < 30; i++) {
      log.append(batch({ base: i, values: ['x'.repeat(900)], timestamp: bench.clock.wallTime() }))
      await bench.durable()
      bench.clock.wall += hour / 2
    }
    log.setHighWatermark(28)
    return { bench, log }
  }

  it('takes whole segments from the front, their files, and keeps that over a crash', async () => {
    const { bench, log } = await filled()
    await bench.wait(bench.volume.maintain())
    await bench.clock.advance(500)
    // 30 batches in half an hour each: the first ten are older than ten hours, segments hold four.
    expect(log.logStart).toBe(8)
    // Where the epoch really began: what a follower has of older epochs beyond it is not committed.
    expect(log.epochs).toEqual([{ epoch: 0, startOffset: 0 }])
    const files = (): string[] => bench.disk.files().filter(path => path.startsWith('topics/') && /\.log/.test(path))
    expect(files().map(path => path.slice(-8))).toEqual(
      ['0008.log', '0012.log', '0016.log', '0020.log', '0024.log', '0028.log'])
    await expect(bench.wait(log.read(7, 30, 100))).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE', detail: { logStart: 8, highWatermark: 28 }
    })
    bench.powerLoss()
    const again = (await bench.open()).get(topicId, 0)!
    expect(again.logStart).toBe(8)
    expect((await readAll(bench, again))[0]).toMatch(/^8:/)
  })

  it('waits for the high watermark', async () => {
    const { bench, log } = await filled()
    bench.clock.wall += 100 * hour
    await bench.wait(bench.volume.maintain())
    expect(log.logStart).toBe(28)
    log.setHighWatermark(30)
    await bench.wait(bench.volume.maintain())
    expect([log.logStart, log.logEnd]).toEqual([30, 30])
    log.append(batch({ base: 30, values: ['more'] }))
    expect(await readAll(bench, log)).toEqual(['30:more'])
  })

  it('does not disturb a reader of what it takes', async () => {
    const { bench, log } = await filled()
    const reads = [0, 1, 2, 3].map(async offset => {
      const bytes = await log.read(offset, 30, 100).catch((error: unknown) => (error as { code: string }).code)
      return typeof bytes === 'string' ? bytes : 'read'
    })
    const maintained = bench.volume.maintain()
    const results = await bench.wait(Promise.all(reads))
    await bench.wait(maintained)
    expect(results.every(result => result === 'read' || result === 'OFFSET_OUT_OF_RANGE')).toBe(true)
    expect([log.damaged, bench.failures]).toEqual(['', []])
  })
})
