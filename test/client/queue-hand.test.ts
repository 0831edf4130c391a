// What a member asks for, from moment to moment.
import { beforeEach, describe, expect, it } from 'vitest'
import { Hand } from '../../client/queue-hand.ts'
import type { HandHost, Holding } from '../../client/queue-hand.ts'
import type { Settled } from '../../client/queue-settlements.ts'
import type { QueuePlace } from '../../client/queue-place.ts'
import { FakeClock } from './fake-clock.ts'

const waitMs = 1_000

let clock: FakeClock
let hand: Hand
let place: QueuePlace
/** Records that were asked for, and not given yet. */
let credit: number
let answers: (() => void)[]
/** '0 RELEASED' */
let said: string[]

function grant (lease: number, first: number, last: number): void {
  const count = last - first + 1
  credit -= count
  hand.grant(place, {
    lease, topic: 't', topicId: 'id', partition: 0, records: [first, last + 1],
    deliveries: Array.from({ length: count }, () => 1), deadLetterTopic: '', reasons: [], causes: []
  })
}

async function time (ms: number): Promise<void> {
  await clock.advance(ms)
  hand.tick()
  await clock.advance(1)
}

beforeEach(() => {
  clock = new FakeClock()
  credit = 0
  answers = []
  said = []
  const host = {
    ports: { clock },
    settlements: {
      settle: ({ offset, outcome }: Settled, _: unknown, ended: () => void) => new Promise<void>(resolve => {
        said.push(`${offset} ${outcome.replace('QUEUE_OUTCOME_', '')}`)
        answers.push(() => {
          ended()
          resolve()
        })
      })
    },
    say: ({ credit: asked }: { credit?: { records: number } }) => { credit += asked?.records ?? 0 },
    bury: () => {}
  } as unknown as HandHost
  hand = new Hand(host, 60_000)
  place = {
    topic: 't', topicId: 'id', partition: 0,
    want: (offsets: readonly number[]) => {
      for (const offset of offsets) hand.arrived(place, { offset } as NonNullable<Holding['record']>)
    },
    unwant: () => {}
  } as unknown as QueuePlace
})

function answer (): void {
  for (const one of answers.splice(0)) one()
}

describe('a hand', () => {
  it('asks for no more while what waits in it waits for long', async () => {
    hand.ask(4)
    await time(1)
    expect(credit).toBe(4)
    grant(1, 0, 3)
    hand.take()
    await time(waitMs)
    answer()
    await time(1)
    expect(credit).toBe(0)
  })

  it('asks again when all that was handed out is lost: nobody settles it', async () => {
    hand.ask(4)
    await time(1)
    grant(1, 0, 0)
    hand.take()
    grant(2, 1, 3)
    await time(waitMs)
    answer()
    await time(1)
    expect(credit).toBe(0)
    hand.lapsed(1)
    await time(1)
    expect(credit).toBeGreaterThan(0)
  })

  it('asks again when nothing had been handed out, as nothing is while the coordinator is silent', async () => {
    hand.ask(4)
    await time(1)
    hand.hold(true)
    grant(1, 0, 3)
    await time(waitMs)
    answer()
    await time(1)
    expect(credit).toBeGreaterThan(0)
  })

  it('has room for as many after it was given anew what it had settled', async () => {
    hand.ask(4)
    await time(1)
    grant(1, 0, 3)
    for (let taken = hand.take(); taken !== undefined; taken = hand.take()) {
      hand.settle(taken, 'QUEUE_OUTCOME_ACKNOWLEDGED', '').catch(() => {})
    }
    // Before the answer, the lease was over; this member gets the records once more.
    grant(2, 0, 3)
    answer()
    for (let taken = hand.take(); taken !== undefined; taken = hand.take()) {
      hand.settle(taken, 'QUEUE_OUTCOME_ACKNOWLEDGED', '').catch(() => {})
    }
    answer()
    await time(1)
    expect(credit).toBe(0)
  })

  it('releases what it had handed out, when it is given what it was told that it had lost', async () => {
    hand.ask(4)
    await time(1)
    grant(1, 0, 2)
    const acknowledged = hand.take()!
    hand.settle(acknowledged, 'QUEUE_OUTCOME_ACKNOWLEDGED', '').catch(() => {})
    hand.take()
    hand.loseAll()
    answer()
    hand.begin()
    await time(1)
    grant(1, 0, 2)
    expect(said).toEqual(['0 ACKNOWLEDGED', '0 RELEASED', '1 RELEASED'])
    expect(hand.take()).toMatchObject({ offset: 2 })
    expect(hand.take()).toBeUndefined()
  })
})
