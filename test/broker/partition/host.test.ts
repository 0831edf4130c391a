// The client's side of the replicas: what is read, what is refused, what is bounded.
import { beforeEach, describe, expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import type { PartitionHost } from '../../../broker/partition/host.ts'
import { decodeRecords } from '../../../wire/batch-reader.ts'
import { batches } from '../../../wire/record-batch.ts'
import { WireError } from '../../../wire/errors.ts'
import { valueBatch } from '../../partition/world/batch.ts'
import { World, ref, topicId } from '../../partition/world/world.ts'

let world: World
let host: PartitionHost

async function cluster (minInSync: number): Promise<void> {
  world = new World(minInSync)
  const all = world.brokers.map(broker => broker.id)
  for (const id of all) await world.start(id)
  world.row = {
    topicId,
    partition: 0,
    replicas: all,
    leader: 0,
    leaderEpoch: 1,
    inSync: all.map(id => world.identity(id)),
    version: 1,
    minInSync,
    adding: [],
    removing: [],
    barred: []
  }
  for (const id of all) world.push(id)
  await world.runFor(200)
  host = world.brokers[0]!.process!.host
}

beforeEach(() => cluster(1))

async function append (batch: Uint8Array, to = ref): Promise<string> {
  let answer = 'none'
  host.append(to, batch, (error, offset) => { answer = error === undefined ? `${offset}` : error.code })
  await world.run()
  return answer
}

async function read (offset: number, bytesMax = 1 << 20): Promise<string[]> {
  const { records } = await host.fetch(ref, offset, -1, bytesMax)
  return [...batches(records)].flatMap(header => decodeRecords(records, header))
    .map(record => new TextDecoder().decode(record.value!))
}

async function code (run: () => unknown): Promise<string> {
  try {
    await run()
    return 'none'
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
}

describe('finding a partition', () => {
  test('topic, id, partition, leader', async () => {
    const batch = () => valueBatch('a')
    expect(await append(batch(), { ...ref, topicId: '' })).toBe('0')
    expect(await append(batch(), { ...ref, topic: 'x', topicId: '' })).toBe('UNKNOWN_TOPIC')
    expect(await append(batch(), { ...ref, topicId: 'ffffffffffffffff' })).toBe('UNKNOWN_TOPIC_ID')
    for (const partition of [2, -1, 0.5]) expect(await append(batch(), { ...ref, partition })).toBe('UNKNOWN_PARTITION')
    world.row = { ...world.row!, leader: -1, leaderEpoch: 2, version: 2 }
    world.push(0, { rows: [world.row] })
    expect(await append(batch())).toBe('LEADER_NOT_AVAILABLE')
    expect(Object.fromEntries(host.stats.appendErrors)).toMatchObject({
      UNKNOWN_TOPIC: 1, UNKNOWN_TOPIC_ID: 1, UNKNOWN_PARTITION: 3, LEADER_NOT_AVAILABLE: 1
    })
  })

  test('who leads instead, and where', async () => {
    await cluster(2)
    const follower = world.brokers[1]!.process!.host
    await expect(follower.fetch(ref, 0, -1, 100)).rejects.toMatchObject({
      code: 'NOT_LEADER', detail: { leader: 0, leaderEpoch: 1, leaderAddress: 'client-0' }
    })
  })
})

describe('producing', () => {
  test('what is not a batch, or too large, or from the future', async () => {
    expect(await append(new Uint8Array(10))).toBe('CORRUPT_BATCH')
    expect(await append(valueBatch('a').map((byte, index) => index === 65 ? byte ^ 1 : byte))).toBe('CORRUPT_BATCH')
    expect(await append(valueBatch('a'.repeat(limits.batchBytesDefault)))).toBe('RECORD_TOO_LARGE')
    const late = 1_800_000_000_000 + 2 * limits.timestampAheadMsMax
    expect(await append(valueBatch('a', undefined, late))).toBe('INVALID_TIMESTAMP')
    expect(await append(valueBatch('a'))).toBe('0')
  })

  test('a repeat is known as one, also when the clock has gone back since', async () => {
    const batch = (sequence: number): Uint8Array => valueBatch('a', { id: 7, epoch: 0, sequence })
    expect(await append(batch(0))).toBe('0')
    world.time.wallJumpMs = -2 * limits.timestampAheadMsMax
    expect(await append(batch(0))).toBe('0')
    expect(await append(batch(1))).toBe('INVALID_TIMESTAMP')
    world.time.wallJumpMs = 0
    expect(await append(batch(1))).toBe('1')
  })

  test('a full disk, a full queue', async () => {
    const { volume } = world.brokers[0]!.process!
    volume.full = true
    expect(await append(valueBatch('a'))).toBe('DISK_FULL')
    volume.full = false
    volume.queuedBytes = limits.journalQueueBytesMax
    expect(await append(valueBatch('a'))).toBe('BROKER_BUSY')
    volume.queuedBytes = 0
    expect(await append(valueBatch('a'))).toBe('0')
  })

  test('too many batches that wait: refused in their turn, nothing lost', async () => {
    const answers: string[] = []
    for (let n = 0; n <= limits.appendsPendingPerPartitionMax; n++) {
      host.append(ref, valueBatch('a'), (error, offset) => { answers.push(error?.code ?? `${offset}`) })
    }
    expect(host.stats.pendingAppends).toBe(limits.appendsPendingPerPartitionMax + 1)
    await world.run()
    expect(answers).toHaveLength(limits.appendsPendingPerPartitionMax + 1)
    expect(answers[7]).toBe('7')
    expect(answers.at(-1)).toBe('BROKER_BUSY')
    expect(host.stats).toMatchObject({ pendingAppends: 0, pendingBytes: 0 })
    expect(host.stats.appends).toBe(limits.appendsPendingPerPartitionMax)
  })
})

describe('reading', () => {
  test('whole batches from the one that holds the offset, up to the high watermark', async () => {
    await append(valueBatch('a+b+c'))
    await append(valueBatch('d'))
    host.append(ref, valueBatch('e'), () => {})
    expect(await read(1)).toEqual(['a', 'b', 'c', 'd'])
    expect(await read(0, 1)).toEqual(['a', 'b', 'c'])
    expect(await read(4)).toEqual([])
    // Appended, not committed: readers wait, that is no error.
    expect(await read(5)).toEqual([])
    expect(await code(() => read(6))).toBe('OFFSET_OUT_OF_RANGE')
    await expect(host.fetch(ref, 9, -1, 1)).rejects.toMatchObject({ detail: { logStart: 0, highWatermark: 4 } })
  })

  test('epochs that the client knows', async () => {
    expect(await code(() => host.fetch(ref, 0, 1, 1))).toBe('none')
    expect(await code(() => host.fetch(ref, 0, 0, 1))).toBe('FENCED_EPOCH')
    expect(await code(() => host.fetch(ref, 0, 2, 1))).toBe('UNKNOWN_EPOCH')
  })

  test('cold reads are few at a time, and the tail does not wait for them', async () => {
    for (const value of ['a', 'b', 'c']) await append(valueBatch(value))
    const { volume } = world.brokers[0]!.process!
    volume.coldBelow = 2
    const log = volume.get(topicId, 0)!
    const held: (() => void)[] = []
    const cold = log.read.bind(log)
    log.read = async (...args) => {
      await new Promise<void>(resolve => { held.push(resolve) })
      return await cold(...args)
    }
    const reads = Array.from({ length: limits.coldReadsMax + 2 }, () => read(0))
    await world.settle()
    expect(held).toHaveLength(limits.coldReadsMax)
    expect(await read(2)).toEqual(['c'])
    while (held.length > 0) {
      held.shift()!()
      await world.settle()
    }
    for (const values of await Promise.all(reads)) expect(values).toEqual(['a', 'b', 'c'])
    expect(host.stats.coldFetches).toBe(limits.coldReadsMax + 2)
  })

  test('whoever waits is woken once, by commit, log start and role', async () => {
    const woken: string[] = []
    const wait = (name: string) => host.whenChanged(ref, () => { woken.push(name) })
    wait('commit')
    wait('cancelled')()
    await append(valueBatch('a'))
    await append(valueBatch('b'))
    expect(woken).toEqual(['commit'])
    wait('start')
    host.deleteRecordsBefore(ref, 1)
    wait('role')
    world.row = { ...world.row!, leader: -1, leaderEpoch: 2, version: 2 }
    world.push(0, { rows: [world.row] })
    expect(woken).toEqual(['commit', 'start', 'role'])
  })
})

describe('offsets', () => {
  test('earliest, latest, by time', async () => {
    await append(valueBatch('a', undefined, 1_000))
    await append(valueBatch('b', undefined, 2_000))
    expect(host.earliest(ref)).toMatchObject({ offset: 0, leaderEpoch: 1 })
    expect(host.latest(ref)).toMatchObject({ offset: 2, leaderEpoch: 1 })
    expect(await host.atTime(ref, 1_500)).toMatchObject({ offset: 1, timestamp: 2_000 })
    expect(await host.atTime(ref, 9_000)).toMatchObject({ offset: 2, timestamp: -1 })
    host.deleteRecordsBefore(ref, 99)
    expect(host.earliest(ref).offset).toBe(2)
  })
})

describe('leaderships', () => {
  test('are told to who asks for the topic, also those that there are', async () => {
    const told: string[] = []
    host.onLeadership('t', (partition, leading) => { told.push(`${partition} ${leading}`) })
    host.onLeadership('other', () => { told.push('other') })
    expect(told).toEqual(['0 true'])
    for (const leaderEpoch of [2, 3]) {
      world.row = { ...world.row!, leader: leaderEpoch === 2 ? -1 : 0, leaderEpoch, version: leaderEpoch }
      world.push(0, { rows: [world.row] })
      await world.run()
    }
    expect(told).toEqual(['0 true', '0 false', '0 true'])
    await host.stop()
    expect(told.at(-1)).toBe('0 false')
  })

  test('a leader elected again in a higher epoch answers what waits', async () => {
    let answer = ''
    host.append(ref, valueBatch('a'), (error, offset) => { answer = error?.code ?? `${offset}` })
    world.row = { ...world.row!, leaderEpoch: 2, version: 2 }
    world.push(0, { rows: [world.row] })
    expect(answer).toBe('')
    await world.run()
    expect(answer).toBe('0')
  })

  test('retention is the leader\'s business', async () => {
    await cluster(2)
    const settings = (id: number) => world.brokers[id]!.process!.volume.get(topicId, 0)!.settings
    expect(settings(0)).toEqual({ retentionMs: 86_400_000, retentionBytes: 1 << 30, segmentBytes: 1 << 20 })
    expect(settings(1)).toEqual({ retentionMs: -1, retentionBytes: -1, segmentBytes: 1 << 20 })
    world.row = { ...world.row!, leader: 1, leaderEpoch: 2, version: 2 }
    for (const id of [0, 1]) world.push(id, { rows: [world.row] })
    expect([settings(0)?.retentionMs, settings(1)?.retentionMs]).toEqual([-1, 86_400_000])
  })

  test('a leader without streams is starved after a while', async () => {
    await cluster(2)
    expect(host.starved()).toEqual([])
    world.crash(1)
    await world.runFor(limits.starvedMs - 500)
    expect(host.starved()).toEqual([])
    await world.runFor(1_100)
    expect(host.starved()).toEqual([{ topicId, partition: 0 }])
  })

  test('a leader that cannot be reached is named', async () => {
    await cluster(2)
    const follower = world.brokers[1]!.process!.host
    expect(follower.unreachable()).toEqual([])
    world.crash(0)
    await world.runFor(1_000)
    expect(follower.unreachable()).toEqual([0])
    // It is followed again soon after it is back.
    await world.start(0)
    world.row = { ...world.row!, leaderEpoch: 2, version: 2 }
    for (const id of [0, 1]) world.push(id)
    await world.runFor(limits.replicateRetryMsMax + 10)
    expect(follower.unreachable()).toEqual([])
    expect(world.replica(1)!.follower?.epoch).toBe(2)
  })
})

describe('a topic that is gone', () => {
  test('is led no more; its data goes on an order, or to stray/ after a while', async () => {
    let answer = ''
    host.append(ref, valueBatch('a'), error => { answer = error?.code ?? '' })
    world.push(0, { rows: [], topicsRemoved: [topicId], topics: [] })
    expect(answer).toBe('LEADER_NOT_AVAILABLE')
    expect(await append(valueBatch('b'))).toBe('UNKNOWN_TOPIC')
    expect([...host.replicas()]).toHaveLength(1)
    const { volume } = world.brokers[0]!.process!
    const moved: string[] = []
    volume.moveToStray = log => {
      moved.push(log.topicId)
      return Promise.resolve()
    }
    await world.advance(limits.strayAfterMs - 1_000)
    expect(moved).toEqual([])
    await world.advance(3_000)
    expect(moved).toEqual([topicId])
    expect(world.events).toContain('broker 0 reports removal')
    expect([...host.replicas()]).toHaveLength(0)
  })
})

test('a replica that was moved away goes on an order; an older row that comes late makes none again', async () => {
  await cluster(2)
  const old = world.row!
  world.row = {
    ...old, replicas: [1], leader: 1, leaderEpoch: 2, inSync: [world.identity(1)], version: 2, minInSync: 1
  }
  world.push(0, { rows: [world.row] })
  const order = { topicId, partition: 0, replicaGen: 0 }
  world.push(0, { rows: [], remove: [order] })
  await world.settle()
  expect([...host.replicas()]).toHaveLength(0)
  world.push(0, { rows: [old] })
  expect([...host.replicas()]).toHaveLength(0)
  world.push(0, { rows: [{ ...world.row, replicas: [1, 0], adding: [0], version: 3 }] })
  expect([...host.replicas()].map(replica => replica.identity.replicaGen > 0)).toEqual([true])
})

test('an order that comes again while the data is being removed is not answered before that is done', async () => {
  world.push(0, { rows: [], topicsRemoved: [topicId], topics: [] })
  const { volume } = world.brokers[0]!.process!
  const { promise, resolve } = Promise.withResolvers<undefined>()
  volume.remove = () => promise
  const order = { topicId, partition: 0, replicaGen: 0 }
  for (let times = 0; times < 2; times++) world.push(0, { rows: [], remove: [order] })
  await world.settle()
  expect(world.events).not.toContain('broker 0 reports removal')
  resolve(undefined)
  await world.settle()
  expect(world.events.filter(event => event === 'broker 0 reports removal')).toHaveLength(1)
  world.push(0, { rows: [], remove: [order] })
  expect(world.events.filter(event => event === 'broker 0 reports removal')).toHaveLength(2)
})

test('a follower whose disk is slow receives no more for a while', async () => {
  await cluster(2)
  const { volume, net } = world.brokers[1]!.process!
  volume.queuedBytes = limits.journalQueueBytesMax
  host.append(ref, valueBatch('a'), () => {})
  await world.settle()
  world.network.link('0', '1').shift()!.deliver()
  expect(net.pausedStreams).toBe(1)
  volume.queuedBytes = 0
  volume.sync()
  expect(net.pausedStreams).toBe(0)
})

test('gauges', async () => {
  await cluster(2)
  world.row = { ...world.row!, inSync: [world.identity(0)], version: 2 }
  world.push(0, { rows: [world.row] })
  await world.runFor(600)
  expect(host.stats).toMatchObject({
    replicas: 1, leaders: 1, underReplicated: 1, underMinInSync: 1, offline: 0, damaged: 0, inSyncShrinks: 1
  })
  world.row = { ...world.row, minInSync: 1, adding: world.row.replicas.slice(1), version: 3 }
  world.push(0, { rows: [world.row] })
  await world.runFor(600)
  expect(host.stats).toMatchObject({ underReplicated: 0, underMinInSync: 0 })
})

test('counts what a read found damaged', async () => {
  expect(host.stats.damagedFound).toBe(0)
  host.replica(topicId, 0)!.log.onDamaged?.('rotten')
  expect(host.stats.damagedFound).toBe(1)
})
