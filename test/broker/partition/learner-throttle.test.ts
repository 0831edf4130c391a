// Learners share what the limit leaves them; nobody else is held back, and none is held back for ever.
import { expect, test } from 'vitest'
import { LearnerThrottle } from '../../../broker/partition/learner-throttle.ts'
import { ProcessClock, WorldTime } from '../../partition/world/time.ts'
import { World, ref, topicId } from '../../partition/world/world.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Learners that each have more to send than there is time for. */
function contest (count: number, bytesPerSecond: number) {
  const time = new WorldTime()
  const throttle = new LearnerThrottle(new ProcessClock(time), bytesPerSecond, 0)
  const sent = new Array<number>(count).fill(0)
  const learners = sent.map((_, index) => ({
    admitted: () => {
      sent[index]! += throttle.messageBytes
      throttle.settle(throttle.messageBytes)
      next(index)
    }
  }))
  const next = (index: number): void => {
    if (throttle.enter(learners[index]!)) time.defer(() => { learners[index]!.admitted() })
  }
  const run = (ms: number): void => {
    const until = time.nowMs + ms
    do time.runDeferred()
    while (time.runTimer(until) || time.deferring)
  }
  const runDeferred = (): void => { time.runDeferred() }
  const begin = (): void => { learners.forEach((_, index) => { next(index) }) }
  return { runDeferred, throttle, sent, learners, begin, run }
}

test('all together get the limit, each its share', () => {
  const { sent, begin, run } = contest(7, 10 * MiB)
  begin()
  run(10_000)
  const total = sent.reduce((sum, bytes) => sum + bytes, 0)
  expect(total).toBeGreaterThan(98 * MiB)
  expect(total).toBeLessThan(105 * MiB)
  expect(Math.max(...sent) - Math.min(...sent)).toBeLessThanOrEqual(2 * MiB)
})

test('a limit below one message a second still lets all of them on', () => {
  const { sent, begin, run } = contest(3, 32 * KiB)
  begin()
  run(60_000)
  expect(Math.min(...sent)).toBeGreaterThanOrEqual(9 * 64 * KiB)
  expect(sent.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(62 * 32 * KiB + 3 * 64 * KiB)
})

test('what is appended meanwhile comes on top: learners gain the limit', () => {
  const { throttle, sent, begin, run } = contest(1, MiB)
  begin()
  for (let second = 0; second < 20; second++) {
    // More than the limit.
    for (let part = 0; part < 20; part++) {
      throttle.appended(200 * KiB)
      run(50)
    }
  }
  const appended = 20 * 20 * 200 * KiB
  expect(sent[0]! - appended).toBeGreaterThan(19 * MiB)
  expect(sent[0]! - appended).toBeLessThan(22 * MiB)
})

test('one that leaves is not admitted; no limit admits at once', () => {
  const { throttle, sent, learners, run, begin } = contest(2, MiB)
  begin()
  run(1_000)
  throttle.leave(learners[1]!)
  const before = sent[1]
  run(1_000)
  expect(sent[1]).toBe(before)
  const free = new LearnerThrottle(new ProcessClock(new WorldTime()), 0)
  for (let turn = 0; turn < 1_000; turn++) {
    expect(free.enter(learners[0]!)).toBe(true)
    free.settle(MiB)
  }
})

test('another limit holds from then on, for those who wait too; without one all go on', () => {
  const { throttle, sent, begin, run } = contest(3, MiB)
  begin()
  run(5_000)
  throttle.limit(10 * MiB)
  const before = sent.reduce((sum, bytes) => sum + bytes, 0)
  run(5_000)
  const faster = sent.reduce((sum, bytes) => sum + bytes, 0) - before
  expect(faster).toBeGreaterThan(45 * MiB)
  expect(faster).toBeLessThan(56 * MiB)
  throttle.limit(32 * KiB)
  run(1_000)
  const slow = sent.reduce((sum, bytes) => sum + bytes, 0)
  run(60_000)
  expect(sent.reduce((sum, bytes) => sum + bytes, 0) - slow).toBeLessThan(4 * MiB)
  const waiting = contest(1, KiB)
  waiting.begin()
  waiting.run(500)
  let admitted = 0
  const another = { admitted: () => { admitted += 1 } }
  expect(waiting.throttle.enter(another)).toBe(false)
  waiting.throttle.limit(0)
  waiting.runDeferred()
  expect(admitted).toBe(1)
})

async function learning (): Promise<World> {
  const world = new World(3)
  world.learnerBytesPerSecond = MiB
  for (const id of [0, 1, 2]) await world.start(id)
  world.row = {
    topicId, partition: 0, replicas: [0, 1, 2], leader: 0, leaderEpoch: 1,
    inSync: [0, 1].map(id => world.identity(id)), version: 1, minInSync: 2, adding: [], removing: [], barred: []
  }
  world.push(0)
  world.push(1)
  await world.runFor(200)
  for (let batch = 0; batch < 16; batch++) {
    world.append(0, String(batch).padEnd(900 * KiB, '.'))
    await world.run()
  }
  world.events = []
  world.push(2)
  return world
}

test('a learner is filled up at the limit while followers in sync get everything at once', async () => {
  const world = await learning()
  await world.runFor(4_000)
  const early = world.replica(2)!.log.logEnd
  expect(early).toBeGreaterThanOrEqual(3)
  expect(early).toBeLessThanOrEqual(6)
  const [told] = world.brokers[0]!.process!.host.learnerProgress()
  expect(told).toMatchObject({ topicId, partition: 0, leaderEpoch: 1, brokerId: 2, recordsLeft: 16 - early })
  expect(told!.bytesLeft).toBeGreaterThan((16 - early) * 900 * KiB)
  world.append(0, 'now')
  await world.run()
  expect(world.events).toEqual(['now: committed at 16'])
  expect(world.replica(1)!.log.logEnd).toBe(17)
  expect(world.asks).toEqual([])
  // The last stretch goes at once.
  await world.runFor(10_000)
  expect(world.replica(2)!.log.logEnd).toBe(17)
  expect(world.asks[0]?.request.inSync.map(member => member.brokerId)).toEqual([0, 1, 2])
})

test('more is produced than the limit: the learner catches up all the same', async () => {
  const world = await learning()
  for (let second = 0; second < 30 && world.asks.length === 0; second++) {
    for (const part of [0, 1, 2]) {
      world.append(0, `${second}-${part}`.padEnd(600 * KiB, '.'))
      await world.runFor(333)
    }
  }
  expect(world.asks.length).toBeGreaterThan(0)
  const { host } = world.brokers[0]!.process!
  await expect(host.fetch(ref, 0, -1, 100)).resolves.toMatchObject({ leaderEpoch: 1 })
})
