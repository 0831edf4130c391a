import { describe, expect, it } from 'vitest'
import type { ReplicaLog } from '../../../broker/log/contract.ts'
import { readFrameHeader } from '../../../broker/log/frame.ts'
import { Bench, batch, readAll, topicId } from './support.ts'

const filler = 'x'.repeat(3000)

/** Two replicas, `frames` frames with one batch for each of them, and the mark that follows. */
async function filled (frames: number): Promise<{ bench: Bench, logs: ReplicaLog[] }> {
  const bench = new Bench()
  const volume = await bench.open()
  const logs = [0, 1].map(partition => volume.create({ topic: 'orders', topicId, partition, replicaGen: 7 }))
  for (let i = 0; i < frames; i++) {
    for (const log of logs) log.append(batch({ base: i, values: [`${log.partition}-${i}-${filler}`] }))
    await bench.durable()
  }
  await bench.clock.advance(200)
  return { bench, logs }
}

function journalPath (bench: Bench): string {
  return bench.disk.files().find(path => path.startsWith('journal/0'))!
}

/** Where the frames of the journal begin. */
function frameStarts (bench: Bench): number[] {
  const bytes = bench.disk.contents(journalPath(bench))
  const starts: number[] = []
  for (let at = 0; at < bytes.length; at += 4096) if (readFrameHeader(bytes, at) !== undefined) starts.push(at)
  return starts
}

async function reopen (bench: Bench): Promise<ReplicaLog[]> {
  bench.powerLoss()
  const volume = await bench.open()
  return [volume.get(topicId, 0)!, volume.get(topicId, 1)!]
}

async function values (bench: Bench, log: ReplicaLog): Promise<string[]> {
  return (await readAll(bench, log)).map(record => record.replace(`-${filler}`, ''))
}

