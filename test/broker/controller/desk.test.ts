import { expect, test } from 'vitest'
import { newCounters } from '../../../broker/controller/counters.ts'
import type { BrokerSession } from '../../../broker/controller/broker-session.ts'
import { Desk } from '../../../broker/controller/desk.ts'
import type { Bureau } from '../../../broker/controller/desk.ts'
import { Elections } from '../../../broker/controller/elections.ts'
import { TableDraft } from '../../../broker/controller/table.ts'
import type { WireError } from '../../../wire/errors.ts'
import { WireError as Refusal } from '../../../wire/errors.ts'
import type { PartitionRow } from '../../../wire/messages.ts'
import type { MemberState, Standing } from '../../../broker/controller/facts.ts'
import { SimRng } from '../../sim/rng.ts'
import { Scheduler } from '../../sim/scheduler.ts'
import { broker, ends, facts, id, row, table, topic, topicId } from './make.ts'

const poll = { answers: [ends(0, 5, 9), ends(1, 5, 10), ends(2, 5, 11)], preferred: -1 }

function simulate (decides = true, standing: Standing = 'stands', two: MemberState = 'live', departures = 0,
  polls?: Elections) {
  const outdated: string[] = []
  const wanted: [string, number][] = []
  const told = (name: string, count: number): number => {
    wanted.push([name, count])
    return departures
  }
  const answers: { error: WireError | undefined, row: PartitionRow | undefined }[] = []
  const live = {
    ...facts({ 0: 'live', 1: 'live', 2: two }, { standing }), session: () => undefined, moved: () => {}
  }
  const bureau = {
    roster: live,
    elections: polls ?? {
      poll: () => standing === 'lost' ? poll : undefined, want: () => true, forget: () => {}, departures: told
    },
    counters: newCounters(),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    mayDecide: () => decides,
    hope: { count: 0 },
    outdated: (reason: string) => { outdated.push(reason) }
  } as unknown as Bureau
  const session = {
    brokerId: 0,
    info: broker(0),
    answerChange: (_id: number, error: WireError | undefined, known: PartitionRow | undefined) => {
      answers.push({ error, row: known })
    }
  } as unknown as BrokerSession
  const base = table({ topics: new Map([[topicId, topic()]]), rows: new Map([[topicId, [row()]]]) })
  const ask = (desk: Desk, version: number): void => {
    const request = { requestId: 1, topicId, partition: 0, leaderEpoch: 5, version, inSync: row().inSync, added: [] }
    desk.change(session, request)
  }
  return { desk: new Desk(bureau), base, outdated, answers, ask, session, wanted, elections: bureau.elections }
}

test('a request from a newer row ends the office; it changes nothing', () => {
  const { desk, base, outdated, ask } = simulate()
  const draft = new TableDraft(base)
  ask(desk, 10)
  desk.decide(draft)
  expect(outdated).toHaveLength(1)
  expect(draft.changed).toBe(false)
})

test('tables that are doubted change nothing, and end no office', () => {
  const { desk, base, outdated, answers, ask } = simulate(false)
  for (const version of [9, 10]) {
    const draft = new TableDraft(base)
    ask(desk, version)
    desk.decide(draft).landed(base)
    expect(draft.changed).toBe(false)
  }
  expect(outdated).toEqual([])
  expect(answers.map(answer => answer.error?.code)).toEqual(['CONTROLLER_UNAVAILABLE', 'CONTROLLER_UNAVAILABLE'])
})

test('nothing is answered before the write has landed; what was dropped is decided again', () => {
  const { desk, base, answers, ask } = simulate()
  ask(desk, 9)
  const first = new TableDraft(base)
  const dropped = desk.decide(first)
  expect(first.row(topicId, 0)?.version).toBe(10)
  dropped.dropped()
  expect(answers).toEqual([])
  const second = new TableDraft(base)
  const decision = desk.decide(second)
  expect(second.row(topicId, 0)?.version).toBe(10)
  decision.landed(second.finish(1, 'w'))
  expect(answers).toMatchObject([{ error: undefined, row: { version: 10 } }])
})

test('operations end with the office, those in flight too', () => {
  const { desk, base } = simulate()
  const ended: (string | undefined)[] = []
  const op = { run: () => {}, done: (_: unknown, error: WireError | undefined) => { ended.push(error?.code) } }
  desk.add(op)
  const flying = desk.decide(new TableDraft(base))
  desk.add(op)
  desk.close(new Refusal('NOT_CONTROLLER'), base)
  flying.dropped()
  expect(ended).toEqual(['NOT_CONTROLLER', 'NOT_CONTROLLER'])
  expect(() => { desk.add(op) }).toThrow('not the controller')
})

test('members whose answers are older than what was committed meanwhile are asked again at once', async () => {
  const scheduler = new Scheduler(new SimRng(1))
  const asked: [broker: number, question: number][] = []
  const { desk, base, elections } = simulate(true, 'leaving', 'live', 0, new Elections({
    clock: scheduler.process('b0').clock,
    ask: (broker, question) => asked.push([broker, question]) > 0,
    ready: () => {}
  }))
  const decide = async (): Promise<TableDraft> => {
    const draft = new TableDraft(base)
    desk.decide(draft)
    await scheduler.run(scheduler.now + 1)
    return draft
  }
  const answer = (durableEnds: number[], highWatermark: number): void => {
    for (const [broker, question] of asked.splice(0)) {
      const known = broker === 0 ? highWatermark : 0
      elections.answer(broker, question, [ends(broker, 5, durableEnds[broker]!, { highWatermark: known })])
    }
  }
  await decide()
  expect(asked.map(([broker]) => broker)).toEqual([0, 1, 2])
  // The leader serves on, and answers last.
  answer([12, 10, 11], 12)
  expect((await decide()).changed).toBe(false)
  expect(asked.map(([broker]) => broker)).toEqual([0, 1, 2])
  answer([20, 14, 15], 20)
  expect((await decide()).row(topicId, 0)).toMatchObject({ leader: 2, leaderEpoch: 6 })
  expect(asked).toEqual([])
})

test('whom a request adds is not elected in the same write', () => {
  const { desk, base, session } = simulate(true, 'lost')
  const stored = { ...base, rows: new Map([[topicId, [row({ inSync: [id(0), id(1)] })]]]) }
  const added = [{ identity: id(2), brokerEpoch: 3, durableEnd: 11 }]
  const inSync = [id(0), id(1), id(2)]
  desk.change(session, { requestId: 1, topicId, partition: 0, leaderEpoch: 5, version: 9, inSync, added })
  const first = new TableDraft(stored)
  desk.decide(first)
  expect(first.row(topicId, 0)).toMatchObject({ version: 10, leaderEpoch: 5, leader: 0, inSync })
  const second = new TableDraft(first.finish(1, 'w'))
  desk.decide(second)
  expect(second.row(topicId, 0)).toMatchObject({ version: 11, leaderEpoch: 6, leader: 2 })
})

test('as many sets lose the member whose broker stops as have their turn; a dead one leaves all at once', () => {
  const rows = new Map([[topicId, [0, 1, 2].map(partition => row({ partition }))]])
  for (const [state, turns, left] of [['stopping', 2, 2], ['stopping', 0, 0], ['dead', 0, 3]] as const) {
    const { desk, base, wanted } = simulate(true, 'stands', state, turns)
    const draft = new TableDraft({ ...base, rows })
    desk.decide(draft)
    expect(draft.rows(topicId).filter(({ inSync }) => inSync.length === 2)).toHaveLength(left)
    expect(wanted).toEqual([['events-0', state === 'dead' ? 0 : 3]])
  }
})
