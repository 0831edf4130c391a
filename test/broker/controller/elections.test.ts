import { expect, test } from 'vitest'
import * as limits from '../../../broker/limits.ts'
import { Elections, type Wish } from '../../../broker/controller/elections.ts'
import type { PartitionKey } from '../../../wire/messages.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { ends, row } from './make.ts'

function simulate (away: number[] = []) {
  const scheduler = new Scheduler(new SimRng(1))
  const process = scheduler.process('b0')
  const asked: { brokerId: number, questionId: number, partitions: readonly PartitionKey[] }[] = []
  let ready = 0
  const elections = new Elections({
    clock: process.clock,
    ask: (brokerId, questionId, partitions) => {
      if (away.includes(brokerId)) return false
      asked.push({ brokerId, questionId, partitions })
      return true
    },
    ready: () => { ready += 1 }
  })
  const pass = async (ms: number): Promise<void> => { await scheduler.run(scheduler.now + ms) }
  return { elections, asked, pass, ready: () => ready }
}

const one = row({ partition: 0 })
const two = row({ partition: 1 })
const wish = { row: one, ask: [1, 2], preferred: -1 }

/** The leaderships of partitions from this one on are to leave a broker that stops. */
function gentle (from: number, count: number): Wish[] {
  return Array.from({ length: count }, (_, index) =>
    ({ row: row({ partition: from + index }), ask: [1], preferred: -1, isGentle: true }))
}

test('many partitions are one question to a broker; the poll closes with the last answer', async () => {
  const { elections, asked, pass, ready } = simulate()
  expect(elections.want(wish)).toBe(true)
  elections.want({ ...wish, row: two, ask: [1] })
  await pass(1)
  expect(asked).toEqual([
    {
      brokerId: 1, questionId: 1,
      partitions: [{ topicId: one.topicId, partition: 0 }, { topicId: one.topicId, partition: 1 }]
    },
    { brokerId: 2, questionId: 2, partitions: [{ topicId: one.topicId, partition: 0 }] }
  ])
  elections.answer(1, 1, [ends(1, 5, 10), ends(1, 5, 20, { partition: 1 })])
  expect(ready()).toBe(1)
  expect(elections.poll(one)).toBeUndefined()
  expect(elections.poll(two)?.answers).toHaveLength(1)
  elections.answer(2, 2, [ends(2, 5, 11)])
  expect(elections.poll(one)?.answers.map(answer => answer.durableEnd)).toEqual([10, 11])
  expect(ready()).toBe(2)
})

test('time closes a poll with what there is, but not before one that could lead has answered', async () => {
  const { elections, asked, pass, ready } = simulate()
  elections.want({ ...wish, ask: [0, 1, 2], candidates: [1, 2] })
  elections.want({ ...wish, row: two, ask: [0, 1] })
  await pass(1)
  const answer = (brokerId: number): void => {
    const { questionId, partitions } = asked.find(each => each.brokerId === brokerId)!
    elections.answer(brokerId, questionId, partitions.map(({ partition }) => ends(brokerId, 5, 10, { partition })))
  }
  answer(0)
  await pass(limits.electionAnswerMs + 1)
  expect(ready()).toBe(1)
  expect(elections.poll(two)?.answers).toHaveLength(1)
  expect(elections.poll(one)).toBeUndefined()
  answer(2)
  expect(elections.poll(one)?.answers.map(({ identity }) => identity?.brokerId)).toEqual([0, 2])
  expect(ready()).toBe(2)
})

test('a poll ends also when all that could lead are gone', async () => {
  const { elections, asked, pass } = simulate()
  elections.want({ ...wish, ask: [0, 1], candidates: [1] })
  await pass(1)
  elections.answer(0, asked[0]!.questionId, [ends(0, 5, 10)])
  await pass(limits.electionAnswerMs + 1)
  expect(elections.poll(one)).toBeUndefined()
  elections.gone(1)
  expect(elections.poll(one)?.answers).toHaveLength(1)
})

test('gentle wishes are granted some at a time, in about a second however many there are; needs at once', async () => {
  for (const count of [60, 3_000]) {
    const { elections, asked, pass, ready } = simulate()
    const wishes = gentle(0, count)
    const granted = (): number => wishes.filter(each => elections.want(each)).length
    const first = granted()
    expect(first).toBe(limits.leadershipsFirst)
    await pass(1)
    expect(granted()).toBe(first)
    expect(elections.want({ ...wish, ask: [1], row: row({ partition: count }) })).toBe(true)
    for (let step = 0; step < limits.leadershipStepsMax; step++) {
      const before = ready()
      await pass(limits.leadershipStepMs + 1)
      if (ready() > before) granted()
    }
    await pass(1)
    expect(asked.flatMap(({ partitions }) => partitions).map(({ partition }) => partition).sort((a, b) => a - b))
      .toEqual(Array.from({ length: count + 1 }, (_, partition) => partition))
  }
})