describe('recovery', () => {
  it('drops a torn tail without a word about damage: it was never acknowledged', async () => {
    const { bench, logs } = await filled(3)
    for (const log of logs) log.append(batch({ base: 3, values: [`torn-${filler}`] }))
    const { write } = bench.disk.operations
    while (bench.disk.operations.write === write) await bench.clock.step()
    // It is written, not synced: the first page made it to the disk, the others did not.
    const at = Buffer.from(bench.disk.contents(journalPath(bench))).indexOf('torn-')
    const start = at - at % 4096
    bench.disk.overwrite(journalPath(bench), start + 4096, new Uint8Array(4096))
    bench.kill()
    const volume = await bench.open()
    const [a, b] = [volume.get(topicId, 0)!, volume.get(topicId, 1)!]
    expect([a.logEnd, b.logEnd, a.renewed, b.renewed, a.replicaGen]).toEqual([3, 3, '', '', 7])
    expect(bench.notes.join()).toContain('torn')
  })

  it('drops the last frame when it is broken and nothing came after it', async () => {
    const { bench } = await filled(3)
    const starts = frameStarts(bench)
    // The frame and the mark that witnesses it.
    for (const at of starts.slice(-2)) bench.disk.flipBit(journalPath(bench), at + 3)
    const [a, b] = await reopen(bench)
    expect([a!.logEnd, b!.logEnd, a!.renewed]).toEqual([2, 2, ''])
    expect(bench.disk.files().some(path => path.startsWith('damaged/'))).toBe(false)
  })

  it('finds damage in one batch of an acknowledged frame: that replica is a new learner, no other', async () => {
    const { bench, logs } = await filled(5)
    const volumeId = bench.volume.meta.volumeId
    const start = frameStarts(bench)[3]!
    const bytes = bench.disk.contents(journalPath(bench))
    const at = Buffer.from(bytes).indexOf('1-3-x', start)
    expect(at).toBeGreaterThan(start)
    bench.disk.flipBit(journalPath(bench), at)
    const [a, b] = await reopen(bench)
    expect(await values(bench, a!)).toEqual(['0:0-0', '1:0-1', '2:0-2', '3:0-3', '4:0-4'])
    expect([a!.renewed, a!.replicaGen]).toEqual(['', 7])
    expect(await values(bench, b!)).toEqual(['0:1-0', '1:1-1', '2:1-2'])
    expect(b!.renewed).toContain('damaged')
    expect(b!.replicaGen).toBeGreaterThan(7)
    expect(b!.damaged).toBe('')
    expect(bench.volume.meta.volumeId).toBe(volumeId)
    expect(bench.disk.files().some(path => path.startsWith('damaged/'))).toBe(true)
    expect(logs.length).toBe(2)
    // It stays so, and goes on as a log does.
    const { replicaGen } = b!
    b!.append(batch({ base: 3, values: ['again'] }))
    await bench.durable()
    const [, again] = await reopen(bench)
    expect([again!.replicaGen, again!.logEnd, again!.renewed]).toEqual([replicaGen, 4, ''])
  })

  it('finds damage in the last frame too: the mark after it is the witness', async () => {
    const { bench } = await filled(3)
    const starts = frameStarts(bench)
    const bytes = bench.disk.contents(journalPath(bench))
    bench.disk.flipBit(journalPath(bench), Buffer.from(bytes).indexOf('0-2-x', starts.at(-2)))
    const [a, b] = await reopen(bench)
    expect([a!.logEnd, b!.logEnd]).toEqual([2, 3])
    expect([a!.renewed === '', b!.renewed === '']).toEqual([false, true])
  })

  it.each([
    ['header', 3],
    ['directory', 60]
  ])('gives the volume a new id when the %s of a frame is broken', async (_, at) => {
    const { bench } = await filled(5)
    const volumeId = bench.volume.meta.volumeId
    bench.disk.flipBit(journalPath(bench), frameStarts(bench)[2]! + at)
    const [a, b] = await reopen(bench)
    expect(bench.volume.meta.volumeId).not.toBe(volumeId)
    expect(await values(bench, a!)).toEqual(['0:0-0', '1:0-1'])
    expect(await values(bench, b!)).toEqual(['0:1-0', '1:1-1'])
    expect(bench.notes.join()).toMatch(/new id/)
  })

  it('gives the volume a new id when a file of the journal is gone', async () => {
    const { bench } = await filled(3)
    const volumeId = bench.volume.meta.volumeId
    const path = journalPath(bench)
    bench.powerLoss()
    await bench.wait(bench.disk.remove(path))
    const volume = await bench.open()
    expect(volume.meta.volumeId).not.toBe(volumeId)
    expect(volume.replicas()).toEqual([])
  })

  it('reads the second copy of a broken checkpoint', async () => {
    const { bench } = await filled(3)
    const volumeId = bench.volume.meta.volumeId
    await bench.close()
    bench.disk.flipBit('checkpoint', 50)
    const [a] = await reopen(bench)
    expect([a!.logEnd, bench.volume.meta.volumeId]).toEqual([3, volumeId])
  })

  it('keeps the data of a volume without a readable checkpoint in damaged/, as another volume', async () => {
    const { bench } = await filled(3)
    const volumeId = bench.volume.meta.volumeId
    await bench.close()
    const half = bench.disk.contents('checkpoint').length / 2
    for (const at of [50, half + 50]) bench.disk.flipBit('checkpoint', at)
    bench.powerLoss()
    const volume = await bench.open()
    expect(volume.meta.volumeId).not.toBe(volumeId)
    expect(volume.replicas()).toEqual([])
    expect(bench.disk.files().filter(path => /^damaged\/orders-0.*\.log$/.test(path)).length).toBe(1)
  })

  it.each([
    '{"format":1',
    '{"format":1,"clusterUid":"cluster-a","brokerId":0,"volumeId":"x","bootCount":1,"crc32c":"0"}'
  ])(
    'gives the volume a new id when meta.json is broken: %s', async (contents) => {
      const { bench } = await filled(3)
      const volumeId = bench.volume.meta.volumeId
      await bench.close()
      await bench.wait(bench.disk.remove('meta.json'))
      const file = await bench.wait(bench.disk.create('meta.json'))
      await bench.wait(file.write([Buffer.from(contents)], 0))
      const volume = await bench.open()
      expect(volume.meta.volumeId).not.toBe(volumeId)
      expect(await values(bench, volume.get(topicId, 0)!)).toEqual(['0:0-0', '1:0-1', '2:0-2'])
    })

  it('keeps what is good of a segment that is cut short; the replica is a new learner', async () => {
    const { bench } = await filled(6)
    await bench.close()
    const path = bench.disk.files().find(name => /orders-0.*\.log$/.test(name))!
    const file = await bench.wait(bench.disk.open(path))
    await bench.wait(file.truncate(10_000))
    await bench.wait(file.sync())
    const [a, b] = await reopen(bench)
    expect(await values(bench, a!)).toEqual(['0:0-0', '1:0-1', '2:0-2'])
    expect(a!.renewed).toContain('bytes')
    expect(a!.replicaGen).toBeGreaterThan(7)
    expect([b!.logEnd, b!.replicaGen]).toEqual([6, 7])
    const [again] = await reopen(bench)
    expect(await values(bench, again!)).toEqual(['0:0-0', '1:0-1', '2:0-2'])
  })

  it.each([
    ['record', 500],
    // Its CRC covers what the producer wrote, not what the leader stamps.
    ['leader epoch', 14]
  ])('never serves a batch with a damaged %s: a read says so, the next opening makes a learner', async (_, at) => {
    const { bench } = await filled(6)
    await bench.close()
    const path = bench.disk.files().find(name => /orders-0.*\.log$/.test(name))!
    bench.disk.flipBit(path, 3 * 3100 + at)
    const [a] = await reopen(bench)
    const told: string[] = []
    a!.onDamaged = reason => told.push(reason)
    await expect(values(bench, a!)).rejects.toMatchObject({ code: 'CORRUPT_BATCH' })
    await expect(values(bench, a!)).rejects.toMatchObject({ code: 'CORRUPT_BATCH' })
    expect(told).toHaveLength(1)
    expect([a!.damaged, a!.replicaGen]).toEqual([told[0], 7])
    await bench.durable()
    const [again] = await reopen(bench)
    expect([again!.renewed, again!.damaged]).toEqual(['the batch at offset 3 is damaged', ''])
    expect(again!.replicaGen).toBeGreaterThan(7)
    // What is rotten is not there any more: the learner gets it from its leader.
    expect(await values(bench, again!)).toEqual(['0:0-0', '1:0-1', '2:0-2'])
    expect(again!.logEnd).toBe(3)
  })

  it('keeps everything of a replica of which a read failed for a while, as a new learner', async () => {
    const { bench } = await filled(6)
    await bench.close()
    const [a] = await reopen(bench)
    bench.disk.fail('read', 'io', { path: bench.disk.files().find(name => /orders-0.*\.log$/.test(name))! })
    await expect(values(bench, a!)).rejects.toMatchObject({ code: 'VOLUME_FAILED' })
    await bench.durable()
    const [again] = await reopen(bench)
    expect(again!.renewed).toContain('cannot be read')
    expect(await values(bench, again!)).toHaveLength(6)
  })

  it('moves folders that belong to no replica to stray/, and removes them after a week', async () => {
    const { bench } = await filled(1)
    await bench.close()
    await bench.wait(bench.disk.mkdir('topics/unknown-0.1234567812345678'))
    await bench.wait(bench.disk.create('topics/unknown-0.1234567812345678/00000000000000000000.log'))
    const volume = await bench.open()
    const strays = (): string[] => bench.disk.files().filter(path => path.startsWith('stray/'))
    expect(strays()).toHaveLength(1)
    await bench.wait(volume.maintain())
    bench.clock.wall += 6 * 24 * 3600 * 1000
    await bench.clock.advance(3 * 3600 * 1000)
    await bench.wait(volume.maintain())
    await bench.clock.advance(100)
    expect(strays()).toHaveLength(1)
    bench.clock.wall += 24 * 3600 * 1000
    await bench.clock.advance(3 * 3600 * 1000)
    await bench.wait(volume.maintain())
    await bench.clock.advance(100)
    expect(strays()).toEqual([])
  })
})
