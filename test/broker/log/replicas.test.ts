// Replicas that come and go: removed, moved away, made again.
import { describe, expect, it } from 'vitest'
import { Bench, batch, readAll, topicId } from './support.ts'

const replica = { topic: 'orders', topicId, partition: 3, replicaGen: 1 }

describe('replicas', () => {
  it('that were removed are known, their data goes; a new one of the same name begins empty', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    log.append(batch({ base: 0, values: ['old'] }))
    await bench.wait(volume.maintain())
    await bench.close()
    const second = await bench.open()
    expect([second.knew(topicId, 3), second.knew(topicId, 4)]).toEqual([true, false])
    await bench.wait(second.remove(second.get(topicId, 3)!))
    expect([second.get(topicId, 3), second.knew(topicId, 3)]).toEqual([undefined, true])
    const fresh = second.create({ ...replica, replicaGen: 2 })
    fresh.append(batch({ base: 0, values: ['new'] }))
    await bench.close()
    const third = await bench.open()
    expect(await readAll(bench, third.get(topicId, 3)!)).toEqual(['0:new'])
    await bench.wait(third.remove(third.get(topicId, 3)!))
    await bench.clock.advance(100)
    expect(bench.disk.files().filter(path => path.includes('orders'))).toEqual([])
    bench.powerLoss()
    const fourth = await bench.open()
    expect([fourth.replicas(), fourth.knew(topicId, 3)]).toEqual([[], true])
  })

  it('that no row names keep their data in stray/', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    log.append(batch({ base: 0, values: ['kept'] }))
    await bench.wait(volume.moveToStray(log))
    const path = bench.disk.files().find(name => /^stray\/orders-3\.00112233445566ff\.\d+\/0{20}\.log$/.test(name))!
    expect(Buffer.from(bench.disk.contents(path)).toString()).toContain('kept')
    expect([volume.get(topicId, 3), volume.knew(topicId, 3)]).toEqual([undefined, true])
  })

  it('that are damaged keep their data in damaged/, and their name can be taken again', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    log.append(batch({ base: 0, values: ['rotten'] }))
    await bench.wait(volume.moveToDamaged(log))
    const path = bench.disk.files().find(name => /^damaged\/orders-3\.00112233445566ff\.\d+\/0{20}\.log$/.test(name))!
    expect(Buffer.from(bench.disk.contents(path)).toString()).toContain('rotten')
    expect(volume.knew(topicId, 3)).toBe(true)
    const anew = volume.create({ ...replica, replicaGen: 77 })
    anew.append(batch({ base: 0, values: ['sound'] }))
    await bench.durable()
    bench.powerLoss()
    const again = await bench.open()
    expect(again.get(topicId, 3)).toMatchObject({ replicaGen: 77, logEnd: 1 })
  })

  it('keep the last row, and the volume the highest controller epoch', async () => {
    const bench = new Bench()
    const volume = await bench.open()
    const log = volume.create(replica)
    const row = {
      topicId, partition: 3, replicas: [0, 1], leader: 1, leaderEpoch: 9, version: 4, minInSync: 1,
      adding: [], removing: [], barred: [],
      inSync: [{ brokerId: 0, volumeId: volume.meta.volumeId, replicaGen: 1 }]
    }
    log.setRow(row)
    volume.setControllerEpoch(12)
    await bench.durable()
    bench.powerLoss()
    const again = await bench.open()
    expect(again.get(topicId, 3)).toMatchObject({ row, leaderEpochSeen: 9, epochs: [] })
    expect(again.controllerEpoch).toBe(12)
    await bench.close()
    expect((await bench.open()).get(topicId, 3)?.row).toEqual(row)
    expect(bench.volume.controllerEpoch).toBe(12)
  })

  it('come in order of topic and partition', async () => {
    const volume = await new Bench().open()
    for (const [id, partition] of [['b', 1], ['a', 10], ['b', 0], ['a', 2]] as const) {
      volume.create({ topic: id, topicId: id.repeat(16), partition, replicaGen: 1 })
    }
    expect(volume.replicas().map(log => `${log.topic}${log.partition}`)).toEqual(['a2', 'a10', 'b0', 'b1'])
  })

  it('copy bytes that would keep a large buffer alive', async () => {
    const log = (await new Bench().open()).create(replica)
    const bytes = batch({ base: 0, values: ['a'] })
    const large = new Uint8Array(100_000)
    large.set(bytes)
    log.append(large.subarray(0, bytes.length))
    expect(log.readTail(0, 1, 100)!.buffer.byteLength).toBeLessThan(10_000)
    const exact = batch({ base: 1, values: ['a'.repeat(5000)] })
    log.append(exact)
    expect(log.readTail(1, 2, 100)!.buffer).toBe(exact.buffer)
    const small = Array.from({ length: 10 }, (_, i) => batch({ base: 2 + i, values: ['a'.repeat(3000)] }))
    const mixed = new Uint8Array(Buffer.concat([...small, batch({ base: 12, values: ['a'.repeat(5000)] })]))
    log.append(mixed)
    expect(log.readTail(12, 13, 100)!.buffer.byteLength).toBeLessThan(10_000)
  })
})