test('departures begin with a step in which no leadership waits, and are granted some at a time', async () => {
  for (const count of [120, 3_000]) {
    const { elections, pass, ready } = simulate()
    const leaderships = gentle(0, limits.leadershipsFirst + 1)
    for (const each of leaderships) elections.want(each)
    let left = [count, count]
    const granted: number[] = []
    const grant = (): void => {
      left = left.map((each, table) => each - elections.departures(`events-${table}`, each))
      granted.push(2 * count - left.reduce((sum, each) => sum + each, 0))
    }
    grant()
    await pass(limits.leadershipStepMs + 1)
    elections.want(leaderships.at(-1)!)
    grant()
    // As often as it decides meanwhile: the same that wait.
    grant()
    expect(granted).toEqual([0, 0, 0])
    for (let step = 0; step < limits.departureStepsMax; step++) {
      const before = ready()
      await pass(limits.leadershipStepMs + 1)
      if (ready() > before) grant()
    }
    expect(granted[3]).toBe(Math.max(limits.departuresPerStep, 2 * count / limits.departureStepsMax))
    expect(granted.at(-1)).toBe(2 * count)
    expect(left).toEqual([0, 0])
    await pass(limits.leadershipStepMs + 1)
    expect(elections.departures('events-0', limits.departuresPerStep + 1)).toBe(0)
  }
})

test('few departures need no step of their own when no leadership waits for one', async () => {
  const { elections, pass } = simulate()
  const few = limits.departuresPerStep
  expect(elections.departures('events-0', few)).toBe(few)
  for (const each of gentle(0, limits.leadershipsFirst + 1)) elections.want(each)
  expect(elections.departures('events-0', few)).toBe(0)
  await pass(limits.leadershipStepMs + 1)
  expect(elections.departures('events-0', few)).toBe(few)
})

test('slow writes of tables make steps larger, not more', async () => {
  const { elections, pass, ready } = simulate()
  const count = 400
  const writeMs = 4 * limits.leadershipStepMs
  let waiting = gentle(0, count).filter(each => !elections.want(each))
  let departures = count - elections.departures('events-0', count)
  let writes = 1
  for (let before = ready(); waiting.length + departures > 0; writes++) {
    // The step that was granted is taken with the next write.
    await pass(writeMs)
    expect(ready()).toBeGreaterThan(before)
    before = ready()
    waiting = waiting.filter(each => !elections.want(each))
    departures -= elections.departures('events-0', departures)
  }
  const steps = count / limits.leadershipsPerStep + count / limits.departuresPerStep
  expect(writes).toBeLessThan(steps / 4 + 5)
})

test('what one stop has left over is not for the next', async () => {
  const { elections, pass } = simulate()
  expect(gentle(0, 100).filter(each => elections.want(each))).toHaveLength(limits.leadershipsFirst)
  elections.departures('events-0', 1_000)
  // Its broker is killed: nobody asks any more.
  await pass(3_600_000)
  expect(gentle(100, 100).filter(each => elections.want(each))).toHaveLength(limits.leadershipsFirst)
  expect(elections.departures('events-0', 1_000)).toBe(0)
})

test('a stop soon after another begins anew', async () => {
  const { elections, pass } = simulate()
  for (const each of gentle(0, limits.leadershipsFirst)) elections.want(each)
  await pass(2_000)
  const next = gentle(100, 100)
  const waiting = next.filter(each => !elections.want(each))
  expect(waiting).toHaveLength(100 - limits.leadershipsFirst)
  await pass(limits.leadershipStepMs + 1)
  expect(waiting.filter(each => elections.want(each))).toHaveLength(limits.leadershipsPerStep)
})

test('few departures of many tables are many', () => {
  const { elections } = simulate()
  const granted = Array.from({ length: 10 }, (_, table) =>
    elections.departures(`events-${table}`, limits.departuresPerStep / 2))
  expect(granted.reduce((sum, each) => sum + each, 0)).toBe(limits.departuresPerStep)
})

test('after 200 ms one answer is enough, none is not', async () => {
  const { elections, pass } = simulate()
  elections.want(wish)
  await pass(150)
  elections.answer(1, 1, [ends(1, 5, 10)])
  expect(elections.poll(one)).toBeUndefined()
  await pass(60)
  expect(elections.poll(one)?.answers).toHaveLength(1)
  elections.want({ ...wish, row: two })
  await pass(300)
  expect(elections.poll(two)).toBeUndefined()
  expect(elections.want({ ...wish, row: two })).toBe(false)
  elections.answer(2, 4, [ends(2, 5, 10, { partition: 1 })])
  expect(elections.poll(two)?.answers).toHaveLength(1)
})

test('who goes, or was not there, is not waited for', async () => {
  const { elections, pass, ready } = simulate([1])
  elections.want(wish)
  await pass(1)
  elections.gone(2)
  expect(ready()).toBe(1)
  expect(elections.poll(one)?.answers).toEqual([])
})

test('answers count for the broker that was asked, once, and for the epoch that was asked about', async () => {
  const { elections, pass } = simulate()
  elections.want(wish)
  await pass(1)
  elections.answer(2, 1, [ends(2, 5, 10)])
  elections.answer(1, 1, [ends(2, 5, 99), ends(1, 5, 10)])
  elections.answer(1, 1, [ends(1, 5, 50)])
  elections.answer(2, 2, [ends(2, 5, 11)])
  expect(elections.poll(one)?.answers.map(answer => answer.durableEnd)).toEqual([10, 11])
  expect(elections.poll(row({ leaderEpoch: 6 }))).toBeUndefined()
  elections.forget(one)
  expect(elections.poll(one)).toBeUndefined()
})

test('a need outranks a preference, not the other way round', async () => {
  const { elections, asked, pass } = simulate()
  elections.want({ ...wish, preferred: 1 })
  await pass(1)
  elections.want(wish)
  await pass(1)
  expect(asked.length).toBe(4)
  elections.want({ ...wish, preferred: 1 })
  await pass(1)
  expect(asked.length).toBe(4)
})
